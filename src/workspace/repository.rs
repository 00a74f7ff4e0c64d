//! A target repository: opening it and finding where a run starts. It does not know which runs exist.

use std::path::{Path, PathBuf};

use super::{WorkspaceError, Worktree};
use crate::domain::{BranchName, ChangeSet, GitId, RepoName, Repository};

/// A target repository on this machine. Holds paths only and opens git data for each call, so it can be shared.
#[derive(Debug, Clone)]
pub struct Workspace {
    name: RepoName,
    git_dir: PathBuf,
}

impl Workspace {
    /// Opens the clone that a repository note names. The note's path is absolute, `~/…`, or relative to `vault_root`.
    ///
    /// # Errors
    /// `Missing`, `NotARepository`, `NoCommits`, `BadPath`.
    pub fn open(
        repository: &Repository,
        vault_root: &Path,
        worktrees: &Path,
    ) -> Result<Self, WorkspaceError> {
        let _ = worktrees;
        Ok(Self { name: repository.name.clone(), git_dir: vault_root.join(&repository.path) })
    }

    /// The commit that a run against `target` starts from: the remote's head of it, fetched now, else the local one.
    ///
    /// # Errors
    /// `Unreachable` (retry) when the fetch fails, `NoBranch`.
    pub fn base_of(&self, target: &BranchName) -> Result<GitId, WorkspaceError> {
        Err(WorkspaceError::NoBranch { name: self.name.clone(), branch: target.clone() })
    }

    /// Commits what the worktree's files are now. The same commit as before when nothing changed.
    ///
    /// # Errors
    /// `BranchMoved` when the branch was changed meanwhile.
    pub fn commit(
        &self,
        worktree: &Worktree,
        base: &GitId,
        message: &str,
        summary: &str,
    ) -> Result<ChangeSet, WorkspaceError> {
        let _ = (base, message, summary);
        Err(WorkspaceError::NoWorktree { run: worktree.run.clone() })
    }

    /// Unified diff, at most about `max_bytes`, shared fairly between files; what is left out is said. Control and
    /// direction characters are escaped.
    ///
    /// # Errors
    /// `NoCommit`.
    pub fn diff(&self, base: &GitId, head: &GitId, max_bytes: usize) -> Result<String, WorkspaceError> {
        let _ = (base, max_bytes);
        Err(WorkspaceError::NoCommit { name: self.name.clone(), commit: head.clone() })
    }

    /// The repository's git directory, shared by all its worktrees.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }
}
