//! Keeping the user's index truthful after a commit that was made without it: only the committed paths' entries change,
//! so that `git status` shows neither a staged revert nor anything of the user's work lost.
//!
//! What is owed to the index is written down before the branch moves and settled after; a crash in between, or another
//! program's `index.lock`, leaves the debt for the next time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::super::lock::private_folder;
use super::super::root::is_absent;
use super::super::seam::change;
use super::super::{VaultError, VaultLock, place};
use super::program::{git, run};
use super::repository::{History, entry_at};
use super::splice::{self, Edit, Spliceable};

/// How long debts are gathered at most while commits follow each other.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// A path whose entry must become what HEAD has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    path: String,
    /// Blobs that HEAD had there before the commits that are owed, in hex. An entry with one of them holds no staged work.
    old: Vec<Option<String>>,
    /// The index as it was before the last of those commits, by a second name. What is still staged as it was there is in
    /// the commit.
    index: Option<PathBuf>,
}

impl Entry {
    pub(super) fn new(path: String, old: Option<Oid>) -> Self {
        Self { path, old: vec![old.map(|id| id.to_string())], index: None }
    }
}

impl History {
    /// From now on commits leave the index owed; [`History::release_index`] settles for all of them at once. No debt is
    /// put off for longer than a second, as long as commits are made.
    pub fn hold_index(&self) {
        *self.held() = Some(Instant::now());
    }

    /// Settles what commits left owed since [`History::hold_index`].
    ///
    /// # Errors
    /// When what is owed cannot be read.
    pub fn release_index(&self, _lock: &VaultLock) -> Result<(), VaultError> {
        if self.held().take().is_some() && !self.index_debt()?.is_empty() {
            self.settle_index(&*self.repository()?, &[]);
        }
        Ok(())
    }

    /// After a commit: settles, unless that is put off.
    pub(super) fn settle_after_commit(&self, repository: &Repository, committed: &[Entry]) {
        let mut held = self.held();
        if held.is_some_and(|since| since.elapsed() < LONGEST_HOLD) {
            return;
        }
        self.settle_index(repository, committed);
        *held = held.map(|_| Instant::now());
    }

    fn held(&self) -> MutexGuard<'_, Option<Instant>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down, before the branch moves, which entries will be owed.
    pub(super) fn note_index_debt(&self, entries: &[Entry]) -> Result<(), VaultError> {
        let mut debt = self.index_debt()?;
        // While commits follow each other the index stays the same, and one second name is enough.
        let kept = debt.iter().rev().find_map(|owed| owed.index.clone());
        let index = match kept.filter(|kept| is_same_file(kept, &self.index_path())) {
            Some(kept) => Some(kept),
            None => self.keep_index()?,
        };
        for entry in entries {
            let index = index.clone();
            match debt.iter_mut().find(|known| known.path == entry.path) {
                Some(known) => {
                    known.old.extend(entry.old.iter().cloned());
                    known.index = index;
                }
                None => debt.push(Entry { index, ..entry.clone() }),
            }
        }
        let json = serde_json::to_vec(&debt).expect("a list of strings is JSON");
        place::replace_unsynced(&self.debt_path()?, &json)
    }

    /// Clears what a killed process of ours left in the repository, its locks first, takes back its rebase, and settles
    /// what is owed to the index. A process that only looks must not do this: what it sees owed may be a commit that is
    /// just being made.
    pub fn repair(&self, _lock: &VaultLock) -> Result<(), VaultError> {
        if self.held().is_some() {
            // What is owed now is owed by this process, and soon settled.
            return Ok(());
        }
        self.clear_own_locks()?;
        self.take_back_own_rebase()?;
        let repository = self.repository()?;
        self.settle_index(&repository, &[]);
        if self.index_debt()?.is_empty() { self.clear_own_files() } else { Ok(()) }
    }

    /// Makes the owed entries what HEAD has; those in `committed`, whose whole files were just committed, whatever the
    /// user staged of them. The commit stands whatever happens here: what cannot be settled now, as when another program
    /// has the index, stays owed.
    pub(super) fn settle_index(&self, repository: &Repository, committed: &[Entry]) {
        if let Err(error) = self.try_to_settle(repository, committed) {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(%error, cause, "the git index is updated later");
        }
    }

    fn try_to_settle(&self, repository: &Repository, committed: &[Entry]) -> Result<(), VaultError> {
        let debt = self.index_debt()?;
        if debt.is_empty() {
            return Ok(());
        }
        let text = format!("ado-vault, process {}\n", std::process::id());
        let Some(lock) = self.take_lock(&self.lock_of("index"), &text)? else {
            tracing::info!("another git program has the index; it is updated later");
            return Ok(());
        };
        let written = self.rewrite_index(repository, &debt, committed);
        drop(lock);
        match written {
            // An index that libgit2 cannot read: split or sparse.
            Err(VaultError::Git { .. }) => self.update_by_program(repository, &debt)?,
            written => written?,
        }
        place::remove(&self.debt_path()?)?;
        debt.iter().filter_map(|owed| owed.index.as_deref()).try_for_each(place::remove)
    }

    /// The same by the `git` program, which knows every kind of index.
    fn update_by_program(&self, repository: &Repository, debt: &[Entry]) -> Result<(), VaultError> {
        let tree = self.head_tree(repository)?;
        let mut input = String::new();
        for owed in debt {
            let head = match &tree {
                Some(tree) => entry_at(tree, &owed.path)?,
                None => None,
            };
            let (mode, id) = head.map_or((0, Oid::ZERO_SHA1), |entry| (entry.filemode(), entry.id()));
            input.push_str(&format!("{mode:06o} {id} 0\t{}\0", owed.path));
        }
        let action = "update the git index";
        let mut update = git(&self.work_dir);
        update.args(["update-index", "-z", "--index-info"]);
        let updated = run(update, &input, Duration::from_secs(30), action)?;
        if updated.status.success() {
            return Ok(());
        }
        let remedy = "end other git programs that use the vault's repository";
        Err(VaultError::Program { action: action.to_owned(), output: updated.stderr, remedy })
    }

    /// Under the lock: a changed copy of the index takes its place at once.
    fn rewrite_index(
        &self,
        repository: &Repository,
        debt: &[Entry],
        committed: &[Entry],
    ) -> Result<(), VaultError> {
        let path = self.index_path();
        let copy = self.own_file("index")?;
        let (bytes, metadata) = match fs::read(&path) {
            Ok(bytes) => (bytes, fs::metadata(&path).ok()),
            // Before the first commit there may be no index.
            Err(error) if is_absent(&error) => (splice::empty(), None),
            Err(source) => return Err(VaultError::io("read", &path, source)),
        };
        let written_at = metadata.as_ref().map_or(i64::MAX, MetadataExt::mtime);
        let paths: Vec<String> = debt.iter().map(|owed| owed.path.clone()).collect();
        let written = match Spliceable::of(&bytes, &paths, written_at) {
            Some(index) => {
                self.owed_edits(repository, debt, committed, |path| index.present(path)).and_then(|edits| {
                    change("write index", || fs::write(&copy, index.with(&edits)))
                        .map_err(|source| VaultError::io("write", &copy, source))
                })
            }
            None => self.rewrite_by_libgit2(repository, &copy, &bytes, written_at, debt, committed),
        };
        let placed = written.and_then(|()| {
            metadata
                .map_or(Ok(()), |metadata| fs::set_permissions(&copy, metadata.permissions()))
                .and_then(|()| change("replace index", || fs::rename(&copy, &path)))
                .map_err(|source| VaultError::io("write", &path, source))
        });
        if placed.is_err() {
            place::remove(&copy)?;
        }
        placed
    }

    /// The same for kinds of index whose bytes are not understood here.
    fn rewrite_by_libgit2(
        &self,
        repository: &Repository,
        copy: &Path,
        bytes: &[u8],
        written_at: i64,
        debt: &[Entry],
        committed: &[Entry],
    ) -> Result<(), VaultError> {
        let failed = |error| VaultError::git("update the git index", error);
        change("copy index", || fs::write(copy, bytes))
            .map_err(|source| VaultError::io("write", copy, source))?;
        let mut index = Index::open(copy).map_err(failed)?;
        distrust_racy_entries(&mut index, written_at).map_err(failed)?;
        let present = |path: &str| index.get_path(Path::new(path), 0).map(|entry| entry.id);
        for (path, entry) in self.owed_edits(repository, debt, committed, present)? {
            let place = Path::new(&path);
            for stage in 0..=3 {
                if index.get_path(place, stage).is_some() {
                    index.remove(place, stage).map_err(failed)?;
                }
            }
            if let Some(entry) = entry {
                index.add(&entry).map_err(failed)?;
            }
        }
        change("write index", || index.write()).map_err(failed)
    }

    /// What the owed entries become; those for which the user staged something else since are left out.
    fn owed_edits(
        &self,
        repository: &Repository,
        debt: &[Entry],
        committed: &[Entry],
        present: impl Fn(&str) -> Option<Oid>,
    ) -> Result<Vec<Edit>, VaultError> {
        let tree = self.head_tree(repository)?;
        let mut earlier = EarlierIndexes::default();
        let mut edits = Vec::with_capacity(debt.len());
        for owed in debt {
            let present = present(&owed.path).map(|id| id.to_string());
            let is_free = committed.iter().any(|entry| entry.path == owed.path)
                || owed.old.contains(&present)
                || earlier.staged(owed).is_some_and(|staged| staged == present);
            if !is_free {
                continue;
            }
            let head = match &tree {
                Some(tree) => entry_at(tree, &owed.path)?,
                None => None,
            };
            let head = head.filter(|entry| entry.kind() == Some(ObjectType::Blob));
            let entry = head.map(|entry| {
                let mode = u32::try_from(entry.filemode()).unwrap_or(0o100_644);
                self.index_entry(repository, &owed.path, entry.id(), mode)
            });
            edits.push((owed.path.clone(), entry));
        }
        Ok(edits)
    }

    /// An entry for the committed blob. It carries the file's stat only when the file still holds that blob; otherwise
    /// git looks into the file itself.
    fn index_entry(&self, repository: &Repository, path: &str, id: Oid, mode: u32) -> IndexEntry {
        let zero = IndexTime::new(0, 0);
        let mut entry = IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        let absolute = self.work_dir.join(path);
        let Ok(metadata) = fs::symlink_metadata(&absolute) else { return entry };
        let holds = metadata.is_file()
            && fs::read(&absolute).is_ok_and(|bytes| {
                let committed = repository.find_blob(id);
                committed.is_ok_and(|blob| blob.content() == bytes)
            });
        if holds {
            // Git stores the low 32 bits of each.
            entry.ctime = IndexTime::new(metadata.ctime() as i32, metadata.ctime_nsec() as u32);
            entry.mtime = IndexTime::new(metadata.mtime() as i32, metadata.mtime_nsec() as u32);
            entry.dev = metadata.dev() as u32;
            entry.ino = metadata.ino() as u32;
            entry.uid = metadata.uid();
            entry.gid = metadata.gid();
            entry.file_size = metadata.size() as u32;
        }
        entry
    }

    fn index_debt(&self) -> Result<Vec<Entry>, VaultError> {
        let path = self.debt_path()?;
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(source) => Err(VaultError::io("read", &path, source)),
        }
    }

    fn debt_path(&self) -> Result<PathBuf, VaultError> {
        Ok(private_folder(&self.vault)?.join("index-debt.json"))
    }

    /// Gives the index a second name, under which it stays as it is now; `None` where there is no index, or no second name.
    fn keep_index(&self) -> Result<Option<PathBuf>, VaultError> {
        let kept = self.own_file("index")?;
        Ok(change("keep index", || fs::hard_link(self.index_path(), &kept)).is_ok().then_some(kept))
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    of(one).is_some_and(|one| of(other) == Some(one))
}

/// Indexes as they were before commits that are owed.
#[derive(Default)]
struct EarlierIndexes(BTreeMap<PathBuf, Option<Index>>);

impl EarlierIndexes {
    /// What was at an owed path: nothing, or a blob in hex. `None` when it is not known.
    fn staged(&mut self, owed: &Entry) -> Option<Option<String>> {
        let path = owed.index.as_ref()?;
        let index = self.0.entry(path.clone()).or_insert_with(|| {
            // libgit2 takes a file that is not there for an empty index.
            path.exists().then(|| Index::open(path).ok()).flatten()
        });
        let entry = index.as_ref()?.get_path(Path::new(&owed.path), 0);
        Some(entry.map(|entry| entry.id.to_string()))
    }
}

/// Entries as young as the old index file may hide a change; with a size of zero git looks into the file itself. Git does
/// the same whenever it writes an index, and like most builds of it this compares whole seconds.
fn distrust_racy_entries(index: &mut Index, written_at: i64) -> Result<(), git2::Error> {
    let racy: Vec<IndexEntry> =
        index.iter().filter(|entry| i64::from(entry.mtime.seconds()) >= written_at).collect();
    for entry in racy {
        index.add(&IndexEntry { file_size: 0, ..entry })?;
    }
    Ok(())
}
