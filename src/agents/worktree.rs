//! Files of a worktree as an agent may touch them: regular files beneath the root, never `.git`, never through a link
//! that leads out. Knows no tools and no models.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fstat, mkdirat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// A file larger than this is neither read nor written, in bytes.
pub(super) const FILE_BYTES: u64 = 1 << 20;
const TEMPORARY: &str = ".ado-write.tmp";

/// A worktree opened once; every path is resolved beneath this descriptor.
pub(super) struct Worktree {
    folder: OwnedFd,
    /// The same folder by name, links resolved.
    root: PathBuf,
}

impl Worktree {
    pub(super) fn open(root: &Path) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        let folder =
            rustix::fs::open(&root, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { folder, root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a regular file. Links are followed as long as they stay inside.
    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        let bytes = self.read_bytes(path)?;
        String::from_utf8(bytes).map_err(|_| format!("`{path}` is not text in UTF-8"))
    }

    fn read_bytes(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = relative(path)?;
        let file = open_beneath(&self.folder, &path, OFlags::RDONLY | OFlags::NONBLOCK, Links::Inside)
            .map_err(|errno| said(&path, errno))?;
        self.assert_inside(&file, &path)?;
        let stat = fstat(&file).map_err(|errno| said(&path, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(format!("`{path}` is not a regular file"));
        }
        let mut bytes = vec![];
        File::from(file)
            .take(FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("cannot read `{path}`: {error}"))?;
        if bytes.len() as u64 > FILE_BYTES {
            return Err(format!("`{path}` is larger than {FILE_BYTES} bytes"));
        }
        Ok(bytes)
    }

    /// Whether a regular file stands there.
    pub(super) fn has_file(&self, path: &str) -> bool {
        let Ok(path) = relative(path) else { return false };
        open_beneath(&self.folder, &path, OFlags::PATH, Links::None)
            .and_then(|file| fstat(&file))
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// A folder beneath the root in its plain form, empty for the root itself. No link is followed.
    pub(super) fn folder(&self, path: Option<&str>) -> Result<String, String> {
        let path = folder_path(path)?;
        if !path.is_empty() {
            open_beneath(&self.folder, &path, OFlags::DIRECTORY | OFlags::RDONLY, Links::None)
                .map_err(|errno| said(&path, errno))?;
        }
        Ok(path)
    }

    /// Makes or replaces a file with its folders. The file appears whole or not at all, keeps its mode, and no link is
    /// followed on the way. A file that is a hard link elsewhere is replaced, not written through.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let path = relative(path)?;
        if text.len() as u64 > FILE_BYTES {
            return Err(format!("the content for `{path}` is larger than {FILE_BYTES} bytes"));
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let folder = self.make_folders(folder)?;
        self.assert_inside(&folder, &path)?;
        let mode = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Mode::from_raw_mode(stat.st_mode),
                FileType::Symlink => {
                    return Err(format!("`{path}` is a symbolic link; name the file that it leads to"));
                }
                _ => return Err(format!("`{path}` is not a regular file")),
            },
            Err(Errno::NOENT) => Mode::from_raw_mode(0o644),
            Err(errno) => return Err(said(&path, errno)),
        };
        let written = self.replace(&folder, name, text, mode);
        if written.is_err() {
            // What is left of a failed write is removed; the failure itself is what is told.
            let _ = unlinkat(&folder, TEMPORARY, AtFlags::empty());
        }
        written.map_err(|error| format!("cannot write `{path}`: {error}"))
    }

    fn replace(&self, folder: &OwnedFd, name: &str, text: &str, mode: Mode) -> std::io::Result<()> {
        // A leftover of a killed write may stand here; anything else by this name is refused by EXCL.
        let _ = unlinkat(folder, TEMPORARY, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, TEMPORARY, flags, Mode::from_raw_mode(0o600))?;
        fchmod(&file, Mode::from_raw_mode(mode.as_raw_mode() & 0o777))?;
        File::from(file).write_all(text.as_bytes())?;
        renameat(folder, TEMPORARY, folder, name)?;
        Ok(())
    }

    fn make_folders(&self, folder: &str) -> Result<OwnedFd, String> {
        let mut open = open_beneath(&self.folder, ".", OFlags::DIRECTORY | OFlags::RDONLY, Links::None)
            .map_err(|errno| said(folder, errno))?;
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            match mkdirat(&open, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(said(folder, errno)),
            }
            open = open_beneath(&open, part, OFlags::DIRECTORY | OFlags::RDONLY, Links::None)
                .map_err(|errno| said(folder, errno))?;
        }
        Ok(open)
    }

    /// Where the descriptor really is: beneath the root and in no `.git`.
    fn assert_inside(&self, file: &OwnedFd, path: &str) -> Result<(), String> {
        let real = real_path(file.as_fd()).ok_or_else(|| format!("cannot tell where `{path}` lies"))?;
        let inside =
            real.strip_prefix(&self.root).map_err(|_| format!("`{path}` leads out of the worktree"))?;
        match inside.to_str() {
            Some("") => Ok(()),
            Some(inside) => relative(inside).map(drop),
            None => Err(format!("`{path}` is not a name in UTF-8")),
        }
    }
}

/// The path in its plain form, `/` between parts.
///
/// # Errors
/// Says what is wrong with it: empty, absolute, with `..`, with a part `.git`, with control characters.
pub(super) fn relative(path: &str) -> Result<String, String> {
    let shown: String = crate::note::plain(path).chars().take(200).collect();
    if path.len() > 1000 || path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(format!("`{shown}` is not a usable path"));
    }
    if path.starts_with(['/', '~']) {
        return Err(format!("`{shown}` is absolute; paths are relative to the repository's root"));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(format!("`{shown}` leaves the worktree with `..`"));
    }
    if parts.iter().any(|part| part.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".git")) {
        return Err(format!("`{shown}` lies in `.git`, which is not the agent's"));
    }
    if parts.is_empty() {
        return Err("the path is empty".into());
    }
    Ok(parts.join("/"))
}

/// The path of a folder in its plain form; the root is empty.
pub(super) fn folder_path(folder: Option<&str>) -> Result<String, String> {
    match folder.map(str::trim) {
        None | Some("" | "." | "./" | "/") => Ok(String::new()),
        Some(folder) => relative(folder),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    /// Followed while they stay beneath the folder.
    Inside,
    None,
}

#[cfg(target_os = "linux")]
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags, links: Links) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if links == Links::None {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    match openat2(folder, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => open_by_parts(folder, path, flags),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags, _links: Links) -> Result<OwnedFd, Errno> {
    open_by_parts(folder, path, flags)
}

/// Where the kernel cannot resolve beneath a folder: part by part, following no link at all.
fn open_by_parts(folder: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let no_follow = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut open = rustix::fs::openat(folder, ".", OFlags::DIRECTORY | no_follow, Mode::empty())?;
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        open = rustix::fs::openat(&open, part, OFlags::DIRECTORY | no_follow, Mode::empty())?;
    }
    rustix::fs::openat(&open, name, flags | no_follow, Mode::empty())
}

#[cfg(target_os = "linux")]
fn real_path(file: rustix::fd::BorrowedFd<'_>) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

#[cfg(not(target_os = "linux"))]
fn real_path(file: rustix::fd::BorrowedFd<'_>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let path = rustix::fs::getpath(file).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(path.into_bytes())))
}

fn said(path: &str, errno: Errno) -> String {
    match errno {
        Errno::NOENT => format!("`{path}` does not exist"),
        Errno::XDEV | Errno::LOOP => {
            format!("`{path}` goes through a symbolic link that is not followed; name the real file")
        }
        Errno::NOTDIR => format!("a part of `{path}` is not a folder"),
        Errno::ISDIR => format!("`{path}` is a folder"),
        other => format!("cannot open `{path}`: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn worktree() -> (tempfile::TempDir, Worktree) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("wt");
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join(".git"), "gitdir: elsewhere").unwrap();
        std::fs::write(root.join("src/a.txt"), "one\n").unwrap();
        std::fs::write(folder.path().join("outside.txt"), "secret").unwrap();
        let worktree = Worktree::open(&root).unwrap();
        (folder, worktree)
    }

    #[test]
    fn paths_that_leave_or_reach_git_are_refused_before_anything_is_opened() {
        for bad in [
            "",
            ".",
            "/etc/passwd",
            "~/x",
            "../outside.txt",
            "src/../../outside.txt",
            ".git",
            "a/.GIT/config",
            ".git./x",
            "a\\b",
            "a\0b",
            "a\nb",
        ] {
            assert!(relative(bad).is_err(), "{bad:?}");
        }
        assert_eq!(relative("./src//a.txt").unwrap(), "src/a.txt");
        assert_eq!(relative(".github/x.yml").unwrap(), ".github/x.yml");
    }

    #[test]
    fn links_out_and_links_to_git_are_not_read() {
        let (folder, worktree) = worktree();
        symlink(folder.path().join("outside.txt"), worktree.root().join("abs")).unwrap();
        symlink("../outside.txt", worktree.root().join("up")).unwrap();
        symlink(".git", worktree.root().join("pointer")).unwrap();
        symlink("src/a.txt", worktree.root().join("inside")).unwrap();
        for bad in ["abs", "up", "pointer"] {
            assert!(worktree.read(bad).is_err(), "{bad}");
        }
        assert_eq!(worktree.read("inside").unwrap(), "one\n");
    }

    #[test]
    fn nothing_is_written_through_a_link_or_a_hard_link() {
        let (folder, worktree) = worktree();
        let outside = folder.path().join("outside.txt");
        symlink(&outside, worktree.root().join("file")).unwrap();
        symlink(folder.path(), worktree.root().join("dir")).unwrap();
        std::fs::hard_link(&outside, worktree.root().join("hard")).unwrap();
        assert!(worktree.write("file", "x").unwrap_err().contains("symbolic link"));
        assert!(worktree.write("dir/new.txt", "x").is_err());
        symlink("src", worktree.root().join("inner")).unwrap();
        assert!(worktree.write("inner/new.txt", "x").unwrap_err().contains("symbolic link"));
        assert!(!folder.path().join("new.txt").exists());
        worktree.write("hard", "x").unwrap();
        assert_eq!(std::fs::read_to_string(outside).unwrap(), "secret");
    }

    #[test]
    fn pipes_and_folders_are_no_files() {
        let (_folder, worktree) = worktree();
        rustix::fs::mknodat(&worktree.folder, "pipe", FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(worktree.read("pipe").unwrap_err().contains("not a regular file"));
        assert!(worktree.write("pipe", "x").unwrap_err().contains("not a regular file"));
        assert!(worktree.read("src").is_err());
        assert!(!worktree.has_file("src") && worktree.has_file("src/a.txt"));
    }

    #[test]
    fn a_written_file_has_its_folders_and_keeps_its_mode() {
        let (_folder, worktree) = worktree();
        worktree.write("a/b/c.sh", "1").unwrap();
        let path = worktree.root().join("a/b/c.sh");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        worktree.write("a/b/c.sh", "2").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(worktree.root().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn the_way_without_kernel_help_follows_no_link() {
        let (_folder, worktree) = worktree();
        symlink("src", worktree.root().join("link")).unwrap();
        assert!(open_by_parts(&worktree.folder, "src/a.txt", OFlags::RDONLY).is_ok());
        assert!(open_by_parts(&worktree.folder, "link/a.txt", OFlags::RDONLY).is_err());
    }
}
