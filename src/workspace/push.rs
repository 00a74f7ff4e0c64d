//! Bringing a run's branch to the remote. It does not know what a pull request is.

use git2::{Oid, Repository};

use super::git_program::{GitProgram, PushEnd};
use super::repository::is_own;
use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, GitId};

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Done,
    UpToDate,
    /// The repository is purely local.
    NoRemote,
}

impl Pushed {
    /// What became of the branch, as the rest of a sentence about it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Done => "pushed",
            Self::UpToDate => "the remote has it",
            Self::NoRemote => "kept here, the repository has no remote",
        }
    }
}

impl Workspace {
    /// Brings the branch to the remote at `head`. What is there is replaced only when ado-vault made it.
    ///
    /// # Errors
    /// `Unreachable` (retry), `Refused`, `ForeignCommits` when others pushed to the branch, `NoCommit`, `BadRemote`.
    pub fn push(&self, branch: &BranchName, head: &GitId) -> Result<Pushed, WorkspaceError> {
        let repository = self.git()?;
        let commit = self.commit_of(&repository, head)?.id();
        let Some(program) = GitProgram::of(self, &repository)? else { return Ok(Pushed::NoRemote) };
        let _lock = self.lock()?;
        let there = program.ask_head(branch)?;
        if there == Some(commit) {
            return Ok(Pushed::UpToDate);
        }
        if let Some(there) = there {
            self.check_ours(&repository, &program, branch, there, commit)?;
        }
        match program.push(commit, branch, Some(there))? {
            PushEnd::Done => Ok(Pushed::Done),
            PushEnd::UpToDate => Ok(Pushed::UpToDate),
            PushEnd::Raced => Err(WorkspaceError::BranchMoved { branch: branch.clone() }),
        }
    }

    /// Fails when the remote's branch holds a commit of others that `ours` does not.
    fn check_ours(
        &self,
        repository: &Repository,
        program: &GitProgram,
        branch: &BranchName,
        there: Oid,
        ours: Oid,
    ) -> Result<(), WorkspaceError> {
        let failed = |source| WorkspaceError::git(format!("read branch `{branch}`"), source);
        if repository.find_commit(there).is_err() {
            program.fetch(branch)?;
        }
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.push(there).and_then(|()| walk.hide(ours)).map_err(failed)?;
        for id in walk {
            let commit = id.and_then(|id| repository.find_commit(id)).map_err(failed)?;
            if !is_own(&commit) {
                let commit = GitId(commit.id().to_string());
                return Err(WorkspaceError::ForeignCommits { branch: branch.clone(), commit });
            }
        }
        Ok(())
    }
}
