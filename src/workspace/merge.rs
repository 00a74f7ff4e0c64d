//! Merging a run's branch into its target, in memory: no checkout is needed. It does not know who asked for it.

use git2::{Commit, Oid, Repository};

use super::commit::clean_message;
use super::git_program::{GitProgram, PushEnd};
use super::repository::signature;
use super::{Workspace, WorkspaceError, trailer};
use crate::domain::{BranchName, GitId, MergeMethod, RunId};

/// How often a merge is made anew when the target moves meanwhile.
const MOST_TRIES: u32 = 5;
/// Commits of the target that are searched for a squash.
const MOST_SEARCHED: usize = 10_000;

/// A merge that is on the target branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The commit that brought the work to the target.
    pub commit: GitId,
    pub method: MergeMethod,
}

impl Workspace {
    /// Merges `source` into `target`, at the remote when there is one. Merging again gives the same commit. For a
    /// squash, `message` holds the trailer `Ado-Run: FR-056/1`; one that names the squashed head is added.
    ///
    /// # Errors
    /// `Conflict`, `Dirty` when a checkout of the target has changes, `Unreachable`, `Refused`, `BranchMoved` (retry).
    pub fn merge(
        &self,
        source: &BranchName,
        target: &BranchName,
        method: MergeMethod,
        message: &str,
    ) -> Result<Merged, WorkspaceError> {
        let repository = self.git()?;
        let _lock = self.lock()?;
        let source_id = self.local_head(&repository, source)?.ok_or_else(|| self.no_branch(source))?;
        let ours = self.find_commit(&repository, source_id)?;
        let merge = Merge { source, target, method, message, ours: &ours };
        let commit = match GitProgram::of(self, &repository)? {
            Some(program) => self.merge_there(&repository, &program, &merge)?,
            None => self.merge_here(&repository, &merge)?,
        };
        Ok(Merged { commit: GitId(commit.to_string()), method })
    }

    /// Whether the commit, or a squash of the run, is on the target branch. Fetches if the remote answers.
    ///
    /// # Errors
    /// `NoBranch` when the target is nowhere.
    pub fn is_reachable(
        &self,
        run: &RunId,
        commit: &GitId,
        target: &BranchName,
    ) -> Result<bool, WorkspaceError> {
        let repository = self.git()?;
        let mut head = None;
        if let Some(program) = GitProgram::of(self, &repository)? {
            let _lock = self.lock()?;
            head = match program.fetch(target) {
                Ok(head) => head,
                // The answer of the last fetch is better than none.
                Err(_) => self.head_of(&repository, &program.tracking(target))?,
            };
        }
        let head = match head {
            Some(head) => head,
            None => self.local_head(&repository, target)?.ok_or_else(|| self.no_branch(target))?,
        };
        let source = self.commit_of(&repository, commit).ok().map(|commit| commit.id());
        Ok(landed(&repository, Some(run), source, commit.as_str(), head)?.is_some())
    }

    fn merge_there(
        &self,
        repository: &Repository,
        program: &GitProgram,
        merge: &Merge<'_>,
    ) -> Result<Oid, WorkspaceError> {
        for _ in 0..MOST_TRIES {
            let head = program.fetch(merge.target)?.ok_or_else(|| self.no_branch(merge.target))?;
            if let Some(commit) = merge.landed_on(repository, head)? {
                self.follow(repository, merge.target, head);
                return Ok(commit);
            }
            let theirs = self.find_commit(repository, head)?;
            let commit = merge.make(repository, &theirs)?;
            if program.push(commit, merge.target, None)? != PushEnd::Raced {
                self.follow(repository, merge.target, commit);
                return Ok(commit);
            }
        }
        Err(WorkspaceError::BranchMoved { branch: merge.target.clone() })
    }

    fn merge_here(&self, repository: &Repository, merge: &Merge<'_>) -> Result<Oid, WorkspaceError> {
        let head = self.local_head(repository, merge.target)?.ok_or_else(|| self.no_branch(merge.target))?;
        if let Some(commit) = merge.landed_on(repository, head)? {
            return Ok(commit);
        }
        let theirs = self.find_commit(repository, head)?;
        let commit = merge.make(repository, &theirs)?;
        self.advance(repository, merge.target, &theirs, commit)?;
        Ok(commit)
    }

    /// Moves a local branch and every checkout of it. Files first: a dirty checkout stops everything.
    fn advance(
        &self,
        repository: &Repository,
        branch: &BranchName,
        from: &Commit<'_>,
        to: Oid,
    ) -> Result<(), WorkspaceError> {
        let target = self.find_commit(repository, to)?;
        for checkout in self.checkouts_of(repository, branch)? {
            if checkout.is_of_a_run() {
                return Err(WorkspaceError::BranchInUse { branch: branch.clone(), path: checkout.path });
            }
            self.bring_along(&checkout, from, &target)?;
        }
        self.move_branch(repository, branch, Some(from.id()), to, "merge")
    }

    /// After a merge at the remote: the local branch follows where that loses nothing. Where it does not, the human's next
    /// `git pull` brings it.
    fn follow(&self, repository: &Repository, branch: &BranchName, to: Oid) {
        let local = self.local_head(repository, branch).ok().flatten();
        let Some(local) = local.filter(|local| *local != to) else { return };
        if !repository.graph_descendant_of(to, local).unwrap_or(false) {
            return;
        }
        let moved =
            self.find_commit(repository, local).and_then(|from| self.advance(repository, branch, &from, to));
        if let Err(error) = moved {
            tracing::info!(%branch, %error, "the local branch stays behind the remote");
        }
    }

    fn find_commit<'r>(&self, repository: &'r Repository, id: Oid) -> Result<Commit<'r>, WorkspaceError> {
        self.commit_of(repository, &GitId(id.to_string()))
    }
}

struct Merge<'a> {
    source: &'a BranchName,
    target: &'a BranchName,
    method: MergeMethod,
    message: &'a str,
    ours: &'a Commit<'a>,
}

impl Merge<'_> {
    fn landed_on(&self, repository: &Repository, head: Oid) -> Result<Option<Oid>, WorkspaceError> {
        let run = trailer::values(self.message, trailer::RUN).first().and_then(|run| run.parse().ok());
        landed(repository, run.as_ref(), Some(self.ours.id()), &self.ours.id().to_string(), head)
    }

    /// The merge's commit, on no branch yet.
    fn make(&self, repository: &Repository, theirs: &Commit<'_>) -> Result<Oid, WorkspaceError> {
        let failed =
            |source| WorkspaceError::git(format!("merge `{}` into `{}`", self.source, self.target), source);
        let mut index = repository.merge_commits(theirs, self.ours, None).map_err(failed)?;
        if index.has_conflicts() {
            let mut files: Vec<String> = index
                .conflicts()
                .map_err(failed)?
                .filter_map(Result::ok)
                .filter_map(|conflict| conflict.our.or(conflict.their).or(conflict.ancestor))
                .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
                .collect();
            files.sort();
            files.dedup();
            return Err(WorkspaceError::Conflict {
                source_branch: self.source.clone(),
                target: self.target.clone(),
                files,
            });
        }
        let tree = index.write_tree_to(repository).and_then(|id| repository.find_tree(id)).map_err(failed)?;
        let author = signature()?;
        let message = clean_message(self.message);
        match self.method {
            MergeMethod::Merge => {
                repository.commit(None, &author, &author, &message, &tree, &[theirs, self.ours])
            }
            MergeMethod::Squash => {
                let message = trailer::with(&message, trailer::HEAD, &self.ours.id().to_string());
                repository.commit(None, &author, &author, &message, &tree, &[theirs])
            }
        }
        .map_err(failed)
    }
}

/// The commit that brought `source` to the branch whose head is `head`, as a merge or as a squash. `source` is `None`
/// when the repository does not have it any more.
pub(super) fn landed(
    repository: &Repository,
    run: Option<&RunId>,
    source: Option<Oid>,
    source_id: &str,
    head: Oid,
) -> Result<Option<Oid>, WorkspaceError> {
    let failed = |source| WorkspaceError::git("read the target branch", source);
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.push(head).map_err(failed)?;
    if let Some(source) = source {
        if head == source || repository.graph_descendant_of(head, source).map_err(failed)? {
            return introduced(repository, source, head).map(Some);
        }
        walk.hide(source).map_err(failed)?;
    }
    for id in walk.take(MOST_SEARCHED) {
        let commit = id.and_then(|id| repository.find_commit(id)).map_err(failed)?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        if trailer::is_squash_of(&message, run, source_id) {
            return Ok(Some(commit.id()));
        }
    }
    Ok(None)
}

/// The first commit of the branch's own line that holds `source`.
fn introduced(repository: &Repository, source: Oid, head: Oid) -> Result<Oid, WorkspaceError> {
    let failed = |source| WorkspaceError::git("read the target branch", source);
    let mut found = head;
    for _ in 0..MOST_SEARCHED {
        let commit = repository.find_commit(found).map_err(failed)?;
        let Ok(parent) = commit.parent_id(0) else { break };
        let holds = parent == source || repository.graph_descendant_of(parent, source).map_err(failed)?;
        if found == source || !holds {
            break;
        }
        found = parent;
    }
    Ok(found)
}
