//! Putting a whole file in its place at once: synced temporary files, exchange, placing without replacing.
//!
//! Does not know what the files mean and never decides who wins.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::VaultError;
use super::root::is_absent;
use super::seam::change;

/// Temporary files begin with this, so that scans, Obsidian and people do not see them.
const TEMPORARY: &str = ".ado-tmp-";

/// A name that no other call of any process of this machine makes.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{nanos}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a file's name says that it is such a temporary file.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(TEMPORARY))
}

/// The place of a temporary file beside `target`.
pub(crate) fn beside(target: &Path) -> PathBuf {
    target.with_file_name(format!("{TEMPORARY}{}", unique_name()))
}

/// Writes and syncs a new file. With `like`, its permissions, and where allowed its owner, are taken over.
pub(crate) fn write_synced(path: &Path, bytes: &[u8], like: Option<&fs::Metadata>) -> Result<(), VaultError> {
    let failed = |source| VaultError::io("write", path, source);
    let mode = like.map_or(0o666, |metadata| metadata.permissions().mode() & 0o7777);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        if let Some(metadata) = like {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            let made = file.metadata()?;
            if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
                // Only root may give files away; anyone else goes on as the owner.
                let _ = std::os::unix::fs::fchown(&file, Some(metadata.uid()), Some(metadata.gid()));
            }
        }
        file.sync_all()
    };
    change("write", write).map_err(|source| {
        // A half-written temporary file serves nobody; the first error is the one to report.
        let _ = fs::remove_file(path);
        failed(source)
    })
}

/// Swaps two files atomically. `false` when the file system cannot.
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<bool, VaultError> {
    match change("exchange", || renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(VaultError::io("exchange", other, error.into())),
    }
}

/// Renames without ever replacing. `false` when something is at `to`.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<bool, VaultError> {
    match change("place", || renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        Err(error) => Err(VaultError::io("move", from, error.into())),
    }
}

/// The same by a hard link, which never replaces either.
pub(crate) fn link_new(from: &Path, to: &Path) -> Result<bool, VaultError> {
    let failed = |source| VaultError::io("move", from, source);
    let inode = |path: &Path| fs::symlink_metadata(path).map(|metadata| metadata.ino());
    if from.is_dir() {
        return folder_new(from, to);
    }
    let moved = inode(from).map_err(failed)?;
    match change("link", || fs::hard_link(from, to)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) if cannot_link(&error) => return reserve_new(from, to),
        Err(source) => return Err(failed(source)),
    }
    let old = beside(from);
    match change("unlink", || fs::rename(from, &old)) {
        // A save that replaced the file meanwhile stands at the old name, as one that comes later would.
        Ok(()) if inode(&old).map_err(failed)? != moved => {
            match change("put back", || fs::hard_link(&old, from)) {
                Err(source) if source.kind() != io::ErrorKind::AlreadyExists => return Err(failed(source)),
                _ => {}
            }
        }
        Ok(()) => {}
        Err(error) => {
            // Moved away before its old name was taken: it belongs where it was moved to.
            if is_absent(&error)
                && fs::symlink_metadata(to).is_ok_and(|is| is.ino() == moved && is.nlink() > 1)
            {
                remove(to)?;
            }
            return Err(failed(error));
        }
    }
    remove(&old)?;
    Ok(true)
}

/// The same for a folder: an empty one takes the name, and only an empty one is replaced.
fn folder_new(from: &Path, to: &Path) -> Result<bool, VaultError> {
    match change("reserve", || fs::create_dir(to)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(VaultError::io("make", to, source)),
    }
    change("place", || fs::rename(from, to)).map_err(|source| {
        let _ = fs::remove_dir(to);
        VaultError::io("move", from, source)
    })?;
    Ok(true)
}

/// The same where there are no links: an empty file takes the name, then gives way. Who writes into that file in the
/// microseconds between writes in vain.
fn reserve_new(from: &Path, to: &Path) -> Result<bool, VaultError> {
    let failed = |source| VaultError::io("move", from, source);
    match change("reserve", || OpenOptions::new().write(true).create_new(true).open(to)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(failed(source)),
    }
    change("place", || fs::rename(from, to)).map_err(|source| {
        let _ = fs::remove_file(to);
        failed(source)
    })?;
    Ok(true)
}

/// Whether the error says that the file system has no hard links.
pub(crate) fn cannot_link(error: &io::Error) -> bool {
    let codes = [libc::EPERM, libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL, libc::EMLINK];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Replaces or makes `path` with these bytes, synced, at once. Only for files that ado alone writes.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let temporary = beside(path);
    write_synced(&temporary, bytes, None)?;
    change("replace", || fs::rename(&temporary, path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        VaultError::io("write", path, source)
    })?;
    sync_folder(path)
}

/// Replaces or makes a file of ado's own at once, without waiting for the disk: for what a power cut may take.
pub(crate) fn replace_unsynced(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let temporary = beside(path);
    let write = || fs::write(&temporary, bytes);
    change("note down", || write().and_then(|()| fs::rename(&temporary, path))).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        VaultError::io("write", path, source)
    })
}

/// Makes the folders above `path`.
pub(crate) fn make_parents(path: &Path) -> Result<(), VaultError> {
    match path.parent() {
        Some(parent) if parent.is_dir() => Ok(()),
        Some(parent) => change("make folder", || fs::create_dir_all(parent))
            .map_err(|source| VaultError::io("make", parent, source)),
        None => Ok(()),
    }
}

/// Makes a rename in the folder of `path` last through a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), VaultError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let synced = File::open(parent).and_then(|folder| folder.sync_all());
    match synced {
        Ok(()) => Ok(()),
        // Some network file systems cannot sync a folder.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP)) => Ok(()),
        Err(source) => Err(VaultError::io("sync", parent, source)),
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> Result<(), VaultError> {
    match change("remove", || fs::remove_file(path)) {
        Err(error) if !is_absent(&error) => Err(VaultError::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renamed_by_links_or_reservation_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        type Rename = fn(&Path, &Path) -> Result<bool, VaultError>;
        let ways: [(&str, Rename); 2] = [("linked", link_new), ("reserved", reserve_new)];
        for (name, rename) in ways {
            fs::write(at("one"), "one").unwrap();
            fs::write(at("two"), "two").unwrap();
            assert!(!rename(&at("one"), &at("two")).unwrap(), "{name}");
            assert!(rename(&at("one"), &at(name)).unwrap());
            assert_eq!((fs::read_to_string(at(name)).unwrap().as_str(), at("one").exists()), ("one", false));
            assert_eq!(fs::read_to_string(at("two")).unwrap(), "two");
        }
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("folder/note"), "note").unwrap();
        assert!(!link_new(&at("folder"), &at("two")).unwrap());
        assert!(link_new(&at("folder"), &at("moved")).unwrap());
        assert_eq!(fs::read_to_string(at("moved/note")).unwrap(), "note");
    }
}
