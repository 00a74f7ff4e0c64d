//! Keeping the user's index truthful after a commit that was made without it: only the committed paths' entries change,
//! so that `git status` shows neither a staged revert nor anything of the user's work lost.
//!
//! What is owed to the index is written down before the branch moves and settled after; a crash in between, or another
//! program's `index.lock`, leaves the debt for the next time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::super::lock::private_folder;
use super::super::root::is_absent;
use super::super::{VaultError, place};
use super::program::{git, run};
use super::repository::{History, entry_at};

/// First word of the lock files that we make.
const MARK: &str = "ado-vault";
/// How long another program's lock is waited for.
const WAITS: u32 = 20;
const WAIT: Duration = Duration::from_millis(10);

/// A path whose entry must become what HEAD has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    path: String,
    /// Blob that HEAD had before the commit, in hex.
    old: Option<String>,
}

/// What is done with an owed entry for which the user staged something else than HEAD had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staged {
    /// Right after the commit, which holds the whole file: like `git commit PATH`.
    TakeOver,
    /// Later: it may have been staged since.
    Keep,
}

impl Entry {
    pub(super) fn new(path: String, old: Option<Oid>) -> Self {
        Self { path, old: old.map(|id| id.to_string()) }
    }
}

impl History {
    /// Writes down, before the branch moves, which entries will be owed.
    pub(super) fn note_index_debt(&self, entries: &[Entry]) -> Result<(), VaultError> {
        let mut debt = self.index_debt()?;
        for entry in entries {
            if !debt.iter().any(|known| known.path == entry.path) {
                debt.push(entry.clone());
            }
        }
        let path = self.debt_path()?;
        let json = serde_json::to_vec(&debt).expect("a list of strings is JSON");
        let temporary = place::beside(&path);
        fs::write(&temporary, json)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| VaultError::io("write", &path, source))
    }

    /// Clears our own stale lock and settles what an earlier commit left owed.
    pub(super) fn repair_index(&self, repository: &Repository) -> Result<(), VaultError> {
        let lock = self.lock_path();
        if is_ours(&lock) && !is_alive(&lock) {
            place::remove(&lock)?;
        }
        self.settle_index(repository, Staged::Keep);
        Ok(())
    }

    /// Makes the owed entries what HEAD has. The commit stands whatever happens here: what cannot be settled now, as when
    /// another program has the index, stays owed.
    pub(super) fn settle_index(&self, repository: &Repository, staged: Staged) {
        if let Err(error) = self.try_to_settle(repository, staged) {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(%error, cause, "the git index is updated later");
        }
    }

    fn try_to_settle(&self, repository: &Repository, staged: Staged) -> Result<(), VaultError> {
        let debt = self.index_debt()?;
        if debt.is_empty() {
            return Ok(());
        }
        let lock = self.lock_path();
        if !take(&lock)? {
            tracing::info!("another git program has the index; it is updated later");
            return Ok(());
        }
        let written = self.rewrite_index(repository, &debt, staged);
        place::remove(&lock)?;
        match written {
            // An index that libgit2 cannot read: split or sparse.
            Err(VaultError::Git { .. }) => self.update_by_program(repository, &debt)?,
            written => written?,
        }
        place::remove(&self.debt_path()?)
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
        staged: Staged,
    ) -> Result<(), VaultError> {
        let failed = |error| VaultError::git("update the git index", error);
        let path = self.index_path();
        let copy = path.with_file_name(format!("index.{MARK}-{}", place::unique_name()));
        let written_at = match fs::copy(&path, &copy) {
            Ok(_) => fs::metadata(&path).ok().map(|metadata| metadata.mtime()),
            // Before the first commit there may be no index.
            Err(error) if is_absent(&error) => None,
            Err(source) => return Err(VaultError::io("read", &path, source)),
        };
        let update = || -> Result<(), VaultError> {
            let mut index = Index::open(&copy).map_err(failed)?;
            if let Some(written_at) = written_at {
                distrust_racy_entries(&mut index, written_at).map_err(failed)?;
            }
            let tree = self.head_tree(repository)?;
            for owed in debt {
                let head = match &tree {
                    Some(tree) => entry_at(tree, &owed.path)?,
                    None => None,
                };
                let head = head.filter(|entry| entry.kind() == Some(ObjectType::Blob));
                let place = Path::new(&owed.path);
                let present = index.get_path(place, 0).map(|entry| entry.id.to_string());
                if staged == Staged::Keep && present != owed.old {
                    continue;
                }
                for stage in 1..=3 {
                    if index.get_path(place, stage).is_some() {
                        index.remove(place, stage).map_err(failed)?;
                    }
                }
                match head {
                    Some(entry) => {
                        let mode = u32::try_from(entry.filemode()).unwrap_or(0o100_644);
                        index
                            .add(&self.index_entry(repository, &owed.path, entry.id(), mode))
                            .map_err(failed)?;
                    }
                    None if present.is_some() => index.remove(place, 0).map_err(failed)?,
                    None => {}
                }
            }
            index.write().map_err(failed)?;
            fs::rename(&copy, &path).map_err(|source| VaultError::io("write", &path, source))
        };
        let updated = update();
        if updated.is_err() {
            place::remove(&copy)?;
        }
        updated
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

    fn lock_path(&self) -> PathBuf {
        self.index_path().with_file_name("index.lock")
    }
}

/// Whether this lock file was made by ado-vault.
pub(super) fn is_ours(lock: &Path) -> bool {
    fs::read(lock).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}

/// Whether the process that made this lock file of ours still runs.
fn is_alive(lock: &Path) -> bool {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let mut words = text.split_whitespace().skip(1);
    let (Some(pid), Some(start)) = (words.next(), words.next()) else { return false };
    start_of(pid).is_some_and(|now| now == start)
}

/// Start time of a process in clock ticks since boot.
fn start_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Makes the lock file; `false` when another program keeps it.
fn take(lock: &Path) -> Result<bool, VaultError> {
    for _ in 0..WAITS {
        match OpenOptions::new().write(true).create_new(true).open(lock) {
            Ok(mut file) => {
                let start = start_of("self").unwrap_or_default();
                let text = format!("{MARK} {} {start}\n", std::process::id());
                return match file.write_all(text.as_bytes()) {
                    Ok(()) => Ok(true),
                    Err(source) => {
                        place::remove(lock)?;
                        Err(VaultError::io("lock", lock, source))
                    }
                };
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => sleep(WAIT),
            Err(source) => return Err(VaultError::io("lock", lock, source)),
        }
    }
    Ok(false)
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
