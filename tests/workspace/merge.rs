//! Merges and squashes, with and without a remote, with checkouts that are clean or not.

use std::fs;

use ado_vault::domain::{GitId, MergeMethod};
use ado_vault::workspace::{Removed, Workspace, WorkspaceError};

use super::repo::*;

const MESSAGE: &str = "FR-001: work\n\nAdo-Run: FR-001/1\n";

fn merge(workspace: &Workspace, number: u32, method: MergeMethod) -> Result<GitId, WorkspaceError> {
    let message = MESSAGE.replace("FR-001", &format!("FR-{number:03}"));
    workspace.merge(&branch(number), &main(), method, &message).map(|merged| merged.commit)
}

#[test]
fn a_local_merge_brings_a_clean_checkout_along_and_happens_once() {
    for method in [MergeMethod::Merge, MergeMethod::Squash] {
        let repo = Repo::new();
        let workspace = repo.open();
        let change = repo.finished_run(&workspace, 1, "one.txt");
        assert!(!workspace.is_reachable(&run(1), &change.commit, &main()).unwrap());
        let commit = merge(&workspace, 1, method).unwrap();
        assert_eq!(repo.head("main"), commit);
        assert_eq!(repo.git(&["status", "--porcelain"]), "");
        assert_eq!(fs::read_to_string(repo.path().join("one.txt")).unwrap(), "from run 1\n");
        let parents = repo.git(&["log", "-1", "--format=%p", "main"]).split(' ').count();
        assert_eq!(parents, if method == MergeMethod::Merge { 2 } else { 1 });
        assert!(workspace.is_reachable(&run(1), &change.commit, &main()).unwrap());
        repo.write("later.txt", "x");
        repo.commit_all("later");
        assert_eq!(merge(&workspace, 1, method).unwrap(), commit);
        assert!(workspace.is_reachable(&run(1), &change.commit, &main()).unwrap());
        assert!(!workspace.is_reachable(&run(2), &GitId("0".repeat(40)), &main()).unwrap());
        let worktree = workspace.find(&run(1)).unwrap();
        assert_eq!(workspace.remove(&worktree, &branch(1)).unwrap(), Removed::Done);
    }
}

#[test]
fn a_fast_forwarded_branch_counts_as_merged() {
    let repo = Repo::new();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    repo.git(&["merge", "-q", "--ff-only", branch(1).as_str()]);
    assert_eq!(merge(&workspace, 1, MergeMethod::Merge).unwrap(), change.commit);
}

#[test]
fn a_squash_of_an_older_head_is_not_the_new_one() {
    let repo = Repo::new();
    let workspace = repo.open();
    let first = repo.finished_run(&workspace, 1, "one.txt");
    merge(&workspace, 1, MergeMethod::Squash).unwrap();
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "two.txt", "x\n");
    let second = workspace.commit(&worktree, &first.base, "m", "").unwrap();
    assert!(!workspace.is_reachable(&run(1), &second.commit, &main()).unwrap());
    merge(&workspace, 1, MergeMethod::Squash).unwrap();
    assert!(repo.path().join("two.txt").exists());
    assert!(workspace.is_reachable(&run(1), &second.commit, &main()).unwrap());
}

#[test]
fn a_dirty_checkout_of_the_target_is_never_touched() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    let before = repo.head("main");
    repo.write("README.md", "being edited\n");
    let refused = merge(&workspace, 1, MergeMethod::Merge).unwrap_err();
    assert!(matches!(&refused, WorkspaceError::Dirty { files, .. } if files == &["README.md"]), "{refused}");
    assert!(refused.remedy().contains("commit or stash"));
    repo.git(&["add", "README.md"]);
    assert!(matches!(merge(&workspace, 1, MergeMethod::Merge), Err(WorkspaceError::Dirty { .. })));
    repo.git(&["reset", "-q", "--hard"]);
    repo.write("one.txt", "untracked and in the way");
    assert!(matches!(merge(&workspace, 1, MergeMethod::Merge), Err(WorkspaceError::Dirty { .. })));
    assert_eq!(repo.head("main"), before);
    assert_eq!(fs::read_to_string(repo.path().join("one.txt")).unwrap(), "untracked and in the way");
    fs::remove_file(repo.path().join("one.txt")).unwrap();
    repo.write("notes.txt", "untracked and not in the way");
    merge(&workspace, 1, MergeMethod::Merge).unwrap();
    assert!(repo.path().join("notes.txt").exists());
}

#[test]
fn a_target_that_is_checked_out_nowhere_moves_alone() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    repo.git(&["checkout", "-q", "-b", "elsewhere"]);
    repo.write("README.md", "being edited\n");
    let commit = merge(&workspace, 1, MergeMethod::Merge).unwrap();
    assert_eq!(repo.head("main"), commit);
    assert_eq!(repo.git(&["status", "--porcelain"]), "M README.md");
    assert!(!repo.path().join("one.txt").exists());
}

#[test]
fn a_merge_cut_off_between_files_and_branch_is_finished() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    repo.write("one.txt", "from run 1\n");
    repo.git(&["add", "one.txt"]);
    let commit = merge(&workspace, 1, MergeMethod::Merge).unwrap();
    assert_eq!(repo.head("main"), commit);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn notes_being_edited_in_the_same_repository_do_not_hold_a_merge_up() {
    let repo = Repo::new();
    repo.write("vault/FR-001.md", "one\n");
    repo.commit_all("vault");
    let workspace = Workspace::open(&note(".."), &repo.path().join("vault"), &repo.worktrees()).unwrap();
    repo.finished_run(&workspace, 1, "one.txt");
    repo.write("vault/FR-001.md", "being edited\n");
    let commit = merge(&workspace, 1, MergeMethod::Merge).unwrap();
    assert_eq!(repo.head("main"), commit);
    assert_eq!(fs::read_to_string(repo.path().join("vault/FR-001.md")).unwrap(), "being edited\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "M vault/FR-001.md");
}

#[test]
fn a_conflict_names_the_files_and_changes_nothing() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "README.md");
    repo.write("README.md", "# Other\n");
    let before = repo.commit_all("other");
    let conflict = merge(&workspace, 1, MergeMethod::Merge).unwrap_err();
    assert!(
        matches!(&conflict, WorkspaceError::Conflict { files, .. } if files == &["README.md"]),
        "{conflict}"
    );
    assert_eq!(repo.head("main"), before);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_merge_at_the_remote_takes_what_others_pushed_and_the_clean_clone_follows() {
    for method in [MergeMethod::Merge, MergeMethod::Squash] {
        let repo = Repo::with_origin();
        let workspace = repo.open();
        let change = repo.finished_run(&workspace, 1, "one.txt");
        let other = repo.other_clone();
        put(&other, "theirs.txt", "x");
        git_in(&other, &["add", "-A"]);
        git_in(&other, &["commit", "-q", "-m", "theirs"]);
        git_in(&other, &["push", "-q", "origin", "main"]);
        let commit = merge(&workspace, 1, method).unwrap();
        assert_eq!(git_in(&repo.origin(), &["rev-parse", "main"]), commit.as_str());
        assert_eq!(repo.head("main"), commit);
        assert_eq!(repo.git(&["status", "--porcelain"]), "");
        assert!(repo.path().join("one.txt").exists() && repo.path().join("theirs.txt").exists());
        assert_eq!(merge(&workspace, 1, method).unwrap(), commit);
        assert!(workspace.is_reachable(&run(1), &change.commit, &main()).unwrap());
        fs::rename(repo.origin(), repo.dir.path().join("gone")).unwrap();
        assert!(workspace.is_reachable(&run(1), &change.commit, &main()).unwrap());
    }
}

#[test]
fn a_dirty_clone_does_not_hold_a_merge_at_the_remote_up() {
    let repo = Repo::with_origin();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    let before = repo.head("main");
    repo.write("README.md", "being edited\n");
    let commit = merge(&workspace, 1, MergeMethod::Merge).unwrap();
    assert_eq!(git_in(&repo.origin(), &["rev-parse", "main"]), commit.as_str());
    assert_eq!(repo.head("main"), before);
    assert_eq!(fs::read_to_string(repo.path().join("README.md")).unwrap(), "being edited\n");
}

#[test]
fn parallel_merges_at_the_remote_all_arrive() {
    let repo = Repo::with_origin();
    let workspace = repo.open();
    for number in 1..=4 {
        repo.finished_run(&workspace, number, &format!("{number}.txt"));
    }
    std::thread::scope(|scope| {
        for number in 1..=4 {
            let workspace = &workspace;
            scope.spawn(move || merge(workspace, number, MergeMethod::Merge).unwrap());
        }
    });
    let names = git_in(&repo.origin(), &["ls-tree", "--name-only", "main"]);
    for number in 1..=4 {
        assert!(names.contains(&format!("{number}.txt")), "{names}");
    }
}
