//! Commits that are intended: noted down before the files are written, struck off when they are made, so that a crash in
//! between leaves neither notes uncommitted nor ado's writing under a human's name.
//!
//! Does not know how far the writing came; who finishes it looks.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::kept::written_texts;
use super::super::lock::private_folder;
use super::super::root::is_absent;
use super::super::{VaultError, VaultLock, place};
use super::message::CommitMessage;
use super::repository::History;
use crate::domain::{ContentHash, NotePath};

/// A commit that is to be made when everything it holds is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intended {
    /// What it holds, and more that it may hold.
    pub paths: Vec<NotePath>,
    /// Where a note is moved to.
    pub to: Option<NotePath>,
    pub message: CommitMessage,
}

/// Texts that ado wrote into notes and that a crash may have left uncommitted.
#[derive(Debug, Default)]
pub struct OwnTexts(BTreeSet<(NotePath, ContentHash)>);

impl OwnTexts {
    /// Whether the note holds what ado wrote last, and nothing of a human since.
    pub fn contains(&self, path: &NotePath, text: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&(path.clone(), ContentHash::of(text)))
    }
}

impl History {
    /// Notes a commit down, before anything that belongs into it is written.
    pub fn intend(&self, _lock: &VaultLock, commit: Intended) -> Result<(), VaultError> {
        let mut intended = self.intended()?;
        intended.retain(|other| *other != commit);
        intended.push(commit);
        self.write_intended(&intended)
    }

    /// Strikes the commit off that was noted last: it is made, or there is nothing to commit.
    pub fn fulfil(&self, _lock: &VaultLock) -> Result<(), VaultError> {
        let mut intended = self.intended()?;
        intended.pop();
        self.write_intended(&intended)
    }

    /// The commits that were intended and not made, oldest first; what is known to be ado's own of what they hold.
    pub fn cut_off(&self, _lock: &VaultLock) -> Result<(Vec<Intended>, OwnTexts), VaultError> {
        let intended = self.intended()?;
        if intended.is_empty() {
            return Ok((intended, OwnTexts::default()));
        }
        Ok((intended, OwnTexts(written_texts(&self.vault)?)))
    }

    /// Strikes everything off: what a crash cut off is finished.
    pub fn all_fulfilled(&self, _lock: &VaultLock) -> Result<(), VaultError> {
        self.write_intended(&[])
    }

    fn intended(&self) -> Result<Vec<Intended>, VaultError> {
        let path = self.intended_path()?;
        match fs::read(&path) {
            // A file that a power cut left empty tells nothing; what is uncommitted is then seen as a human's.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(source) => Err(VaultError::io("read", &path, source)),
        }
    }

    fn write_intended(&self, intended: &[Intended]) -> Result<(), VaultError> {
        let path = self.intended_path()?;
        if intended.is_empty() {
            return place::remove(&path);
        }
        place::replace_unsynced(&path, &serde_json::to_vec(intended).expect("a list of strings is JSON"))
    }

    fn intended_path(&self) -> Result<PathBuf, VaultError> {
        Ok(private_folder(&self.vault)?.join("commits.json"))
    }
}
