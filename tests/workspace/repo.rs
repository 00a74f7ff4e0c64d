//! A scratch repository with one commit on `main`, with or without a bare origin, and the workspace over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ado_vault::domain::{BranchName, ChangeSet, GitId, Repository, RunId};
use ado_vault::workspace::{Workspace, WorkspaceError, Worktree};
use tempfile::TempDir;

pub struct Repo {
    pub dir: TempDir,
}

impl Repo {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("vault")).unwrap();
        let repo = Self { dir };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "-q", "-b", "main"]);
        repo.write("README.md", "# App\n");
        repo.write("src/lib.rs", "pub fn one() -> u32 {\n    1\n}\n");
        repo.write(".gitignore", "/target\n*.log\n");
        repo.commit_all("first");
        repo
    }

    pub fn with_origin() -> Self {
        let repo = Self::new();
        let origin = repo.origin();
        repo.git(&["clone", "-q", "--bare", ".", origin.to_str().unwrap()]);
        repo.git(&["remote", "add", "origin", origin.to_str().unwrap()]);
        repo.git(&["fetch", "-q", "origin"]);
        repo
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("app")
    }

    pub fn origin(&self) -> PathBuf {
        self.dir.path().join("origin.git")
    }

    pub fn worktrees(&self) -> PathBuf {
        self.dir.path().join("worktrees")
    }

    /// Another human's clone of the origin.
    pub fn other_clone(&self) -> PathBuf {
        let other = self.dir.path().join("other");
        if !other.exists() {
            self.git(&["clone", "-q", self.origin().to_str().unwrap(), other.to_str().unwrap()]);
        }
        other
    }

    pub fn open(&self) -> Workspace {
        self.try_open().unwrap()
    }

    pub fn try_open(&self) -> Result<Workspace, WorkspaceError> {
        Workspace::open(&note("../app"), &self.dir.path().join("vault"), &self.worktrees())
    }

    pub fn write(&self, path: &str, text: &str) {
        put(&self.path(), path, text);
    }

    pub fn commit_all(&self, message: &str) -> GitId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.head("HEAD")
    }

    pub fn head(&self, name: &str) -> GitId {
        GitId(self.git(&["rev-parse", "--verify", name]))
    }

    pub fn git(&self, args: &[&str]) -> String {
        git_in(&self.path(), args)
    }

    /// A prepared worktree from `main` for run 1 of `FR-<number>`.
    pub fn worktree(&self, workspace: &Workspace, number: u32) -> (Worktree, GitId) {
        let base = workspace.base_of(&main()).unwrap();
        (workspace.prepare(&run(number), &branch(number), &base, None).unwrap(), base)
    }

    /// A run that added one file, committed.
    pub fn finished_run(&self, workspace: &Workspace, number: u32, file: &str) -> ChangeSet {
        let (worktree, base) = self.worktree(workspace, number);
        put(&worktree.path, file, &format!("from run {number}\n"));
        workspace.commit(&worktree, &base, &format!("FR-{number}: work"), "did it").unwrap()
    }
}

pub fn git_in(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Human"), ("GIT_AUTHOR_EMAIL", "human@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Human"), ("GIT_COMMITTER_EMAIL", "human@example.org")])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn put(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn note(path: &str) -> Repository {
    let mut note: Repository = serde_json::from_value(serde_json::json!({ "path": path })).unwrap();
    note.name = "app".parse().unwrap();
    note
}

pub fn run(number: u32) -> RunId {
    format!("FR-{number:03}/1").parse().unwrap()
}

pub fn branch(number: u32) -> BranchName {
    format!("agent/ado/feature/FR-{number:03}-work").parse().unwrap()
}

pub fn main() -> BranchName {
    "main".parse().unwrap()
}

pub fn files(change: &ChangeSet) -> Vec<&str> {
    change.files.iter().map(|file| file.path.as_str()).collect()
}
