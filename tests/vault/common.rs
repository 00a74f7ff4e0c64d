//! A small vault in a temporary folder, with a git repository where asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ado_vault::domain::NotePath;
use ado_vault::vault::{Vault, VaultLock};
use tempfile::TempDir;

pub struct Place {
    pub folder: TempDir,
    pub vault: Vault,
}

impl Place {
    /// A vault without a repository.
    pub fn bare() -> Self {
        Self::below("")
    }

    /// A vault at `inside` of the temporary folder.
    pub fn below(inside: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(inside);
        fs::create_dir_all(root.join("00_system")).unwrap();
        fs::create_dir_all(root.join("10_features/03_planned")).unwrap();
        fs::create_dir_all(root.join("10_features/04_in_progress")).unwrap();
        fs::write(root.join("00_system/Settings.md"), "---\nid_prefix: FR\n---\n").unwrap();
        let vault = Vault::open(&root).unwrap();
        Self { folder, vault }
    }

    /// A vault at `inside` of a repository with one commit of all of it.
    pub fn with_git(inside: &str) -> Self {
        let place = Self::unborn(inside);
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "-m", "begin"]);
        place
    }

    /// The same without a commit.
    pub fn unborn(inside: &str) -> Self {
        let place = Self::below(inside);
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["config", "user.name", "Ann Human"]);
        place.git(&["config", "user.email", "ann@example.org"]);
        place.git(&["config", "commit.gpgsign", "false"]);
        place.git(&["config", "core.autocrlf", "false"]);
        place
    }

    pub fn lock(&self) -> VaultLock {
        VaultLock::acquire(&self.vault).unwrap()
    }

    pub fn file(&self, path: &str) -> PathBuf {
        self.vault.root().join(path)
    }

    pub fn write(&self, path: &str, text: &str) -> NotePath {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        note(path)
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap()
    }

    /// Output of the git program in the repository's root.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(self.folder.path(), arguments)
    }
}

pub fn note(path: &str) -> NotePath {
    NotePath::new(path).unwrap()
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "git {arguments:?}: {}", said.concat());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
