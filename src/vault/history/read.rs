//! What the last commit says: a note's text, all feature notes, who changed a note last.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use git2::{ObjectType, Oid, Repository, Signature, Sort, TreeWalkMode, TreeWalkResult};

use super::super::VaultError;
use super::commit::{OWN_MAIL, human};
use super::repository::{History, entry_at};
use crate::domain::{FeatureId, NotePath, without_number};
use crate::note;

/// A note of the features folder at HEAD: its path, its id if it has one, its text.
pub type CommittedFeature = (NotePath, Option<FeatureId>, String);

/// Commits that are looked through for a note's last author.
const AUTHOR_WALK: usize = 5_000;

/// Notes of the last features tree by blob, and the list made of them.
#[derive(Debug, Default)]
pub(super) struct Cache {
    tree: Option<Oid>,
    features: Vec<CommittedFeature>,
    parsed: HashMap<Oid, (Option<FeatureId>, Arc<str>)>,
}

/// `Name <mail>`.
fn in_words(author: &Signature<'_>) -> String {
    let name = String::from_utf8_lossy(author.name_bytes());
    let mail = String::from_utf8_lossy(author.email_bytes());
    note::plain(&format!("{name} <{mail}>"))
}

impl History {
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

    /// All notes below the features folder at HEAD, sorted by path. Costs nothing while that folder stays the same.
    pub fn committed_features(&self) -> Result<Vec<CommittedFeature>, VaultError> {
        let repository = self.repository()?;
        let Some((folder, tree)) = self.features_tree(&repository)? else { return Ok(Vec::new()) };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.tree == Some(tree.id()) {
            return Ok(cache.features.clone());
        }
        let mut found: Vec<(NotePath, Oid)> = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |parent, entry| {
            let name = entry.name().unwrap_or_default();
            if entry.kind() == Some(ObjectType::Blob)
                && name.ends_with(".md")
                && let Ok(path) = NotePath::new(format!("{folder}/{parent}{name}"))
            {
                found.push((path, entry.id()));
            }
            TreeWalkResult::Ok
        })
        .map_err(|error| VaultError::git("read the last commit", error))?;
        let mut parsed = HashMap::with_capacity(found.len());
        let mut features = Vec::with_capacity(found.len());
        for (path, blob) in found {
            let known = match cache.parsed.get(&blob) {
                Some(known) => known.clone(),
                None => {
                    let text: Arc<str> = text_of(&repository, blob)?.into();
                    (id_of(&text), text)
                }
            };
            features.push((path, known.0.clone(), known.1.to_string()));
            parsed.insert(blob, known);
        }
        features.sort_by(|one, other| one.0.cmp(&other.0));
        *cache = Cache { tree: Some(tree.id()), features: features.clone(), parsed };
        Ok(features)
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
            None => Ok(in_words(&human(&self.repository()?)?)),
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

    /// The features folder at HEAD, found by name without its number, with its path in the vault.
    fn features_tree<'r>(
        &self,
        repository: &'r Repository,
    ) -> Result<Option<(String, git2::Tree<'r>)>, VaultError> {
        let failed = |error| VaultError::git("read the last commit", error);
        let Some(mut tree) = self.head_tree(repository)? else { return Ok(None) };
        if !self.folder_in_repository().is_empty() {
            let Some(entry) = entry_at(&tree, self.folder_in_repository())? else { return Ok(None) };
            tree = repository.find_tree(entry.id()).map_err(failed)?;
        }
        let present = self.vault.folders()?;
        let names: Vec<(String, Oid)> = tree
            .iter()
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            .filter_map(|entry| Some((entry.name().ok()?.to_owned(), entry.id())))
            .collect();
        let found = names
            .iter()
            .find(|(name, _)| name == present.features())
            .or_else(|| names.iter().find(|(name, _)| without_number(name) == "features"));
        match found {
            Some((name, id)) => Ok(Some((name.clone(), repository.find_tree(*id).map_err(failed)?))),
            None => Ok(None),
        }
    }
}

fn text_of(repository: &Repository, blob: Oid) -> Result<String, VaultError> {
    let blob = repository.find_blob(blob).map_err(|error| VaultError::git("read the last commit", error))?;
    Ok(String::from_utf8_lossy(blob.content()).into_owned())
}

fn id_of(text: &str) -> Option<FeatureId> {
    note::properties(text).ok()?.get("id")?.as_str()?.parse().ok()
}
