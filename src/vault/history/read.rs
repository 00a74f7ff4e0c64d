//! What the last commits say: texts of notes, who changed a note last.

use git2::{ErrorCode, ObjectType, Oid, Repository, Signature, Sort};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::super::VaultError;
use super::commit::{OWN_MAIL, human};
use super::repository::{History, entry_at};
use crate::domain::{GitId, NotePath};
use crate::note;

/// A text by the name that git has for it: texts with the same name are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TextId([u8; 20]);

/// Reads texts of the last commits.
pub struct CommittedTexts(Repository);

/// Commits that are looked through for a note's last author.
const AUTHOR_WALK: usize = 5_000;

impl TextId {
    pub fn of(text: &str) -> Self {
        let header = format!("blob {}\0", text.len());
        Self(Sha1::new().chain_update(header).chain_update(text).finalize().into())
    }

    /// `None` for the names of a repository with longer ones.
    pub(super) fn named(id: Oid) -> Option<Self> {
        id.as_bytes().try_into().ok().map(Self)
    }
}

impl CommittedTexts {
    pub fn read(&self, text: TextId) -> Result<String, VaultError> {
        let failed = |error| VaultError::git("read the last commit", error);
        text_of(&self.0, Oid::from_bytes(&text.0).map_err(failed)?)
    }
}

/// `Name <mail>`.
pub(super) fn in_words(author: &Signature<'_>) -> String {
    let name = String::from_utf8_lossy(author.name_bytes());
    let mail = String::from_utf8_lossy(author.email_bytes());
    note::plain(&format!("{name} <{mail}>"))
}

impl History {
    /// Files of the vault that the last commit has and that were changed or deleted since.
    pub fn uncommitted(&self) -> Result<Vec<NotePath>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("compare the vault with the last commit", error);
        let mut options = git2::StatusOptions::new();
        options.include_untracked(false).include_ignored(false).exclude_submodules(true);
        if !self.folder_in_repository().is_empty() {
            options.disable_pathspec_match(true).pathspec(self.folder_in_repository());
        }
        let changed = repository.statuses(Some(&mut options)).map_err(failed)?;
        let paths = changed.iter().filter_map(|entry| {
            let path = std::str::from_utf8(entry.path_bytes()).ok()?;
            NotePath::new(path.strip_prefix(&self.prefix)?).ok()
        });
        Ok(paths.collect())
    }

    /// The last commit; `None` before the first.
    pub fn head_commit(&self) -> Result<Option<GitId>, VaultError> {
        match self.repository()?.refname_to_id("HEAD") {
            Ok(commit) => Ok(Some(GitId(commit.to_string()))),
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::UnbornBranch) => Ok(None),
            Err(error) => Err(VaultError::git("read HEAD", error)),
        }
    }

    /// Subjects of the commits that ado-vault made since `before` on this branch, oldest first.
    pub fn subjects_since(&self, before: &GitId) -> Result<Vec<String>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git("read the last commits", error);
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(failed)?;
        walk.push_head().map_err(failed)?;
        walk.hide(Oid::from_str(before.as_str()).map_err(failed)?).map_err(failed)?;
        let mut subjects = vec![];
        for commit in walk {
            let commit = repository.find_commit(commit.map_err(failed)?).map_err(failed)?;
            if commit.author().email_bytes() == OWN_MAIL.as_bytes() {
                let subject = commit.summary_bytes().unwrap_or_default();
                subjects.push(note::plain(&String::from_utf8_lossy(subject)));
            }
        }
        Ok(subjects)
    }

    /// The note's text at HEAD.
    pub fn committed_text(&self, path: &NotePath) -> Result<Option<String>, VaultError> {
        let repository = self.repository()?;
        let Some(tree) = self.head_tree(&repository)? else { return Ok(None) };
        let Some(entry) = entry_at(&tree, &self.in_repository(path))? else { return Ok(None) };
        if entry.kind() != Some(ObjectType::Blob) {
            return Ok(None);
        }
        text_of(&repository, entry.id()).map(Some)
    }

    /// For reading what [`History::committed_features`] names.
    pub fn committed_texts(&self) -> Result<CommittedTexts, VaultError> {
        self.open_anew().map(CommittedTexts)
    }

    /// Texts of the note before HEAD's, newest first, as long as it lay at this path; at most `most`.
    pub fn earlier_texts(&self, path: &NotePath, most: usize) -> Result<Vec<String>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git(format!("read the history of `{path}`"), error);
        let mut texts = vec![];
        if self.head_tree(&repository)?.is_none() {
            return Ok(texts);
        }
        let place = self.in_repository(path);
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed)?;
        walk.push_head().map_err(failed)?;
        let mut last = None;
        for commit in walk.take(AUTHOR_WALK) {
            let commit = repository.find_commit(commit.map_err(failed)?).map_err(failed)?;
            let Some(entry) = entry_at(&commit.tree().map_err(failed)?, &place)? else { break };
            if last.replace(entry.id()).is_none_or(|last| last == entry.id()) {
                continue;
            }
            texts.push(text_of(&repository, entry.id())?);
            if texts.len() >= most {
                break;
            }
        }
        Ok(texts)
    }

    /// `Name <mail>` of the author of the last commit that changed the note. Looks back over 5,000 commits.
    pub fn last_author(&self, path: &NotePath) -> Result<Option<String>, VaultError> {
        self.last_author_but(path, None)
    }

    /// `Name <mail>` of the person whose change of the note counts last: the one that git knows here when the note
    /// differs from the last commit or nobody else is found, else the author of the last commit that was not ado's.
    pub fn last_person(&self, path: &NotePath, differs: bool) -> Result<String, VaultError> {
        let found = if differs { None } else { self.last_author_but(path, Some(OWN_MAIL))? };
        match found {
            Some(person) => Ok(person),
            None => Ok(in_words(&human(&*self.repository()?)?)),
        }
    }

    fn last_author_but(&self, path: &NotePath, mail: Option<&str>) -> Result<Option<String>, VaultError> {
        let repository = self.repository()?;
        let failed = |error| VaultError::git(format!("read the history of `{path}`"), error);
        if self.head_tree(&repository)?.is_none() {
            return Ok(None);
        }
        let place = self.in_repository(path);
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed)?;
        walk.push_head().map_err(failed)?;
        let blob_at = |commit: &git2::Commit<'_>| -> Result<Option<Oid>, VaultError> {
            Ok(entry_at(&commit.tree().map_err(failed)?, &place)?.map(|entry| entry.id()))
        };
        for commit in walk.take(AUTHOR_WALK) {
            let commit = repository.find_commit(commit.map_err(failed)?).map_err(failed)?;
            let now = blob_at(&commit)?;
            let mut same_as_a_parent = false;
            for parent in commit.parents() {
                same_as_a_parent |= blob_at(&parent)? == now;
            }
            let unborn_here = commit.parent_count() == 0 && now.is_none();
            let author = commit.author();
            let left_out = mail.is_some_and(|mail| author.email_bytes() == mail.as_bytes());
            if !same_as_a_parent && !unborn_here && !left_out {
                return Ok(Some(in_words(&author)));
            }
        }
        Ok(None)
    }
}

pub(super) fn text_of(repository: &Repository, blob: Oid) -> Result<String, VaultError> {
    let blob = repository.find_blob(blob).map_err(|error| VaultError::git("read the last commit", error))?;
    Ok(String::from_utf8_lossy(blob.content()).into_owned())
}
