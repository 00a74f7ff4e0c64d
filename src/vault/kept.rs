//! Files that an edit swapped out, kept for a while in `.ado/kept/`: an editor that still had one open may save into it
//! late, and that save is merged into the note or becomes a conflict note.
//!
//! Does not edit notes itself; late text goes through the store like everything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock::private_folder;
use super::root::{into_text, is_absent, read_note};
use super::seam::change;
use super::store::{Created, create, edit};
use super::{StoreError, Vault, VaultError, VaultLock, place};
use crate::domain::{ContentHash, NotePath};

/// How long a swapped-out file is looked at again.
const KEEP: Duration = Duration::from_secs(60 * 60);

/// What `.ado/kept/<name>.json` holds; the swapped-out file itself is `<name>.md` beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    note: NotePath,
    /// The temporary file beside the note, absolute, in case the process ended before it was put away.
    temporary: PathBuf,
    /// Text that the swapped-out file had when it was last looked at.
    base: String,
    /// Hash of what was put in its place.
    after: ContentHash,
}

/// A swapped-out file that is watched for late saves.
pub(crate) struct Kept {
    record: PathBuf,
    file: PathBuf,
    entry: Entry,
}

impl Kept {
    /// Records what is about to be swapped out, before it is.
    pub(crate) fn intend(
        vault: &Vault,
        note: &NotePath,
        temporary: &Path,
        base: &str,
        after: &str,
    ) -> Result<Self, VaultError> {
        let folder = kept_folder(vault)?;
        let name = place::unique_name();
        let entry = Entry {
            note: note.clone(),
            temporary: temporary.to_owned(),
            base: base.to_owned(),
            after: ContentHash::of(after),
        };
        let kept = Self {
            record: folder.join(format!("{name}.json")),
            file: folder.join(format!("{name}.md")),
            entry,
        };
        kept.save()?;
        Ok(kept)
    }

    /// The file beside the note: new text before the exchange, the swapped-out file after it.
    pub(crate) fn temporary(&self) -> &Path {
        &self.entry.temporary
    }

    /// Puts the swapped-out file away, which held `text` when it came out.
    pub(crate) fn put_away(mut self, text: &str) -> Result<(), VaultError> {
        if self.entry.base != text {
            text.clone_into(&mut self.entry.base);
            self.save()?;
        }
        // On another file system than the note's it stays beside the note, where the record finds it.
        let put_away = change("keep", || fs::rename(&self.entry.temporary, &self.file));
        if put_away.is_err() && self.entry.temporary.exists() {
            tracing::warn!(file = %self.entry.temporary.display(), "a replaced file stays beside its note");
        }
        Ok(())
    }

    /// Nothing was swapped out after all.
    pub(crate) fn forget(self) -> Result<(), VaultError> {
        place::remove(&self.entry.temporary)?;
        place::remove(&self.record)
    }

    fn save(&self) -> Result<(), VaultError> {
        let json = serde_json::to_vec(&self.entry).expect("an entry of strings is JSON");
        place::replace_unsynced(&self.record, &json)
    }

    /// The place of the swapped-out file: put away, or still beside the note.
    fn swapped_out(&self) -> Option<&Path> {
        [&self.file, &self.entry.temporary].into_iter().find(|path| path.exists()).map(PathBuf::as_path)
    }

    fn drop_files(self) -> Result<(), VaultError> {
        place::remove(&self.file)?;
        place::remove(&self.entry.temporary)?;
        place::remove(&self.record)
    }
}

/// Looks at every swapped-out file again. A late save in one is merged into its note; where that conflicts it becomes a
/// conflict note beside it. Files older than an hour are dropped. Gives the notes that were written.
pub fn sweep_kept(lock: &VaultLock, vault: &Vault) -> Result<Vec<NotePath>, VaultError> {
    let mut written = Vec::new();
    for mut kept in entries(vault)? {
        let Some(file) = kept.swapped_out().map(Path::to_owned) else {
            kept.drop_files()?;
            continue;
        };
        let name = kept.entry.note.as_str();
        let read = read_note(name, &file)
            .and_then(|(metadata, bytes)| into_text(name, bytes).map(|text| (metadata, text)));
        let (metadata, text) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(note = name, %error, "a late save cannot be read; it stays in .ado/kept");
                continue;
            }
        };
        let never_swapped = file == kept.entry.temporary && ContentHash::of(&text) == kept.entry.after;
        if never_swapped {
            kept.drop_files()?;
            continue;
        }
        if text != kept.entry.base {
            written.push(take_in(lock, vault, &kept.entry, &text)?);
            kept.entry.base = text;
            kept.save()?;
        }
        let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let recorded = fs::metadata(&kept.record).and_then(|record| record.modified());
        let last = recorded.unwrap_or(SystemTime::UNIX_EPOCH).max(changed);
        if SystemTime::now().duration_since(last).is_ok_and(|age| age > KEEP) {
            kept.drop_files()?;
        }
    }
    written.sort();
    written.dedup();
    Ok(written)
}

/// Follows a note that moved, so that late saves reach it.
pub(crate) fn follow_move(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<(), VaultError> {
    for mut kept in entries(vault)? {
        if kept.entry.note == *from {
            kept.entry.note = to.clone();
            kept.save()?;
        }
    }
    Ok(())
}

/// Three texts into one: what both sides changed since `base`. `None` when they changed the same lines.
pub(crate) fn merge(base: &str, ours: &str, theirs: &str) -> Option<String> {
    if base == ours || ours == theirs {
        return Some(theirs.to_owned());
    }
    if base == theirs {
        return Some(ours.to_owned());
    }
    diffy::merge(base, ours, theirs).ok()
}

/// Writes a text that could not be merged beside its note, under a name that every scan reports.
pub(crate) fn write_conflict(
    lock: &VaultLock,
    vault: &Vault,
    note: &NotePath,
    text: &str,
) -> Result<NotePath, VaultError> {
    let stamp = Timestamp::now().strftime("%Y-%m-%d %H%M%S");
    for count in 1..=1000 {
        let name = format!("{} (conflicted copy {stamp} {count}).md", note.stem());
        let path = if note.folder().is_empty() { name } else { format!("{}/{name}", note.folder()) };
        let path = NotePath::new(path)?;
        if create(lock, vault, &path, text)? == Created::New {
            return Ok(path);
        }
    }
    Err(VaultError::Busy { path: note.to_string() })
}

/// Brings a late save into its note.
fn take_in(lock: &VaultLock, vault: &Vault, entry: &Entry, late: &str) -> Result<NotePath, VaultError> {
    let merged = edit(lock, vault, &entry.note, |current| {
        // A read in the middle of a save gave nothing: the whole of it replaces what was made of that.
        let torn = entry.base.is_empty() && ContentHash::of(current) == entry.after;
        if torn { Ok(late.to_owned()) } else { merge(&entry.base, current, late).ok_or(()) }
    });
    match merged {
        Ok(_) => Ok(entry.note.clone()),
        Err(StoreError::Edit(()) | StoreError::Vault(VaultError::Missing { .. })) => {
            write_conflict(lock, vault, &entry.note, late)
        }
        Err(StoreError::Vault(error)) => Err(error),
    }
}

fn entries(vault: &Vault) -> Result<Vec<Kept>, VaultError> {
    let folder = vault.root().join(".ado/kept");
    let listing = match fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(VaultError::io("list", &folder, source)),
    };
    let mut records: Vec<PathBuf> = listing
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    records.sort();
    let mut entries = Vec::new();
    for record in records {
        let bytes = fs::read(&record).map_err(|source| VaultError::io("read", &record, source))?;
        match serde_json::from_slice(&bytes) {
            Ok(entry) => entries.push(Kept { file: record.with_extension("md"), record, entry }),
            Err(error) => {
                tracing::warn!(record = %record.display(), %error, "a record of a kept file is damaged")
            }
        }
    }
    Ok(entries)
}

fn kept_folder(vault: &Vault) -> Result<PathBuf, VaultError> {
    let folder = private_folder(vault)?.join("kept");
    fs::create_dir_all(&folder).map_err(|source| VaultError::io("make", &folder, source))?;
    Ok(folder)
}
