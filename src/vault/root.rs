//! Where the vault is, and how a path of it becomes a file that is safe to read.
//!
//! Does not know what any note means.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{CWD, Mode, OFlags};

use super::lock::private_folder;
use super::{Folders, VaultError, Way};
use crate::domain::{InvalidId, NotePath, without_number};

/// Notes above this many bytes are never read or written.
pub(crate) const MAX_NOTE_BYTES: u64 = 1024 * 1024;

/// A vault on disk. Cheap to clone; holds no state but its place, what its file system can do, and where this process
/// wrote since somebody asked.
#[derive(Debug, Clone)]
pub struct Vault(Arc<Place>);

#[derive(Debug)]
struct Place {
    root: Box<Path>,
    way: OnceLock<Way>,
    written: Mutex<BTreeSet<NotePath>>,
}

impl Vault {
    /// The vault at `dir` or at its nearest ancestor that has a `*_system/Settings.md`.
    ///
    /// # Errors
    /// [`VaultError::NotAVault`] when there is none, or no such folder.
    pub fn open(dir: &Path) -> Result<Self, VaultError> {
        let start = fs::canonicalize(dir).map_err(|source| match is_absent(&source) {
            true => VaultError::NotAVault { dir: dir.to_owned() },
            false => VaultError::io("open", dir, source),
        })?;
        start
            .ancestors()
            .find(|candidate| has_settings(candidate))
            .map(Self::rooted)
            .ok_or_else(|| VaultError::NotAVault { dir: start.clone() })
    }

    /// The folder itself, whether or not it is a vault yet.
    pub(crate) fn at(dir: &Path) -> Result<Self, VaultError> {
        let root = fs::canonicalize(dir).map_err(|source| VaultError::io("open", dir, source))?;
        Ok(Self::rooted(&root))
    }

    fn rooted(root: &Path) -> Self {
        Self(Arc::new(Place { root: root.into(), way: OnceLock::new(), written: Mutex::default() }))
    }

    /// How notes are replaced on the vault's file system: tried once, when it is first asked for.
    pub fn way(&self) -> Result<Way, VaultError> {
        if let Some(way) = self.0.way.get() {
            return Ok(*way);
        }
        let way = Way::probe(&private_folder(self)?)?;
        if let Some(limit) = way.limit() {
            tracing::warn!("{way}: {limit}");
        }
        Ok(*self.0.way.get_or_init(|| way))
    }

    /// Absolute and without symbolic links.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Remembers that this process wrote, moved or removed the file or folder at `path`.
    pub(super) fn wrote(&self, path: &NotePath) {
        self.written().insert(path.clone());
    }

    /// Files and folders that this process wrote, moved or removed since this was last asked.
    pub fn take_written(&self) -> BTreeSet<NotePath> {
        std::mem::take(&mut *self.written())
    }

    fn written(&self) -> MutexGuard<'_, BTreeSet<NotePath>> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vault's folders as they are named on disk now.
    pub fn folders(&self) -> Result<Folders, VaultError> {
        Folders::of(self.root())
    }

    /// The absolute path of `path`, which need not exist.
    ///
    /// # Errors
    /// [`VaultError::LeavesVault`] when a symbolic link on the way leads out of the vault; [`VaultError::InvalidPath`] for
    /// anything within a `.git`.
    pub fn absolute(&self, path: &NotePath) -> Result<PathBuf, VaultError> {
        if path.as_str().split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
            let expected = "a path outside of `.git`";
            let text = path.to_string();
            return Err(VaultError::InvalidPath(InvalidId { kind: "path in the vault", text, expected }));
        }
        let absolute = self.root().join(path.as_str());
        for candidate in absolute.ancestors().take_while(|candidate| *candidate != self.root()) {
            match fs::symlink_metadata(candidate) {
                Ok(found) => match fs::canonicalize(candidate) {
                    Ok(real) if real.starts_with(self.root()) => return Ok(absolute),
                    // Gone since it was seen; a link that leads nowhere is not.
                    Err(error) if is_absent(&error) && !found.is_symlink() => {}
                    _ => return Err(VaultError::LeavesVault { path: path.to_string() }),
                },
                Err(error) if is_absent(&error) => {}
                Err(source) => return Err(VaultError::io("look at", candidate, source)),
            }
        }
        Ok(absolute)
    }

    /// The text of a note.
    ///
    /// # Errors
    /// When it is missing, not a regular file, over 1 MiB, not UTF-8 or outside the vault.
    pub fn read(&self, path: &NotePath) -> Result<String, VaultError> {
        let absolute = self.absolute(path)?;
        let (_, bytes) = read_note(path.as_str(), &absolute)?;
        into_text(path.as_str(), bytes)
    }
}

/// Opens a regular file without ever blocking on a pipe, and reads it whole.
pub(crate) fn read_note(name: &str, absolute: &Path) -> Result<(fs::Metadata, Vec<u8>), VaultError> {
    read_at(CWD, absolute, name, OFlags::empty())
}

/// The same of a file in an open folder, not through a link.
pub(crate) fn read_note_at(
    folder: impl AsFd,
    file: &Path,
    name: &str,
) -> Result<(fs::Metadata, Vec<u8>), VaultError> {
    read_at(folder, file, name, OFlags::NOFOLLOW)
}

fn read_at(
    folder: impl AsFd,
    absolute: &Path,
    name: &str,
    flags: OFlags,
) -> Result<(fs::Metadata, Vec<u8>), VaultError> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match rustix::fs::openat(folder, absolute, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(error) => {
            let error = io::Error::from(error);
            return Err(if is_absent(&error) {
                VaultError::Missing { path: name.to_owned() }
            } else {
                VaultError::io("read", absolute, error)
            });
        }
    };
    let failed = |source| VaultError::io("read", absolute, source);
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(VaultError::NotAFile { path: name.to_owned() });
    }
    if metadata.len() > MAX_NOTE_BYTES {
        return Err(VaultError::TooLarge { path: name.to_owned(), bytes: metadata.len() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    file.by_ref().take(MAX_NOTE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_NOTE_BYTES {
        return Err(VaultError::TooLarge { path: name.to_owned(), bytes: bytes.len() as u64 });
    }
    Ok((metadata, bytes))
}

/// The bytes as text, or where they stop being UTF-8.
pub(crate) fn into_text(name: &str, bytes: Vec<u8>) -> Result<String, VaultError> {
    String::from_utf8(bytes).map_err(|error| VaultError::NotText {
        path: name.to_owned(),
        byte: error.utf8_error().valid_up_to(),
    })
}

/// Whether the error says that nothing is there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn has_settings(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        entry.file_name().to_str().is_some_and(|name| without_number(name) == "system")
            && entry.path().join("Settings.md").is_file()
    })
}
