//! The repository that the vault lies in, and whether a commit can be made in it now.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use git2::{ErrorCode, Oid, Repository, RepositoryState};

use super::super::{Vault, VaultError};
use super::committed::CommittedFeatures;
use super::handle::Handles;
use crate::domain::NotePath;
use crate::note;

/// The vault's git history. What other programs do to the repository is seen by the next call.
#[derive(Debug)]
pub struct History {
    pub(super) vault: Vault,
    pub(super) git_dir: PathBuf,
    /// The same, but for a linked work tree, where it is the main one's.
    pub(super) common_dir: PathBuf,
    pub(super) work_dir: PathBuf,
    /// The vault's folder within the repository, with a `/` at its end; empty when it is the root.
    pub(super) prefix: String,
    /// As last seen.
    pub(super) committed: Mutex<Arc<CommittedFeatures>>,
    /// Since when index writes are put off.
    pub(super) held: Mutex<Option<Instant>>,
    /// Whether the repository's hooks judge commits.
    pub(super) hooks: AtomicBool,
    pub(super) handles: Handles,
}

/// Where HEAD points: a branch, which may have no commit yet.
pub(super) struct Head {
    /// `refs/heads/main`.
    pub reference: String,
    pub commit: Option<Oid>,
}

impl History {
    /// The repository whose work tree holds the vault. Changes nothing; [`History::repair`] mends what a crash left.
    ///
    /// # Errors
    /// [`VaultError::NoRepository`] when there is none, or only a bare one.
    pub fn open(vault: &Vault) -> Result<Self, VaultError> {
        let missing = || VaultError::NoRepository { dir: vault.root().to_owned() };
        let repository = Repository::discover(vault.root()).map_err(|error| match error.code() {
            ErrorCode::NotFound => missing(),
            ErrorCode::Owner => VaultError::Blocked {
                why: format!(
                    "the git repository of `{root}` belongs to another user; if you trust it: \
                     `git config --global --add safe.directory {root}`",
                    root = vault.root().display()
                ),
            },
            _ if error.message().contains("extension") || error.message().contains("object format") => {
                VaultError::Blocked {
                    why: format!(
                        "the git repository of `{}` is of a kind that cannot be written here ({}); the vault needs one as \
                         plain `git init` makes it",
                        vault.root().display(),
                        note::plain(error.message())
                    ),
                }
            }
            _ => VaultError::git(format!("open the repository of `{}`", vault.root().display()), error),
        })?;
        let work_dir = repository.workdir().ok_or_else(missing)?;
        let work_dir =
            std::fs::canonicalize(work_dir).map_err(|source| VaultError::io("open", work_dir, source))?;
        let inside = vault.root().strip_prefix(&work_dir).map_err(|_| missing())?;
        let inside = inside.to_str().ok_or_else(missing)?;
        Ok(Self {
            vault: vault.clone(),
            git_dir: repository.path().to_owned(),
            common_dir: repository.commondir().to_owned(),
            prefix: if inside.is_empty() { String::new() } else { format!("{inside}/") },
            work_dir,
            committed: Mutex::default(),
            held: Mutex::default(),
            hooks: AtomicBool::new(false),
            handles: Handles::default(),
        })
    }

    /// The vault's folder within the repository, with a `/` at its end; empty when it is the root.
    pub fn folder(&self) -> &str {
        &self.prefix
    }

    /// Why no commit can be made now, and what to do; `None` when one can.
    pub fn blocked(&self) -> Option<String> {
        let repository = match self.repository() {
            Ok(repository) => repository,
            Err(error) => return Some(error.to_string()),
        };
        self.unfinished(&repository).or_else(|| {
            let (lock, seconds) = self.foreign_lock(&self.head(&repository).ok()?)?;
            Some(locked(&lock, seconds))
        })
    }

    /// A state in which a commit would spoil what the user is doing.
    pub(super) fn unfinished(&self, repository: &Repository) -> Option<String> {
        let (what, remedy) = match repository.state() {
            RepositoryState::Clean => {
                if repository.head_detached().unwrap_or(false) {
                    return Some(
                        "the vault's repository has a detached HEAD; `git switch` to a branch".to_owned(),
                    );
                }
                return None;
            }
            RepositoryState::Merge => ("merge", "`git merge --continue` or `git merge --abort`"),
            RepositoryState::Revert | RepositoryState::RevertSequence => {
                ("revert", "`git revert --continue` or `git revert --abort`")
            }
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => {
                ("cherry-pick", "`git cherry-pick --continue` or `git cherry-pick --abort`")
            }
            RepositoryState::Bisect => ("bisect", "`git bisect reset`"),
            RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => {
                ("rebase", "`git rebase --continue` or `git rebase --abort`")
            }
            RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => {
                ("`git am`", "`git am --continue` or `git am --abort`")
            }
        };
        Some(format!("the vault's repository has an unfinished {what}; finish it: {remedy}"))
    }

    /// The branch that HEAD names and its commit.
    pub(super) fn head(&self, repository: &Repository) -> Result<Head, VaultError> {
        let failed = |error| VaultError::git("read HEAD", error);
        let head = repository.find_reference("HEAD").map_err(failed)?;
        let Some(mut reference) = head.symbolic_target().map_err(failed)?.map(str::to_owned) else {
            return Err(VaultError::Blocked {
                why: "the vault's repository has a detached HEAD; `git switch` to a branch".to_owned(),
            });
        };
        // A branch may be another name of a branch; git itself follows five.
        for _ in 0..5 {
            let Ok(found) = repository.find_reference(&reference) else { break };
            match found.symbolic_target() {
                Ok(Some(target)) => target.clone_into(&mut reference),
                _ => break,
            }
        }
        let commit = match repository.refname_to_id(&reference) {
            Ok(commit) => Some(commit),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(Head { reference, commit })
    }

    /// The tree of the last commit; `None` before the first.
    pub(super) fn head_tree<'r>(
        &self,
        repository: &'r Repository,
    ) -> Result<Option<git2::Tree<'r>>, VaultError> {
        let head = match repository.head() {
            Ok(head) => head,
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                return Ok(None);
            }
            Err(error) => return Err(VaultError::git("read HEAD", error)),
        };
        head.peel_to_tree().map(Some).map_err(|error| VaultError::git("read the last commit", error))
    }

    /// A note's path within the repository.
    pub(super) fn in_repository(&self, path: &NotePath) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The vault's folder within the repository without a `/` at its end.
    pub(super) fn folder_in_repository(&self) -> &str {
        self.prefix.trim_end_matches('/')
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.git_dir.join("index")
    }
}

/// That another program has a lock, and what to do.
pub(super) fn locked(lock: &Path, seconds: u64) -> String {
    format!(
        "another git program has locked the vault's repository since {seconds} s; let it finish, or if none runs: `rm {}`",
        lock.display()
    )
}

/// The entry at `path`, if the tree has one.
pub(super) fn entry_at<'t>(
    tree: &git2::Tree<'t>,
    path: &str,
) -> Result<Option<git2::TreeEntry<'static>>, VaultError> {
    match tree.get_path(Path::new(path)) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(VaultError::git(format!("read `{path}` of the last commit"), error)),
    }
}
