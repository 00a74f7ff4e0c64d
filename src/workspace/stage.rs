//! Makes a tree of the files in a worktree, without any program being asked about them. It reads each changed file once
//! and does not know branches or commits.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use git2::{IndexEntry, ObjectType, Oid, Repository, Tree, TreeEntry};

use super::WorkspaceError;
use super::beneath::{Facts, Folder, Kind};
use super::forbidden::{is_dot_git, refused, stays_inside};
use super::ignored::{Ignored, is_cache};
use super::index_file::{IndexFile, LINK, TREE, entry, mode_of};
use crate::domain::Finding;

/// Larger files are not committed.
const MOST_FILE_BYTES: u64 = 50 * 1024 * 1024;
/// Folders nested deeper are not committed.
const MOST_DEPTH: usize = 100;

/// What a worktree holds now.
pub(super) struct Staged {
    pub tree: Oid,
    /// For the index.
    pub entries: Vec<IndexEntry>,
    /// Paths that were refused; each is in the tree as it was before.
    pub findings: Vec<Finding>,
}

/// The tree of the files beneath `root`. `before` is the tree that they started from; `hidden` is a folder of it that is
/// not in the worktree and never changes: the vault.
pub(super) fn stage(
    repository: &Repository,
    root: &Folder,
    before: &Tree<'_>,
    rules: &Ignored,
    index: &IndexFile,
    hidden: Option<&[u8]>,
) -> Result<Staged, WorkspaceError> {
    let mut walk = Walk { repository, index, hidden, entries: vec![], findings: vec![] };
    let tree = walk.folder(Some(root), Some(before), b"", rules, 0)?;
    let tree = match tree {
        Some(tree) => tree,
        None => repository
            .treebuilder(None)
            .and_then(|builder| builder.write())
            .map_err(|source| WorkspaceError::git("write a tree", source))?,
    };
    Ok(Staged { tree, entries: walk.entries, findings: walk.findings })
}

struct Walk<'a> {
    repository: &'a Repository,
    index: &'a IndexFile,
    hidden: Option<&'a [u8]>,
    entries: Vec<IndexEntry>,
    findings: Vec<Finding>,
}

/// One name on its way into the tree.
struct Item<'a> {
    folder: &'a Folder,
    name: &'a [u8],
    path: &'a [u8],
    facts: Facts,
    before: Option<&'a TreeEntry<'static>>,
    depth: usize,
}

type Kept = Option<(Oid, u32)>;

impl<'a> Walk<'a> {
    /// `None` when nothing is left in the folder, for git knows no empty ones.
    fn folder(
        &mut self,
        folder: Option<&Folder>,
        before: Option<&Tree<'_>>,
        path: &[u8],
        rules: &Ignored,
        depth: usize,
    ) -> Result<Option<Oid>, WorkspaceError> {
        let rules = match folder {
            Some(folder) => rules.with_rules_of(folder, as_path(path)),
            None => rules.clone(),
        };
        let mut names = match folder {
            Some(folder) => folder.names().map_err(|source| io("list", path, source))?,
            None => vec![],
        };
        names.extend(before.iter().flat_map(|tree| tree.iter().map(|entry| entry.name_bytes().to_vec())));
        names.sort();
        names.dedup();
        let failed = |source| WorkspaceError::git("write a tree", source);
        let mut builder = self.repository.treebuilder(None).map_err(failed)?;
        for name in names {
            let inner = joined(path, &name);
            let old = before.and_then(|tree| tree.get_name_bytes(&name)).map(|entry| entry.to_owned());
            let facts = match folder {
                Some(folder) => folder.facts(&name).map_err(|source| io("look at", &inner, source))?,
                None => None,
            };
            let kept = match (folder, facts) {
                _ if self.hidden == Some(&inner) => {
                    if facts.is_some() {
                        self.refuse(&inner, "it is the vault", "leave this folder alone");
                    }
                    self.keep(&inner, old.as_ref())?
                }
                (Some(folder), Some(facts)) => {
                    let item = Item { folder, name: &name, path: &inner, facts, before: old.as_ref(), depth };
                    self.item(&item, &rules)?
                }
                _ => self.gone(&inner, old.as_ref(), &rules, depth)?,
            };
            let Some((id, mode)) = kept else { continue };
            if builder.insert(OsStr::from_bytes(&name), id, mode.cast_signed()).is_err() {
                self.refuse(&inner, "git does not take this name", "choose another name");
            }
        }
        if builder.is_empty() { Ok(None) } else { Ok(Some(builder.write().map_err(failed)?)) }
    }

    /// A name of the tree that is not on disk: deleted, unless it holds what is never on disk.
    fn gone(
        &mut self,
        path: &[u8],
        before: Option<&TreeEntry<'static>>,
        rules: &Ignored,
        depth: usize,
    ) -> Result<Kept, WorkspaceError> {
        let Some(before) = before else { return Ok(None) };
        match before.kind() {
            Some(ObjectType::Commit) => self.keep(path, Some(before)),
            Some(ObjectType::Tree) if self.hidden.is_some_and(|hidden| is_below(hidden, path)) => {
                let tree = self.tree_of(before)?;
                let id = self.folder(None, Some(&tree), path, rules, depth + 1)?;
                Ok(id.map(|id| (id, TREE)))
            }
            _ => Ok(None),
        }
    }

    fn item(&mut self, item: &Item<'_>, rules: &Ignored) -> Result<Kept, WorkspaceError> {
        if is_dot_git(item.name) {
            let own = item.depth == 0 && item.name == b".git";
            if !own {
                self.refuse(item.path, "git data inside the worktree", "remove it");
            }
            return Ok(None);
        }
        let is_folder = item.facts.kind == Kind::Folder;
        let tracked = item.before.is_some_and(|entry| {
            is_folder == matches!(entry.kind(), Some(ObjectType::Tree | ObjectType::Commit))
        });
        let left_out =
            rules.matches(as_path(item.path), is_folder) || (is_folder && is_cache(item.folder, item.name));
        if !tracked && left_out {
            return Ok(None);
        }
        match item.facts.kind {
            Kind::File { .. } => self.file(item),
            Kind::Link => self.link(item),
            Kind::Folder => self.inner(item, rules),
            Kind::Special => {
                self.refuse(item.path, "a pipe, socket or device", "remove it");
                self.keep(item.path, item.before)
            }
        }
    }

    fn file(&mut self, item: &Item<'_>) -> Result<Kept, WorkspaceError> {
        let mode = mode_of(item.facts.kind).unwrap_or_default();
        if let Some(id) = self.index.blob_of(item.path, &item.facts) {
            return Ok(self.add(item, id, mode));
        }
        match item.folder.read(item.name, MOST_FILE_BYTES) {
            Ok(Some(bytes)) => {
                let id = self
                    .repository
                    .blob(&bytes)
                    .map_err(|source| WorkspaceError::git("write a file's content", source))?;
                Ok(self.add(item, id, mode))
            }
            Ok(None) => {
                self.refuse(item.path, "larger than 50 MiB", "keep large files out of the repository");
                self.keep(item.path, item.before)
            }
            Err(error) => {
                self.refuse(
                    item.path,
                    &format!("it cannot be read ({error})"),
                    "make it readable or remove it",
                );
                self.keep(item.path, item.before)
            }
        }
    }

    fn link(&mut self, item: &Item<'_>) -> Result<Kept, WorkspaceError> {
        let target = item.folder.link_target(item.name).map_err(|source| io("read", item.path, source))?;
        let id =
            self.repository.blob(&target).map_err(|source| WorkspaceError::git("write a link", source))?;
        let as_before =
            item.before.is_some_and(|entry| entry.id() == id && entry.filemode() == LINK.cast_signed());
        if as_before || stays_inside(&target, item.depth) {
            return Ok(self.add(item, id, LINK));
        }
        self.refuse(
            item.path,
            "a symbolic link that leads out of the repository",
            "link inside it or copy the file",
        );
        self.keep(item.path, item.before)
    }

    fn inner(&mut self, item: &Item<'_>, rules: &Ignored) -> Result<Kept, WorkspaceError> {
        let before = match item.before.and_then(TreeEntry::kind) {
            // What a submodule holds belongs to another repository.
            Some(ObjectType::Commit) => return self.keep(item.path, item.before),
            Some(ObjectType::Tree) => item.before.map(|entry| self.tree_of(entry)).transpose()?,
            _ => None,
        };
        if item.depth >= MOST_DEPTH {
            self.refuse(item.path, "nested too deeply", "use fewer levels of folders");
            return self.keep(item.path, item.before);
        }
        let folder = match item.folder.child(item.name) {
            Ok(folder) => folder,
            Err(error) => {
                self.refuse(
                    item.path,
                    &format!("it cannot be read ({error})"),
                    "make it readable or remove it",
                );
                return self.keep(item.path, item.before);
            }
        };
        let names = folder.names().map_err(|source| io("list", item.path, source))?;
        if before.is_none() && names.iter().any(|name| is_dot_git(name)) {
            self.refuse(item.path, "a repository inside the repository", "remove its `.git`");
            return Ok(None);
        }
        let id = self.folder(Some(&folder), before.as_ref(), item.path, rules, item.depth + 1)?;
        Ok(id.map(|id| (id, TREE)))
    }

    fn add(&mut self, item: &Item<'_>, id: Oid, mode: u32) -> Kept {
        self.entries.push(entry(item.path, id, mode, Some(&item.facts)));
        Some((id, mode))
    }

    /// What the tree had under this path before, with the index entries of everything in it.
    fn keep(&mut self, path: &[u8], before: Option<&TreeEntry<'static>>) -> Result<Kept, WorkspaceError> {
        let Some(before) = before else { return Ok(None) };
        let mode = before.filemode().cast_unsigned();
        if before.kind() == Some(ObjectType::Tree) {
            self.entries.extend(entries_of(&self.tree_of(before)?, path, self.repository)?);
        } else {
            self.entries.push(entry(path, before.id(), mode, None));
        }
        Ok(Some((before.id(), mode)))
    }

    fn tree_of(&self, entry: &TreeEntry<'_>) -> Result<Tree<'a>, WorkspaceError> {
        self.repository.find_tree(entry.id()).map_err(|source| WorkspaceError::git("read a tree", source))
    }

    fn refuse(&mut self, path: &[u8], why: &str, suggestion: &str) {
        self.findings.push(refused(path, why, suggestion));
    }
}

/// Index entries, not on disk, of everything in a tree.
pub(super) fn entries_of(
    tree: &Tree<'_>,
    path: &[u8],
    repository: &Repository,
) -> Result<Vec<IndexEntry>, WorkspaceError> {
    let mut entries = vec![];
    for item in tree {
        let inner = joined(path, item.name_bytes());
        if item.kind() == Some(ObjectType::Tree) {
            let tree = repository
                .find_tree(item.id())
                .map_err(|source| WorkspaceError::git("read a tree", source))?;
            entries.extend(entries_of(&tree, &inner, repository)?);
        } else {
            entries.push(entry(&inner, item.id(), item.filemode().cast_unsigned(), None));
        }
    }
    Ok(entries)
}

pub(super) fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

pub(super) fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

fn io(action: &'static str, path: &[u8], source: std::io::Error) -> WorkspaceError {
    WorkspaceError::Io { action, path: as_path(path).to_owned(), source }
}
