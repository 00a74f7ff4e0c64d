//! The lock files of the vault's repository: ours, which are known as ours after a crash, and those of other programs,
//! which are waited for and never deleted.
//!
//! A lock of ours has a second name in the git folder's `ado-vault/`, made of process id and start time. The two names are
//! one file, so a lock that has such a mark is ours, and stale once that process is gone. Does not know what is written
//! under a lock.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::super::root::is_absent;
use super::super::seam::change;
use super::super::{VaultError, place};
use super::repository::{Head, History};

/// How long another program's lock is waited for.
const WAITS: u32 = 20;
const WAIT: Duration = Duration::from_millis(10);

/// A lock of git's that is ours, and its mark. Both names go when it is dropped.
pub(super) struct OwnLock {
    /// `None` once it became the file.
    lock: Option<PathBuf>,
    mark: PathBuf,
}

impl OwnLock {
    /// The lock's text takes the place of the file that was locked.
    pub(super) fn become_file(mut self, file: &Path) -> Result<(), VaultError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        change("move branch", || fs::rename(lock, file))
            .map_err(|source| VaultError::io("write", file, source))?;
        // From here on a lock of that name is someone else's.
        self.lock = None;
        Ok(())
    }
}

impl Drop for OwnLock {
    fn drop(&mut self) {
        // What cannot be removed now is cleared at the next start.
        let _ = self.lock.as_deref().map(place::remove);
        let _ = place::remove(&self.mark);
    }
}

impl History {
    /// Makes a lock file of git's with this text; `None` when another program keeps it. Where the file system has no second
    /// names the lock has no mark: one that a crash leaves is then reported like a foreign one.
    pub(super) fn take_lock(&self, lock: &Path, text: &str) -> Result<Option<OwnLock>, VaultError> {
        let mark = self.own_file("lock")?;
        let failed = |source| {
            let _ = place::remove(&mark);
            VaultError::io("lock", lock, source)
        };
        change("mark", || fs::write(&mark, text)).map_err(failed)?;
        let take = || match change("lock", || fs::hard_link(&mark, lock)) {
            Err(error) if is_without_links(&error) => {
                OpenOptions::new().write(true).create_new(true).open(lock)?.write_all(text.as_bytes())
            }
            linked => linked,
        };
        for _ in 0..WAITS {
            match take() {
                Ok(()) => return Ok(Some(OwnLock { lock: Some(lock.to_owned()), mark })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => sleep(WAIT),
                Err(error) => return Err(failed(error)),
            }
        }
        place::remove(&mark)?;
        Ok(None)
    }

    /// Removes the locks that a killed process of ours left.
    pub(super) fn clear_own_locks(&self) -> Result<(), VaultError> {
        let left = self.left_files()?;
        if left.iter().any(|(_, mark)| mark.nlink() > 1) {
            for lock in self.locks() {
                let is_ours = |found: &Metadata| left.iter().any(|(_, mark)| is_same(mark, found));
                if fs::symlink_metadata(&lock).is_ok_and(|found| is_ours(&found)) {
                    tracing::info!(lock = %lock.display(), "removed the lock of a killed ado-vault");
                    place::remove(&lock)?;
                }
            }
        }
        Ok(())
    }

    /// Removes what else a killed process of ours left in the git folder, the marks of its locks last of all.
    pub(super) fn clear_own_files(&self) -> Result<(), VaultError> {
        self.left_files()?.iter().try_for_each(|(file, _)| place::remove(file))
    }

    /// The lock that another program has on what a commit needs, with its age in seconds.
    pub(super) fn foreign_lock(&self, head: &Head) -> Option<(PathBuf, u64)> {
        let needed = [
            self.lock_of("index"),
            self.lock_of("HEAD"),
            self.shared_lock_of(&head.reference),
            self.shared_lock_of("packed-refs"),
        ];
        needed.into_iter().find_map(|lock| {
            let found = fs::symlink_metadata(&lock).ok()?;
            // In this order: a lock of ours has its mark for as long as it is there.
            let marks = self.own_files().unwrap_or_default();
            let is_there = || fs::symlink_metadata(&lock).is_ok_and(|now| is_same(&now, &found));
            if marks.iter().any(|(_, mark)| is_same(mark, &found)) || !is_there() {
                return None;
            }
            let made = found.modified().ok()?;
            Some((lock, SystemTime::now().duration_since(made).map_or(0, |age| age.as_secs())))
        })
    }

    /// `index.lock` and `HEAD.lock`: of this work tree alone.
    pub(super) fn lock_of(&self, file: &str) -> PathBuf {
        self.git_dir.join(format!("{file}.lock"))
    }

    /// Locks of what all work trees of a repository share.
    pub(super) fn shared_lock_of(&self, file: &str) -> PathBuf {
        self.common_dir.join(format!("{file}.lock"))
    }

    /// Every lock that a mark can be of.
    fn locks(&self) -> Vec<PathBuf> {
        let folders = ["refs/heads", "refs/ado"].map(|folder| self.common_dir.join(folder));
        let references =
            folders.into_iter().flat_map(|folder| walkdir::WalkDir::new(folder).into_iter().flatten());
        let references = references
            .map(walkdir::DirEntry::into_path)
            .filter(|path| path.extension().is_some_and(|extension| extension == "lock"));
        references.chain([self.lock_of("index")]).collect()
    }

    /// Those of processes that are gone.
    fn left_files(&self) -> Result<Vec<(PathBuf, Metadata)>, VaultError> {
        Ok(self.own_files()?.into_iter().filter(|(file, _)| !is_alive(file)).collect())
    }

    /// The files of ours in the git folder, marks among them.
    fn own_files(&self) -> Result<Vec<(PathBuf, Metadata)>, VaultError> {
        let folder = self.own_folder();
        let listing = match fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(source) => return Err(VaultError::io("list", &folder, source)),
        };
        Ok(listing.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).collect())
    }

    /// A name for a file of this process in the git folder. Such a file is removed at the next start when a crash left it.
    pub(super) fn own_file(&self, kind: &str) -> Result<PathBuf, VaultError> {
        let (pid, start) = (std::process::id(), start_of("self").unwrap_or_default());
        let file = self.own_folder().join(format!("{kind}-{pid}-{start}-{}", place::unique_name()));
        place::make_parents(&file)?;
        Ok(file)
    }

    /// On the same file system as the locks, where a second name of one can be.
    fn own_folder(&self) -> PathBuf {
        self.common_dir.join("ado-vault")
    }
}

fn is_without_links(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS | libc::EXDEV))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether the process that made this file of ours still runs.
fn is_alive(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut words = name.split('-').skip(1);
    let (Some(pid), Some(start)) = (words.next(), words.next()) else { return false };
    start_of(pid).is_some_and(|now| now == start)
}

/// Start time of a process in clock ticks since boot.
fn start_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}
