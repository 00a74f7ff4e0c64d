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

/// Where the work of a branch is besides the branch itself.
enum Elsewhere {
    Merged,
    Pushed,
    Nowhere,
}

impl Workspace {
    /// Removes the worktree unless it holds work that is neither pushed nor merged, or not committed. A branch that was
    /// merged goes with it.
    ///
    /// # Errors
    /// When git data or files cannot be read or removed.
    pub fn remove(&self, worktree: &Worktree, branch: &BranchName) -> Result<Removed, WorkspaceError> {
        let repository = self.git()?;
        let _lock = self.lock()?;
        let tip = self.local_head(&repository, branch)?;
        let elsewhere = match tip {
            Some(tip) => self.elsewhere(&repository, worktree, branch, tip)?,
            None => Elsewhere::Pushed,
        };
        if let (Some(tip), true) = (tip, worktree.path.is_dir()) {
            if matches!(elsewhere, Elsewhere::Nowhere) {
                return Ok(Removed::Kept { why: format!("branch `{branch}` is neither pushed nor merged") });
            }
            if self.has_uncommitted(&repository, worktree, tip)? {
                let why = format!("`{}` holds changes that are not committed", worktree.path.display());
                return Ok(Removed::Kept { why });
            }
        }
        remove_folder(&worktree.path)?;
        remove_folder(&worktree.git_dir)?;
        if let (Some(tip), Elsewhere::Merged) = (tip, elsewhere)
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

    fn elsewhere(
        &self,
        repository: &Repository,
        worktree: &Worktree,
        branch: &BranchName,
        tip: Oid,
    ) -> Result<Elsewhere, WorkspaceError> {
        let failed = |source| WorkspaceError::git("list branches", source);
        let mut pushed = false;
        for found in repository.branches(None).map_err(failed)? {
            let (found, kind) = found.map_err(failed)?;
            let (Ok(Some(name)), Some(head)) = (found.name(), found.get().target()) else { continue };
            let name = match kind {
                BranchType::Local => name,
                BranchType::Remote => name.split_once('/').map_or(name, |(_, name)| name),
            };
            if name.starts_with(RUN_BRANCHES) {
                let same = kind == BranchType::Remote && name == branch.as_str();
                pushed |=
                    same && (head == tip || repository.graph_descendant_of(head, tip).map_err(failed)?);
                continue;
            }
            if landed(repository, Some(&worktree.run), Some(tip), &tip.to_string(), head)?.is_some() {
                return Ok(Elsewhere::Merged);
            }
        }
        Ok(if pushed { Elsewhere::Pushed } else { Elsewhere::Nowhere })
    }
}

fn remove_folder(path: &Path) -> Result<(), WorkspaceError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let removed = match Folder::open(parent) {
        Ok(parent) => parent.remove(name.as_encoded_bytes()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(|source| WorkspaceError::io("remove", path, source))
}
