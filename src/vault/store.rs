//! The only writer of notes: edits as functions of the current text, exchanged atomically so that no human save is lost
//! (vault format, section 6).
//!
//! Does not know what an edit means, and does not commit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::kept::{Kept, merge_file, write_conflict};
use super::root::{into_text, is_absent, read_note};
use super::swap::{self, Out, Way};
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
    // Saves that came out of the note: `current` holds them, the note does not yet.
    let mut owed: Vec<Owed> = Vec::new();
    for attempt in 0..ATTEMPTS + GIVING_BACK {
        let (after, refused) = if attempt < ATTEMPTS {
            match f(&current) {
                Ok(after) => (after, None),
                Err(error) if !owed.is_empty() => (current.clone(), Some(StoreError::Edit(error))),
                Err(error) => return Err(StoreError::Edit(error)),
            }
        } else if !owed.is_empty() {
            (current.clone(), Some(VaultError::Busy { path: path.to_string() }.into()))
        } else {
            break;
        };
        let swapped =
            if after == expected { Ok(Swapped::Done) } else { swap(vault, path, &place, &expected, &after) };
        match swapped {
            Ok(Swapped::Done) => {
                owed.into_iter().try_for_each(Owed::settle)?;
                return match refused {
                    Some(error) => Err(error),
                    None => Ok(Edited { changed: after != expected, before: current, after }),
                };
            }
            Ok(Swapped::Untouched { in_note }) => {
                current = join(lock, vault, path, &expected, current, &in_note)?;
                expected = in_note;
            }
            Ok(Swapped::Over(save)) => {
                current = join(lock, vault, path, &expected, current, &save.text)?;
                expected = after;
                owed.push(save);
            }
            Err(error) => return give_up(lock, vault, path, &current, owed, error),
        }
    }
    give_up(lock, vault, path, &current, owed, VaultError::Busy { path: path.to_string() })
}

/// Ends an edit with an error; saves that are owed become a conflict note.
fn give_up<E>(
    lock: &VaultLock,
    vault: &Vault,
    path: &NotePath,
    current: &str,
    owed: Vec<Owed>,
    error: VaultError,
) -> Result<Edited, StoreError<E>> {
    if !owed.is_empty() {
        write_conflict(lock, vault, path, current)?;
        owed.into_iter().try_for_each(Owed::settle)?;
    }
    Err(error.into())
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
    vault.wrote(path);
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
    vault.wrote(path);
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
    /// A human saved before it; the note is as the human left it.
    Untouched {
        in_note: String,
    },
    /// A human saved in the instant before it: the note holds our text, and this save came out.
    Over(Owed),
}

/// A human's save that came out of the note and is not in it again yet. A crash leaves it to the sweep.
struct Owed {
    kept: Kept,
    text: String,
}

impl Owed {
    /// What it says is in the note, or in a conflict note.
    fn settle(self) -> Result<(), VaultError> {
        self.kept.taken_in(self.text)
    }
}

/// Puts `after` in the note's place if it still holds `expected`.
fn swap(
    vault: &Vault,
    path: &NotePath,
    place: &Path,
    expected: &str,
    after: &str,
) -> Result<Swapped, VaultError> {
    let way = vault.way()?;
    let temporary = place::beside(place);
    let kept = Kept::intend(vault, path, &temporary, expected, after)?;
    let ready = fs::metadata(place)
        .map_err(|error| gone_or(path, place, error))
        .and_then(|like| place::write_synced(&temporary, after.as_bytes(), Some(&like)))
        .and_then(|()| settled_text(path, place));
    // The file itself, where `path` is a link to it.
    let real = place.strip_prefix(vault.root()).ok().and_then(|inside| NotePath::new(inside.to_str()?).ok());
    vault.wrote(real.as_ref().unwrap_or(path));
    let swapped = match ready {
        // Most saves that come in between are seen here, without the note ever being touched.
        Ok(present) if present != expected => {
            kept.forget()?;
            return Ok(Swapped::Untouched { in_note: present });
        }
        Ok(_) => exchange(way, path, &temporary, place),
        Err(error) => {
            kept.forget()?;
            return Err(error);
        }
    };
    match swapped {
        Ok(Out::Swapped) => verify(vault, path, kept, place, expected, after),
        Ok(Out::Refilled) => {
            kept.put_away(after)?;
            Kept::intend(vault, path, &swap::aside_of(&temporary), expected, after)?.put_away(expected)?;
            Ok(Swapped::Untouched { in_note: settled_text(path, place)? })
        }
        Err(error) => {
            // Ours may have been in the note for an instant: who opened it then may still save into it.
            kept.put_away(after)?;
            Err(error)
        }
    }
}

/// After the exchange: whether what came out is what was read.
fn verify(
    vault: &Vault,
    path: &NotePath,
    mut kept: Kept,
    place: &Path,
    expected: &str,
    after: &str,
) -> Result<Swapped, VaultError> {
    if holds(kept.temporary(), expected) {
        kept.put_away(expected)?;
        place::sync_folder(place)?;
        return Ok(Swapped::Done);
    }
    match settled_text(path, kept.temporary()) {
        // The file stays as the human left it, and out of reach of any program that saves by the note's name.
        Ok(text) => {
            kept.put_away_for(expected)?;
            Ok(Swapped::Over(Owed { kept, text }))
        }
        Err(error) => {
            // No text that an edit could be redone on goes back where it was.
            if exchange(vault.way()?, path, kept.temporary(), place)? == Out::Swapped {
                kept.put_away(after)?;
            }
            Err(error)
        }
    }
}

fn exchange(way: Way, path: &NotePath, temporary: &Path, place: &Path) -> Result<Out, VaultError> {
    swap::swap(way, temporary, place).map_err(|error| match error {
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
    if let Some(merged) = merge_file(path, base, &ours, theirs) {
        return Ok(merged);
    }
    write_conflict(lock, vault, path, &ours)?;
    Ok(theirs.to_owned())
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
    use super::super::kept::sweep_kept;
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
    fn a_save_in_the_instant_of_the_exchange_is_owed() {
        let (_folder, vault, path, place, kept) = exchanged("human");
        let swapped = verify(&vault, &path, kept, &place, "one", "ado").unwrap();
        let Swapped::Over(owed) = swapped else { panic!("the save was not seen") };
        assert_eq!(owed.text, "human");
        let lock = VaultLock::acquire(&vault).unwrap();
        sweep_kept(&lock, &vault).unwrap();
        assert!(
            fs::read_dir(vault.root())
                .unwrap()
                .any(|entry| fs::read(entry.unwrap().path()).is_ok_and(|text| text == b"human")),
            "a process that ended here leaves it to the sweep"
        );
        owed.settle().unwrap();
        assert_eq!(sweep_kept(&lock, &vault).unwrap(), []);
    }

    #[test]
    fn a_save_that_is_no_text_goes_back() {
        let (_folder, vault, path, place, kept) = exchanged("");
        fs::write(kept.temporary(), b"\xff").unwrap();
        assert!(verify(&vault, &path, kept, &place, "one", "ado").is_err());
        assert_eq!(fs::read(&place).unwrap(), b"\xff");
    }
}
