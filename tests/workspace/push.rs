//! Where runs start, and pushes of their branches to a bare origin.

use ado_vault::domain::GitId;
use ado_vault::workspace::{Pushed, Removed, WorkspaceError};

use super::repo::*;

fn there(repo: &Repo) -> String {
    git_in(&repo.origin(), &["rev-parse", branch(1).as_str()])
}

#[test]
fn a_run_starts_from_the_remote_where_there_is_one() {
    let repo = Repo::with_origin();
    let other = repo.other_clone();
    put(&other, "new.txt", "x");
    git_in(&other, &["add", "-A"]);
    git_in(&other, &["commit", "-q", "-m", "elsewhere"]);
    git_in(&other, &["push", "-q", "origin", "main"]);
    let workspace = repo.open();
    let base = workspace.base_of(&main()).unwrap();
    assert_eq!(base.as_str(), git_in(&other, &["rev-parse", "HEAD"]));
    assert_ne!(base, repo.head("main"));
    let local_only = "local-only".parse().unwrap();
    assert!(matches!(workspace.base_of(&local_only), Err(WorkspaceError::NoBranch { .. })));
    repo.git(&["branch", "local-only"]);
    assert_eq!(workspace.base_of(&local_only).unwrap(), repo.head("main"));
}

#[test]
fn a_remote_that_does_not_answer_is_tried_again() {
    let repo = Repo::with_origin();
    std::fs::rename(repo.origin(), repo.dir.path().join("gone")).unwrap();
    let error = repo.open().base_of(&main()).unwrap_err();
    assert!(matches!(error, WorkspaceError::Unreachable { .. }), "{error}");
    assert!(error.retry() && error.remedy().contains("git fetch"));
}

#[test]
fn a_relative_address_means_what_git_means_by_it() {
    let repo = Repo::with_origin();
    let address = format!("../{}", repo.origin().file_name().unwrap().to_str().unwrap());
    repo.git(&["remote", "set-url", "origin", &address]);
    assert_eq!(repo.open().base_of(&main()).unwrap(), repo.head("main"));
}

#[test]
fn an_address_that_runs_a_program_is_not_used() {
    let repo = Repo::new();
    let sentinel = repo.dir.path().join("sentinel");
    repo.git(&["remote", "add", "origin", &format!("ext::sh -c touch% {}", sentinel.display())]);
    assert!(matches!(repo.open().base_of(&main()), Err(WorkspaceError::BadRemote { .. })));
    // Rewritten by a setting after it was looked at: git itself must refuse.
    repo.git(&["remote", "set-url", "origin", "/plain"]);
    repo.git(&["config", "url.http://127.0.0.1:9/.insteadOf", "/plain"]);
    let error = repo.open().base_of(&main()).unwrap_err();
    assert!(
        matches!(error, WorkspaceError::BadRemote { .. } | WorkspaceError::Unreachable { .. }),
        "{error}"
    );
    repo.git(&["remote", "set-url", "origin", repo.origin().to_str().unwrap()]);
    repo.git(&[
        "config",
        "remote.origin.uploadpack",
        &format!("touch {}; git-upload-pack", sentinel.display()),
    ]);
    let _ = repo.open().base_of(&main());
    assert!(!sentinel.exists());
}

#[test]
fn a_branch_is_pushed_once_and_brought_up_to_date() {
    let repo = Repo::with_origin();
    let workspace = repo.open();
    let first = repo.finished_run(&workspace, 1, "one.txt");
    assert_eq!(workspace.push(&branch(1), &first.commit).unwrap(), Pushed::Done);
    assert_eq!(workspace.push(&branch(1), &first.commit).unwrap(), Pushed::UpToDate);
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "two.txt", "x");
    let second = workspace.commit(&worktree, &first.base, "m", "").unwrap();
    // Another try of the same step: another commit on the same parent.
    assert_eq!(workspace.push(&branch(1), &second.commit).unwrap(), Pushed::Done);
    workspace.prepare(&run(1), &branch(1), &first.base, Some(&first.commit)).unwrap();
    put(&worktree.path, "three.txt", "x");
    let third = workspace.commit(&worktree, &first.base, "m", "").unwrap();
    assert_eq!(workspace.push(&branch(1), &third.commit).unwrap(), Pushed::Done);
    assert_eq!(there(&repo), third.commit.as_str());
    assert_eq!(workspace.remove(&worktree, &branch(1)).unwrap(), Removed::Done);
    assert_eq!(repo.head(branch(1).as_str()), third.commit);
}

#[test]
fn commits_of_others_at_the_remote_are_never_replaced() {
    let repo = Repo::with_origin();
    let workspace = repo.open();
    let first = repo.finished_run(&workspace, 1, "one.txt");
    workspace.push(&branch(1), &first.commit).unwrap();
    let other = repo.other_clone();
    git_in(&other, &["checkout", "-q", branch(1).as_str()]);
    put(&other, "review.txt", "x");
    git_in(&other, &["add", "-A"]);
    git_in(&other, &["commit", "-q", "-m", "by hand"]);
    git_in(&other, &["push", "-q", "origin", "HEAD"]);
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "two.txt", "x");
    let second = workspace.commit(&worktree, &first.base, "m", "").unwrap();
    let refused = workspace.push(&branch(1), &second.commit).unwrap_err();
    assert!(matches!(refused, WorkspaceError::ForeignCommits { .. }), "{refused}");
    assert_eq!(there(&repo), git_in(&other, &["rev-parse", "HEAD"]));
}

#[test]
fn hooks_of_the_clone_do_not_run_and_those_of_the_remote_may_refuse() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::with_origin();
    let workspace = repo.open();
    let sentinel = repo.dir.path().join("sentinel");
    let hook = |dir: std::path::PathBuf, text: String| {
        put(dir.parent().unwrap(), dir.file_name().unwrap().to_str().unwrap(), &text);
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    hook(repo.path().join(".git/hooks/pre-push"), format!("#!/bin/sh\ntouch {}\n", sentinel.display()));
    hook(
        repo.path().join(".git/hooks/reference-transaction"),
        format!("#!/bin/sh\ntouch {}\n", sentinel.display()),
    );
    let change = repo.finished_run(&workspace, 1, "one.txt");
    assert_eq!(workspace.push(&branch(1), &change.commit).unwrap(), Pushed::Done);
    assert!(!sentinel.exists());
    hook(repo.origin().join("hooks/pre-receive"), "#!/bin/sh\necho no pushes today >&2\nexit 1\n".into());
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "two.txt", "x");
    let second = workspace.commit(&worktree, &change.base, "m", "").unwrap();
    let refused = workspace.push(&branch(1), &second.commit).unwrap_err();
    assert!(
        matches!(&refused, WorkspaceError::Refused { detail, .. } if detail.contains("no pushes today")),
        "{refused}"
    );
    assert!(!refused.retry());
}

#[test]
fn without_a_remote_nothing_is_pushed() {
    let repo = Repo::new();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    assert_eq!(workspace.push(&branch(1), &change.commit).unwrap(), Pushed::NoRemote);
    assert!(matches!(workspace.push(&branch(1), &GitId("x".into())), Err(WorkspaceError::NoCommit { .. })));
}
