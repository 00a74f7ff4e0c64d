//! Places that notes were moved from: an editor that saves by rename may put the note there once more, and that save is
//! brought to where the note is.
//!
//! A file at such a place is a late save when it has the note's id and its text, held against one that the note had when
//! it left, merges with what the note says now. Anything else there is left alone; it is another note with the same id,
//! which is reported and never acted on.
//!
//! The name of a record begins with marks of both places and is not used again, so that records are found, and known, by
//! their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::foreign::id_line;
use super::kept::{KEEP, Kept, bases_of, mark, merge_file};
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
    let (left_to, led_to) = (mark(to), mark(from));
    for record in records(vault)? {
        let mut marks = record.file_name().and_then(|name| name.to_str()).unwrap_or_default().split('-');
        let (was_at, is_at) = (marks.next(), marks.next());
        if was_at != Some(&*left_to) && is_at != Some(&*led_to) {
            continue;
        }
        let Some(left) = load(&record) else { continue };
        if left.from == *to {
            place::remove(&record)?;
        } else if left.to == *from {
            save(vault, &Left { to: to.clone(), ..left })?;
            place::remove(&record)?;
        }
    }
    let Ok(text) = vault.read(to) else { return Ok(()) };
    if id_line(&text).is_none() {
        return Ok(());
    }
    save(vault, &Left { from: from.clone(), to: to.clone(), text })
}

/// Looks at such places again and again, reading each record once.
#[derive(Debug, Default)]
pub(super) struct LeftPlaces(BTreeMap<PathBuf, Option<NotePath>>);

impl LeftPlaces {
    /// Whether a note is at a place that it was moved from, and was left alone for `quiet`.
    pub(super) fn is_due(&mut self, vault: &Vault, quiet: Duration) -> Result<bool, VaultError> {
        self.look(vault)?;
        Ok(self.0.values().flatten().any(|from| is_quiet(vault, from, quiet)))
    }

    /// Takes late saves away from places that notes were moved from, as if they had been saved into files that an edit
    /// swapped out: what keeps those brings them to their notes.
    pub(super) fn take_in(&mut self, vault: &Vault, quiet: Duration) -> Result<(), VaultError> {
        self.look(vault)?;
        for (record, from) in &self.0 {
            let age = fs::metadata(record).and_then(|metadata| metadata.modified());
            let age = age.ok().and_then(|age| SystemTime::now().duration_since(age).ok());
            if let Some(from) = from
                && is_quiet(vault, from, quiet)
                && let Some(left) = load(record)
                && let Some(base) = descent(vault, &left)?
            {
                vault.wrote(from);
                Kept::take(vault, &left.to, &vault.absolute(from)?, &base)?;
            }
            if age.is_some_and(|age| age > KEEP) {
                place::remove(record)?;
            }
        }
        Ok(())
    }

    /// Reads the records that are new.
    fn look(&mut self, vault: &Vault) -> Result<(), VaultError> {
        let mut known = BTreeMap::new();
        for record in records(vault)? {
            let from = match self.0.remove(&record) {
                Some(from) => from,
                None => load(&record).map(|left| left.from),
            };
            known.insert(record, from);
        }
        self.0 = known;
        Ok(())
    }
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

fn records(vault: &Vault) -> Result<Vec<PathBuf>, VaultError> {
    let folder = vault.root().join(".ado/moved");
    let listing = match fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(vec![]),
        Err(source) => return Err(VaultError::io("list", &folder, source)),
    };
    let paths = listing.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect())
}

/// `None` for a record that is damaged or gone.
fn load(record: &Path) -> Option<Left> {
    serde_json::from_slice(&fs::read(record).ok()?).ok()
}

fn save(vault: &Vault, left: &Left) -> Result<(), VaultError> {
    let folder = private_folder(vault)?.join("moved");
    fs::create_dir_all(&folder).map_err(|source| VaultError::io("make", &folder, source))?;
    let name = format!("{}-{}-{}.json", mark(&left.from), mark(&left.to), place::unique_name());
    place::replace_unsynced(
        &folder.join(name),
        &serde_json::to_vec(left).expect("a record of strings is JSON"),
    )
}
