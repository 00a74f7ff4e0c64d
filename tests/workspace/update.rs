//! The target branch is merged into a run's branch, with and without conflicts.

use std::fs;

use ado_vault::domain::{ChangeSet, GitId};
use ado_vault::workspace::{Updated, Workspace};

use super::repo::*;

const MESSAGE: &str = "FR-001: merge `main`\n\nAdo-Run: FR-001/1\n";

/// A run that did this in its worktree.
fn run_that(repo: &Repo, workspace: &Workspace, act: impl FnOnce(&std::path::Path)) -> ChangeSet {
    let (worktree, base) = repo.worktree(workspace, 1);
    act(&worktree.path);
    workspace.commit(&worktree, &base, "FR-001: work", "did it").unwrap()
}

fn update(workspace: &Workspace, head: &GitId) -> Option<Updated> {
    workspace.update(head, &main(), MESSAGE).unwrap()
}

#[test]
fn what_the_target_got_meanwhile_comes_in_as_a_merge_and_the_change_stays_the_runs_own() {
    let repo = Repo::new();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    assert_eq!(update(&workspace, &change.commit), None, "nothing to bring in");
    repo.write("two.txt", "meanwhile\n");
    let target = repo.commit_all("meanwhile");
    let Updated { change: merged, conflicts } = update(&workspace, &change.commit).unwrap();
    assert_eq!((conflicts, files(&merged)), (vec![], vec!["one.txt"]));
    assert_eq!(merged.base, target);
    let parents = repo.git(&["log", "-1", "--format=%P", merged.commit.as_str()]);
    assert_eq!(parents, format!("{} {}", change.commit, target));
    // No branch moved; the next step takes it up.
    assert_eq!(repo.head(branch(1).as_str()), change.commit);
    let worktree = workspace.prepare(&run(1), &branch(1), &merged.base, Some(&merged.commit)).unwrap();
    assert_eq!(repo.head(branch(1).as_str()), merged.commit);
    for file in ["one.txt", "two.txt"] {
        assert!(worktree.path.join(file).exists(), "{file}");
    }
    assert_eq!(update(&workspace, &merged.commit), None, "and not again");
}

#[test]
fn files_in_conflict_hold_both_sides_and_are_named() {
    let repo = Repo::new();
    repo.write("gone.txt", "old\n");
    repo.commit_all("more");
    let workspace = repo.open();
    let change = run_that(&repo, &workspace, |path| {
        put(path, "src/lib.rs", "pub fn one() -> u32 {\n    2\n}\n");
        put(path, "new.txt", "ours");
        put(path, "gone.txt", "changed\n");
        fs::write(path.join("image.bin"), [0, 1, 2]).unwrap();
    });
    repo.write("src/lib.rs", "pub fn one() -> u32 {\n    3\n}\n");
    repo.write("new.txt", "theirs\n");
    fs::remove_file(repo.path().join("gone.txt")).unwrap();
    fs::write(repo.path().join("image.bin"), [0, 3, 4]).unwrap();
    repo.commit_all("meanwhile");
    let Updated { change: merged, conflicts } = update(&workspace, &change.commit).unwrap();
    assert_eq!(conflicts, ["gone.txt", "image.bin", "new.txt", "src/lib.rs"]);
    let text = |file: &str| repo.git(&["show", &format!("{}:{file}", merged.commit)]);
    assert_eq!(
        text("src/lib.rs"),
        "pub fn one() -> u32 {\n<<<<<<< the run's branch\n    2\n=======\n    3\n>>>>>>> main\n}"
    );
    assert_eq!(text("new.txt"), "<<<<<<< the run's branch\nours\n=======\ntheirs\n>>>>>>> main");
    assert_eq!(text("gone.txt"), "changed", "what one side removed stays as the other has it");
    assert_eq!(text("image.bin"), "\u{0}\u{1}\u{2}", "what has no lines stays ours");
}

#[test]
fn with_a_remote_its_head_comes_in_and_the_push_forces_nothing() {
    let repo = Repo::with_origin();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    workspace.push(&branch(1), &change.commit).unwrap();
    let other = repo.other_clone();
    put(&other, "two.txt", "theirs\n");
    git_in(&other, &["add", "-A"]);
    git_in(&other, &["commit", "-qm", "meanwhile"]);
    git_in(&other, &["push", "-q", "origin", "main"]);
    let merged = update(&workspace, &change.commit).unwrap().change;
    workspace.push(&branch(1), &merged.commit).unwrap();
    let origin = repo.origin();
    let log = git_in(&origin, &["log", "--first-parent", "--format=%H", branch(1).as_str()]);
    assert!(log.starts_with(&format!("{}\n{}\n", merged.commit, change.commit)), "{log}");
}
