//! Moving a file or a folder to another place, with every link that the move would break.
//!
//! Does not decide where a note belongs, and does not commit: it says which files it touched.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kept::follow_move;
use super::lock::private_folder;
use super::mending::Mending;
use super::root::is_absent;
use super::store::edit;
use super::{Scan, StoreError, Vault, VaultError, VaultLock, left_place, place};
use crate::domain::{ContentHash, Diagnostic, NotePath};

/// Of the move that was begun, in `.ado/`.
const RECORD: &str = "move.json";

/// What a move did.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// Files that were written or are gone: old and new places, and every file whose links were mended. What the move's
    /// commit has to name.
    pub touched: Vec<NotePath>,
    /// Files whose links could not be mended.
    pub problems: Vec<Diagnostic>,
}

/// A file's text before and after a move; the same where it only moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relinked {
    pub path: NotePath,
    pub to: NotePath,
    pub before: String,
    pub after: String,
}

/// A file that moves.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Moving {
    from: NotePath,
    to: NotePath,
    /// Of its text before its own links were mended.
    text: ContentHash,
}

/// `.ado/move.json`: a move that was begun. Written before the rename, removed when all links are mended.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    from: NotePath,
    to: NotePath,
    is_folder: bool,
    files: Vec<Moving>,
    /// Files mended so far.
    touched: Vec<NotePath>,
}

/// What a move of the file or folder at `from` would make of it and of the files that link to it. Changes nothing.
///
/// # Errors
/// As [`relocate`].
pub fn preview_move(
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
) -> Result<Vec<Relinked>, VaultError> {
    let begun = plan(vault, from, to)?;
    if fs::symlink_metadata(vault.absolute(to)?).is_ok() {
        return Err(VaultError::Exists { path: to.to_string() });
    }
    let moves = begun.moves();
    let mending = Mending::of(vault, &moves, begun.folder(), scan);
    let relinked = |path: &NotePath, to: &NotePath| {
        let before = vault.read(path).unwrap_or_default();
        let after = mending.mended(path, &before);
        (after.is_some() || path != to).then(|| Relinked {
            path: path.clone(),
            to: to.clone(),
            after: after.unwrap_or_else(|| before.clone()),
            before,
        })
    };
    let own = moves.iter().filter_map(|(from, to)| relinked(from, to));
    let others = mending.suspects().filter_map(|path| relinked(path, path));
    Ok(own.chain(others).collect())
}

/// A move of one file and what it would make of links, found out once.
pub struct Foreseen<'a> {
    from: &'a NotePath,
    to: &'a NotePath,
    mending: Mending<'a>,
    /// The files besides the one that moves whose links the move mends: their present versions can be committed as a
    /// human's before.
    pub mends: Vec<NotePath>,
}

impl<'a> Foreseen<'a> {
    /// `a_move` is the old place and the new one, where the file may be already; `scan` tells which files there are.
    pub fn of(vault: &Vault, a_move: &'a (NotePath, NotePath), scan: &'a Scan) -> Self {
        let mending = Mending::of(vault, std::slice::from_ref(a_move), None, scan);
        let mends = mending.mends(vault);
        Self { from: &a_move.0, to: &a_move.1, mending, mends }
    }

    /// Moves the file, as [`relocate`].
    ///
    /// # Errors
    /// As [`relocate`].
    pub fn carry_out(&self, lock: &VaultLock, vault: &Vault) -> Result<Moved, VaultError> {
        match rename(vault, self.from, self.to)? {
            Some(begun) => self.finish(lock, vault, begun),
            None => self.mend_after(lock, vault, &|_| None),
        }
    }

    /// Mends what the move broke where it is done already, as [`mend_after_move`].
    ///
    /// # Errors
    /// As [`mend_after_move`].
    pub fn mend_after(
        &self,
        lock: &VaultLock,
        vault: &Vault,
        unmended: &dyn Fn(&NotePath) -> Option<ContentHash>,
    ) -> Result<Moved, VaultError> {
        let begun = done_already(vault, self.from, self.to, unmended)?;
        self.finish(lock, vault, begun)
    }

    fn finish(&self, lock: &VaultLock, vault: &Vault, begun: Begun) -> Result<Moved, VaultError> {
        mend_all(lock, vault, begun, &self.mending, self.mends.iter())
    }
}

/// Moves a file, or a folder with all that is in it, and mends the links that lead there or go out relatively. A second
/// call after a crash goes on where the first one stopped: where nothing is at `from` and something is at `to`, only the
/// links are mended. `scan` tells which notes there are; their present text is read again.
///
/// # Errors
/// [`VaultError::Exists`] when something is at both places; [`VaultError::Missing`] when nothing is at either.
pub fn relocate(
    lock: &VaultLock,
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
) -> Result<Moved, VaultError> {
    if from == to {
        return Ok(Moved::default());
    }
    match rename(vault, from, to)? {
        Some(begun) => finish(lock, vault, begun, scan),
        None => mend_after_move(lock, vault, from, to, scan, &|_| None),
    }
}

/// Writes down the move and renames. `None` where it was renamed before.
fn rename(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<Option<Begun>, VaultError> {
    let record = private_folder(vault)?.join(RECORD);
    let (old, new) = (vault.absolute(from)?, vault.absolute(to)?);
    let begun = match plan(vault, from, to) {
        Ok(begun) => begun,
        Err(VaultError::Missing { .. }) if fs::symlink_metadata(&new).is_ok() => return Ok(None),
        Err(error) => return Err(error),
    };
    if fs::symlink_metadata(&new).is_ok() {
        return Err(VaultError::Exists { path: to.to_string() });
    }
    save(&record, &begun)?;
    place::make_parents(&new)?;
    vault.wrote(from);
    vault.wrote(to);
    let renamed = place::rename_new(&old, &new);
    if !matches!(renamed, Ok(true)) {
        place::remove(&record)?;
    }
    match renamed {
        Ok(true) => {}
        Ok(false) => return Err(VaultError::Exists { path: to.to_string() }),
        // Moved or deleted since it was read.
        Err(VaultError::Io { source, .. }) if is_absent(&source) => {
            return Err(VaultError::Missing { path: from.to_string() });
        }
        Err(error) => return Err(error),
    }
    place::sync_folder(&new)?;
    place::sync_folder(&old)?;
    if !begun.is_folder && from.is_markdown() {
        left_place::remember(vault, from, to)?;
    }
    Ok(Some(begun))
}

/// Mends the links that a move broke which is done already, by hand or before a crash. The own links of a moved file are
/// mended where its text is still `unmended`, the hash of what it was at its old place; else they are its human's.
pub fn mend_after_move(
    lock: &VaultLock,
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    scan: &Scan,
    unmended: &dyn Fn(&NotePath) -> Option<ContentHash>,
) -> Result<Moved, VaultError> {
    let begun = done_already(vault, from, to, unmended)?;
    finish(lock, vault, begun, scan)
}

/// The move as it was written down before a crash, or as it looks from where it led.
fn done_already(
    vault: &Vault,
    from: &NotePath,
    to: &NotePath,
    unmended: &dyn Fn(&NotePath) -> Option<ContentHash>,
) -> Result<Begun, VaultError> {
    let same = |begun: &Begun| begun.from == *from && begun.to == *to;
    if let Some(begun) = load(&private_folder(vault)?.join(RECORD))?.filter(same) {
        return Ok(begun);
    }
    let back = plan(vault, to, from)?;
    let files = back.files.into_iter().map(|file| Moving {
        text: unmended(&file.to).unwrap_or_else(unknown),
        from: file.to,
        to: file.from,
    });
    Ok(Begun { from: from.clone(), to: to.clone(), files: files.collect(), ..back })
}

impl Begun {
    fn moves(&self) -> Vec<(NotePath, NotePath)> {
        self.files.iter().map(|file| (file.from.clone(), file.to.clone())).collect()
    }

    fn folder(&self) -> Option<(&NotePath, &NotePath)> {
        self.is_folder.then_some((&self.from, &self.to))
    }
}

/// What is to move: the file at `from`, or all files of the folder there.
fn plan(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<Begun, VaultError> {
    let files = below(vault, from)?;
    let is_folder = vault.absolute(from)?.is_dir();
    let moving = |path: NotePath| -> Result<Moving, VaultError> {
        let text = match vault.read(&path) {
            Ok(text) => ContentHash::of(text),
            // Pictures and what is too large have no links to mend; the move itself is as good.
            Err(VaultError::NotText { .. } | VaultError::TooLarge { .. }) => unknown(),
            Err(error) => return Err(error),
        };
        let rest = path.as_str().strip_prefix(from.as_str()).unwrap_or_default();
        Ok(Moving { to: NotePath::new(format!("{to}{rest}"))?, from: path, text })
    };
    let files = files.into_iter().map(moving).collect::<Result<_, _>>()?;
    Ok(Begun { from: from.clone(), to: to.clone(), is_folder, files, touched: vec![] })
}

/// No text has this hash.
fn unknown() -> ContentHash {
    ContentHash::of([])
}

/// The file itself, or all files below the folder.
fn below(vault: &Vault, path: &NotePath) -> Result<Vec<NotePath>, VaultError> {
    let top = vault.absolute(path)?;
    let kind = fs::symlink_metadata(&top).map_err(|error| match is_absent(&error) {
        true => VaultError::Missing { path: path.to_string() },
        false => VaultError::io("look at", &top, error),
    })?;
    if !kind.is_dir() {
        return Ok(vec![path.clone()]);
    }
    let mut files = vec![];
    for entry in walkdir::WalkDir::new(&top).follow_links(false) {
        let entry = entry.map_err(|error| VaultError::io("list", &top, error.into()))?;
        let inside = entry.path().strip_prefix(vault.root()).ok().and_then(Path::to_str);
        if let Some(path) = inside.filter(|_| entry.file_type().is_file()) {
            files.push(NotePath::new(path)?);
        }
    }
    files.sort();
    Ok(files)
}

/// Finishes the move that a crash cut off after its rename: mends what is not mended yet. `None` when there is none.
pub fn finish_move(lock: &VaultLock, vault: &Vault, scan: &Scan) -> Result<Option<Moved>, VaultError> {
    let record = private_folder(vault)?.join(RECORD);
    let Some(begun) = load(&record)? else { return Ok(None) };
    if vault.absolute(&begun.from)?.exists() || !vault.absolute(&begun.to)?.exists() {
        // Not moved yet, or moved on by a human since.
        place::remove(&record)?;
        return Ok(None);
    }
    finish(lock, vault, begun, scan).map(Some)
}

/// Mends what the finished rename broke.
fn finish(lock: &VaultLock, vault: &Vault, begun: Begun, scan: &Scan) -> Result<Moved, VaultError> {
    let moves = begun.moves();
    let (from, to) = (begun.from.clone(), begun.to.clone());
    let mending = Mending::of(vault, &moves, begun.is_folder.then_some((&from, &to)), scan);
    mend_all(lock, vault, begun, &mending, mending.suspects())
}

/// Mends the moved files and `others`, and takes the record away.
fn mend_all<'s>(
    lock: &VaultLock,
    vault: &Vault,
    mut begun: Begun,
    mending: &Mending<'_>,
    others: impl Iterator<Item = &'s NotePath>,
) -> Result<Moved, VaultError> {
    let record = &private_folder(vault)?.join(RECORD);
    let mut problems = Vec::new();
    for file in begun.files.clone() {
        follow_move(vault, &file.from, &file.to)?;
        if file.text == unknown() {
            continue;
        }
        // A text that is another than before has its links mended already, or was written anew since.
        let own = edit(lock, vault, &file.to, |text| {
            let untouched = ContentHash::of(text) == file.text;
            let mended = if untouched { mending.mended(&file.from, text) } else { None };
            Ok::<_, Infallible>(mended.unwrap_or_else(|| text.to_owned()))
        });
        note_problem(&file.to, own.map(|_| ()), &mut problems)?;
    }
    for path in others {
        let mended = edit(lock, vault, path, |text| {
            Ok::<_, Infallible>(mending.mended(path, text).unwrap_or_else(|| text.to_owned()))
        });
        if mended.as_ref().is_ok_and(|edited| edited.changed) && !begun.touched.contains(path) {
            begun.touched.push(path.clone());
            // So that a crash does not lose it from the commit.
            save(record, &begun)?;
        }
        note_problem(path, mended.map(|_| ()), &mut problems)?;
    }
    let moves = begun.moves();
    let mut touched = begun.touched;
    touched.extend(moves.into_iter().flat_map(|(from, to)| [from, to]));
    touched.sort();
    touched.dedup();
    place::remove(record)?;
    Ok(Moved { touched, problems })
}

/// A file that cannot be mended is reported and does not stop the move; it may be gone by now.
fn note_problem(
    path: &NotePath,
    result: Result<(), StoreError<Infallible>>,
    problems: &mut Vec<Diagnostic>,
) -> Result<(), VaultError> {
    let error = match result {
        Ok(()) | Err(StoreError::Vault(VaultError::Missing { .. })) => return Ok(()),
        // It is finished when there is room.
        Err(StoreError::Vault(error)) if error.is_no_room() => return Err(error),
        Err(StoreError::Vault(error)) => error,
        Err(StoreError::Edit(never)) => match never {},
    };
    let remedy = "mend the links to the moved note by hand";
    problems.push(Diagnostic::warning("links-not-mended", error.to_string(), remedy).in_note(path));
    Ok(())
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
