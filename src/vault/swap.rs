//! Putting a new text in a note's place while what stood there comes out whole: the best way that the vault's file system
//! has, found by trying.
//!
//! Does not look at what came out; the store does.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::root::is_absent;
use super::seam::change;
use super::{VaultError, place};

/// How a note's file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both names change at once.
    Exchange,
    /// The old file is renamed away, then the new one is put in its place if nothing else is there by then.
    Aside,
}

/// What an exchange left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Out {
    /// The new text is in the note's place, what stood there is in the temporary file.
    Swapped,
    /// A save made the file anew while it was aside: the note holds that save, the temporary file what it held, and
    /// [`aside_of`] what stood there before.
    Refilled,
}

impl Way {
    /// Tries in `folder`, which must be on the vault's file system, what it can do. Leaves nothing behind.
    pub(crate) fn probe(folder: &Path) -> Result<Self, VaultError> {
        let (one, other) = (place::beside(&folder.join("x")), place::beside(&folder.join("x")));
        let tried = (|| {
            for path in [&one, &other] {
                fs::write(path, "").map_err(|source| VaultError::io("write", path, source))?;
            }
            Ok(if place::exchange(&one, &other)? { Self::Exchange } else { Self::Aside })
        })();
        place::remove(&one)?;
        place::remove(&other)?;
        tried
    }

    /// What this way cannot rule out.
    pub fn limit(self) -> Option<&'static str> {
        match self {
            Self::Exchange => None,
            Self::Aside => Some(
                "this file system cannot exchange two files: while a note is written it is gone for an instant, and \
                 another program may see that; its text lies beside it meanwhile and is put back after a crash",
            ),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "notes are exchanged at once",
            Self::Aside => "notes are put aside, then written anew",
        })
    }
}

/// Where the old file is while it is neither in its place nor in the temporary file's. Hidden like that one, but not named
/// as one: it holds what a human wrote.
pub(crate) fn aside_of(temporary: &Path) -> PathBuf {
    let name = temporary.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    temporary.with_file_name(format!(".ado-aside{name}"))
}

/// Puts the temporary file in the note's place and the note's file in the temporary one's. A folder that can do less than
/// the vault's others gets what it can do.
pub(crate) fn swap(way: Way, temporary: &Path, note: &Path) -> Result<Out, VaultError> {
    if way == Way::Exchange && place::exchange(temporary, note)? {
        return Ok(Out::Swapped);
    }
    let old = aside_of(temporary);
    change("put aside", || fs::rename(note, &old)).map_err(|source| VaultError::io("keep", note, source))?;
    match place::rename_new(temporary, note) {
        Ok(true) => {
            let taken = change("take out", || fs::rename(&old, temporary));
            taken.map(|()| Out::Swapped).map_err(|source| VaultError::io("keep", &old, source))
        }
        Ok(false) => Ok(Out::Refilled),
        Err(error) => {
            place::rename_new(&old, note)?;
            Err(error)
        }
    }
}

/// Brings back what a crash left aside: into its place where nothing stands there. Gives whether it is still aside, as the
/// file that came out.
pub(crate) fn recover_aside(temporary: &Path, note: &Path) -> Result<Option<PathBuf>, VaultError> {
    let old = aside_of(temporary);
    if fs::symlink_metadata(&old).is_err() {
        return Ok(None);
    }
    match fs::symlink_metadata(note) {
        Err(error) if is_absent(&error) => Ok(if place::rename_new(&old, note)? { None } else { Some(old) }),
        _ => Ok(Some(old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_brings_the_old_file_out_and_leaves_nothing_else() {
        for way in [Way::Exchange, Way::Aside] {
            let folder = tempfile::tempdir().unwrap();
            let (temporary, note) = (folder.path().join("tmp"), folder.path().join("note"));
            fs::write(&temporary, "new").unwrap();
            fs::write(&note, "old").unwrap();
            assert_eq!(swap(way, &temporary, &note).unwrap(), Out::Swapped);
            assert_eq!(fs::read_to_string(&note).unwrap(), "new", "{way:?}");
            assert_eq!(fs::read_to_string(&temporary).unwrap(), "old", "{way:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
            fs::remove_file(&note).unwrap();
            assert!(swap(way, &temporary, &note).is_err(), "{way:?}: a note that is gone is not made again");
            assert!(!note.exists());
        }
    }

    #[test]
    fn what_a_crash_left_aside_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, note) = (folder.path().join("tmp"), folder.path().join("note"));
        fs::write(aside_of(&temporary), "old").unwrap();
        assert_eq!(recover_aside(&temporary, &note).unwrap(), None);
        assert_eq!(fs::read_to_string(&note).unwrap(), "old");
        fs::write(aside_of(&temporary), "older").unwrap();
        assert_eq!(recover_aside(&temporary, &note).unwrap(), Some(aside_of(&temporary)));
    }

    #[test]
    fn this_file_system_is_probed_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let way = Way::probe(folder.path()).unwrap();
        assert_eq!(way.limit().is_none(), way == Way::Exchange);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
