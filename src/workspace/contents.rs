//! What commits bring: their files before and after, and their messages. It does not judge them.

use std::path::Path;

use git2::{Commit, Oid, Repository, Tree};

use super::commit::clean_message;
use super::repository::{OWN_MAIL, OWN_NAME, is_own};
use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, GitId};

/// Files above this many bytes are not read.
const MOST_BYTES: u64 = 64 << 20;

/// A file that a change added or altered.
pub enum Content<'a> {
    /// Its bytes before and after; empty before where it is new, empty after where it is gone.
    Read {
        path: &'a str,
        old: &'a [u8],
        new: &'a [u8],
    },
    TooLarge {
        path: &'a str,
        bytes: u64,
    },
}

/// One commit of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchCommit {
    pub id: GitId,
    /// The first one.
    pub parent: Option<GitId>,
    pub message: String,
}

impl Workspace {
    /// Shows `look` every file that differs between two commits; `None` is an empty tree.
    ///
    /// # Errors
    /// `NoCommit`, or when git data cannot be read.
    pub fn changed_contents(
        &self,
        from: Option<&GitId>,
        to: &GitId,
        look: &mut dyn FnMut(Content<'_>),
    ) -> Result<(), WorkspaceError> {
        let repository = self.git()?;
        let from = from.map(|from| self.commit_of(&repository, from)).transpose()?;
        let to = self.commit_of(&repository, to)?;
        compare(&repository, from.as_ref(), &to, look)
            .map_err(|source| WorkspaceError::git("read the files of a change", source))
    }

    /// The commits that `head` has and none of `known` has, oldest first. Of `known`, commits that are not here count for
    /// nothing.
    ///
    /// # Errors
    /// `NoCommit` for `head`, or when git data cannot be read.
    pub fn commits_since(&self, known: &[GitId], head: &GitId) -> Result<Vec<BranchCommit>, WorkspaceError> {
        let repository = self.git()?;
        let head = self.commit_of(&repository, head)?.id();
        let known: Vec<Oid> = known
            .iter()
            .filter_map(|id| self.commit_of(&repository, id).ok())
            .map(|commit| commit.id())
            .collect();
        let walk = || -> Result<Vec<BranchCommit>, git2::Error> {
            let mut walk = repository.revwalk()?;
            walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
            walk.push(head)?;
            known.iter().try_for_each(|id| walk.hide(*id))?;
            walk.map(|id| repository.find_commit(id?).map(|commit| described(&commit))).collect()
        };
        walk().map_err(|source| WorkspaceError::git("read the commits of a branch", source))
    }

    /// Puts one commit with the files of `head` in the place of `first` and all that came after it. The same commit when
    /// it is done again. Commits of others are never replaced.
    ///
    /// # Errors
    /// `ForeignCommits`, `BranchMoved` when the branch is at neither of the two, `NoCommit`.
    pub fn squash(
        &self,
        branch: &BranchName,
        first: &GitId,
        head: &GitId,
        message: &str,
    ) -> Result<GitId, WorkspaceError> {
        let repository = self.git()?;
        let _lock = self.lock()?;
        let (first, head) = (self.commit_of(&repository, first)?, self.commit_of(&repository, head)?);
        let failed = |source| WorkspaceError::git(format!("squash branch `{branch}`"), source);
        let parent = first.parent(0).map_err(failed)?;
        for commit in self.commits_since(&[GitId(parent.id().to_string())], &GitId(head.id().to_string()))? {
            if !is_own(&self.commit_of(&repository, &commit.id)?) {
                return Err(WorkspaceError::ForeignCommits { branch: branch.clone(), commit: commit.id });
            }
        }
        let make = || {
            // The time is the old head's, so that a second try makes the same commit.
            let author = git2::Signature::new(OWN_NAME, OWN_MAIL, &head.time())?;
            repository.commit(None, &author, &author, &clean_message(message), &head.tree()?, &[&parent])
        };
        let made = make().map_err(failed)?;
        if self.local_head(&repository, branch)? != Some(made) {
            self.move_branch(&repository, branch, Some(head.id()), made, "commits with secrets replaced")?;
        }
        Ok(GitId(made.to_string()))
    }
}

fn described(commit: &Commit<'_>) -> BranchCommit {
    BranchCommit {
        id: GitId(commit.id().to_string()),
        parent: commit.parent_id(0).ok().map(|id| GitId(id.to_string())),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
    }
}

fn compare(
    repository: &Repository,
    from: Option<&Commit<'_>>,
    to: &Commit<'_>,
    look: &mut dyn FnMut(Content<'_>),
) -> Result<(), git2::Error> {
    let from: Option<Tree<'_>> = from.map(Commit::tree).transpose()?;
    let diff = repository.diff_tree_to_tree(from.as_ref(), Some(&to.tree()?), None)?;
    let odb = repository.odb()?;
    for delta in diff.deltas() {
        let (old, new) = (delta.old_file(), delta.new_file());
        let path = new.path().or_else(|| old.path()).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let mut sides = [vec![], vec![]];
        let mut too_large = None;
        for (side, file) in sides.iter_mut().zip([&old, &new]) {
            // The commits of submodules are not in this repository.
            if file.id().is_zero() || file.mode() == git2::FileMode::Commit {
                continue;
            }
            let (bytes, _) = odb.read_header(file.id())?;
            match bytes as u64 {
                bytes if bytes > MOST_BYTES => too_large = (file.id() == new.id()).then_some(bytes),
                _ => *side = repository.find_blob(file.id())?.content().to_vec(),
            }
        }
        let [old, new] = &sides;
        look(match too_large {
            Some(bytes) => Content::TooLarge { path: &path, bytes },
            None => Content::Read { path: &path, old, new },
        });
    }
    Ok(())
}
