//! What can go wrong with a target repository, each with what a human can do about it.

use std::path::PathBuf;

use crate::domain::{BranchName, GitId, RepoName};

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The folder does not exist.
    #[error("repository `{name}` has no folder `{path}`", path = path.display())]
    Missing { name: RepoName, path: PathBuf },
    #[error("folder `{path}` of repository `{name}` is not a git repository", path = path.display())]
    NotARepository { name: RepoName, path: PathBuf },
    #[error("repository `{name}` has no commits")]
    NoCommits { name: RepoName },
    /// A path of the note, or one made from it, that cannot be used.
    #[error("path `{path}` cannot be used: {reason}", path = path.display())]
    BadPath { path: PathBuf, reason: String },
    #[error("repository `{name}` has no branch `{branch}`")]
    NoBranch { name: RepoName, branch: BranchName },
    /// A commit that a record names is not in the repository.
    #[error("commit `{}` is not in repository `{name}`", commit.short())]
    NoCommit { name: RepoName, commit: GitId },
    /// The remote did not answer, or not in time.
    #[error("remote `{remote}` cannot be reached: {detail}")]
    Unreachable { remote: String, detail: String },
    /// The remote answered and said no.
    #[error("remote `{remote}` refused: {detail}")]
    Refused { remote: String, detail: String },
    /// The remote's address is not a path, https or ssh, or its settings name programs.
    #[error("remote `{remote}` is not used: {reason}")]
    BadRemote { remote: String, reason: String },
    /// The branch holds commits that ado-vault did not make.
    #[error("branch `{branch}` holds commit `{}` that is not of this run", commit.short())]
    ForeignCommits { branch: BranchName, commit: GitId },
    #[error("branch `{branch}` is checked out in `{path}`", path = path.display())]
    BranchInUse { branch: BranchName, path: PathBuf },
    /// The branch moved while a change was being made.
    #[error("branch `{branch}` moved meanwhile")]
    BranchMoved { branch: BranchName },
    #[error("merging `{source_branch}` into `{target}` conflicts in {}", files.join(", "))]
    Conflict { source_branch: BranchName, target: BranchName, files: Vec<String> },
    /// The target branch is checked out with changes that are not committed.
    #[error("`{path}` has uncommitted changes: {}", files.join(", "), path = path.display())]
    Dirty { path: PathBuf, files: Vec<String> },
    /// Another process keeps the repository's lock.
    #[error("repository `{name}` is locked by another process")]
    Busy { name: RepoName },
    /// What somebody proposes cannot be looked at.
    #[error("what is proposed cannot be looked at: {reason}")]
    Proposal { reason: String },
    /// The head that was asked for is not the one that is proposed now.
    #[error("the head is {now} by now, not {then}", now = now.short(), then = then.short())]
    HeadMoved { then: GitId, now: GitId },
    #[error("worktree of run `{run}` does not exist")]
    NoWorktree { run: crate::domain::RunId },
    #[error("hook `{hook}` failed: {detail}")]
    Hook { hook: String, detail: String },
    #[error("hook `{hook}` cannot run: {source}")]
    Sandbox { hook: String, source: crate::sandbox::SandboxError },
    #[error("cannot {action}")]
    Git { action: String, source: git2::Error },
    #[error("cannot {action} `{path}`", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl WorkspaceError {
    pub(super) fn git(action: impl Into<String>, source: git2::Error) -> Self {
        Self::Git { action: action.into(), source }
    }

    pub(super) fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// What a human can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { name, .. } => {
                format!("clone it there, or mend `path` in the repository note `{name}`")
            }
            Self::NotARepository { name, .. } => {
                format!("point `path` in the repository note `{name}` at the root of a clone, or run `git init` there")
            }
            Self::NoCommits { .. } => "make a first commit in it".into(),
            Self::BadPath { .. } => "mend the path in the repository note or in Settings".into(),
            Self::NoBranch { .. } => {
                "create the branch, or mend `target_branch` of the feature or `default_branch` of the repository note"
                    .into()
            }
            Self::NoCommit { .. } => "fetch it into the clone, or start a new run of the feature".into(),
            Self::Unreachable { .. } => {
                "check network and credentials with `git fetch` in the clone; it is tried again".into()
            }
            Self::Refused { .. } => "check your rights and the branch protection at the remote".into(),
            Self::BadRemote { .. } => "give the remote a path, https or ssh address with `git remote set-url`".into(),
            Self::ForeignCommits { branch, .. } => {
                format!("rename or delete the branch `{branch}`, or accept it as done and start a new run")
            }
            Self::BranchInUse { .. } => "switch that checkout to another branch".into(),
            Self::BranchMoved { .. } => "nothing; it is tried again".into(),
            Self::Conflict { .. } => "merge the target branch into the branch by hand, or ask for rework".into(),
            Self::Dirty { .. } => "commit or stash these changes, or switch to another branch".into(),
            Self::Busy { .. } => "wait; it is tried again".into(),
            Self::Proposal { .. } => "look at it by hand, with care".into(),
            Self::HeadMoved { .. } => "ask again for its review".into(),
            Self::NoWorktree { .. } => "start the step again; it makes the worktree anew".into(),
            Self::Hook { hook, .. } | Self::Sandbox { hook, .. } => {
                format!("mend `{hook}` in the repository note")
            }
            Self::Git { .. } => "look at the repository with `git fsck` and `git status`".into(),
            Self::Io { .. } => "check that the path exists, its rights and the free space".into(),
        }
    }

    /// Whether the same call may succeed later without a human.
    pub fn retry(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::BranchMoved { .. } | Self::Busy { .. } | Self::Io { .. }
        )
    }
}
