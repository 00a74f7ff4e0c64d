//! The worktree's index: keeps `git status` truthful and saves reading files that did not change. It does not decide what is
//! committed.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::{Index, IndexEntry, IndexTime, Oid};

use super::WorkspaceError;
use super::beneath::{Facts, Kind};

pub(super) const FILE: u32 = 0o100_644;
pub(super) const EXECUTABLE: u32 = 0o100_755;
pub(super) const LINK: u32 = 0o120_000;
pub(super) const SUBMODULE: u32 = 0o160_000;
pub(super) const TREE: u32 = 0o040_000;
/// Git's flag for an entry that is deliberately not on disk.
const SKIP_WORKTREE: u16 = 1 << 14;

/// The index of a worktree as it was, by path.
pub(super) struct IndexFile {
    path: PathBuf,
    known: HashMap<Vec<u8>, IndexEntry>,
    /// When it was written, in seconds and nanoseconds: files changed at that moment or later are read again.
    written: (i64, i64),
}

impl IndexFile {
    /// Reads it; a missing or damaged one is an empty one.
    pub(super) fn read(git_dir: &Path) -> Self {
        let path = git_dir.join("index");
        let written = std::fs::metadata(&path).map_or((0, 0), |data| (data.mtime(), data.mtime_nsec()));
        let known = Index::open(&path)
            .map(|index| index.iter().map(|entry| (entry.path.clone(), entry)).collect())
            .unwrap_or_default();
        Self { path, known, written }
    }

    /// The blob that the file is known to hold, when nothing about it changed since the index was written.
    pub(super) fn blob_of(&self, path: &[u8], facts: &Facts) -> Option<Oid> {
        let entry = self.known.get(path)?;
        let (seconds, nanoseconds) = (i64::from(facts.modified.0), i64::from(facts.modified.1));
        let settled = (seconds, nanoseconds) < self.written;
        #[allow(clippy::cast_possible_truncation)]
        let same = entry.mode == mode_of(facts.kind)?
            && (entry.mtime.seconds(), entry.mtime.nanoseconds()) == facts.modified
            && (entry.ctime.seconds(), entry.ctime.nanoseconds()) == facts.changed
            && entry.ino == facts.inode
            && entry.file_size == facts.bytes as u32;
        (settled && same).then_some(entry.id)
    }

    /// Writes an index with exactly these entries.
    pub(super) fn write(&self, entries: &[IndexEntry]) -> Result<(), WorkspaceError> {
        let failed = |source| WorkspaceError::git(format!("write `{}`", self.path.display()), source);
        let mut index = Index::open(&self.path)
            .or_else(|_| {
                // A damaged index holds nothing that the commit does not.
                let _ = std::fs::remove_file(&self.path);
                Index::open(&self.path)
            })
            .map_err(failed)?;
        index.clear().map_err(failed)?;
        for entry in entries {
            index.add(entry).map_err(failed)?;
        }
        index.write().map_err(failed)
    }
}

/// The git mode of a file or link.
pub(super) fn mode_of(kind: Kind) -> Option<u32> {
    match kind {
        Kind::File { executable: true } => Some(EXECUTABLE),
        Kind::File { executable: false } => Some(FILE),
        Kind::Link => Some(LINK),
        Kind::Folder | Kind::Special => None,
    }
}

/// An entry for a path; without `facts` it is one that is not on disk.
pub(super) fn entry(path: &[u8], id: Oid, mode: u32, facts: Option<&Facts>) -> IndexEntry {
    let time = |(seconds, nanoseconds)| IndexTime::new(seconds, nanoseconds);
    let on_disk = facts.is_some() || mode == SUBMODULE;
    #[allow(clippy::cast_possible_truncation)]
    IndexEntry {
        ctime: time(facts.map_or((0, 0), |facts| facts.changed)),
        mtime: time(facts.map_or((0, 0), |facts| facts.modified)),
        dev: facts.map_or(0, |facts| facts.device),
        ino: facts.map_or(0, |facts| facts.inode),
        mode,
        uid: facts.map_or(0, |facts| facts.uid),
        gid: facts.map_or(0, |facts| facts.gid),
        file_size: facts.map_or(0, |facts| facts.bytes as u32),
        id,
        flags: 0,
        flags_extended: if on_disk { 0 } else { SKIP_WORKTREE },
        path: path.to_vec(),
    }
}
