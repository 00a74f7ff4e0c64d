//! The host's side of the escape cases: each attempt is first seen to work the way that a program would naively do it, with
//! the git program or plain file calls, and then not the way ado-vault does it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ado_vault::domain::BranchName;
use ado_vault::workspace::WorkspaceError;

use super::repo::*;

/// What a human's own git would be asked to do; whether it succeeds does not matter here.
fn naively(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(dir).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn case_47_a_monitor_named_by_a_nested_repository_runs_for_git_and_not_here() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let sentinel = repo.dir.path().join("sentinel");
    let nested = worktree.path.join("nested");
    fs::create_dir(&nested).unwrap();
    git_in(&nested, &["init", "-q"]);
    git_in(&nested, &["config", "core.fsmonitor", &format!("touch {}", sentinel.display())]);
    naively(&nested, &["status"]);
    assert!(sentinel.exists(), "git runs it");
    fs::remove_file(&sentinel).unwrap();
    workspace.commit(&worktree, &base, "m", "").unwrap();
    workspace.facts(&worktree).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
    assert!(!sentinel.exists());
}

#[test]
fn case_48_a_filter_runs_for_git_add_and_not_here() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let sentinel = repo.dir.path().join("sentinel");
    repo.git(&["config", "filter.evil.clean", &format!("touch {}; cat", sentinel.display())]);
    put(&worktree.path, ".gitattributes", "* filter=evil\n");
    put(&worktree.path, "new.txt", "x\n");
    naively(&worktree.path, &["-c", "core.fsmonitor=false", "add", "-A"]);
    assert!(sentinel.exists(), "git runs it");
    fs::remove_file(&sentinel).unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), [".gitattributes", "new.txt"]);
    assert!(!sentinel.exists());
}

#[test]
fn case_49_a_fake_git_folder_is_followed_by_git_and_not_here() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let fake = repo.dir.path().join("fake");
    fs::create_dir(&fake).unwrap();
    git_in(&fake, &["init", "-q", "-b", "evil"]);
    fs::write(worktree.path.join(".git"), format!("gitdir: {}/.git\n", fake.display())).unwrap();
    assert_eq!(naively(&worktree.path, &["symbolic-ref", "HEAD"]), "refs/heads/evil", "git follows it");
    put(&worktree.path, "new.txt", "x\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(repo.head(branch(1).as_str()), change.commit);
}

#[test]
fn case_50_a_name_like_an_option_is_one_for_git_and_no_branch_here() {
    let repo = Repo::new();
    let sentinel = repo.dir.path().join("sentinel");
    let name = format!("--output={}", sentinel.display());
    naively(&repo.path(), &["log", &name]);
    assert!(sentinel.exists(), "git takes it for an option");
    for name in [name.as_str(), "-x", "a/-x", "a..b", "a b", "a:b"] {
        assert!(name.parse::<BranchName>().is_err(), "{name}");
    }
}

#[test]
fn case_51_an_address_like_an_option_runs_a_program_for_git_and_not_here() {
    let repo = Repo::new();
    let sentinel = repo.dir.path().join("sentinel");
    let address = format!("--upload-pack=touch {}", sentinel.display());
    naively(&repo.path(), &["ls-remote", &address, "."]);
    assert!(sentinel.exists(), "git runs it");
    fs::remove_file(&sentinel).unwrap();
    repo.git(&["config", "remote.origin.url", &address]);
    repo.git(&["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    assert!(matches!(repo.open().base_of(&main()), Err(WorkspaceError::BadRemote { .. })));
    assert!(!sentinel.exists());
}

#[test]
fn case_52_a_transport_that_is_a_program_runs_for_git_and_not_here() {
    let repo = Repo::new();
    let sentinel = repo.dir.path().join("sentinel");
    let address = format!("ext::sh -c touch% {}", sentinel.display());
    repo.git(&["config", "protocol.ext.allow", "always"]);
    naively(&repo.path(), &["ls-remote", &address]);
    assert!(sentinel.exists(), "git runs it");
    fs::remove_file(&sentinel).unwrap();
    repo.git(&["remote", "add", "origin", &address]);
    assert!(matches!(repo.open().base_of(&main()), Err(WorkspaceError::BadRemote { .. })));
    assert!(!sentinel.exists());
}

#[test]
fn case_54_a_link_out_of_the_results_is_followed_by_plain_reading_and_not_here() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let secret = repo.dir.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, worktree.path.join("result.txt")).unwrap();
    assert_eq!(fs::read_to_string(worktree.path.join("result.txt")).unwrap(), "secret", "reading follows it");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), [""; 0]);
    assert_eq!(change.findings[0].rule, "refused-path");
    assert!(!workspace.facts(&worktree).unwrap().layout.contains("secret"));
}
