//! The feature notes of the last commit: where they lie and with which text. Folders that a commit did not touch are not
//! read again.
//!
//! Does not know what the texts say.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::super::VaultError;
use super::read::TextId;
use super::repository::{History, entry_at};
use crate::domain::{NotePath, without_number};

/// The notes of the features folder at HEAD.
#[derive(Debug, Default)]
pub struct CommittedFeatures {
    /// Where and which the features folder is.
    tree: Option<(String, Oid)>,
    folders: HashMap<String, Arc<Folder>>,
    len: usize,
}

/// What a commit has right in one folder.
#[derive(Debug)]
struct Folder {
    id: Oid,
    /// Of notes, one after the other, in their order.
    names: Box<str>,
    /// Where each note's name ends, and its text.
    notes: Box<[(u32, TextId)]>,
    folders: Box<[(Box<str>, Oid)]>,
}

impl CommittedFeatures {
    /// The text of the note at `path`; `None` where the commit has no such note.
    pub fn text_at(&self, path: &NotePath) -> Option<TextId> {
        self.folders.get(path.folder())?.text_of(path.file_name())
    }

    /// Notes of the commit that are not where it has them, in no order; `is_there` is asked for each path.
    pub fn missing(&self, is_there: impl Fn(&str) -> bool) -> Vec<(NotePath, TextId)> {
        let mut missing = vec![];
        let mut path = String::new();
        for (folder, notes) in &self.folders {
            for at in 0..notes.notes.len() {
                path.clear();
                path.extend([folder.as_str(), "/", notes.name(at)]);
                if !is_there(&path) {
                    missing.extend(NotePath::new(path.as_str()).map(|path| (path, notes.notes[at].1)));
                }
            }
        }
        missing
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads a folder and those below it, as far as the last commit that was looked at had others.
    fn read(
        &mut self,
        repository: &Repository,
        path: String,
        id: Oid,
        last: &Self,
    ) -> Result<(), git2::Error> {
        let folder = match last.folders.get(&path).filter(|folder| folder.id == id) {
            Some(folder) => Arc::clone(folder),
            None => Arc::new(Folder::read(repository, id)?),
        };
        for (name, id) in &folder.folders {
            self.read(repository, format!("{path}/{name}"), *id, last)?;
        }
        self.len += folder.notes.len();
        self.folders.insert(path, folder);
        Ok(())
    }
}

impl Folder {
    fn read(repository: &Repository, id: Oid) -> Result<Self, git2::Error> {
        let (mut names, mut notes, mut folders) = (String::new(), vec![], vec![]);
        for entry in repository.find_tree(id)?.iter() {
            let Ok(name) = entry.name() else { continue };
            match entry.kind() {
                Some(ObjectType::Tree) => folders.push((name.into(), entry.id())),
                Some(ObjectType::Blob) if name.ends_with(".md") => {
                    if let Some(text) = TextId::named(entry.id()) {
                        names.push_str(name);
                        notes.push((u32::try_from(names.len()).unwrap_or(u32::MAX), text));
                    }
                }
                _ => {}
            }
        }
        Ok(Self { id, names: names.into(), notes: notes.into(), folders: folders.into() })
    }

    fn name(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).map_or(0, |before| self.notes[before].0);
        self.names.get(begin as usize..self.notes[at].0 as usize).unwrap_or_default()
    }

    /// Git sorts names by their bytes.
    fn text_of(&self, name: &str) -> Option<TextId> {
        let (mut from, mut until) = (0, self.notes.len());
        while from < until {
            let middle = from + (until - from) / 2;
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => until = middle,
                std::cmp::Ordering::Equal => return Some(self.notes[middle].1),
            }
        }
        None
    }
}

impl History {
    /// All notes below the features folder at HEAD. While that folder stays the same, it is the same value again.
    pub fn committed_features(&self) -> Result<Arc<CommittedFeatures>, VaultError> {
        let repository = self.repository()?;
        let Some((folder, tree)) = self.features_tree(&repository)? else { return Ok(Arc::default()) };
        let mut last = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let version = Some((folder, tree));
        if last.tree == version {
            return Ok(Arc::clone(&last));
        }
        let mut now = CommittedFeatures { tree: version.clone(), ..CommittedFeatures::default() };
        let read = version.map_or(Ok(()), |(folder, tree)| now.read(&repository, folder, tree, &last));
        read.map_err(|error| VaultError::git("read the last commit", error))?;
        *last = Arc::new(now);
        Ok(Arc::clone(&last))
    }

    /// The features folder at HEAD, found by name without its number, with its path in the vault.
    fn features_tree(&self, repository: &Repository) -> Result<Option<(String, Oid)>, VaultError> {
        let failed = |error| VaultError::git("read the last commit", error);
        let Some(mut tree) = self.head_tree(repository)? else { return Ok(None) };
        if !self.folder_in_repository().is_empty() {
            let Some(entry) = entry_at(&tree, self.folder_in_repository())? else { return Ok(None) };
            tree = match repository.find_tree(entry.id()) {
                Ok(tree) => tree,
                // A file of that name.
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
        }
        let names: Vec<(String, Oid)> = tree
            .iter()
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            .filter_map(|entry| Some((entry.name().ok()?.to_owned(), entry.id())))
            .collect();
        let present = self.vault.folders()?;
        let found = names
            .iter()
            .find(|(name, _)| name == present.features())
            .or_else(|| names.iter().find(|(name, _)| without_number(name) == "features"));
        Ok(found.cloned())
    }
}
