//! Places that notes were moved from: an editor that saves by rename may put the note there once more, and that save is
//! brought to where the note is.
//!
//! A file at such a place is a late save when it has the note's id and its text, held against one that the note had when
//! it left, merges with what the note says now. Anything else there is left alone; it is another note with the same id,
//! which is reported and never acted on.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::foreign::id_line;
use super::kept::{KEEP, Kept, bases_of, merge_file};
use super::lock::private_folder;
use super::root::is_absent;
use super::{Vault, VaultError, place};
use crate::domain::NotePath;

/// `.ado/moved/<name>.json`: a note that ado moved a while ago.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    from: NotePath,
    to: NotePath,
    /// The note's text when it was moved.
    text: String,
}

/// Remembers where a note was before it was moved to `to`, and follows notes that are moved on.
pub(super) fn remember(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<(), VaultError> {
    for (record, left) in records(vault)? {
        if left.from == *to {
            place::remove(&record)?;
        } else if left.to == *from {
            save(&record, &Left { to: to.clone(), ..left })?;
        }
    }
    let Ok(text) = vault.read(to) else { return Ok(()) };
    if id_line(&text).is_none() {
        return Ok(());
    }
    let folder = private_folder(vault)?.join("moved");
    fs::create_dir_all(&folder).map_err(|source| VaultError::io("make", &folder, source))?;
    let record = folder.join(format!("{}.json", place::unique_name()));
    save(&record, &Left { from: from.clone(), to: to.clone(), text })
}

/// Whether a note is at a place that it was moved from, and was left alone for `quiet`.
pub(super) fn is_due(vault: &Vault, quiet: Duration) -> Result<bool, VaultError> {
    Ok(records(vault)?.iter().any(|(_, left)| is_quiet(vault, &left.from, quiet)))
}

/// Takes late saves away from places that notes were moved from, as if they had been saved into files that an edit swapped
/// out: what keeps those brings them to their notes.
pub(super) fn take_in(vault: &Vault, quiet: Duration) -> Result<(), VaultError> {
    for (record, left) in records(vault)? {
        let age = fs::metadata(&record).and_then(|metadata| metadata.modified());
        if is_quiet(vault, &left.from, quiet)
            && let Some(base) = descent(vault, &left)?
        {
            Kept::take(vault, &left.to, &vault.absolute(&left.from)?, &base)?;
        }
        if age.is_ok_and(|age| SystemTime::now().duration_since(age).is_ok_and(|age| age > KEEP)) {
            place::remove(&record)?;
        }
    }
    Ok(())
}

/// The text that the file at the old place was made from; `None` where it is no late save of the note.
fn descent(vault: &Vault, left: &Left) -> Result<Option<String>, VaultError> {
    let (Ok(saved), Ok(now)) = (vault.read(&left.from), vault.read(&left.to)) else { return Ok(None) };
    if id_line(&saved).is_none() || id_line(&saved) != id_line(&now) {
        return Ok(None);
    }
    let mut bases = bases_of(vault, &left.to)?;
    bases.push(left.text.clone());
    // The one that the editor had: any other would have ado's own changes taken back by the save.
    let base = bases.into_iter().min_by_key(|base| changed_lines(base, &saved));
    Ok(base.filter(|base| merge_file(&left.to, base, &now, &saved).is_some()))
}

fn changed_lines(before: &str, after: &str) -> usize {
    let diff = similar::TextDiff::from_lines(before, after);
    diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal).count()
}

fn is_quiet(vault: &Vault, path: &NotePath, quiet: Duration) -> bool {
    let Ok(metadata) = fs::symlink_metadata(vault.root().join(path.as_str())) else { return false };
    let age = metadata.modified().map(|changed| SystemTime::now().duration_since(changed));
    // A change in the future says nothing: another machine's clock made it.
    metadata.is_file() && age.is_ok_and(|age| age.is_err() || age.is_ok_and(|age| age >= quiet))
}

fn records(vault: &Vault) -> Result<Vec<(PathBuf, Left)>, VaultError> {
    let folder = vault.root().join(".ado/moved");
    let listing = match fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(vec![]),
        Err(source) => return Err(VaultError::io("list", &folder, source)),
    };
    let mut records: Vec<(PathBuf, Left)> = listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .filter_map(|path| Some((path.clone(), serde_json::from_slice(&fs::read(path).ok()?).ok()?)))
        .collect();
    records.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(records)
}

fn save(record: &std::path::Path, left: &Left) -> Result<(), VaultError> {
    place::replace_unsynced(record, &serde_json::to_vec(left).expect("a record of strings is JSON"))
}
