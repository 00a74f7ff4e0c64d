//! The worktree of a run: making, finding, resetting and removing it. It does not know what an agent does in it.

use std::path::PathBuf;

use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, GitId, RunId};

/// A run's checkout of its branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    pub run: RunId,
    pub branch: BranchName,
    /// Absolute folder of the files.
    pub path: PathBuf,
    /// Absolute folder of its git data, inside the repository's git directory. Never read from the worktree itself.
    pub git_dir: PathBuf,
}

/// What the sandbox must show of a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPaths {
    pub write: Vec<PathBuf>,
    pub read: Vec<PathBuf>,
    pub protect: Vec<PathBuf>,
}

/// How a removal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// The worktree is gone, or was not there.
    Done,
    /// It holds work that exists nowhere else.
    Kept { why: String },
}

impl Workspace {
    /// Makes or reuses the run's worktree and resets it to `head` (or `base`). Build caches that the repository ignores
    /// stay; all else that is not in the commit goes.
    ///
    /// # Errors
    /// `ForeignCommits` when the branch holds commits of others, `BranchInUse`, `Busy`, `NoCommit`.
    pub fn prepare(
        &self,
        run: &RunId,
        branch: &BranchName,
        base: &GitId,
        head: Option<&GitId>,
    ) -> Result<Worktree, WorkspaceError> {
        let _ = (branch, base, head);
        Err(WorkspaceError::NoWorktree { run: run.clone() })
    }

    /// The run's worktree, if it is there.
    pub fn find(&self, run: &RunId) -> Option<Worktree> {
        let _ = run;
        None
    }

    /// Removes the worktree unless it holds work that is neither pushed nor merged, or not committed.
    ///
    /// # Errors
    /// When git data or files cannot be read or removed.
    pub fn remove(&self, worktree: &Worktree, branch: &BranchName) -> Result<Removed, WorkspaceError> {
        let _ = (worktree, branch);
        Ok(Removed::Kept { why: "removal is not possible yet".into() })
    }

    /// Bytes that the worktrees of this repository use.
    pub fn disk_use(&self) -> u64 {
        0
    }

    /// What the sandbox must show of the worktree: the files writable, the git data read-only.
    pub fn protected_paths(&self, worktree: &Worktree) -> SandboxPaths {
        SandboxPaths {
            write: vec![worktree.path.clone()],
            read: vec![self.git_dir().to_owned()],
            protect: vec![worktree.path.join(".git")],
        }
    }
}
