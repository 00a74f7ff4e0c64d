//! Removing a run's worktree, never with work that exists nowhere else.

use std::path::Path;

use git2::{BranchType, Oid, Repository};

use super::beneath::Folder;
use super::merge::landed;
use super::{Workspace, WorkspaceError, Worktree};
use crate::domain::BranchName;

/// Branches of runs begin with this.
const RUN_BRANCHES: &str = "agent/ado/";

/// How a removal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// The worktree is gone, or was not there. A merged branch is gone too.
    Done,
    /// It holds work that exists nowhere else.
    Kept { why: String },
}

impl Workspace {
    /// Removes the worktree unless it holds work that is not committed. Its branch stays in the clone with every commit
    /// of the run; one that was merged goes with the worktree.
    ///
    /// # Errors
    /// When git data or files cannot be read or removed.
    pub fn remove(&self, worktree: &Worktree, branch: &BranchName) -> Result<Removed, WorkspaceError> {
        let repository = self.git()?;
        let _lock = self.lock()?;
        let tip = self.local_head(&repository, branch)?;
        if let (Some(tip), true) = (tip, worktree.path.is_dir())
            && self.has_uncommitted(&repository, worktree, tip)?
        {
            let (path, git_dir) = (worktree.path.display(), self.git_dir.display());
            let why = format!(
                "`{path}` holds changes that are not committed; when nobody needs them, `git --git-dir {git_dir} \
                 worktree remove --force {path}` removes it"
            );
            return Ok(Removed::Kept { why });
        }
        let is_merged = match tip {
            Some(tip) => is_merged(&repository, worktree, tip)?,
            None => false,
        };
        remove_folder(&worktree.path)?;
        remove_folder(&worktree.git_dir)?;
        if let (Some(tip), true) = (tip, is_merged)
            && self.checkouts_of(&repository, branch)?.is_empty()
        {
            let failed = |source| WorkspaceError::git(format!("delete branch `{branch}`"), source);
            let mut found = repository.find_branch(branch.as_str(), BranchType::Local).map_err(failed)?;
            if found.get().target() == Some(tip) {
                found.delete().map_err(failed)?;
            }
        }
        Ok(Removed::Done)
    }
}

/// Whether a branch that is no run's has the commits.
fn is_merged(repository: &Repository, worktree: &Worktree, tip: Oid) -> Result<bool, WorkspaceError> {
    let failed = |source| WorkspaceError::git("list branches", source);
    for found in repository.branches(None).map_err(failed)? {
        let (found, kind) = found.map_err(failed)?;
        let (Ok(Some(name)), Some(head)) = (found.name(), found.get().target()) else { continue };
        let name = match kind {
            BranchType::Local => name,
            BranchType::Remote => name.split_once('/').map_or(name, |(_, name)| name),
        };
        if !name.starts_with(RUN_BRANCHES)
            && landed(repository, Some(&worktree.run), Some(tip), &tip.to_string(), head)?.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn remove_folder(path: &Path) -> Result<(), WorkspaceError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let removed = match Folder::open(parent) {
        Ok(parent) => parent.remove(name.as_encoded_bytes()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(|source| WorkspaceError::io("remove", path, source))
}
