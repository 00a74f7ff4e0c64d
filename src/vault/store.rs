//! The only writer of notes: edits as functions of the current text, exchanged atomically so that no human save is lost
//! (vault format, section 6).
//!
//! Does not know what an edit means, and does not commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::kept::{Kept, merge, write_conflict};
use super::root::{into_text, is_absent, read_note};
use super::{StoreError, Vault, VaultError, VaultLock, place};
use crate::domain::NotePath;

/// How often an edit is redone because a human saved in between.
const ATTEMPTS: usize = 16;

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The text that the edit was applied to.
    pub before: String,
    pub after: String,
    /// Whether the note was written.
    pub changed: bool,
}

/// What became of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    /// Something is there already; it was left alone.
    Exists,
}

/// Applies `f` to the note's current text. A human's save in between is found, and the edit redone on top of it, so `f`
/// may be called more than once. Nothing is written when the text stays the same.
///
/// # Errors
/// [`StoreError::Edit`] when `f` refuses; the note is then as the human left it.
pub fn edit<E>(
    lock: &VaultLock,
    vault: &Vault,
    path: &NotePath,
    mut f: impl FnMut(&str) -> Result<String, E>,
) -> Result<Edited, StoreError<E>> {
    let place = real_place(vault, path)?;
    let (metadata, bytes) = read_note(path.as_str(), &place)?;
    let mut expected = into_text(path.as_str(), bytes)?;
    let mut current = expected.clone();
    let mut changed = false;
    for _ in 0..ATTEMPTS {
        let (after, refused) = match f(&current) {
            Ok(after) => (after, None),
            // The human's text must not stay swapped out because the edit does not fit it.
            Err(error) if changed => (current.clone(), Some(error)),
            Err(error) => return Err(StoreError::Edit(error)),
        };
        if after == expected {
            return match refused {
                Some(error) => Err(StoreError::Edit(error)),
                None => Ok(Edited { before: current, after, changed }),
            };
        }
        let came_out = swap(vault, path, &place, &metadata, &expected, &after)?;
        changed = true;
        if came_out == expected {
            return match refused {
                Some(error) => Err(StoreError::Edit(error)),
                None => Ok(Edited { before: current, after, changed }),
            };
        }
        current = match merge(&expected, &current, &came_out) {
            Some(merged) => merged,
            None => {
                write_conflict(lock, vault, path, &current)?;
                came_out
            }
        };
        expected = after;
    }
    Err(VaultError::Busy { path: path.to_string() }.into())
}

/// Makes a file that is not there yet, with its folders. Never overwrites.
pub fn create(_lock: &VaultLock, vault: &Vault, path: &NotePath, text: &str) -> Result<Created, VaultError> {
    let place = vault.absolute(path)?;
    match fs::symlink_metadata(&place) {
        Ok(_) => return Ok(Created::Exists),
        Err(error) if is_absent(&error) => {}
        Err(source) => return Err(VaultError::io("look at", &place, source)),
    }
    place::make_parents(&place)?;
    let temporary = place::beside(&place);
    place::write_synced(&temporary, text.as_bytes(), None)?;
    let placed = place::rename_new(&temporary, &place);
    if !matches!(placed, Ok(true)) {
        place::remove(&temporary)?;
    }
    if !placed? {
        return Ok(Created::Exists);
    }
    place::sync_folder(&place)?;
    Ok(Created::New)
}

/// Makes a file that ado alone owns have this text. Gives whether it was written.
pub fn write_projection(
    _lock: &VaultLock,
    vault: &Vault,
    path: &NotePath,
    text: &str,
) -> Result<bool, VaultError> {
    let place = vault.absolute(path)?;
    if fs::read(&place).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(false);
    }
    place::make_parents(&place)?;
    place::replace(&place, text.as_bytes())?;
    Ok(true)
}

/// Where the note really lies: a link inside the vault is followed, not replaced.
fn real_place(vault: &Vault, path: &NotePath) -> Result<PathBuf, VaultError> {
    let place = vault.absolute(path)?;
    fs::canonicalize(&place).map_err(|error| {
        if is_absent(&error) {
            VaultError::Missing { path: path.to_string() }
        } else {
            VaultError::io("read", &place, error)
        }
    })
}

/// Puts `after` in the note's place and gives the text of the file that came out.
fn swap(
    vault: &Vault,
    path: &NotePath,
    place: &Path,
    like: &fs::Metadata,
    expected: &str,
    after: &str,
) -> Result<String, VaultError> {
    let temporary = place::beside(place);
    let kept = Kept::intend(vault, path, &temporary, expected, after)?;
    if let Err(error) = place::write_synced(&temporary, after.as_bytes(), Some(like)) {
        kept.forget()?;
        return Err(error);
    }
    let swapped = match place::exchange(&temporary, place) {
        Ok(true) => Ok(()),
        Ok(false) => swap_by_rename(&temporary, place),
        Err(error) => Err(error),
    };
    if let Err(error) = swapped {
        kept.forget()?;
        let gone = matches!(&error, VaultError::Io { source, .. } if is_absent(source));
        return Err(if gone { VaultError::Missing { path: path.to_string() } } else { error });
    }
    let text = match settled_text(path, &temporary, expected) {
        Ok(text) => text,
        Err(error) => {
            // What a human saved in between is not a note that can be edited: it goes back where it was.
            place::exchange(&temporary, place)?;
            if fs::read(&temporary).is_ok_and(|bytes| bytes == after.as_bytes()) {
                kept.forget()?;
            }
            return Err(error);
        }
    };
    kept.put_away(&text)?;
    place::sync_folder(place)?;
    Ok(text)
}

/// The exchange for file systems without one: the old file is kept by a second link, then replaced.
fn swap_by_rename(temporary: &Path, place: &Path) -> Result<(), VaultError> {
    let old = place::beside(place);
    fs::hard_link(place, &old).map_err(|source| VaultError::io("keep", place, source))?;
    fs::rename(temporary, place).map_err(|source| {
        let _ = fs::remove_file(&old);
        VaultError::io("write", place, source)
    })?;
    fs::rename(&old, temporary).map_err(|source| VaultError::io("keep", &old, source))
}

/// The text of a swapped-out file. Where it is not what was expected, an editor may be in the middle of writing it: it is
/// read until two reads agree and it is not empty, for at most a quarter of a second.
fn settled_text(path: &NotePath, file: &Path, expected: &str) -> Result<String, VaultError> {
    let read = || read_note(path.as_str(), file).and_then(|(_, bytes)| into_text(path.as_str(), bytes));
    let mut text = read()?;
    if text == expected {
        return Ok(text);
    }
    for _ in 0..50 {
        sleep(Duration::from_millis(5));
        let again = read()?;
        if again == text && !again.is_empty() {
            break;
        }
        text = again;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_exchange_still_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, place) = (folder.path().join("tmp"), folder.path().join("note"));
        fs::write(&temporary, "new").unwrap();
        fs::write(&place, "old").unwrap();
        swap_by_rename(&temporary, &place).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(fs::read_to_string(&temporary).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
