//! The only writer of notes: edits as functions of the current text, exchanged atomically so that no human save is lost
//! (vault format, section 6).
//!
//! Does not know what an edit means, and does not commit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::kept::{Kept, merge, write_conflict};
use super::root::{into_text, is_absent, read_note};
use super::{StoreError, Vault, VaultError, VaultLock, place};
use crate::domain::NotePath;

/// How often an edit is redone because a human saved in between.
const ATTEMPTS: usize = 16;
/// How often after that the human's saves alone are brought together, before they become a conflict note.
const GIVING_BACK: usize = 32;

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
    let mut expected = settled_text(path, &place)?;
    let mut current = expected.clone();
    // Whether `current` holds something of a human that is not in the note.
    let mut owed = false;
    for attempt in 0..ATTEMPTS + GIVING_BACK {
        let (after, refused) = if attempt < ATTEMPTS {
            match f(&current) {
                Ok(after) => (after, None),
                Err(error) if owed => (current.clone(), Some(StoreError::Edit(error))),
                Err(error) => return Err(StoreError::Edit(error)),
            }
        } else if owed {
            (current.clone(), Some(VaultError::Busy { path: path.to_string() }.into()))
        } else {
            break;
        };
        let swapped =
            if after == expected { Ok(Swapped::Done) } else { swap(vault, path, &place, &expected, &after) };
        match swapped {
            Ok(Swapped::Done) => {
                return match refused {
                    Some(error) => Err(error),
                    None => Ok(Edited { changed: after != expected, before: current, after }),
                };
            }
            Ok(Swapped::Saved { in_note, over_ours }) => {
                current = join(lock, vault, path, &expected, current, &in_note)?;
                expected = in_note;
                if let Some(second) = over_ours {
                    current = join(lock, vault, path, &after, current, &second)?;
                    owed = true;
                }
            }
            Err(error) => {
                if owed {
                    write_conflict(lock, vault, path, &current)?;
                }
                return Err(error.into());
            }
        }
    }
    if owed {
        write_conflict(lock, vault, path, &current)?;
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
    fs::canonicalize(&place).map_err(|error| gone_or(path, &place, error))
}

fn gone_or(path: &NotePath, place: &Path, error: io::Error) -> VaultError {
    if is_absent(&error) {
        VaultError::Missing { path: path.to_string() }
    } else {
        VaultError::io("read", place, error)
    }
}

/// How an exchange ended.
enum Swapped {
    Done,
    /// A human saved in between; the note is as the human left it.
    Saved {
        in_note: String,
        /// A second save, made over our text in the instant that it was there.
        over_ours: Option<String>,
    },
}

/// Puts `after` in the note's place if it still holds `expected`.
fn swap(
    vault: &Vault,
    path: &NotePath,
    place: &Path,
    expected: &str,
    after: &str,
) -> Result<Swapped, VaultError> {
    let temporary = place::beside(place);
    let kept = Kept::intend(vault, path, &temporary, expected, after)?;
    let ready = fs::metadata(place)
        .map_err(|error| gone_or(path, place, error))
        .and_then(|like| place::write_synced(&temporary, after.as_bytes(), Some(&like)))
        .and_then(|()| settled_text(path, place));
    let swapped = match ready {
        // Most saves that come in between are seen here, without the note ever being touched.
        Ok(present) if present != expected => {
            kept.forget()?;
            return Ok(Swapped::Saved { in_note: present, over_ours: None });
        }
        Ok(_) => exchange(path, &temporary, place),
        Err(error) => Err(error),
    };
    if let Err(error) = swapped {
        kept.forget()?;
        return Err(error);
    }
    verify(path, kept, place, expected, after)
}

/// After the exchange: whether what came out is what was read.
fn verify(
    path: &NotePath,
    kept: Kept,
    place: &Path,
    expected: &str,
    after: &str,
) -> Result<Swapped, VaultError> {
    let temporary = kept.temporary().to_owned();
    if holds(&temporary, expected) {
        kept.put_away(expected)?;
        place::sync_folder(place)?;
        return Ok(Swapped::Done);
    }
    // Saved in the instant before the exchange: back at once, so that nobody reads a note without that save.
    exchange(path, &temporary, place)?;
    if holds(&temporary, after) {
        kept.forget()?;
        return Ok(Swapped::Saved { in_note: settled_text(path, place)?, over_ours: None });
    }
    let second = settled_text(path, &temporary)?;
    kept.put_away(&second)?;
    Ok(Swapped::Saved { in_note: settled_text(path, place)?, over_ours: Some(second) })
}

fn exchange(path: &NotePath, temporary: &Path, place: &Path) -> Result<(), VaultError> {
    let swapped = match place::exchange(temporary, place) {
        Ok(true) => Ok(()),
        Ok(false) => swap_by_rename(temporary, place),
        Err(error) => Err(error),
    };
    swapped.map_err(|error| match error {
        VaultError::Io { source, .. } if is_absent(&source) => VaultError::Missing { path: path.to_string() },
        error => error,
    })
}

fn holds(file: &Path, text: &str) -> bool {
    fs::read(file).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// Brings a human's save (`theirs`, made on `base`) into the text at hand. Where both changed the same lines the save
/// wins, and the other text becomes a conflict note.
fn join(
    lock: &VaultLock,
    vault: &Vault,
    path: &NotePath,
    base: &str,
    ours: String,
    theirs: &str,
) -> Result<String, VaultError> {
    if let Some(merged) = merge(base, &ours, theirs) {
        return Ok(merged);
    }
    write_conflict(lock, vault, path, &ours)?;
    Ok(theirs.to_owned())
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

/// The text of a file. An empty one may be in the middle of being saved: it is read until it is not empty, for at most a
/// tenth of a second.
fn settled_text(path: &NotePath, file: &Path) -> Result<String, VaultError> {
    for _ in 0..20 {
        let (_, bytes) = read_note(path.as_str(), file)?;
        if !bytes.is_empty() {
            return into_text(path.as_str(), bytes);
        }
        sleep(Duration::from_millis(5));
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note that holds "ado" just exchanged for "one", with `came_out` in the file that came out.
    fn exchanged(came_out: &str) -> (tempfile::TempDir, Vault, NotePath, PathBuf, Kept) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("00_system")).unwrap();
        fs::write(folder.path().join("00_system/Settings.md"), "").unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let path = NotePath::new("note.md").unwrap();
        let place = vault.root().join("note.md");
        let temporary = place::beside(&place);
        let kept = Kept::intend(&vault, &path, &temporary, "one", "ado").unwrap();
        fs::write(&place, "ado").unwrap();
        fs::write(&temporary, came_out).unwrap();
        (folder, vault, path, place, kept)
    }

    #[test]
    fn a_save_in_the_instant_of_the_exchange_is_put_back() {
        let (_folder, vault, path, place, kept) = exchanged("human");
        let swapped = verify(&path, kept, &place, "one", "ado").unwrap();
        assert!(matches!(swapped, Swapped::Saved { in_note, over_ours: None } if in_note == "human"));
        assert_eq!(vault.read(&path).unwrap(), "human");
    }

    #[test]
    fn a_second_save_in_that_instant_is_handed_on() {
        let (_folder, vault, path, place, kept) = exchanged("human");
        fs::write(&place, "second").unwrap();
        let swapped = verify(&path, kept, &place, "one", "ado").unwrap();
        assert!(matches!(
            swapped,
            Swapped::Saved { in_note, over_ours: Some(second) } if in_note == "human" && second == "second"
        ));
        assert_eq!(vault.read(&path).unwrap(), "human");
    }

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
