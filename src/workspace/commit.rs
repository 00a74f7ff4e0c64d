//! Turning what a step left in a worktree into a commit on the run's branch. It does not judge the change.

use git2::{Oid, Tree};

use super::beneath::Folder;
use super::formatting::is_formatting;
use super::hidden_text::hidden_text;
use super::index_file::IndexFile;
use super::integrity::test_integrity;
use super::repository::signature;
use super::stage::{Staged, stage};
use super::versions::only_versions;
use super::{Workspace, WorkspaceError, Worktree};
use crate::domain::{ChangeSet, GitId};

impl Workspace {
    /// Commits what the worktree's files are now: regular files and links that stay inside, nothing that `.gitignore`
    /// names. The same commit as before when nothing changed. Findings name what was refused and what happened to tests.
    ///
    /// # Errors
    /// `NoWorktree`, `BranchMoved` when the branch was changed meanwhile, `NoCommit`.
    pub fn commit(
        &self,
        worktree: &Worktree,
        base: &GitId,
        message: &str,
        summary: &str,
    ) -> Result<ChangeSet, WorkspaceError> {
        let repository = self.git()?;
        self.commit_of(&repository, base)?;
        let tip = self
            .local_head(&repository, &worktree.branch)?
            .ok_or_else(|| self.no_branch(&worktree.branch))?;
        let failed = |source| WorkspaceError::git(format!("commit to `{}`", worktree.branch), source);
        let parent = repository.find_commit(tip).map_err(failed)?;
        let before = parent.tree().map_err(failed)?;
        let (staged, index) = self.staged(&repository, worktree, &before)?;
        let commit = if staged.tree == before.id() {
            tip
        } else {
            let tree = repository.find_tree(staged.tree).map_err(failed)?;
            let author = signature()?;
            let message = clean_message(message);
            let commit =
                repository.commit(None, &author, &author, &message, &tree, &[&parent]).map_err(failed)?;
            self.move_branch(&repository, &worktree.branch, Some(tip), commit, "a step's work")?;
            commit
        };
        index.write(&staged.entries)?;
        let commit = GitId(commit.to_string());
        let mut findings = staged.findings;
        let diff = self.differences(&repository, base, &commit)?;
        findings.extend(test_integrity(&repository, &diff));
        findings.extend(hidden_text(&diff)?);
        Ok(ChangeSet {
            files: self.changed_between(base, &commit)?,
            formatting: is_formatting(&repository, &diff),
            only_versions: only_versions(&repository, &diff),
            tree: GitId(staged.tree.to_string()),
            base: base.clone(),
            commit,
            summary: summary.to_owned(),
            findings,
        })
    }

    /// Whether the worktree holds something that its branch does not.
    pub(super) fn has_uncommitted(
        &self,
        repository: &git2::Repository,
        worktree: &Worktree,
        tip: Oid,
    ) -> Result<bool, WorkspaceError> {
        let failed = |source| WorkspaceError::git("read a tree", source);
        let tree = repository.find_commit(tip).and_then(|commit| commit.tree()).map_err(failed)?;
        let (staged, _) = self.staged(repository, worktree, &tree)?;
        Ok(staged.tree != tree.id() || !staged.findings.is_empty())
    }

    fn staged(
        &self,
        repository: &git2::Repository,
        worktree: &Worktree,
        before: &Tree<'_>,
    ) -> Result<(Staged, IndexFile), WorkspaceError> {
        let root = Folder::open(&worktree.path)
            .map_err(|_| WorkspaceError::NoWorktree { run: worktree.run.clone() })?;
        let index = IndexFile::read(&worktree.git_dir);
        let staged = stage(repository, &root, before, &self.own_rules(), &index, self.hidden.as_deref())?;
        Ok((staged, index))
    }
}

/// Without control characters, which git would take badly or a terminal would obey.
pub(super) fn clean_message(message: &str) -> String {
    message.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
