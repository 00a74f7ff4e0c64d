//! What somebody else proposes, laid out to be read: its head fetched, held against the target branch, and checked out
//! without a branch. Nothing of it is run, and nothing is pushed. It does not know pull requests.

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};

use super::forbidden::is_file_name;
use super::git_program::GitProgram;
use super::hidden_text::hidden_text;
use super::integrity::test_integrity;
use super::remove::remove_folder;
use super::{Workspace, WorkspaceError, Worktree};
use crate::domain::{BranchName, Finding, GitId, RunId};

/// Where fetched heads are kept while they are read; no branch, so that nothing takes them for work of this repository.
const KEPT: &str = "refs/ado-vault/proposals";

/// Files and folders, their bytes, and folders within each other: a tree of a few objects can stand for more files than
/// there is room for.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    entries: u64,
    bytes: u64,
    depth: u32,
}

const MOST: Bounds = Bounds { entries: 200_000, bytes: 2 << 30, depth: 64 };

impl Workspace {
    /// Fetches a head by its reference at the remote. Gives the commit that it and the target branch, fetched too, have in
    /// common.
    ///
    /// # Errors
    /// `Unreachable` (retry), `HeadMoved` when the reference is not at `head`, `NoBranch`, `Proposal` when it has nothing in
    /// common with the target, or is too large.
    pub fn fetch_proposal(
        &self,
        run: &RunId,
        reference: &str,
        head: &GitId,
        target: &BranchName,
    ) -> Result<GitId, WorkspaceError> {
        let target = self.base_of(target)?;
        let repository = self.git()?;
        let unusable = |reason: &str| WorkspaceError::Proposal { reason: reason.to_owned() };
        let program = GitProgram::of(self, &repository)?
            .ok_or_else(|| unusable("the repository has no remote to fetch it from"))?;
        let kept = kept(run);
        let fetched = {
            let _lock = self.lock()?;
            program.fetch_reference(reference, &kept)?;
            self.head_of(&self.git()?, &kept)?
        };
        let now = fetched.ok_or_else(|| unusable("its head is no commit"))?;
        if now.to_string() != head.as_str() {
            return Err(WorkspaceError::HeadMoved { then: head.clone(), now: GitId(now.to_string()) });
        }
        let repository = self.git()?;
        let failed = |source| WorkspaceError::git("read what is proposed", source);
        let tree = repository.find_commit(now).and_then(|commit| commit.tree()).map_err(failed)?;
        hold(&repository, &tree, MOST).map_err(|reason| unusable(&reason))?;
        let target = self.commit_of(&repository, &target)?.id();
        match repository.merge_base(target, now) {
            Ok(base) => Ok(GitId(base.to_string())),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(unusable("it has no commit in common with its target branch"))
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// A worktree of a commit that was fetched, on no branch. Files lie there as they are in the commit: no filter, hook or
    /// submodule is run for them.
    ///
    /// # Errors
    /// `Busy`, `NoCommit`.
    pub fn lay_out_proposal(
        &self,
        run: &RunId,
        branch: &BranchName,
        head: &GitId,
    ) -> Result<Worktree, WorkspaceError> {
        let repository = self.git()?;
        let wanted = self.commit_of(&repository, head)?;
        let worktree = {
            let _lock = self.lock()?;
            self.lay_out(run, branch, head.as_str())?
        };
        self.fill(&repository, &worktree, &wanted)?;
        Ok(worktree)
    }

    /// What rules find in a proposed change, without a look at its files on disk.
    ///
    /// # Errors
    /// `NoCommit`.
    pub fn proposal_findings(&self, base: &GitId, head: &GitId) -> Result<Vec<Finding>, WorkspaceError> {
        let repository = self.git()?;
        let diff = self.differences(&repository, base, head)?;
        let mut findings = test_integrity(&repository, &diff);
        findings.extend(hidden_text(&diff)?);
        Ok(findings)
    }

    /// Removes the worktree and lets go of the head.
    ///
    /// # Errors
    /// When files or git data cannot be removed.
    pub fn remove_proposal(&self, run: &RunId) -> Result<(), WorkspaceError> {
        let repository = self.git()?;
        let _lock = self.lock()?;
        let (path, git_dir) = self.places(run);
        remove_folder(&path)?;
        remove_folder(&git_dir)?;
        let failed = |source| WorkspaceError::git("let go of what was proposed", source);
        match repository.find_reference(&kept(run)) {
            Ok(mut reference) => reference.delete().map_err(failed),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(source) => Err(failed(source)),
        }
    }
}

fn kept(run: &RunId) -> String {
    format!("{KEPT}/{}-{}", run.feature, run.number)
}

/// Whether a tree can be laid out: names that files can have, and not too many of them.
fn hold(repository: &Repository, tree: &Tree<'_>, most: Bounds) -> Result<(), String> {
    let database = repository.odb().map_err(|error| error.message().to_owned())?;
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    let mut folders: Vec<(Oid, u32)> = vec![(tree.id(), 1)];
    while let Some((id, depth)) = folders.pop() {
        let tree = repository.find_tree(id).map_err(|error| error.message().to_owned())?;
        if depth > most.depth {
            return Err(format!("its folders lie more than {} deep within each other", most.depth));
        }
        for entry in &tree {
            entries += 1;
            if !is_file_name(entry.name_bytes()) {
                return Err("it holds a name that no file can have".to_owned());
            }
            match entry.kind() {
                Some(ObjectType::Tree) => folders.push((entry.id(), depth + 1)),
                Some(ObjectType::Blob) => {
                    let (size, _) =
                        database.read_header(entry.id()).map_err(|error| error.message().to_owned())?;
                    bytes = bytes.saturating_add(size as u64);
                }
                _ => {}
            }
            if entries > most.entries || bytes > most.bytes {
                return Err(format!("it has more than {} files or {} bytes", most.entries, most.bytes));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        (folder, repository)
    }

    /// A tree with one entry, whose name nobody looks at.
    fn tree(repository: &Repository, mode: &str, name: &str, id: Oid) -> Oid {
        let bytes = [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat();
        repository.odb().unwrap().write(ObjectType::Tree, &bytes).unwrap()
    }

    fn said(repository: &Repository, id: Oid, most: Bounds) -> Result<(), String> {
        hold(repository, &repository.find_tree(id).unwrap(), most)
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let (_folder, repository) = repository();
        let blob = repository.blob(b"x").unwrap();
        let inner = tree(&repository, "100644", "a", blob);
        assert_eq!(said(&repository, tree(&repository, "40000", "b", inner), MOST), Ok(()));
        for name in ["..", ".", "a/b", "../../etc"] {
            for (mode, id) in [("40000", inner), ("100644", blob)] {
                let hostile = tree(&repository, "40000", "c", tree(&repository, mode, name, id));
                assert!(said(&repository, hostile, MOST).is_err(), "{mode} {name}");
            }
        }
    }

    #[test]
    fn a_tree_that_is_larger_than_its_objects_is_refused_before_it_is_laid_out() {
        let (_folder, repository) = repository();
        let mut id = tree(&repository, "100644", "a", repository.blob(&[0; 1000]).unwrap());
        for _ in 0..9 {
            let mut builder = repository.treebuilder(None).unwrap();
            (0..10).for_each(|at| drop(builder.insert(format!("{at}"), id, 0o040_000).unwrap()));
            id = builder.write().unwrap();
        }
        // A billion files in eleven objects.
        assert!(said(&repository, id, MOST).unwrap_err().contains("more than 200000 files"));
        let deep = (0..100).fold(id, |id, _| tree(&repository, "40000", "d", id));
        assert!(said(&repository, deep, MOST).unwrap_err().contains("deep"));
        let few = Bounds { bytes: 999, ..MOST };
        let one = tree(&repository, "100644", "a", repository.blob(&[0; 1000]).unwrap());
        assert!(said(&repository, one, few).is_err() && said(&repository, one, MOST).is_ok());
    }
}
