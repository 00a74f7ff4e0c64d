//! Files of a folder that an agent wrote, reached name by name from an open folder so that no symbolic link is followed
//! and no pipe is waited for. It does not know git.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// An open folder.
pub(super) struct Folder(OwnedFd);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File {
        executable: bool,
    },
    Folder,
    Link,
    /// A pipe, a socket or a device.
    Special,
}

/// What the file system says of a name; times in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub kind: Kind,
    pub bytes: u64,
    pub modified: (i32, u32),
    pub changed: (i32, u32),
    pub device: u32,
    pub inode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Folder {
    /// Opens a folder by its absolute path; the last part must not be a link.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, folder_flags(), Mode::empty())?))
    }

    pub(super) fn child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, os(name), folder_flags(), Mode::empty())?))
    }

    pub(super) fn make_child(&self, name: &[u8]) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.0, os(name), Mode::from_raw_mode(0o777))?;
        self.child(name)
    }

    /// Sorted, without `.` and `..`.
    pub(super) fn names(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut names = vec![];
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// `None` when there is no such name.
    pub(super) fn facts(&self, name: &[u8]) -> io::Result<Option<Facts>> {
        let stat = match rustix::fs::statat(&self.0, os(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File { executable: stat.st_mode & 0o100 != 0 },
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        };
        // The index keeps the low 32 bits of these, as git does.
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
        Ok(Some(Facts {
            kind,
            bytes: stat.st_size as u64,
            modified: (stat.st_mtime as i32, stat.st_mtime_nsec as u32),
            changed: (stat.st_ctime as i32, stat.st_ctime_nsec as u32),
            device: stat.st_dev as u32,
            inode: stat.st_ino as u32,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }))
    }

    /// The content of a regular file; `None` when it has more than `most` bytes or is none.
    pub(super) fn read(&self, name: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = std::fs::File::from(rustix::fs::openat(&self.0, os(name), flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > most {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= most).then_some(bytes))
    }

    /// Where a symbolic link points, as written.
    pub(super) fn link_target(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.0, os(name), vec![])?.into_bytes())
    }

    /// Puts a new file in the place of whatever has the name.
    pub(super) fn write(&self, name: &[u8], bytes: &[u8], executable: bool) -> io::Result<()> {
        self.remove(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let mut file = std::fs::File::from(rustix::fs::openat(&self.0, os(name), flags, mode)?);
        file.write_all(bytes)
    }

    /// Puts a symbolic link in the place of whatever has the name.
    pub(super) fn write_link(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        self.remove(name)?;
        Ok(rustix::fs::symlinkat(os(target), &self.0, os(name))?)
    }

    /// Removes whatever has the name, with all that is in it. Nothing there is fine.
    pub(super) fn remove(&self, name: &[u8]) -> io::Result<()> {
        let Some(facts) = self.facts(name)? else { return Ok(()) };
        if facts.kind != Kind::Folder {
            return Ok(rustix::fs::unlinkat(&self.0, os(name), AtFlags::empty())?);
        }
        // A folder may have been left without the rights to look into it.
        rustix::fs::chmodat(&self.0, os(name), Mode::from_raw_mode(0o700), AtFlags::empty())?;
        let child = self.child(name)?;
        for inner in child.names()? {
            child.remove(&inner)?;
        }
        Ok(rustix::fs::unlinkat(&self.0, os(name), AtFlags::REMOVEDIR)?)
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_takes_links_and_not_what_they_point_at() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("keep"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("a/b/link")).unwrap();
        let folder = Folder::open(&inside).unwrap();
        folder.remove(b"a").unwrap();
        assert!(!inside.join("a").exists());
        assert!(outside.join("keep").exists());
    }

    #[test]
    fn a_link_is_neither_read_nor_entered_nor_written_through() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::os::unix::fs::symlink("../secret", dir.path().join("in/link")).unwrap();
        std::os::unix::fs::symlink("..", dir.path().join("in/up")).unwrap();
        let folder = Folder::open(&dir.path().join("in")).unwrap();
        assert!(folder.read(b"link", 100).is_err());
        assert!(folder.child(b"up").is_err());
        folder.write(b"link", b"new", false).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("secret")).unwrap(), "s");
        assert_eq!(folder.read(b"link", 100).unwrap().unwrap(), b"new");
        assert_eq!(folder.read(b"link", 2).unwrap(), None);
    }
}
