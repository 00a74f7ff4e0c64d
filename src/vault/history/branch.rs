//! Moving the vault's branch to a new commit, in the way of git's own files: a lock beside the branch that becomes it, and
//! a line in each log.
//!
//! Not by libgit2, because its lock could not be told from another program's after a crash. Does not know what is in the
//! commit.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use git2::{Oid, Repository, Signature};

use super::super::seam::change;
use super::super::{VaultError, place};
use super::repository::{Head, History, locked};

impl History {
    /// Moves the branch from where it was seen to the new commit. `false` when someone else moved it first.
    pub(super) fn point_at(
        &self,
        repository: &Repository,
        head: &Head,
        commit: Oid,
        author: &Signature<'_>,
        message: &str,
    ) -> Result<bool, VaultError> {
        let path = self.shared_lock_of(&head.reference);
        place::make_parents(&path)?;
        let Some(lock) = self.take_lock(&path, &format!("{commit}\n"))? else {
            let seconds = self.foreign_lock(head).map_or(0, |(_, seconds)| seconds);
            return Err(VaultError::Blocked { why: locked(&path, seconds) });
        };
        let now = self.head(repository)?;
        if now.commit != head.commit || now.reference != head.reference {
            return Ok(false);
        }
        let (kind, old) = head.commit.map_or(("commit (initial)", Oid::ZERO_SHA1), |old| ("commit", old));
        let subject = message.lines().next().unwrap_or_default();
        let line = format!("{old} {commit} {}\t{kind}: {subject}\n", in_log(author));
        let always = repository.config().and_then(|config| config.get_bool("core.logallrefupdates"));
        for log in [self.common_dir.join("logs").join(&head.reference), self.git_dir.join("logs/HEAD")] {
            append(&log, &line, always.as_ref().copied().unwrap_or(true))?;
        }
        lock.become_file(&self.common_dir.join(&head.reference))?;
        Ok(true)
    }
}

/// `Name <mail> 1700000000 +0000`.
fn in_log(author: &Signature<'_>) -> String {
    let (name, mail) =
        (String::from_utf8_lossy(author.name_bytes()), String::from_utf8_lossy(author.email_bytes()));
    let offset = author.when().offset_minutes();
    let (sign, minutes) = (author.when().sign(), offset.unsigned_abs());
    format!("{name} <{mail}> {} {sign}{:02}{:02}", author.when().seconds(), minutes / 60, minutes % 60)
}

/// Adds a line to a log that is there, or with `make` to a new one.
fn append(log: &Path, line: &str, make: bool) -> Result<(), VaultError> {
    if !make && !log.exists() {
        return Ok(());
    }
    place::make_parents(log)?;
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).open(log)?;
        let end = file.metadata()?.len();
        file.write_all(line.as_bytes()).inspect_err(|_| {
            // Half a line would stand before the next one.
            let _ = fs::OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(end));
        })
    };
    change("log branch", write).map_err(|source| VaultError::io("append to", log, source))
}
