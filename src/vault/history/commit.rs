//! Commits of named paths: the tree of HEAD with those paths as they are on disk, never what the user has staged.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, Oid, Repository, Signature, Tree};

use super::super::root::is_absent;
use super::super::seam::change;
use super::super::{VaultError, VaultLock};
use super::index::Entry;
use super::message::{Change, CommitMessage, RECORDED, of_human};
use super::repository::{Head, History, entry_at};
use super::sign;
use crate::domain::{GitId, NotePath};

/// Mail address of ado's own commits.
pub(super) const OWN_MAIL: &str = "ado-vault@localhost";
/// How often a commit is made anew because someone else committed in between.
const ATTEMPTS: usize = 8;

/// A tree with our paths in it, and how it differs from HEAD.
pub(super) struct NewTree {
    pub(super) id: Oid,
    pub(super) changes: Vec<(NotePath, Change)>,
    entries: Vec<Entry>,
}

impl History {
    /// Commits the present versions of `paths` (deletions and moves among them included) as the human's own work, under
    /// `git config user.*`. `None` when nothing differs from HEAD.
    pub fn commit_human(&self, lock: &VaultLock, paths: &[NotePath]) -> Result<Option<GitId>, VaultError> {
        let repository = self.repository()?;
        let author = human(&repository)?;
        let key = sign::key(&repository)?;
        self.commit_paths(lock, &repository, paths, &author, key.as_ref(), |tree| {
            let mut message = of_human(&tree.changes);
            message.trailers.push((RECORDED.0.to_owned(), RECORDED.1.to_owned()));
            Ok(message)
        })
    }

    /// Commits the present versions of `paths` as the human's own word: under `git config user.*` and signed with their
    /// key, whether git is set to sign or not. `None` when nothing differs from HEAD.
    ///
    /// # Errors
    /// [`VaultError::Program`] when it cannot be signed: nothing is committed then.
    pub fn commit_signed(
        &self,
        lock: &VaultLock,
        paths: &[NotePath],
        message: &CommitMessage,
    ) -> Result<Option<GitId>, VaultError> {
        let repository = self.repository()?;
        let (author, key) = (human(&repository)?, sign::own_key(&repository)?);
        self.commit_paths(lock, &repository, paths, &author, Some(&key), |_| Ok(message.clone()))
    }

    /// Commits the present versions of `paths` as `ado-vault <ado-vault@localhost>`, with the heads of the journals among
    /// them as trailers. `None` when nothing differs.
    ///
    /// # Errors
    /// [`VaultError::Blocked`] while the user has a merge or rebase unfinished or HEAD is detached;
    /// [`VaultError::Program`] when the user's git is set to sign and signing fails: nothing is committed then.
    pub fn commit(
        &self,
        lock: &VaultLock,
        paths: &[NotePath],
        message: &CommitMessage,
    ) -> Result<Option<GitId>, VaultError> {
        let repository = self.repository()?;
        let author = Signature::now("ado-vault", OWN_MAIL)
            .map_err(|error| VaultError::git("name the committer", error))?;
        let key = sign::key(&repository)?;
        self.commit_paths(lock, &repository, paths, &author, key.as_ref(), |tree| {
            let mut message = message.clone();
            message.trailers.extend(self.trailers(&repository, tree)?);
            Ok(message)
        })
    }

    fn commit_paths(
        &self,
        lock: &VaultLock,
        repository: &Repository,
        paths: &[NotePath],
        author: &Signature<'_>,
        key: Option<&sign::Key>,
        message: impl Fn(&NewTree) -> Result<CommitMessage, VaultError>,
    ) -> Result<Option<GitId>, VaultError> {
        if let Some(why) = self.unfinished(repository) {
            return Err(VaultError::Blocked { why });
        }
        self.repair(lock)?;
        for _ in 0..ATTEMPTS {
            let head = self.head(repository)?;
            let Some(tree) = self.tree_with(repository, &head, paths)? else { return Ok(None) };
            let message = message(&tree)?.text();
            let message = self.judged_by_hooks(repository, tree.id, message)?;
            let commit =
                change("write commit", || write_commit(repository, &head, tree.id, author, key, &message))?;
            self.note_index_debt(&tree.entries)?;
            if !self.point_at(repository, &head, commit, author, &message)? {
                continue;
            }
            self.settle_after_commit(repository, &tree.entries);
            return Ok(Some(GitId(commit.to_string())));
        }
        Err(VaultError::Blocked {
            why: "the vault's branch kept moving while a commit was made; it is tried again at the next look"
                .into(),
        })
    }

    /// HEAD's tree with `paths` as they are on disk; `None` when that is HEAD's tree.
    fn tree_with(
        &self,
        repository: &Repository,
        head: &Head,
        paths: &[NotePath],
    ) -> Result<Option<NewTree>, VaultError> {
        let failed = |error| VaultError::git("build the commit's tree", error);
        let base = match head.commit {
            Some(commit) => {
                repository.find_commit(commit).and_then(|commit| commit.tree()).map_err(failed)?
            }
            None => empty_tree(repository).map_err(failed)?,
        };
        let mut update = TreeUpdateBuilder::new();
        let mut changes = Vec::new();
        let mut entries = Vec::new();
        for path in paths.iter().collect::<BTreeSet<_>>() {
            let place = self.in_repository(path);
            let old = entry_at(&base, &place)?.map(|entry| (entry.id(), entry.filemode()));
            let new = self.blob(repository, path)?;
            match (old, new) {
                (None, None) => continue,
                (Some((old, old_mode)), Some((new, mode))) if old == new && old_mode == i32::from(mode) => {
                    continue;
                }
                (_, Some((new, mode))) => {
                    update.upsert(place.as_str(), new, mode);
                }
                (Some(_), None) => {
                    update.remove(place.as_str());
                }
            }
            let change = match (old, new) {
                (Some(_), Some(_)) => Change::Edited,
                (None, _) => Change::Added,
                (_, None) => Change::Deleted,
            };
            changes.push((path.clone(), change));
            entries.push(Entry::new(place, old.map(|(id, _)| id)));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let id = change("write tree", || update.create_updated(repository, &base)).map_err(failed)?;
        Ok(Some(NewTree { id, changes, entries }))
    }

    /// The file as a blob; `None` when it is gone.
    fn blob(&self, repository: &Repository, path: &NotePath) -> Result<Option<(Oid, FileMode)>, VaultError> {
        let absolute = self.vault.absolute(path)?;
        let metadata = match fs::symlink_metadata(&absolute) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(VaultError::io("read", &absolute, source)),
        };
        if !metadata.is_file() {
            return Err(VaultError::NotAFile { path: path.to_string() });
        }
        let failed = |error| VaultError::git(format!("store `{path}` in git"), error);
        let blob = if self.converts_line_ends(repository) {
            change("write blob", || repository.blob_path(&absolute)).map_err(failed)?
        } else {
            let bytes = match fs::read(&absolute) {
                Ok(bytes) => bytes,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(source) => return Err(VaultError::io("read", &absolute, source)),
            };
            change("write blob", || repository.blob(&bytes)).map_err(failed)?
        };
        let executable = metadata.permissions().mode() & 0o111 != 0;
        Ok(Some((blob, if executable { FileMode::BlobExecutable } else { FileMode::Blob })))
    }

    /// Whether git would change a file's bytes on its way into the repository. Asking for that costs an index load.
    fn converts_line_ends(&self, repository: &Repository) -> bool {
        let config = repository.config().and_then(|mut config| config.snapshot());
        let asked = config.and_then(|config| config.get_str("core.autocrlf").map(|value| value != "false"));
        asked.unwrap_or(false)
            || self
                .vault
                .root()
                .ancestors()
                .any(|folder| folder.starts_with(&self.work_dir) && folder.join(".gitattributes").exists())
    }
}

fn write_commit(
    repository: &Repository,
    head: &Head,
    tree: Oid,
    author: &Signature<'_>,
    key: Option<&sign::Key>,
    message: &str,
) -> Result<Oid, VaultError> {
    let failed = |error| VaultError::git("write the commit", error);
    let tree = repository.find_tree(tree).map_err(failed)?;
    let parent = head.commit.map(|commit| repository.find_commit(commit)).transpose().map_err(failed)?;
    let parents: Vec<_> = parent.iter().collect();
    match key {
        None => repository.commit(None, author, author, message, &tree, &parents).map_err(failed),
        Some(key) => {
            let buffer =
                repository.commit_create_buffer(author, author, message, &tree, &parents).map_err(failed)?;
            let content = std::str::from_utf8(&buffer).map_err(|_| VaultError::Program {
                action: "sign the commit".to_owned(),
                output: "its message is not UTF-8".to_owned(),
                remedy: "report this",
            })?;
            let signature = key.sign(content)?;
            repository.commit_signed(content, &signature, None).map_err(failed)
        }
    }
}

/// The identity that git would use, or a placeholder where the user has none set.
pub(super) fn human(repository: &Repository) -> Result<Signature<'static>, VaultError> {
    match repository.signature() {
        Ok(signature) => Ok(signature),
        Err(error) if error.code() == ErrorCode::NotFound => {
            tracing::warn!(
                "no git identity is set; set one with `git config --global user.name` and `user.email`"
            );
            Signature::now("Unknown", "unknown@localhost")
                .map_err(|error| VaultError::git("name the committer", error))
        }
        Err(error) => Err(VaultError::git("read the git identity", error)),
    }
}

pub(super) fn empty_tree(repository: &Repository) -> Result<Tree<'_>, git2::Error> {
    let id = repository.treebuilder(None)?.write()?;
    repository.find_tree(id)
}
