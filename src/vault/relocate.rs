//! Moving a note to another place, with every link that the move would break.
//!
//! Does not decide where a note belongs, and does not commit: it says which files it touched.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kept::follow_move;
use super::lock::private_folder;
use super::root::is_absent;
use super::store::edit;
use super::{Scan, StoreError, Vault, VaultError, VaultLock, place};
use crate::domain::{ContentHash, Diagnostic, NotePath};
use crate::note::{mend_canvas, mend_links};

/// What a move did.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Files that were written or are gone: the note's old and new place, and every file whose links were mended. What
    /// the move's commit has to name.
    pub touched: Vec<NotePath>,
    /// Files whose links could not be mended.
    pub problems: Vec<Diagnostic>,
}

/// `.ado/move.json`: a move that was begun. Written before the rename, removed when all links are mended.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    from: NotePath,
    to: NotePath,
    /// The note's text before its own links were mended.
    text: ContentHash,
    /// Files mended so far.
    touched: Vec<NotePath>,
}

/// The files besides the note itself whose links a move of it would mend, as `scan` has them. Changes nothing: their
/// present versions can be committed as a human's before.
pub fn mended_by_move(vault: &Vault, from: &NotePath, to: &NotePath, scan: &Scan) -> Vec<NotePath> {
    let moves = [(from.clone(), to.clone())];
    let needle = needle(from.stem());
    let others = scan.notes.iter().filter(|note| note.path != *from && note.path != *to);
    let mut files: Vec<NotePath> = others
        .filter(|note| needle.is_none_or(|needle| note.text.contains(needle)))
        .filter(|note| mend_links(&note.text, &note.path, &note.path, &moves).is_some())
        .map(|note| note.path.clone())
        .collect();
    let canvases = json_files(vault, &mut vec![]);
    let is_mended = |path: &NotePath| vault.read(path).is_ok_and(|text| mend_canvas(&text, &moves).is_some());
    files.extend(canvases.into_iter().filter(is_mended));
    files
}

/// Moves a note and mends the links that lead to it or go out of it relatively. A second call after a crash goes on where
/// the first one stopped. `scan` tells which notes there are; their present text is read again.
///
/// # Errors
/// [`VaultError::Exists`] when something is at `to`; [`VaultError::Missing`] when nothing is at `from`.
pub fn move_note(
    lock: &VaultLock,
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
) -> Result<Moved, VaultError> {
    if from == to {
        return Ok(Moved::default());
    }
    let record = private_folder(vault)?.join("move.json");
    let (old, new) = (vault.absolute(from)?, vault.absolute(to)?);
    let before = match vault.read(from) {
        Ok(text) => text,
        Err(VaultError::Missing { .. }) if new.is_file() => {
            return finish(lock, vault, from, to, scan, &record);
        }
        Err(error) => return Err(error),
    };
    if fs::symlink_metadata(&new).is_ok() {
        return Err(VaultError::Exists { path: to.to_string() });
    }
    let begun =
        Begun { from: from.clone(), to: to.clone(), text: ContentHash::of(&before), touched: Vec::new() };
    save(&record, &begun)?;
    place::make_parents(&new)?;
    if !place::rename_new(&old, &new)? {
        place::remove(&record)?;
        return Err(VaultError::Exists { path: to.to_string() });
    }
    place::sync_folder(&new)?;
    place::sync_folder(&old)?;
    finish(lock, vault, from, to, scan, &record)
}

/// Mends what the finished rename broke.
fn finish(
    lock: &VaultLock,
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
    record: &Path,
) -> Result<Moved, VaultError> {
    follow_move(vault, from, to)?;
    let moves = [(from.clone(), to.clone())];
    let begun = load(record)?.filter(|begun| begun.from == *from && begun.to == *to);
    let mut begun = begun.unwrap_or_else(|| Begun {
        from: from.clone(),
        to: to.clone(),
        // No text has this hash: without a record it is not known whether the note's own links were mended.
        text: ContentHash::of([]),
        touched: Vec::new(),
    });
    let mut problems = Vec::new();
    let own = edit(lock, vault, to, |text| {
        let untouched = ContentHash::of(text) == begun.text;
        let mended = if untouched { mend_links(text, from, to, &moves) } else { None };
        Ok::<_, Infallible>(mended.unwrap_or_else(|| text.to_owned()))
    });
    note_problem(to, own.map(|_| ()), &mut problems)?;

    let needle = needle(from.stem());
    let others = scan.notes.iter().filter(|note| note.path != *from && note.path != *to);
    for note in others.filter(|note| needle.is_none_or(|needle| note.text.contains(needle))) {
        let path = &note.path;
        let mended = edit(lock, vault, path, |text| {
            Ok::<_, Infallible>(mend_links(text, path, path, &moves).unwrap_or_else(|| text.to_owned()))
        });
        mark(record, &mut begun, path, mended.as_ref().is_ok_and(|edited| edited.changed))?;
        note_problem(path, mended.map(|_| ()), &mut problems)?;
    }
    for path in json_files(vault, &mut problems) {
        let mended = edit(lock, vault, &path, |text| {
            Ok::<_, Infallible>(mend_canvas(text, &moves).unwrap_or_else(|| text.to_owned()))
        });
        mark(record, &mut begun, &path, mended.as_ref().is_ok_and(|edited| edited.changed))?;
        note_problem(&path, mended.map(|_| ()), &mut problems)?;
    }
    let mut touched = begun.touched;
    touched.extend([from.clone(), to.clone()]);
    touched.sort();
    touched.dedup();
    place::remove(record)?;
    Ok(Moved { touched, problems })
}

/// Remembers a mended file, so that a crash does not lose it from the commit.
fn mark(record: &Path, begun: &mut Begun, path: &NotePath, changed: bool) -> Result<(), VaultError> {
    if changed && !begun.touched.contains(path) {
        begun.touched.push(path.clone());
        save(record, begun)?;
    }
    Ok(())
}

/// A file that cannot be mended is reported and does not stop the move; it may be gone by now.
fn note_problem(
    path: &NotePath,
    result: Result<(), StoreError<Infallible>>,
    problems: &mut Vec<Diagnostic>,
) -> Result<(), VaultError> {
    let error = match result {
        Ok(()) | Err(StoreError::Vault(VaultError::Missing { .. })) => return Ok(()),
        Err(StoreError::Vault(error)) => error,
        Err(StoreError::Edit(never)) => match never {},
    };
    let remedy = "mend the links to the moved note by hand";
    problems.push(Diagnostic::warning("links-not-mended", error.to_string(), remedy).in_note(path));
    Ok(())
}

/// Canvases and Obsidian's bookmarks.
fn json_files(vault: &Vault, problems: &mut Vec<Diagnostic>) -> Vec<NotePath> {
    let mut files = Vec::new();
    let walk = walkdir::WalkDir::new(vault.root()).follow_links(false).into_iter().filter_entry(|entry| {
        let hidden = entry.file_name().to_str().is_none_or(super::foreign::is_ignored_folder);
        entry.depth() == 0 || !entry.file_type().is_dir() || !hidden
    });
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                if entry.path().extension().is_some_and(|extension| extension == "canvas")
                    && let Ok(inside) = entry.path().strip_prefix(vault.root())
                    && let Some(path) = inside.to_str().and_then(|path| NotePath::new(path).ok())
                {
                    files.push(path);
                }
            }
            Ok(_) => {}
            Err(error) => problems.push(Diagnostic::warning(
                "unreadable",
                format!("cannot look for canvases: {error}"),
                "make the folder readable for this user",
            )),
        }
    }
    if vault.root().join(".obsidian/bookmarks.json").is_file() {
        files.extend(NotePath::new(".obsidian/bookmarks.json"));
    }
    files.sort();
    files
}

/// A part of the note's name that every link to it has, however it is encoded: its longest run of ASCII letters and
/// digits. `None` when there is none, then every note is looked into.
fn needle(stem: &str) -> Option<&str> {
    let runs = stem.split(|c: char| !c.is_ascii_alphanumeric());
    runs.max_by_key(|run| run.len()).filter(|run| run.len() > 1)
}

fn load(record: &Path) -> Result<Option<Begun>, VaultError> {
    match fs::read(record) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VaultError::io("read", record, source)),
    }
}

fn save(record: &Path, begun: &Begun) -> Result<(), VaultError> {
    place::replace(record, &serde_json::to_vec(begun).expect("a record of strings is JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needle_is_in_every_spelling_of_a_link() {
        assert_eq!(needle("FR-056 Nightly mode"), Some("Nightly"));
        assert_eq!(needle("日本"), None);
    }
}
