//! Holds the journals of the vault against their chains, against each other, against the heads that commits name, and
//! transcripts against the journals.
//!
//! Changes nothing. Knows no keys: who can rewrite the vault's whole history, also where it was pushed to, can rewrite
//! the journals with it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chain::{self, Head, Read, tampered};
use super::history::{CommittedHead, History};
use super::journal::{all_runs, bytes_at, journal_path};
use super::{Vault, VaultError};
use crate::domain::{ContentHash, Diagnostic, FeatureId, NotePath, RunId};

/// What the journals of a vault, or of one feature, were seen to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub runs: Vec<VerifiedRun>,
    /// Heads in commits that were compared.
    pub heads: usize,
    /// Errors where something was changed; warnings where it only looks odd.
    pub problems: Vec<Diagnostic>,
}

/// One journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedRun {
    pub run: RunId,
    pub records: u64,
    /// First record in the chain; `None` for a journal of a version that had none.
    pub chained_from: Option<u64>,
    /// Records up to this one are named by a commit, itself or by what follows on it.
    pub committed_to: u64,
    pub transcripts: usize,
}

impl Verified {
    pub fn is_sound(&self) -> bool {
        !self.problems.iter().any(Diagnostic::is_error)
    }
}

struct Journal {
    path: NotePath,
    read: Read,
}

/// Verifies the journals of one feature, or of all.
///
/// # Errors
/// When a file or the history cannot be read. What is wrong with journals is in the result.
pub fn verify_journals(
    vault: &Vault,
    history: &History,
    feature: Option<&FeatureId>,
) -> Result<Verified, VaultError> {
    let wanted = |run: &RunId| feature.is_none_or(|feature| run.feature == *feature);
    let mut journals: BTreeMap<RunId, Journal> = BTreeMap::new();
    for run in all_runs(vault)?.into_iter().filter(wanted) {
        let path = journal_path(vault, &run)?;
        let bytes = bytes_at(&vault.absolute(&path)?)?.unwrap_or_default();
        journals.insert(run.clone(), Journal { read: chain::read(&run, &path, &bytes), path });
    }
    let mut heads = history.journal_heads()?;
    heads.retain(|each| wanted(&each.head.run));
    let mut problems = vec![];
    let mut runs = vec![];
    for (run, journal) in &journals {
        problems.extend(journal.read.problems.iter().cloned());
        problems.extend(first_line(run, journal, &journals));
        problems.extend(transcripts(vault, journal)?);
        let records = journal.read.lines.len() as u64;
        let of_run = heads.iter().filter(|each| each.head.run == *run);
        let named = of_run.filter(|each| holds(&journal.read, &each.head)).map(|each| each.head.seq).max();
        runs.push(VerifiedRun {
            run: run.clone(),
            records,
            chained_from: journal.read.chained_from,
            committed_to: named.unwrap_or(0),
            transcripts: journal.read.transcripts.len(),
        });
    }
    problems.extend(against_commits(history, &heads, &journals, vault)?);
    Ok(Verified { runs, heads: heads.len(), problems })
}

/// The first line follows on a line of the run before, or on nothing.
fn first_line(run: &RunId, journal: &Journal, journals: &BTreeMap<RunId, Journal>) -> Option<Diagnostic> {
    let first = journal.read.first.as_ref()?;
    let from = RunId { feature: run.feature.clone(), number: 0 };
    let before = journals.range(from..run.clone()).rev().find(|(_, other)| !other.read.lines.is_empty());
    let said = match before {
        // More may have been written to the run before after this one began.
        Some((_, other)) if is_link_of(&other.read, first) => return None,
        None if *first == chain::beginning(run) => return None,
        Some((other, _)) => format!("this run did not begin after {other} as it is now"),
        None => "a run came before this one that is not there any more".to_owned(),
    };
    Some(tampered("journal-chain", said).in_note(&journal.path).at(1, 1))
}

/// Whether a next line could have followed on one of these, or on all that were not in a chain.
fn is_link_of(read: &Read, link: &ContentHash) -> bool {
    read.lines.contains(link) || read.unchained.as_ref() == Some(link)
}

fn holds(read: &Read, head: &Head) -> bool {
    let at = usize::try_from(head.seq).unwrap_or(0);
    at.checked_sub(1).and_then(|at| read.lines.get(at)) == Some(&head.hash)
}

/// What commits say that journals held, against what they hold. Of each run the first difference is told.
fn against_commits(
    history: &History,
    heads: &[CommittedHead],
    journals: &BTreeMap<RunId, Journal>,
    vault: &Vault,
) -> Result<Vec<Diagnostic>, VaultError> {
    let mut wrong: BTreeMap<&RunId, &CommittedHead> = BTreeMap::new();
    let mut problems = vec![];
    for each in heads {
        let head = &each.head;
        if journals.get(&head.run).is_some_and(|journal| holds(&journal.read, head)) {
            continue;
        }
        if !history.bears_out(each)? {
            problems.push(Diagnostic::warning(
                "journal-head-unfounded",
                format!(
                    "commit {} names record {} of {}, but holds no such journal itself; it does not count",
                    each.commit.short(),
                    head.seq,
                    head.run
                ),
                "somebody wrote the trailer by hand, or history was squashed",
            ));
            continue;
        }
        let first = wrong.entry(&head.run).or_insert(each);
        if head.seq < first.head.seq {
            *first = each;
        }
    }
    for (run, each) in wrong {
        let (seq, commit) = (each.head.seq, each.commit.short());
        let path = journal_path(vault, run)?;
        let lines = journals.get(run).map(|journal| journal.read.lines.len() as u64);
        let (code, said) = match lines {
            None => ("journal-missing", format!("commit {commit} has this journal, and it is gone")),
            Some(lines) if lines < seq => {
                ("journal-cut", format!("commit {commit} has {seq} records here; there are {lines}"))
            }
            Some(_) => ("journal-head", format!("record {seq} is not the one that commit {commit} has")),
        };
        let line = if code == "journal-head" { u32::try_from(seq).unwrap_or(u32::MAX) } else { 0 };
        problems.push(tampered(code, said).in_note(&path).at(line, 1));
    }
    Ok(problems)
}

fn transcripts(vault: &Vault, journal: &Journal) -> Result<Vec<Diagnostic>, VaultError> {
    let mut problems = vec![];
    for (line, file, hash) in &journal.read.transcripts {
        let name = format!("{}/transcript/{file}", journal.path.folder());
        let found = match NotePath::new(name) {
            Ok(path) => bytes_at(&vault.absolute(&path)?)?,
            Err(_) => None,
        };
        let said = match found {
            Some(bytes) if ContentHash::of(&bytes) == *hash => continue,
            Some(_) => format!("the transcript `{file}` is not the one that was recorded"),
            None => format!("the transcript `{file}` is gone"),
        };
        let line = u32::try_from(*line).unwrap_or(u32::MAX);
        problems.push(tampered("transcript-changed", said).in_note(&journal.path).at(line, 1));
    }
    Ok(problems)
}
