//! Whether a tick of `approved` counts where approvals must be signed: which commit made it, who signed that, and whether
//! it was made when the gate was asked for.
//!
//! Does not know what the gate is about; the record of the journal that asks says it, and the commit must hold that record.

use git2::{Commit, ErrorCode, Oid, Repository, Sort};

use super::super::VaultError;
use super::commit::OWN_MAIL;
use super::message::RECORDED;
use super::read::text_of;
use super::repository::{History, entry_at};
use super::sign::{settings, text};
use super::signature::{Signer, signer};
use crate::domain::NotePath;
use crate::note;

/// The vault's own list of those who may sign, in the policy folder.
const SIGNERS: &str = "allowed_signers";
/// Commits that are looked through for the one that made a tick.
const MOST: usize = 5_000;

/// A question that a tick answers.
pub struct Question<'a> {
    /// The note that is ticked.
    pub note: &'a NotePath,
    /// The run's journal.
    pub journal: &'a NotePath,
    /// Number of the record that asks.
    pub asked: u64,
}

impl History {
    /// Who may approve, where the user's git says so: `ado.approvalAuthority`. It lies outside of the vault, so whoever
    /// may edit the settings cannot weaken it.
    pub fn approval_authority(&self) -> Result<Option<String>, VaultError> {
        let config = settings(&*self.repository()?)?;
        Ok(text(&config, "ado.approvalAuthority"))
    }

    /// Who signed the tick of a note whose text is as committed; or why the tick does not count.
    pub fn signed_tick(&self, question: &Question<'_>) -> Result<Signer, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("read the vault's history", error);
        let Some(made) = self.made_tick(&repository, question.note)? else {
            return Ok(Err("no commit is found that ticked `approved`".to_owned()));
        };
        let commit = repository.find_commit(made).map_err(failed)?;
        let named = format!("commit {} ", &made.to_string()[..10]);
        if is_recorded(&commit) {
            return Ok(Err(format!("{named}was made by ado-vault of what it found uncommitted")));
        }
        if !self.knew(&repository, &commit, question)? {
            return Ok(Err(format!("{named}was made before this was asked")));
        }
        if self.text_in(&repository, &commit, question.note)? != self.committed_text(question.note)? {
            return Ok(Err(format!("the note was changed after {}", named.trim_end())));
        }
        let signers = match self.signers(&repository)? {
            Ok(signers) => signers,
            Err(why) => return Ok(Err(why)),
        };
        Ok(signer(&repository, made, signers.as_deref())?.map_err(|why| format!("{named}{why}")))
    }

    /// The commit in which the note became ticked, going back from HEAD along commits that have the tick.
    fn made_tick(&self, repository: &Repository, note: &NotePath) -> Result<Option<Oid>, VaultError> {
        let failed = |error| VaultError::git("read the vault's history", error);
        let ticked = |commit: &Commit<'_>| -> Result<bool, VaultError> {
            Ok(self.text_in(repository, commit, note)?.is_some_and(|text| is_ticked(&text)))
        };
        let mut commit = match repository.head() {
            Ok(head) => head.peel_to_commit().map_err(failed)?,
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        if !ticked(&commit)? {
            return Ok(None);
        }
        for _ in 0..MOST {
            let mut before = None;
            for parent in commit.parents() {
                if ticked(&parent)? {
                    before = Some(parent);
                    break;
                }
            }
            match before {
                Some(parent) => commit = parent,
                None => return Ok(Some(commit.id())),
            }
        }
        Ok(None)
    }

    /// Whether a commit holds the record that asks, byte for byte as the last commit has it.
    fn knew(
        &self,
        repository: &Repository,
        commit: &Commit<'_>,
        question: &Question<'_>,
    ) -> Result<bool, VaultError> {
        let at = usize::try_from(question.asked).unwrap_or(usize::MAX).saturating_sub(1);
        let record =
            |journal: Option<String>| journal.and_then(|text| Some(text.lines().nth(at)?.to_owned()));
        let then = record(self.text_in(repository, commit, question.journal)?);
        Ok(then.is_some() && then == record(self.committed_text(question.journal)?))
    }

    fn text_in(
        &self,
        repository: &Repository,
        commit: &Commit<'_>,
        path: &NotePath,
    ) -> Result<Option<String>, VaultError> {
        let tree = commit.tree().map_err(|error| VaultError::git("read the vault's history", error))?;
        match entry_at(&tree, &self.in_repository(path))? {
            Some(entry) => text_of(repository, entry.id()).map(Some),
            None => Ok(None),
        }
    }

    /// Who may sign by SSH: the list that the user's git is set to, else the vault's own.
    fn signers(&self, repository: &Repository) -> Result<Result<Option<String>, String>, VaultError> {
        let config = settings(repository)?;
        let Some(file) = text(&config, "gpg.ssh.allowedSignersFile") else {
            return self.own_signers(repository);
        };
        let path = match file.strip_prefix("~/").zip(std::env::home_dir()) {
            Some((rest, home)) => home.join(rest),
            None => self.work_dir.join(file),
        };
        match std::fs::read_to_string(&path) {
            Ok(list) => Ok(Ok(Some(list))),
            Err(error) => {
                Ok(Err(format!("the list of signers `{}` cannot be read: {error}", path.display())))
            }
        }
    }

    /// The vault's list as committed. It guards itself: the first one is taken as it is, every change of it counts only
    /// in a commit that is signed by a key of the list before; a change without makes it worthless.
    fn own_signers(&self, repository: &Repository) -> Result<Result<Option<String>, String>, VaultError> {
        let failed = |error| VaultError::git("read the vault's history", error);
        let place = self.signers_place()?;
        let list_in = |commit: &Commit<'_>| -> Result<Option<Oid>, VaultError> {
            let tree = commit.tree().map_err(failed)?;
            Ok(entry_at(&tree, &place)?.map(|entry| entry.id()))
        };
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed)?;
        walk.push_head().map_err(failed)?;
        let mut now = None;
        for (index, id) in walk.enumerate() {
            let commit = repository.find_commit(id.map_err(failed)?).map_err(failed)?;
            let list = list_in(&commit)?;
            if index == 0 {
                now = list;
            }
            for parent in commit.parents() {
                let Some(before) = list_in(&parent)?.filter(|before| Some(*before) != list) else { continue };
                let signers = text_of(repository, before)?;
                if let Err(why) = signer(repository, commit.id(), Some(&signers))? {
                    let commit = &commit.id().to_string()[..10];
                    return Ok(Err(format!("commit {commit}, which changed `{SIGNERS}`, {why}")));
                }
            }
        }
        Ok(Ok(now.map(|list| text_of(repository, list)).transpose()?))
    }

    fn signers_place(&self) -> Result<String, VaultError> {
        Ok(format!("{}{}/{SIGNERS}", self.folder(), self.vault.folders()?.policy()))
    }
}

fn is_ticked(text: &str) -> bool {
    note::properties(text).is_ok_and(|properties| properties.get("approved") == Some(&true.into()))
}

/// Whether ado made a commit, in its own name or of what a person left uncommitted. Then the signature is not a
/// person's word: git signs whatever is committed.
fn is_recorded(commit: &Commit<'_>) -> bool {
    let message = String::from_utf8_lossy(commit.message_bytes());
    let recorded = format!("{}: {}", RECORDED.0, RECORDED.1);
    commit.author().email_bytes() == OWN_MAIL.as_bytes() || message.lines().any(|line| line == recorded)
}
