//! Checkouts of a human: which branch is checked out where, whether it is clean, bringing it along when its branch moves.
//! Worktrees of runs are only listed here, never changed.

use std::fs;
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{Commit, Repository, StatusOptions};

use super::stage::is_below;
use super::worktree::ADMIN_PREFIX;
use super::{Workspace, WorkspaceError};
use crate::domain::BranchName;

/// Files named in a message.
const NAMED: usize = 10;

/// A folder in which a branch is checked out.
pub(super) struct Checkout {
    pub path: PathBuf,
    pub git_dir: PathBuf,
}

impl Checkout {
    pub(super) fn is_of_a_run(&self) -> bool {
        let name = self.git_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with(ADMIN_PREFIX))
    }
}

impl Workspace {
    /// Every checkout of the branch, the main one first.
    pub(super) fn checkouts_of(
        &self,
        repository: &Repository,
        branch: &BranchName,
    ) -> Result<Vec<Checkout>, WorkspaceError> {
        let wanted = format!("ref: refs/heads/{branch}");
        let is_on =
            |git_dir: &Path| fs::read_to_string(git_dir.join("HEAD")).is_ok_and(|head| head.trim() == wanted);
        let mut found = vec![];
        if is_on(&self.git_dir)
            && let Ok(main) = Repository::open(&self.git_dir)
            && let Some(path) = main.workdir()
        {
            found.push(Checkout { path: path.to_owned(), git_dir: self.git_dir.clone() });
        }
        let names = repository.worktrees().map_err(|source| WorkspaceError::git("list worktrees", source))?;
        for name in names.iter().filter_map(Result::ok).flatten() {
            let git_dir = self.git_dir.join("worktrees").join(name);
            let place = fs::read_to_string(git_dir.join("gitdir")).unwrap_or_default();
            let path = Path::new(place.trim()).parent().map(Path::to_owned);
            if let Some(path) = path.filter(|path| is_on(&git_dir) && path.is_dir()) {
                found.push(Checkout { path, git_dir });
            }
        }
        Ok(found)
    }

    /// Brings a clean checkout from one commit to another; the branch itself is the caller's to move.
    ///
    /// # Errors
    /// `Dirty` when files of it were changed, or new ones are in the way: then nothing was touched.
    pub(super) fn bring_along(
        &self,
        checkout: &Checkout,
        from: &Commit<'_>,
        to: &Commit<'_>,
    ) -> Result<(), WorkspaceError> {
        let failed = |source| WorkspaceError::git(format!("update `{}`", checkout.path.display()), source);
        if checkout.git_dir.join("index.lock").exists() {
            return Err(WorkspaceError::Busy { name: self.name.clone() });
        }
        let repository = Repository::open(&checkout.path).map_err(failed)?;
        let (from_tree, to_tree) = (from.tree().map_err(failed)?, to.tree().map_err(failed)?);
        let diff = repository.diff_tree_to_tree(Some(&from_tree), Some(&to_tree), None).map_err(failed)?;
        let mut dirty = self.changed_files(&repository).map_err(failed)?;
        if !dirty.is_empty() && is_already(&repository, to).map_err(failed)? {
            return Ok(());
        }
        let mut options = CheckoutBuilder::new();
        options.safe().disable_pathspec_match(true);
        for delta in diff.deltas() {
            let path = delta.new_file().path().or_else(|| delta.old_file().path());
            let Some(path) = path else { continue };
            options.path(path);
            if delta.status() == git2::Delta::Added && fs::symlink_metadata(checkout.path.join(path)).is_ok()
            {
                dirty.push(path.display().to_string());
            }
        }
        if !dirty.is_empty() {
            dirty.truncate(NAMED);
            return Err(WorkspaceError::Dirty { path: checkout.path.clone(), files: dirty });
        }
        if diff.deltas().len() == 0 {
            return Ok(());
        }
        let target = repository.find_object(to.id(), None).map_err(failed)?;
        repository.checkout_tree(&target, Some(&mut options)).map_err(failed)
    }

    /// Tracked files that differ from the last commit, outside the vault: a run cannot change that.
    fn changed_files(&self, repository: &Repository) -> Result<Vec<String>, git2::Error> {
        let mut options = StatusOptions::new();
        options.include_untracked(false).include_ignored(false).exclude_submodules(true);
        let statuses = repository.statuses(Some(&mut options))?;
        let in_vault = |path: &[u8]| self.hidden.as_deref().is_some_and(|hidden| is_below(path, hidden));
        Ok(statuses
            .iter()
            .filter(|entry| !in_vault(entry.path_bytes()))
            .map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned())
            .collect())
    }
}

/// Whether files and index are already those of `to`: a move that was cut off between files and branch.
fn is_already(repository: &Repository, to: &Commit<'_>) -> Result<bool, git2::Error> {
    let tree = to.tree()?;
    let index = repository.index()?;
    let staged = repository.diff_tree_to_index(Some(&tree), Some(&index), None)?;
    let unstaged = repository.diff_index_to_workdir(Some(&index), None)?;
    Ok(staged.deltas().len() == 0 && unstaged.deltas().len() == 0)
}
