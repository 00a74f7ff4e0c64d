//! A run's journal: an append-only file of one JSON record a line, each with the hash of the one before, synced at every
//! append; and the transcripts beside it.
//!
//! Does not fold records into a state and does not know what an event means.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::chain;
use super::place;
use super::root::is_absent;
use super::seam::change;
use super::{Vault, VaultError};
use crate::domain::{ContentHash, Diagnostic, Event, FeatureId, JOURNAL_VERSION, NotePath, Record, RunId};

/// An open journal. One process has a run's journal open at a time (the engine's lock sees to that).
#[derive(Debug)]
pub struct Journal {
    path: NotePath,
    absolute: PathBuf,
    file: File,
    next: u64,
    /// Bytes that are whole records; an append that fails is cut back to here.
    end: u64,
    /// What the next line follows on.
    link: ContentHash,
}

impl Journal {
    /// Opens or begins the journal of a run. A last line that a crash left torn is cut off and reported.
    ///
    /// # Errors
    /// [`VaultError::BadJournal`] when a line before the last is not a record.
    pub fn open(vault: &Vault, run: &RunId) -> Result<(Self, Vec<Record>, Vec<Diagnostic>), VaultError> {
        let path = journal_path(vault, run)?;
        let absolute = vault.absolute(&path)?;
        let bytes = bytes_at(&absolute)?.unwrap_or_default();
        let (records, end, problems) = records_in(&path, &bytes)?;
        let link = match chain::link_after(&bytes[..end]) {
            Some(link) => link,
            None => first_link(vault, run)?,
        };
        let end = end as u64;
        place::make_parents(&absolute)?;
        vault.wrote(&path);
        let failed = |source| VaultError::io("open", &absolute, source);
        let file = OpenOptions::new().append(true).create(true).open(&absolute).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() != end {
            file.set_len(end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        place::sync_folder(&absolute)?;
        let next = records.last().map_or(1, |record| record.seq + 1);
        Ok((Self { path, absolute, file, next, end, link }, records, problems))
    }

    /// Appends one record and returns when it is on disk.
    pub fn append(&mut self, at: Timestamp, event: Event) -> Result<Record, VaultError> {
        let record = Record { v: JOURNAL_VERSION, seq: self.next, at, prev: Some(self.link.clone()), event };
        let mut line = serde_json::to_vec(&record).map_err(|source| VaultError::BadJournal {
            path: self.path.to_string(),
            line: usize::try_from(self.next).unwrap_or(usize::MAX),
            source,
        })?;
        line.push(b'\n');
        let append = || self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(source) = change("append", append) {
            // Half a line must not stand before the next one; if this fails too, the next open cuts it.
            let _ = self.file.set_len(self.end);
            return Err(VaultError::io("append to", &self.absolute, source));
        }
        self.next += 1;
        self.end += line.len() as u64;
        self.link = ContentHash::of(&line);
        Ok(record)
    }

    /// `60_runs/FR-056/1/journal.jsonl`.
    pub fn path(&self) -> NotePath {
        self.path.clone()
    }
}

/// The records of a run; none when it has no journal. Changes nothing.
pub fn read_journal(vault: &Vault, run: &RunId) -> Result<(Vec<Record>, Vec<Diagnostic>), VaultError> {
    let path = journal_path(vault, run)?;
    let absolute = vault.absolute(&path)?;
    let (records, _, problems) = records_in(&path, &bytes_at(&absolute)?.unwrap_or_default())?;
    Ok((records, problems))
}

/// Numbers of a feature's runs, ascending.
pub fn runs_of(vault: &Vault, feature: &FeatureId) -> Result<Vec<u32>, VaultError> {
    let folder = vault.root().join(vault.folders()?.runs()).join(feature.as_str());
    let mut numbers: Vec<u32> = names(&folder)?
        .iter()
        .filter_map(|name| name.parse().ok().filter(|number: &u32| number.to_string() == *name))
        .filter(|number| folder.join(number.to_string()).join("journal.jsonl").is_file())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// All runs that have a journal, by feature and number.
pub fn all_runs(vault: &Vault) -> Result<Vec<RunId>, VaultError> {
    let mut runs = Vec::new();
    for name in names(&vault.root().join(vault.folders()?.runs()))? {
        let Ok(feature) = name.parse::<FeatureId>() else { continue };
        runs.extend(
            runs_of(vault, &feature)?.into_iter().map(|number| RunId { feature: feature.clone(), number }),
        );
    }
    runs.sort();
    Ok(runs)
}

/// Writes `60_runs/FR-056/1/transcript/<name>.jsonl` at once. In `name` anything but letters, digits, `.`, `_` and `-`
/// becomes `-`.
pub fn write_transcript(vault: &Vault, run: &RunId, name: &str, text: &str) -> Result<NotePath, VaultError> {
    let stem: String = name
        .trim_end_matches(".jsonl")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(100)
        .collect();
    let stem = stem.trim_start_matches('.');
    let path = NotePath::new(format!("{}/{run}/transcript/{stem}.jsonl", vault.folders()?.runs()))?;
    let absolute = vault.absolute(&path)?;
    place::make_parents(&absolute)?;
    vault.wrote(&path);
    place::replace(&absolute, text.as_bytes())?;
    Ok(path)
}

/// Bytes of a transcript that are read.
const LONGEST_TRANSCRIPT: u64 = 64 << 20;

/// The text of a transcript that [`write_transcript`] wrote under this file name.
pub fn read_transcript(vault: &Vault, run: &RunId, file: &str) -> Result<String, VaultError> {
    let path = NotePath::new(format!("{}/{run}/transcript/{file}", vault.folders()?.runs()))?;
    let absolute = vault.absolute(&path)?;
    let failed = |source| VaultError::io("read", &absolute, source);
    let mut text = String::new();
    fs::File::open(&absolute)
        .and_then(|file| file.take(LONGEST_TRANSCRIPT).read_to_string(&mut text))
        .map_err(failed)?;
    Ok(text)
}

pub(super) fn journal_path(vault: &Vault, run: &RunId) -> Result<NotePath, VaultError> {
    Ok(NotePath::new(format!("{}/{run}/journal.jsonl", vault.folders()?.runs()))?)
}

/// The bytes of a file; `None` when there is none.
pub(super) fn bytes_at(absolute: &Path) -> Result<Option<Vec<u8>>, VaultError> {
    match fs::read(absolute) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VaultError::io("read", absolute, source)),
    }
}

/// What the first line of a run follows on: the end of the run before, as far as there is one.
fn first_link(vault: &Vault, run: &RunId) -> Result<ContentHash, VaultError> {
    for number in runs_of(vault, &run.feature)?.into_iter().rev().filter(|number| *number < run.number) {
        let before = RunId { feature: run.feature.clone(), number };
        let journal = bytes_at(&vault.absolute(&journal_path(vault, &before)?)?)?;
        if let Some(link) = journal.and_then(|journal| chain::link_after(&journal)) {
            return Ok(link);
        }
    }
    Ok(chain::beginning(run))
}

/// Records, how many bytes hold them, and what was wrong with the rest.
fn records_in(path: &NotePath, bytes: &[u8]) -> Result<(Vec<Record>, usize, Vec<Diagnostic>), VaultError> {
    let mut records: Vec<Record> = Vec::new();
    let mut problems = Vec::new();
    let mut end = 0;
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let is_last = end + line.len() == bytes.len();
        let is_whole = line.ends_with(b"\n");
        match serde_json::from_slice::<Record>(line) {
            Ok(record) if is_whole => records.push(record),
            // A whole line of JSON that is no record was written by another version, not torn: cutting it would lose it.
            Err(source) if is_whole && (!is_last || !source.is_syntax()) => {
                return Err(VaultError::BadJournal { path: path.to_string(), line: number, source });
            }
            _ => {
                problems.push(
                    Diagnostic::warning(
                        "torn-journal-line",
                        format!("the last line of `{path}` was cut off in a crash; it does not count"),
                        "nothing to do: the run goes on from the record before it",
                    )
                    .in_note(path)
                    .at(u32::try_from(number).unwrap_or(u32::MAX), 1),
                );
                break;
            }
        }
        end += line.len();
    }
    if let Some((record, expected)) =
        records.iter().zip(1..).find(|(record, expected)| record.seq != *expected)
    {
        problems.push(
            Diagnostic::error(
                "journal-gap",
                format!("record {expected} of `{path}` says it is number {}", record.seq),
                "restore the file from git history",
            )
            .in_note(path),
        );
    }
    Ok((records, end, problems))
}

fn names(folder: &Path) -> Result<Vec<String>, VaultError> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(VaultError::io("list", folder, source)),
    };
    let names: io::Result<Vec<_>> = listing.map(|entry| Ok(entry?.file_name())).collect();
    let names = names.map_err(|source| VaultError::io("list", folder, source))?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}
