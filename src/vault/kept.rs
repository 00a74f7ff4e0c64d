//! Files that an edit swapped out, kept for a while in `.ado/kept/`: an editor that still had one open may save into it
//! late, and that save is merged into the note or becomes a conflict note.
//!
//! Does not edit notes itself; late text goes through the store like everything else.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::left_place::LeftPlaces;
use super::lock::private_folder;
use super::root::{into_text, is_absent, read_note};
use super::seam::change;
use super::store::{Created, create, edit};
use super::{StoreError, Vault, VaultError, VaultLock, json, place, swap};
use crate::domain::{ContentHash, NotePath};

/// How long a swapped-out file is looked at again after its last change.
pub(super) const KEEP: Duration = Duration::from_secs(15 * 60);
/// Clocks of file systems are coarse: a file that changed this recently may change again without a newer time.
const RACY: Duration = Duration::from_secs(2);

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
        let name = format!("{}-{}", mark(note), place::unique_name());
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

    /// Takes a file away that is a save of the note made on `base`; what it says is brought into the note when swapped-out
    /// files are looked into next. A file that somebody else has taken away by then is theirs.
    pub(super) fn take(vault: &Vault, note: &NotePath, file: &Path, base: &str) -> Result<(), VaultError> {
        let temporary = place::beside(&vault.absolute(note)?);
        // `""` was put in its place by nobody.
        let kept = Self::intend(vault, note, &temporary, base, "")?;
        let Err(source) = change("keep", || fs::rename(file, &kept.file)) else { return Ok(()) };
        place::remove(&kept.record)?;
        if is_absent(&source) { Ok(()) } else { Err(VaultError::io("keep", file, source)) }
    }

    /// The file beside the note: new text before the exchange, the swapped-out file after it.
    pub(crate) fn temporary(&self) -> &Path {
        &self.entry.temporary
    }

    /// Puts the swapped-out file away, which held `text` when it came out.
    pub(crate) fn put_away(mut self, text: &str) -> Result<(), VaultError> {
        self.put_away_for(text)
    }

    /// Puts the swapped-out file away. What it holds beyond `base` is a late save, until it is taken in.
    pub(crate) fn put_away_for(&mut self, base: &str) -> Result<(), VaultError> {
        self.set_base(base.to_owned())?;
        // On another file system than the note's it stays beside the note, where the record finds it.
        let put_away = change("keep", || fs::rename(&self.entry.temporary, &self.file));
        if put_away.is_err() && self.entry.temporary.exists() {
            tracing::warn!(file = %self.entry.temporary.display(), "a replaced file stays beside its note");
        }
        Ok(())
    }

    /// This text of the file is no late save any more.
    pub(crate) fn taken_in(mut self, text: String) -> Result<(), VaultError> {
        self.set_base(text)
    }

    fn set_base(&mut self, base: String) -> Result<(), VaultError> {
        if self.entry.base == base {
            return Ok(());
        }
        self.entry.base = base;
        self.save()
    }

    /// Nothing was swapped out after all: only what ado wrote itself goes.
    pub(crate) fn forget(self) -> Result<(), VaultError> {
        let ours = |bytes: Vec<u8>| ContentHash::of(bytes) == self.entry.after;
        if fs::read(&self.entry.temporary).is_ok_and(|bytes| !ours(bytes)) {
            let base = self.entry.base.clone();
            return self.put_away(&base);
        }
        place::remove(&self.entry.temporary)?;
        place::remove(&self.record)
    }

    fn save(&self) -> Result<(), VaultError> {
        let json = serde_json::to_vec(&self.entry).expect("an entry of strings is JSON");
        place::replace_unsynced(&self.record, &json)
    }

    /// The swapped-out file: put away, or still beside the note. What a crash left out of its place goes back first.
    fn swapped_out(&self, vault: &Vault) -> Result<Option<PathBuf>, VaultError> {
        if self.file.exists() {
            return Ok(Some(self.file.clone()));
        }
        let temporary = &self.entry.temporary;
        vault.wrote(&self.entry.note);
        if let Ok(note) = vault.absolute(&self.entry.note)
            && let Some(aside) = swap::recover_aside(temporary, &note)?
        {
            return Ok(Some(aside));
        }
        let never_swapped = |bytes: Vec<u8>| ContentHash::of(bytes) == self.entry.after;
        let came_out = fs::read(temporary).is_ok_and(|bytes| !never_swapped(bytes));
        Ok(came_out.then(|| temporary.clone()))
    }

    fn drop_files(self) -> Result<(), VaultError> {
        place::remove(&self.file)?;
        place::remove(&swap::aside_of(&self.entry.temporary))?;
        place::remove(&self.entry.temporary)?;
        place::remove(&self.record)
    }
}

/// Looks at the swapped-out files again and again, reading only those that changed.
#[derive(Debug)]
pub struct Sweeper {
    vault: Vault,
    /// What each file was when it was last looked into, by its record.
    seen: HashMap<PathBuf, SystemTime>,
    left: LeftPlaces,
}

impl Sweeper {
    pub fn new(vault: &Vault) -> Self {
        Self { vault: vault.clone(), seen: HashMap::new(), left: LeftPlaces::default() }
    }

    /// Whether a file would be looked into: one that changed and then was left alone for `quiet`, or one that was kept
    /// long enough. Needs no lock.
    pub fn is_due(&mut self, quiet: Duration) -> Result<bool, VaultError> {
        let now = SystemTime::now();
        let due = |record: &PathBuf| self.next(record, now, quiet) != Next::Rest;
        Ok(records(&self.vault, None)?.iter().any(due) || self.left.is_due(&self.vault, quiet)?)
    }

    /// Merges late saves into their notes; where that conflicts they become conflict notes. A file that changed less than
    /// `quiet` ago is still being written and waits. Gives the notes that were written.
    pub fn sweep(&mut self, lock: &VaultLock, quiet: Duration) -> Result<Vec<NotePath>, VaultError> {
        self.left.take_in(&self.vault, quiet)?;
        let now = SystemTime::now();
        let mut written = Vec::new();
        let mut seen = HashMap::new();
        for record in records(&self.vault, None)? {
            let next = self.next(&record, now, quiet);
            if next == Next::Rest {
                seen.extend(self.seen.remove_entry(&record));
                continue;
            }
            let changed = changed_at(&record);
            let Some(kept) = load(record.clone())? else { continue };
            if look_into(lock, &self.vault, kept, next == Next::Drop, &mut written)?
                && let Some(changed) = changed
                && now.duration_since(changed).is_ok_and(|age| age > RACY)
            {
                seen.insert(record, changed);
            }
        }
        self.seen = seen;
        written.sort();
        written.dedup();
        Ok(written)
    }

    fn next(&self, record: &Path, now: SystemTime, quiet: Duration) -> Next {
        let kept_since = fs::metadata(record).and_then(|metadata| metadata.modified()).ok();
        next(changed_at(record), kept_since, self.seen.get(record).copied(), now, quiet)
    }
}

/// What is done with a swapped-out file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Rest,
    LookInto,
    /// Look into it a last time.
    Drop,
}

/// `changed` is the file's own time, `None` while it was not put away; `seen` is that time at the last look.
fn next(
    changed: Option<SystemTime>,
    kept_since: Option<SystemTime>,
    seen: Option<SystemTime>,
    now: SystemTime,
    quiet: Duration,
) -> Next {
    let Some(changed) = changed else { return Next::LookInto };
    // A change in the future says nothing: another machine's clock made it.
    let age = now.duration_since(changed).unwrap_or(Duration::MAX);
    let kept_for = kept_since.map_or(age, |since| now.duration_since(since).unwrap_or_default());
    if seen != Some(changed) && age < quiet {
        Next::Rest
    } else if age.min(kept_for) > KEEP {
        Next::Drop
    } else if seen == Some(changed) {
        Next::Rest
    } else {
        Next::LookInto
    }
}

fn changed_at(record: &Path) -> Option<SystemTime> {
    fs::metadata(record.with_extension("md")).and_then(|metadata| metadata.modified()).ok()
}

/// Looks at every swapped-out file once, those that are just being written too.
pub fn sweep_kept(lock: &VaultLock, vault: &Vault) -> Result<Vec<NotePath>, VaultError> {
    Sweeper::new(vault).sweep(lock, Duration::ZERO)
}

/// Takes a late save into its note. Gives whether the file is still kept.
fn look_into(
    lock: &VaultLock,
    vault: &Vault,
    mut kept: Kept,
    last_time: bool,
    written: &mut Vec<NotePath>,
) -> Result<bool, VaultError> {
    let Some(file) = kept.swapped_out(vault)? else {
        return kept.drop_files().map(|()| false);
    };
    let name = kept.entry.note.as_str();
    let text = match read_note(name, &file).and_then(|(_, bytes)| into_text(name, bytes)) {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(note = name, %error, "a late save cannot be read; it stays in .ado/kept");
            return Ok(true);
        }
    };
    // Beside the note it may have been left by a crash, or by a note that was moved away in that instant.
    if file != kept.file && fs::rename(&file, &kept.file).is_err() {
        tracing::warn!(file = %file.display(), "a replaced file stays beside its note");
    }
    if text != kept.entry.base {
        written.push(take_in(lock, vault, &kept.entry, &text)?);
        kept.set_base(text)?;
    }
    if last_time {
        return kept.drop_files().map(|()| false);
    }
    Ok(true)
}

/// What every edit of which a swapped-out file is kept put into its note.
pub(crate) fn written_texts(vault: &Vault) -> Result<BTreeSet<(NotePath, ContentHash)>, VaultError> {
    Ok(entries(vault)?.map(|entry| (entry.note, entry.after)).collect())
}

/// Texts that the swapped-out files of a note had, which an editor may still hold.
pub(super) fn bases_of(vault: &Vault, note: &NotePath) -> Result<Vec<String>, VaultError> {
    Ok(entries(vault)?.filter(|entry| entry.note == *note).map(|entry| entry.base).collect())
}

/// Names of the temporary files that are still to be put away, wherever they are by now.
pub(crate) fn temporaries(vault: &Vault) -> Result<BTreeSet<OsString>, VaultError> {
    Ok(entries(vault)?.filter_map(|entry| Some(entry.temporary.file_name()?.to_owned())).collect())
}

fn entries(vault: &Vault) -> Result<impl Iterator<Item = Entry>, VaultError> {
    let kept: Vec<Option<Kept>> = records(vault, None)?.into_iter().map(load).collect::<Result<_, _>>()?;
    Ok(kept.into_iter().flatten().map(|kept| kept.entry))
}

/// Follows a note that moved, so that late saves reach it.
pub(crate) fn follow_move(vault: &Vault, from: &NotePath, to: &NotePath) -> Result<(), VaultError> {
    for record in records(vault, Some(&mark(from)))? {
        let Some(mut kept) = load(record)? else { continue };
        if kept.entry.note != *from {
            continue;
        }
        let old = kept.record.clone();
        let name = format!("{}-{}", mark(to), place::unique_name());
        let file = old.with_file_name(format!("{name}.md"));
        kept.entry.note = to.clone();
        kept.record = old.with_file_name(format!("{name}.json"));
        kept.save()?;
        // Without its file the new record says nothing; with it the old one does.
        if kept.file.exists() {
            fs::rename(&kept.file, &file).map_err(|source| VaultError::io("keep", &kept.file, source))?;
        }
        place::remove(&old)?;
    }
    Ok(())
}

/// What the names of the records of one note begin with.
pub(super) fn mark(note: &NotePath) -> String {
    ContentHash::of(note.as_str()).as_str()[..16].to_owned()
}

/// [`merge`] for the texts of a file: JSON stays JSON, of the kind that it was and with each key once, or is not merged.
pub(crate) fn merge_file(path: &NotePath, base: &str, ours: &str, theirs: &str) -> Option<String> {
    let merged = merge(base, ours, theirs)?;
    let is_json = [".canvas", ".json"].iter().any(|end| path.as_str().ends_with(end));
    let before = is_json.then(|| json::kind(ours)).flatten();
    (before.is_none() || json::kind(&merged) == before).then_some(merged)
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

/// Writes a text that could not be merged beside its note or canvas, under a name that every scan reports.
pub(crate) fn write_conflict(
    lock: &VaultLock,
    vault: &Vault,
    note: &NotePath,
    text: &str,
) -> Result<NotePath, VaultError> {
    let stamp = Timestamp::now().strftime("%Y-%m-%d %H%M%S");
    for count in 1..=1000 {
        let (stem, end) = note.file_name().rsplit_once('.').unwrap_or((note.file_name(), "md"));
        let name = format!("{stem} (conflicted copy {stamp} {count}).{end}");
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
        if torn { Ok(late.to_owned()) } else { merge_file(&entry.note, &entry.base, current, late).ok_or(()) }
    });
    match merged {
        Ok(_) => Ok(entry.note.clone()),
        Err(StoreError::Edit(()) | StoreError::Vault(VaultError::Missing { .. })) => {
            write_conflict(lock, vault, &entry.note, late)
        }
        Err(StoreError::Vault(error)) => Err(error),
    }
}

/// The records of all kept files, or of those whose name begins so, in the order of time for each note.
fn records(vault: &Vault, beginning: Option<&str>) -> Result<Vec<PathBuf>, VaultError> {
    let folder = vault.root().join(".ado/kept");
    let listing = match fs::read_dir(&folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(VaultError::io("list", &folder, source)),
    };
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".json") && beginning.is_none_or(|beginning| name.starts_with(beginning))
    };
    let mut records: Vec<PathBuf> =
        listing.filter_map(Result::ok).map(|entry| entry.path()).filter(is_wanted).collect();
    records.sort();
    Ok(records)
}

/// `None` for a record that is damaged or gone.
fn load(record: PathBuf) -> Result<Option<Kept>, VaultError> {
    let bytes = match fs::read(&record) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(VaultError::io("read", &record, source)),
    };
    match serde_json::from_slice(&bytes) {
        Ok(entry) => Ok(Some(Kept { file: record.with_extension("md"), record, entry })),
        Err(error) => {
            tracing::warn!(record = %record.display(), %error, "a record of a kept file is damaged");
            Ok(None)
        }
    }
}

fn kept_folder(vault: &Vault) -> Result<PathBuf, VaultError> {
    let folder = private_folder(vault)?.join("kept");
    fs::create_dir_all(&folder).map_err(|source| VaultError::io("make", &folder, source))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_save_that_is_gone_before_it_is_taken_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path()).unwrap();
        let note = NotePath::new("A.md").unwrap();
        Kept::take(&vault, &note, &folder.path().join("gone.md"), "text").unwrap();
        assert_eq!(records(&vault, None).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_swapped_out_file_is_looked_into_once_it_is_quiet_and_dropped_when_it_is_old() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let next = |changed: Option<u64>, kept: u64, seen: Option<u64>, now: u64| {
            next(changed.map(at), Some(at(kept)), seen.map(at), at(now), Duration::from_secs(3))
        };
        assert_eq!(next(None, 100, None, 101), Next::LookInto, "not put away: a crash left it");
        assert_eq!(next(Some(100), 100, None, 102), Next::Rest, "still being written");
        assert_eq!(next(Some(100), 100, None, 103), Next::LookInto);
        assert_eq!(next(Some(100), 100, Some(100), 104), Next::Rest, "seen");
        assert_eq!(next(Some(200), 100, Some(100), 204), Next::LookInto, "a late save");
        assert_eq!(next(Some(200), 100, Some(100), 202), Next::Rest);
        assert_eq!(next(Some(100), 100, Some(100), 100 + 901), Next::Drop);
        assert_eq!(next(Some(50), 1_000, Some(50), 1_100), Next::Rest, "kept not long ago");
        assert_eq!(next(Some(9_999), 100, None, 101), Next::LookInto, "a clock that runs ahead");
        assert_eq!(next(Some(9_999), 100, Some(9_999), 102), Next::Rest);
    }
}
