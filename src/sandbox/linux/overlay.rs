//! Folders shown through an overlay: what is read is the machine's, what is written goes to a layer of the run's own, of
//! memory, or is refused. A socket beneath an overlay is another one than the machine's, and leads nowhere. Does not
//! decide which folder is shown how.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags};

const FOLDER: &str = ".layers";
/// Bytes and files that all layers of memory may hold together.
const SIZE: &str = "2147483648";
const FILES: &str = "500000";

/// Where a layer that is written lies.
pub(super) enum Upper<'a> {
    /// Nothing can be written.
    None,
    /// In memory, owned by these ids, gone with the box.
    Memory(u32, u32),
    /// In `data` and `work` of this mount, which is nowhere attached yet.
    Folder(BorrowedFd<'a>),
}

/// The place in the new root where layers wait to be put together. Gone before the command runs.
pub(super) struct Layers {
    folder: OwnedFd,
    /// How this process names it.
    path: PathBuf,
    count: u32,
}

impl Layers {
    /// `root` is the new root's mount, `path` how this process names it.
    pub(super) fn make(root: &OwnedFd, path: &Path) -> io::Result<Self> {
        rustix::fs::mkdirat(root, FOLDER, Mode::from_raw_mode(0o755))?;
        let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in [("mode", "0755"), ("size", SIZE), ("nr_inodes", FILES)] {
            rustix::mount::fsconfig_set_string(fs.as_fd(), key, value)?;
        }
        rustix::mount::fsconfig_create(fs.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let folder = rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        attach(folder.as_fd(), root.as_fd(), FOLDER)?;
        rustix::fs::mkdirat(&folder, "none", Mode::from_raw_mode(0o755))?;
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        drop(rustix::fs::openat(&folder, "nothing", flags, Mode::empty())?);
        Ok(Self { folder, path: path.join(FOLDER), count: 0 })
    }

    /// An overlay over `lower`, a folder's mount, nowhere attached yet.
    pub(super) fn over(&mut self, lower: BorrowedFd<'_>, upper: &Upper<'_>) -> io::Result<OwnedFd> {
        let name = self.count.to_string();
        self.count += 1;
        let at = |part: &str| format!("{name}/{part}");
        let mut made = vec![name.clone(), at("low")];
        match upper {
            Upper::None => {}
            Upper::Memory(..) => made.extend([at("data"), at("work")]),
            Upper::Folder(_) => made.push(at("up")),
        }
        for path in made {
            rustix::fs::mkdirat(&self.folder, path, Mode::from_raw_mode(0o755))?;
        }
        attach(lower, self.folder.as_fd(), &at("low"))?;
        let above = match upper {
            Upper::None => None,
            Upper::Memory(uid, gid) => {
                let owner = (Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid)));
                rustix::fs::chownat(&self.folder, at("data"), owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
                Some((at("data"), at("work")))
            }
            Upper::Folder(upper) => {
                attach(*upper, self.folder.as_fd(), &at("up"))?;
                Some((at("up/data"), at("up/work")))
            }
        };
        self.put_together(&at("low"), above)
    }

    fn put_together(&self, low: &str, above: Option<(String, String)>) -> io::Result<OwnedFd> {
        let named = |part: &str| self.path.join(part).display().to_string();
        let fs = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        match &above {
            Some((upper, work)) => {
                for (key, value) in [("lowerdir", low), ("upperdir", upper), ("workdir", work)] {
                    rustix::mount::fsconfig_set_string(fs.as_fd(), key, named(value))?;
                }
            }
            // An overlay that cannot be written needs two layers.
            None => {
                let lower = format!("{}:{}", named(low), named("none"));
                rustix::mount::fsconfig_set_string(fs.as_fd(), "lowerdir", lower)?;
                attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
            }
        }
        // Marks that any user may set, so that a layer is read alike whoever runs ado-vault.
        rustix::mount::fsconfig_set_flag(fs.as_fd(), "userxattr")?;
        rustix::mount::fsconfig_create(fs.as_fd())?;
        Ok(rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    }

    /// An empty file of which nobody may read or write, nowhere attached yet.
    pub(super) fn nothing(&self) -> io::Result<OwnedFd> {
        Ok(super::mounts::detached_copy(&self.path.join("nothing"))?)
    }

    /// Takes the place away; overlays keep their layers.
    pub(super) fn close(self, root: &OwnedFd) -> io::Result<()> {
        rustix::mount::unmount(&self.path, UnmountFlags::DETACH)?;
        Ok(rustix::fs::unlinkat(root, FOLDER, AtFlags::REMOVEDIR)?)
    }
}

fn attach(mount: BorrowedFd<'_>, folder: BorrowedFd<'_>, path: &str) -> rustix::io::Result<()> {
    rustix::mount::move_mount(mount, c"", folder, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
