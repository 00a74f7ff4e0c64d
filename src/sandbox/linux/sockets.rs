//! Sockets with a path, which a read-only mount does not keep from being connected to. Knows only those of the machine's
//! own network namespace; where folders are shown through an overlay no socket in them leads anywhere.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// All that are there now. Must be read before the network namespace and the machine's tree are left.
pub(in crate::sandbox) fn bound() -> Vec<PathBuf> {
    let table = std::fs::read("/proc/net/unix").unwrap_or_default();
    let mut paths = named(&String::from_utf8_lossy(&table));
    paths.retain(|path| path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()));
    paths
}

/// Those beneath a folder, or that path itself, relative to it.
pub(in crate::sandbox) fn beneath<'a>(sockets: &'a [PathBuf], shown: &Path) -> Vec<&'a Path> {
    sockets.iter().filter_map(|path| path.strip_prefix(shown).ok()).collect()
}

fn named(table: &str) -> Vec<PathBuf> {
    // Num RefCount Protocol Flags Type St Inode Path
    let paths = table.lines().skip(1).filter_map(|line| {
        let mut rest = line;
        for _ in 0..7 {
            rest = rest.trim_start().split_once(' ')?.1;
        }
        Some(rest)
    });
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.starts_with('/')).map(PathBuf::from).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_are_read_and_abstract_names_left_out() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a b.sock\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 12346 @abstract\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 12347\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 12348 /run/a b.sock\n";
        assert_eq!(named(table), [PathBuf::from("/run/a b.sock")]);
    }

    #[test]
    fn only_sockets_beneath_what_is_shown_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listening = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let known = bound();
        assert_eq!(beneath(&known, folder.path()), [Path::new("s")]);
        assert_eq!(beneath(&known, &path), [Path::new("")]);
        std::fs::remove_file(&path).unwrap();
        assert!(beneath(&bound(), folder.path()).is_empty());
    }
}
