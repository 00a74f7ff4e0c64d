//! Bringing the target branch into a run's branch, in memory: a merge commit after what was there. Files in conflict hold
//! both sides between markers. It moves no branch and does not know who resolves what is left.

use std::path::Path;

use git2::{IndexConflict, IndexEntry, IndexTime, MergeFileOptions, Oid, Repository};

use super::commit::clean_message;
use super::repository::signature;
use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, ChangeSet, GitId};

/// Bits of an index entry's flags that say which side of a conflict it is.
const STAGE: u16 = 0x3000;
/// Modes of a link and of a submodule, whose content has no lines.
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// What the merge made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// Against the target branch as it is now.
    pub change: ChangeSet,
    /// Files that hold markers or that one side removed, sorted.
    pub conflicts: Vec<String>,
}

impl Workspace {
    /// Merges the target branch, fetched now, into `head`; `None` when `head` holds it already.
    ///
    /// # Errors
    /// `Unreachable` (retry), `NoBranch`, `NoCommit`.
    pub fn update(
        &self,
        head: &GitId,
        target: &BranchName,
        message: &str,
    ) -> Result<Option<Updated>, WorkspaceError> {
        let base = self.base_of(target)?;
        let repository = self.git()?;
        let failed = |source| WorkspaceError::git(format!("merge `{target}` into a run's branch"), source);
        let (ours, theirs) = (self.commit_of(&repository, head)?, self.commit_of(&repository, &base)?);
        let holds = repository.graph_descendant_of(ours.id(), theirs.id()).map_err(failed)?;
        if holds || ours.id() == theirs.id() {
            return Ok(None);
        }
        let mut index = repository.merge_commits(&ours, &theirs, None).map_err(failed)?;
        let found: Vec<IndexConflict> = index.conflicts().map_err(failed)?.filter_map(Result::ok).collect();
        let mut conflicts = vec![];
        for conflict in found {
            let Some(path) = path_of(&conflict) else { continue };
            index.conflict_remove(Path::new(&path)).map_err(failed)?;
            if let Some(entry) = both(&repository, &conflict, target).map_err(failed)? {
                index.add(&entry).map_err(failed)?;
            }
            conflicts.push(path);
        }
        conflicts.sort();
        conflicts.dedup();
        let tree =
            index.write_tree_to(&repository).and_then(|id| repository.find_tree(id)).map_err(failed)?;
        let author = signature()?;
        let message = clean_message(message);
        let commit =
            repository.commit(None, &author, &author, &message, &tree, &[&ours, &theirs]).map_err(failed)?;
        let commit = GitId(commit.to_string());
        let change = ChangeSet {
            files: self.changed_between(&base, &commit)?,
            tree: GitId(tree.id().to_string()),
            base,
            commit,
            summary: format!("`{target}` was merged in"),
            formatting: false,
            only_versions: false,
            findings: vec![],
        };
        Ok(Some(Updated { change, conflicts }))
    }
}

fn path_of(conflict: &IndexConflict) -> Option<String> {
    let entry = conflict.our.as_ref().or(conflict.their.as_ref()).or(conflict.ancestor.as_ref())?;
    String::from_utf8(entry.path.clone()).ok()
}

/// The file with both sides; one that a side removed stays as the other has it. Of what has no lines ours stays.
fn both(
    repository: &Repository,
    conflict: &IndexConflict,
    target: &BranchName,
) -> Result<Option<IndexEntry>, git2::Error> {
    let (ours, theirs) = match (&conflict.our, &conflict.their) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(one), None) | (None, Some(one)) => return Ok(Some(settled(one, one.id))),
        (None, None) => return Ok(None),
    };
    let (mine, other) = (repository.find_blob(ours.id), repository.find_blob(theirs.id));
    let (Ok(mine), Ok(other)) = (mine, other) else { return Ok(Some(settled(ours, ours.id))) };
    let has_no_lines = |mode: u32| matches!(mode & 0o170_000, LINK | SUBMODULE);
    if mine.is_binary() || other.is_binary() || has_no_lines(ours.mode) || has_no_lines(theirs.mode) {
        return Ok(Some(settled(ours, ours.id)));
    }
    let content = match &conflict.ancestor {
        Some(ancestor) => {
            let mut options = MergeFileOptions::new();
            options.our_label("the run's branch").their_label(target.as_str());
            let merged = repository.merge_file_from_index(ancestor, ours, theirs, Some(&mut options))?;
            merged.content().to_vec()
        }
        None => side_by_side(mine.content(), other.content(), target),
    };
    Ok(Some(settled(ours, repository.blob(&content)?)))
}

/// Two files that have nothing in common.
fn side_by_side(ours: &[u8], theirs: &[u8], target: &BranchName) -> Vec<u8> {
    let mut text = b"<<<<<<< the run's branch\n".to_vec();
    let mut side = |content: &[u8], end: &str| {
        text.extend_from_slice(content);
        if !content.ends_with(b"\n") && !content.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(end.as_bytes());
    };
    side(ours, "=======\n");
    side(theirs, &format!(">>>>>>> {target}\n"));
    text
}

/// An entry of no side.
fn settled(like: &IndexEntry, id: Oid) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: like.mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: like.flags & !STAGE,
        flags_extended: 0,
        path: like.path.clone(),
    }
}
