//! The file tree of the box: a small private root with what the job shows in it, and nothing else. Does not decide what
//! is shown.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
};

use super::super::job::{Access, CARGO_HOME, HOME, Job, Show};
use super::channel::{At, Failure, checked};
use super::identity::{Identity, OwnerMaps};
use super::overlay::{Layers, Upper};
use super::sockets;
use super::supervise::Prepared;

const LAYER: &str = "mount view";
/// Bytes of the private `/tmp`, which is memory, and files in it.
const TMP_SIZE: &str = "2147483648";
const TMP_FILES: &str = "200000";

/// Files of the box that are written, not shown: names for the two users there are, and a host that knows itself.
fn generated(identity: Identity) -> [(&'static str, String); 4] {
    let (uid, gid) = identity.ids();
    let (user, group) = if uid == 0 { ("root", "root") } else { ("ado", "ado") };
    let root = if uid == 0 { "" } else { "root:x:0:0:root:/:/bin/false\n" };
    let root_group = if gid == 0 { "" } else { "root:x:0:\n" };
    [
        ("etc/passwd", format!("{root}{user}:x:{uid}:{gid}::{HOME}:/bin/sh\n")),
        ("etc/group", format!("{root_group}{group}:x:{gid}:\n")),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n".into()),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".into()),
    ]
}

/// Builds the tree and makes it the root. Needs a mount namespace of this process's own.
pub(super) fn enter(prepared: &Prepared) -> Result<(), Failure> {
    let Prepared { job, identity, owners, sockets, .. } = prepared;
    let identity = *identity;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .at(LAYER, "stop propagation")?;
    // Copies are taken while the machine's tree is in full view, so that nothing mounted later can hide a source.
    let copies =
        job.shows.iter().map(|show| copy_of(show, identity, owners)).collect::<Result<Vec<_>, _>>()?;
    let uppers = job.shows.iter().filter_map(|show| match &show.access {
        Access::Layered(upper) => Some(upper_of(upper, identity, owners)),
        _ => None,
    });
    let mut uppers = uppers.collect::<Result<Vec<_>, _>>()?.into_iter();
    let root_mount = tmpfs(&[("mode", "0755"), ("size", "4194304"), ("nr_inodes", "8192")])?;
    let place = ["/tmp", "/usr"].into_iter().find(|place| Path::new(place).is_dir()).unwrap_or("/");
    attach(
        root_mount.as_fd(),
        rustix::fs::open(place, OFlags::PATH, Mode::empty()).at(LAYER, place)?.as_fd(),
    )
    .at(LAYER, "put the new root")?;
    let root = Root { fd: root_mount };
    root.furnish(job, identity)?;
    let mut layers = Layers::make(&root.fd, Path::new(place)).at(LAYER, "make layers")?;
    let divided = divided();
    for (show, copy) in job.shows.iter().zip(&copies) {
        let named = || format!("show `{}`", show.target.display());
        let folder = is_folder(copy.as_fd()).at(LAYER, named())?;
        let over = match &show.access {
            // An overlay shows one file system; what is mounted beneath would be missing.
            Access::Read
                if folder
                    && !divided.iter().any(|path| path != &show.source && path.starts_with(&show.source)) =>
            {
                layers.over(copy.as_fd(), &Upper::None).ok()
            }
            Access::Scratch if folder => {
                let (uid, gid) = identity.ids();
                layers.over(copy.as_fd(), &Upper::Memory(uid, gid)).ok()
            }
            Access::Layered(_) => {
                let upper = uppers.next().expect("one was opened for each of these");
                let over = || layers.over(copy.as_fd(), &Upper::Folder(upper.as_fd()));
                match identity.as_owner(over) {
                    // The probe says what it sees.
                    Err(_) if job.probe.is_some() => None,
                    over => Some(over.at("overlay", named())?),
                }
            }
            _ => None,
        };
        let target = root.place(&show.target, folder).at(LAYER, named())?;
        attach(over.as_ref().unwrap_or(copy).as_fd(), target.as_fd()).at(LAYER, named())?;
        if over.is_none() && matches!(show.access, Access::System | Access::Read | Access::Scratch) {
            for socket in sockets::beneath(sockets, &show.source) {
                let hide = || format!("hide the socket `{}`", show.source.join(socket).display());
                let inside = root.open(&beneath(&show.target.join(socket))).at("sockets", hide())?;
                let nothing = layers.nothing().at("sockets", hide())?;
                attach(nothing.as_fd(), inside.as_fd()).at("sockets", hide())?;
            }
        }
    }
    layers.close(&root.fd).at(LAYER, "put layers away")?;
    for path in &job.protect {
        root.protect(path).at(LAYER, format_args!("protect `{}`", path.display()))?;
    }
    root.become_root()
}

/// A detached copy of what is shown, with its rights.
fn copy_of(show: &Show, identity: Identity, owners: &OwnerMaps) -> Result<OwnedFd, Failure> {
    let named = || format!("open `{}`", show.source.display());
    let copy = detached_copy(&show.source).at(LAYER, named())?;
    let mut set = libc::MOUNT_ATTR_NOSUID;
    if show.access != Access::Device {
        set |= libc::MOUNT_ATTR_NODEV;
    }
    // The lower layers of what is written through an overlay are never written themselves.
    if !matches!(show.access, Access::Write | Access::Device) {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    set_attributes(copy.as_fd(), true, set, None).at(LAYER, named())?;
    if let (Identity::Dropped { id }, false) =
        (identity, matches!(show.access, Access::System | Access::Device))
    {
        let found = std::fs::metadata(&show.source).at(LAYER, named())?;
        if let Some(map) = owners.of((found.uid(), found.gid())) {
            let mapped = set_attributes(copy.as_fd(), true, libc::MOUNT_ATTR_IDMAP, Some(map));
            if show.access == Access::Write && found.uid() != id {
                mapped.at(
                    "owner mapping",
                    format_args!(
                        "give `{}` to the sandbox's user (its file system must support mapped mounts, as ext4, xfs, \
                         btrfs and tmpfs do; or run ado-vault as the owner of that folder)",
                        show.source.display()
                    ),
                )?;
            }
        }
    }
    Ok(copy)
}

/// A detached copy of the folder that holds a written layer. Where it cannot be mapped it was handed over.
fn upper_of(path: &Path, identity: Identity, owners: &OwnerMaps) -> Result<OwnedFd, Failure> {
    let named = || format!("open `{}`", path.display());
    let copy = detached_copy(path).at(LAYER, named())?;
    let set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    set_attributes(copy.as_fd(), true, set, None).at(LAYER, named())?;
    let found = std::fs::metadata(path).at(LAYER, named())?;
    if let (Identity::Dropped { id }, Some(map)) = (identity, owners.of((found.uid(), found.gid())))
        && found.uid() != id
    {
        set_attributes(copy.as_fd(), true, libc::MOUNT_ATTR_IDMAP, Some(map)).at("owner mapping", named())?;
    }
    Ok(copy)
}

/// Where something is mounted in a folder of another file system: not the folder itself.
fn divided() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(|point| PathBuf::from(point.replace("\\040", " "))).collect()
}

/// The mounts at and beneath a path, once more and nowhere attached.
pub(super) fn detached_copy(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(CWD, path, flags)
}

pub(super) fn set_attributes(
    mount: BorrowedFd<'_>,
    recursive: bool,
    set: u64,
    map: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: map.map_or(0, |map| map.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the pointers are to a literal and to a local that outlives the call; the size is that of the local.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", target, c"", flags)
}

fn tmpfs(options: &[(&str, &str)]) -> Result<OwnedFd, Failure> {
    let named = "make a private file system";
    let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).at(LAYER, named)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(fs.as_fd(), *key, *value).at(LAYER, named)?;
    }
    rustix::mount::fsconfig_create(fs.as_fd()).at(LAYER, named)?;
    rustix::mount::fsmount(
        fs.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
    )
    .at(LAYER, named)
}

/// A fresh `/proc`, which shows the processes of the box alone.
fn proc() -> Result<OwnedFd, Failure> {
    let named = "mount /proc (containers that mask parts of theirs forbid it)";
    let fs = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).at("proc", named)?;
    rustix::mount::fsconfig_create(fs.as_fd()).at("proc", named)?;
    rustix::mount::fsmount(
        fs.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )
    .at("proc", named)
}

fn is_folder(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
}

/// The new root while it is being furnished. Every path is taken beneath it, and no link is followed: what lies in a
/// worktree was written by earlier commands.
struct Root {
    fd: OwnedFd,
}

impl Root {
    fn furnish(&self, job: &Job, identity: Identity) -> Result<(), Failure> {
        for (path, mount) in [
            ("/proc", proc()?),
            ("/dev", tmpfs(&[("mode", "0755"), ("size", "65536"), ("nr_inodes", "64")])?),
            ("/tmp", tmpfs(&[("mode", "1777"), ("size", TMP_SIZE), ("nr_inodes", TMP_FILES)])?),
        ] {
            let target = self.place(Path::new(path), true).at(LAYER, path)?;
            attach(mount.as_fd(), target.as_fd()).at(LAYER, path)?;
        }
        let shared = tmpfs(&[("mode", "1777"), ("size", "268435456"), ("nr_inodes", "4096")])?;
        let target = self.place(Path::new("/dev/shm"), true).at(LAYER, "/dev/shm")?;
        attach(shared.as_fd(), target.as_fd()).at(LAYER, "/dev/shm")?;
        for (path, target) in [
            ("dev/fd", "/proc/self/fd"),
            ("dev/stdin", "/proc/self/fd/0"),
            ("dev/stdout", "/proc/self/fd/1"),
            ("dev/stderr", "/proc/self/fd/2"),
        ] {
            rustix::fs::symlinkat(target, &self.fd, path).at(LAYER, path)?;
        }
        for (path, target) in &job.links {
            self.link(path, target).at(LAYER, format_args!("link `{}`", path.display()))?;
        }
        for (path, text) in generated(identity) {
            let file = self.place(&Path::new("/").join(path), false).at(LAYER, path)?;
            rustix::io::write(reopened(&file).at(LAYER, path)?, text.as_bytes()).at(LAYER, path)?;
        }
        let (uid, gid) = identity.ids();
        for path in [HOME, CARGO_HOME] {
            self.place(Path::new(path), true).at(LAYER, path)?;
            rustix::fs::chownat(
                &self.fd,
                beneath(Path::new(path)),
                Some(rustix::fs::Uid::from_raw(uid)),
                Some(rustix::fs::Gid::from_raw(gid)),
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )
            .at(LAYER, path)?;
        }
        Ok(())
    }

    /// The folder or file at this path, made when it is missing.
    fn place(&self, path: &Path, folder: bool) -> io::Result<OwnedFd> {
        let relative = beneath(path);
        if let Ok(found) = self.open(&relative) {
            return Ok(found);
        }
        self.make_parents(&relative)?;
        if folder {
            rustix::fs::mkdirat(&self.fd, &relative, Mode::from_raw_mode(0o755))?;
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&self.fd, &relative, flags, Mode::from_raw_mode(0o644))?;
        }
        self.open(&relative)
    }

    fn link(&self, path: &Path, target: &Path) -> io::Result<()> {
        let relative = beneath(path);
        self.make_parents(&relative)?;
        Ok(rustix::fs::symlinkat(target, &self.fd, &relative)?)
    }

    fn make_parents(&self, relative: &Path) -> io::Result<()> {
        let mut made = PathBuf::new();
        for part in relative.parent().unwrap_or(Path::new("")).components() {
            made.push(part);
            if self.open(&made).is_err() {
                rustix::fs::mkdirat(&self.fd, &made, Mode::from_raw_mode(0o755))?;
            }
        }
        Ok(())
    }

    fn open(&self, relative: &Path) -> io::Result<OwnedFd> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        Ok(rustix::fs::openat2(
            &self.fd,
            relative,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
        )?)
    }

    /// Mounts a path read-only over itself.
    fn protect(&self, path: &Path) -> io::Result<()> {
        let target = self.open(&beneath(path))?;
        let flags = libc::OPEN_TREE_CLONE
            | libc::OPEN_TREE_CLOEXEC
            | libc::AT_EMPTY_PATH as libc::c_uint
            | libc::AT_RECURSIVE as libc::c_uint;
        // SAFETY: the pointer is to a literal; the answer is a new descriptor that nothing else owns.
        let copy = unsafe {
            let fd =
                checked(libc::syscall(libc::SYS_open_tree, target.as_raw_fd(), CStr::as_ptr(c""), flags))?;
            OwnedFd::from_raw_fd(fd as i32)
        };
        set_attributes(copy.as_fd(), true, libc::MOUNT_ATTR_RDONLY, None)?;
        Ok(attach(copy.as_fd(), target.as_fd())?)
    }

    fn become_root(self) -> Result<(), Failure> {
        rustix::process::fchdir(&self.fd).at(LAYER, "enter the new root")?;
        rustix::process::pivot_root(".", ".").at(LAYER, "make it the root")?;
        rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH).at(LAYER, "let the old root go")?;
        rustix::process::chdir("/").at(LAYER, "enter the root")?;
        set_attributes(self.fd.as_fd(), false, libc::MOUNT_ATTR_RDONLY, None)
            .at(LAYER, "close the root for writing")?;
        let dev =
            rustix::fs::open("/dev", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(LAYER, "/dev")?;
        set_attributes(dev.as_fd(), false, libc::MOUNT_ATTR_RDONLY, None).at(LAYER, "close /dev for writing")
    }
}

/// The path without its leading slash.
fn beneath(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// A writable descriptor of a file that was opened only as a place.
fn reopened(file: &OwnedFd) -> io::Result<OwnedFd> {
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(rustix::fs::open(path.as_c_str(), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_beneath_the_new_root() {
        assert_eq!(beneath(Path::new("/a/./b c/ü")), Path::new("a/b c/ü"));
        assert_eq!(beneath(Path::new("/../x")), Path::new("x"));
    }
}
