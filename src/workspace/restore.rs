//! Makes the files of a worktree what a tree says, without filters or hooks, and removes what neither the tree nor the
//! ignore rules name. It never follows a link that it finds. It does not know branches.

use std::collections::BTreeSet;

use git2::{IndexEntry, ObjectType, Oid, Repository, Tree, TreeEntry};

use super::WorkspaceError;
use super::beneath::{Facts, Folder, Kind};
use super::forbidden::{is_dot_git, is_file_name};
use super::ignored::{Ignored, is_cache};
use super::index_file::{EXECUTABLE, IndexFile, LINK, SUBMODULE, entry, mode_of};
use super::stage::{as_path, entries_of, joined};

/// Brings the files beneath `root` to `tree` and gives the index entries for them. The folder `hidden` of the tree is
/// left out.
pub(super) fn restore(
    repository: &Repository,
    root: &Folder,
    tree: &Tree<'_>,
    rules: &Ignored,
    index: &IndexFile,
    hidden: Option<&[u8]>,
) -> Result<Vec<IndexEntry>, WorkspaceError> {
    let mut walk = Walk { repository, index, hidden, entries: vec![] };
    walk.folder(root, tree, b"", rules)?;
    Ok(walk.entries)
}

struct Walk<'a> {
    repository: &'a Repository,
    index: &'a IndexFile,
    hidden: Option<&'a [u8]>,
    entries: Vec<IndexEntry>,
}

impl<'a> Walk<'a> {
    fn folder(
        &mut self,
        folder: &Folder,
        tree: &Tree<'_>,
        path: &[u8],
        rules: &Ignored,
    ) -> Result<(), WorkspaceError> {
        let (mut wanted, mut folders) = (BTreeSet::new(), vec![]);
        for item in tree {
            let inner = joined(path, item.name_bytes());
            if is_dot_git(item.name_bytes()) || !is_file_name(item.name_bytes()) {
                continue;
            }
            if self.hidden == Some(&inner) {
                folder.remove(item.name_bytes()).map_err(|source| io("remove", &inner, source))?;
                self.add_hidden(&item, &inner)?;
                continue;
            }
            wanted.insert(item.name_bytes().to_vec());
            match item.kind() {
                Some(ObjectType::Tree) => folders.push((item.name_bytes().to_vec(), item.id())),
                Some(ObjectType::Commit) => self.submodule(folder, &item, &inner)?,
                _ => self.file(folder, &item, &inner)?,
            }
        }
        // The rules of the tree hold, not what was left here: an untracked rule file could shield itself.
        let rules = if wanted.contains(&b".gitignore"[..]) {
            rules.with_rules_of(folder, as_path(path))
        } else {
            rules.clone()
        };
        self.sweep(folder, path, &wanted, &rules)?;
        for (name, id) in folders {
            let inner = joined(path, &name);
            let child = entered(folder, &name).map_err(|source| io("make", &inner, source))?;
            let tree = self.find_tree(id)?;
            self.folder(&child, &tree, &inner, &rules)?;
        }
        Ok(())
    }

    fn sweep(
        &self,
        folder: &Folder,
        path: &[u8],
        wanted: &BTreeSet<Vec<u8>>,
        rules: &Ignored,
    ) -> Result<(), WorkspaceError> {
        for name in folder.names().map_err(|source| io("list", path, source))? {
            let own = path.is_empty() && name == b".git";
            if own || wanted.contains(&name) {
                continue;
            }
            let inner = joined(path, &name);
            let facts = folder.facts(&name).map_err(|source| io("look at", &inner, source))?;
            let is_folder = facts.is_some_and(|facts| facts.kind == Kind::Folder);
            let stays = !is_dot_git(&name)
                && (rules.matches(as_path(&inner), is_folder) || (is_folder && is_cache(folder, &name)));
            if !stays {
                folder.remove(&name).map_err(|source| io("remove", &inner, source))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &Folder, item: &TreeEntry<'_>, path: &[u8]) -> Result<(), WorkspaceError> {
        let name = item.name_bytes();
        let mode = item.filemode().cast_unsigned();
        let facts = folder.facts(name).map_err(|source| io("look at", path, source))?;
        if !facts.is_some_and(|facts| self.holds(folder, name, path, &facts, item.id(), mode)) {
            let blob = self
                .repository
                .find_blob(item.id())
                .map_err(|source| WorkspaceError::git("read a file's content", source))?;
            let written = if mode == LINK {
                folder.write_link(name, blob.content())
            } else {
                folder.write(name, blob.content(), mode == EXECUTABLE)
            };
            written.map_err(|source| io("write", path, source))?;
        }
        let facts = folder.facts(name).map_err(|source| io("look at", path, source))?;
        self.entries.push(entry(path, item.id(), mode, facts.as_ref()));
        Ok(())
    }

    /// Whether the name is already what the tree wants.
    fn holds(&self, folder: &Folder, name: &[u8], path: &[u8], facts: &Facts, id: Oid, mode: u32) -> bool {
        if mode_of(facts.kind) != Some(mode) {
            return false;
        }
        if self.index.blob_of(path, facts) == Some(id) {
            return true;
        }
        let bytes = if mode == LINK {
            folder.link_target(name).ok()
        } else {
            folder.read(name, facts.bytes).ok().flatten()
        };
        bytes.and_then(|bytes| Oid::hash_object(ObjectType::Blob, &bytes).ok()) == Some(id)
    }

    fn submodule(
        &mut self,
        folder: &Folder,
        item: &TreeEntry<'_>,
        path: &[u8],
    ) -> Result<(), WorkspaceError> {
        folder
            .remove(item.name_bytes())
            .and_then(|()| folder.make_child(item.name_bytes()))
            .map_err(|source| io("make", path, source))?;
        self.entries.push(entry(path, item.id(), SUBMODULE, None));
        Ok(())
    }

    fn add_hidden(&mut self, item: &TreeEntry<'_>, path: &[u8]) -> Result<(), WorkspaceError> {
        if item.kind() == Some(ObjectType::Tree) {
            let tree = self.find_tree(item.id())?;
            self.entries.extend(entries_of(&tree, path, self.repository)?);
        } else {
            self.entries.push(entry(path, item.id(), item.filemode().cast_unsigned(), None));
        }
        Ok(())
    }

    fn find_tree(&self, id: Oid) -> Result<Tree<'a>, WorkspaceError> {
        self.repository.find_tree(id).map_err(|source| WorkspaceError::git("read a tree", source))
    }
}

/// The folder of that name, made anew when something else is in its place.
fn entered(folder: &Folder, name: &[u8]) -> std::io::Result<Folder> {
    match folder.facts(name)? {
        Some(facts) if facts.kind == Kind::Folder => match folder.child(name) {
            Ok(child) => return Ok(child),
            Err(_) => folder.remove(name)?,
        },
        Some(_) => folder.remove(name)?,
        None => {}
    }
    folder.make_child(name)
}

fn io(action: &'static str, path: &[u8], source: std::io::Error) -> WorkspaceError {
    WorkspaceError::Io { action, path: as_path(path).to_owned(), source }
}
