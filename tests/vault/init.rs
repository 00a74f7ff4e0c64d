//! `init` makes a vault and a repository, and a second one keeps what the human wrote.

use std::fs;

use ado_vault::domain::NotePath;
use ado_vault::vault::{RepositoryState, Vault, init};

use crate::common::git;

const SETTINGS: &str = "00_system/Settings.md";

fn note(path: &str) -> NotePath {
    NotePath::new(path).unwrap()
}

#[test]
fn init_twice_keeps_edits_and_brings_back_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("my vault");
    let first = init(&dir).unwrap();
    assert_eq!(first.repository, RepositoryState::Made);
    assert!(first.created.contains(&note(SETTINGS)) && first.kept.is_empty());
    assert_eq!(git(&dir, &["status", "--porcelain", "--ignored"]), "!! .ado/");
    assert_eq!(git(&dir, &["log", "--format=%s|%an"]), "vault: init|ado-vault");
    Vault::open(&dir).unwrap();

    fs::write(dir.join(SETTINGS), "mine\n").unwrap();
    let second = init(&dir).unwrap();
    assert_eq!(second.repository, RepositoryState::Joined(fs::canonicalize(&dir).unwrap().join("")));
    assert_eq!((second.created.len(), second.commit.is_none()), (0, true));
    assert_eq!(fs::read_to_string(dir.join(SETTINGS)).unwrap(), "mine\n");

    fs::remove_file(dir.join(SETTINGS)).unwrap();
    let third = init(&dir).unwrap();
    assert_eq!(third.created, [note(SETTINGS)]);
}

#[test]
fn init_joins_a_repository_and_commits_only_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    git(root, &["init", "-q", "-b", "trunk"]);
    fs::write(root.join("main.rs"), "fn main() {}\n").unwrap();
    fs::write(root.join("staged.rs"), "\n").unwrap();
    git(root, &["add", "staged.rs"]);
    fs::create_dir(root.join("vault")).unwrap();
    fs::write(root.join("vault/.gitignore"), "mine").unwrap();
    let report = init(&root.join("vault")).unwrap();
    assert!(matches!(report.repository, RepositoryState::Joined(_)));
    assert_eq!(fs::read_to_string(root.join("vault/.gitignore")).unwrap().lines().next(), Some("mine"));
    assert!(fs::read_to_string(root.join("vault/.gitignore")).unwrap().lines().any(|line| line == ".ado/"));
    assert_eq!(git(root, &["status", "--porcelain"]), "A  staged.rs\n?? main.rs");
    assert!(!git(root, &["ls-tree", "-r", "--name-only", "HEAD"]).contains("main.rs"));
}
