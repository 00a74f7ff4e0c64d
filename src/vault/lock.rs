//! Who may write the vault now, and who works on it for longer: advisory locks on files under `.ado/`.
//!
//! The kernel frees a lock when its process ends, so a dead holder never blocks anyone; the file's text (process id,
//! start time, what it does) only tells people who holds it. Does not know what is written under a lock.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fs4::{FileExt, TryLockError};

use super::{Vault, VaultError, place};

const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long a taken watch lock is tried again: a moment, because asking for the holder takes it for an instant.
const WATCH_WAIT: Duration = Duration::from_millis(300);

/// One write transaction on the vault. Released when dropped.
#[derive(Debug)]
pub struct VaultLock {
    file: File,
}

impl VaultLock {
    /// Waits up to ten seconds for the lock.
    ///
    /// # Errors
    /// [`VaultError::LockTimeout`] names the holder.
    pub fn acquire(vault: &Vault) -> Result<Self, VaultError> {
        let path = private_folder(vault)?.join("lock");
        match take(&path, WRITE_WAIT, "writing")? {
            Ok(file) => Ok(Self { file }),
            Err(holder) => Err(VaultError::LockTimeout {
                seconds: WRITE_WAIT.as_secs(),
                holder: holder
                    .map_or("an unknown process".to_owned(), |(pid, what)| format!("process {pid}, {what}")),
            }),
        }
    }
}

/// The right to run an engine on the vault; held for the engine's life and released when dropped.
#[derive(Debug)]
pub struct WatchLock {
    file: File,
}

impl WatchLock {
    /// `what` says to others what this process does: `watch`, `run`.
    ///
    /// # Errors
    /// [`VaultError::Held`] when another process has it.
    pub fn acquire(vault: &Vault, what: &str) -> Result<Self, VaultError> {
        let path = private_folder(vault)?.join("watch.lock");
        match take(&path, WATCH_WAIT, what)? {
            Ok(file) => Ok(Self { file }),
            Err(holder) => {
                let (pid, what) = holder.unwrap_or((0, "unknown".to_owned()));
                Err(VaultError::Held { pid, what })
            }
        }
    }

    /// Process id and purpose of the engine that works on the vault now.
    pub fn holder(vault: &Vault) -> Option<(u32, String)> {
        let mut file = File::open(vault.root().join(".ado/watch.lock")).ok()?;
        match FileExt::try_lock_shared(&file) {
            Err(TryLockError::WouldBlock) => read_holder(&mut file).or(Some((0, "unknown".to_owned()))),
            _ => None,
        }
    }
}

impl Drop for VaultLock {
    fn drop(&mut self) {
        release(&self.file);
    }
}

impl Drop for WatchLock {
    fn drop(&mut self) {
        release(&self.file);
    }
}

/// Frees a lock by name: closing the file alone would leave it to a child process that is just being started and has not
/// closed what it inherited. Should this fail, the kernel frees the lock when the last process closes it.
fn release(file: &File) {
    let _ = file.set_len(0);
    let _ = FileExt::unlock(file);
}

/// `.ado/`, made if missing and kept out of git.
pub(crate) fn private_folder(vault: &Vault) -> Result<PathBuf, VaultError> {
    let folder = vault.root().join(".ado");
    if !folder.is_dir() {
        fs::create_dir_all(&folder).map_err(|source| VaultError::io("make", &folder, source))?;
    }
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        place::replace_unsynced(&ignore, b"*\n")?;
    }
    Ok(folder)
}

type Holder = Option<(u32, String)>;

fn take(path: &Path, wait: Duration, what: &str) -> Result<Result<File, Holder>, VaultError> {
    let failed = |source| VaultError::io("lock", path, source);
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let until = Instant::now() + wait;
    let mut pause = Duration::from_millis(1);
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                return Ok(Err(read_holder(&mut file)));
            }
            Err(TryLockError::WouldBlock) => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(25));
            }
        }
    }
    let text = format!("{} {} {what}\n", std::process::id(), start_time());
    file.set_len(0).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    if let Err(error) = file.write_all(text.as_bytes()) {
        // The lock holds without words, as on a full disk.
        tracing::warn!(lock = %path.display(), %error, "who holds the lock cannot be written into it");
    }
    Ok(Ok(file))
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    let mut words = text.trim().splitn(3, ' ');
    let pid = words.next()?.parse().ok()?;
    Some((pid, words.nth(1).unwrap_or("unknown").to_owned()))
}

/// Start of this process in clock ticks since boot where the system tells (Linux), else 0.
fn start_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}
