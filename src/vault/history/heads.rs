//! Heads of journals in commits: which a commit gets, and which the history has.
//!
//! Does not judge what a difference means.

use git2::{Commit, ErrorCode, Oid, Repository};

use super::super::VaultError;
use super::super::chain::Head;
use super::commit::NewTree;
use super::message::Change;
use super::repository::{History, entry_at};
use crate::domain::{GitId, NotePath, RunId, without_number};

/// The trailer that names a journal's head.
const TRAILER: &str = "Ado-Journal";
const JOURNAL: &str = "journal.jsonl";

/// A head as a commit's message has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedHead {
    pub commit: GitId,
    pub head: Head,
}

impl History {
    /// Trailers for the journals that a tree brings.
    pub(super) fn trailers(
        &self,
        repository: &Repository,
        tree: &NewTree,
    ) -> Result<Vec<(String, String)>, VaultError> {
        let failed = |error| VaultError::git("read the commit's tree", error);
        let runs = self.vault.folders()?.runs().to_owned();
        let mut trailers = vec![];
        for (path, change) in &tree.changes {
            let Some(run) = run_of(path, &runs).filter(|_| *change != Change::Deleted) else { continue };
            let whole = repository.find_tree(tree.id).map_err(failed)?;
            let Some(entry) = entry_at(&whole, &self.in_repository(path))? else { continue };
            let blob = repository.find_blob(entry.id()).map_err(failed)?;
            if let Some(head) = Head::of(&run, blob.content()) {
                trailers.push((TRAILER.to_owned(), head.to_string()));
            }
        }
        Ok(trailers)
    }

    /// Every head that a commit names, of this branch and of what is known of remotes.
    pub(crate) fn journal_heads(&self) -> Result<Vec<CommittedHead>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("read the vault's history", error);
        let mut walk = repository.revwalk().map_err(failed)?;
        match walk.push_head() {
            Ok(()) => {}
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {}
            Err(error) => return Err(failed(error)),
        }
        walk.push_glob("refs/remotes/*").map_err(failed)?;
        let mut heads = vec![];
        for id in walk {
            let id = id.map_err(failed)?;
            let commit = repository.find_commit(id).map_err(failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            let named = message.lines().filter_map(|line| line.strip_prefix(TRAILER)?.strip_prefix(": "));
            for head in named.filter_map(|text| text.parse().ok()) {
                heads.push(CommittedHead { commit: GitId(id.to_string()), head });
            }
        }
        Ok(heads)
    }

    /// Whether the commit holds the journal whose head it names.
    pub(crate) fn bears_out(&self, named: &CommittedHead) -> Result<bool, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("read the vault's history", error);
        let id = Oid::from_str(named.commit.as_str()).map_err(failed)?;
        let commit = repository.find_commit(id).map_err(failed)?;
        let Some(runs) = self.runs_folder(&repository, &commit)? else { return Ok(false) };
        let place = format!("{runs}/{}/{JOURNAL}", named.head.run);
        let Some(entry) = entry_at(&commit.tree().map_err(failed)?, &place)? else { return Ok(false) };
        let Ok(blob) = repository.find_blob(entry.id()) else { return Ok(false) };
        Ok(Head::of(&named.head.run, blob.content()).as_ref() == Some(&named.head))
    }

    /// The folder of runs in a commit, within the repository; a vault may have renumbered it since.
    fn runs_folder(
        &self,
        repository: &Repository,
        commit: &Commit<'_>,
    ) -> Result<Option<String>, VaultError> {
        let failed = |error| VaultError::git("read the vault's history", error);
        let mut tree = commit.tree().map_err(failed)?;
        if !self.folder_in_repository().is_empty() {
            let Some(entry) = entry_at(&tree, self.folder_in_repository())? else { return Ok(None) };
            tree = repository.find_tree(entry.id()).map_err(failed)?;
        }
        let folders = self.vault.folders()?;
        let wanted = without_number(folders.runs());
        let name = tree.iter().find_map(|entry| {
            let name = entry.name().ok()?;
            (without_number(name) == wanted).then(|| name.to_owned())
        });
        Ok(name.map(|name| format!("{}{name}", self.folder())))
    }
}

/// The run whose journal this is.
fn run_of(path: &NotePath, runs: &str) -> Option<RunId> {
    path.as_str()
        .strip_prefix(runs)?
        .strip_prefix('/')?
        .strip_suffix(JOURNAL)?
        .strip_suffix('/')?
        .parse()
        .ok()
}
