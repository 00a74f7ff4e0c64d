//! What a scan sees, what it leaves alone, and that a second one reads only what changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use ado_vault::domain::Status;
use ado_vault::vault::{Scanner, Vault, VaultError};

use crate::common::{Place, note};

const A: &str = "10_features/03_planned/FR-001 A.md";

fn paths(place: &Place) -> Vec<String> {
    let scan = Scanner::new(&place.vault).scan().unwrap();
    scan.notes.iter().map(|note| note.path.to_string()).collect()
}

#[test]
fn a_scan_has_all_notes_sorted_and_nothing_else() {
    let place = Place::bare();
    for path in [
        "Z.md",
        A,
        "A.md",
        ".obsidian/x.md",
        ".git/x.md",
        ".trash/x.md",
        ".ado/x.md",
        "10_features/.x.md",
        "10_features/~x.md",
        "10_features/x.txt",
        "10_features/x.md.tmp",
    ] {
        place.write(path, "text\n");
    }
    assert_eq!(paths(&place), ["00_system/Settings.md", A, "A.md", "Z.md"]);
}

#[test]
fn files_that_are_not_acted_on_are_problems() {
    let place = Place::bare();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.md"), "x").unwrap();
    place.write(A, "---\nid: FR-001\n---\n");
    place.write("10_features/03_planned/FR-001 A 2.md", "---\nid: FR-001\n---\nother\n");
    place.write("10_features/03_planned/Phase 2.md", "no id\n");
    place.write("10_features/03_planned/Phase.md", "no id\n");
    place.write("10_features/x.sync-conflict-20261121-113000-ABCDEF7.md", "x");
    place.write("big.md", &"x".repeat(1024 * 1024 + 1));
    fs::write(place.file("latin.md"), b"caf\xe9").unwrap();
    symlink(outside.path().join("x.md"), place.file("out.md")).unwrap();
    symlink(outside.path(), place.file("outside")).unwrap();
    symlink(place.file(A), place.file("inside.md")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.file("pipe.md"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let scan = Scanner::new(&place.vault).scan().unwrap();
    let notes: Vec<_> = scan.notes.iter().map(|note| note.path.file_name()).collect();
    assert_eq!(notes, ["Settings.md", "FR-001 A.md", "Phase 2.md", "Phase.md"]);
    let problems: Vec<_> = scan
        .problems
        .iter()
        .map(|problem| (problem.path.as_ref().unwrap().file_name().to_owned(), problem.code.as_str()))
        .collect();
    let problems: Vec<_> = problems.iter().map(|(path, code)| (path.as_str(), *code)).collect();
    assert_eq!(
        problems,
        [
            ("FR-001 A 2.md", "conflict-copy"),
            ("x.sync-conflict-20261121-113000-ABCDEF7.md", "conflict-copy"),
            ("big.md", "note-too-large"),
            ("latin.md", "not-utf8"),
            ("out.md", "link-leaves-vault"),
            ("outside", "link-leaves-vault"),
            ("pipe.md", "not-a-file"),
        ]
    );
}

#[test]
fn a_rescan_knows_what_changed_and_shares_what_did_not() {
    let place = Place::bare();
    place.write(A, "one\n");
    place.write("B.md", "one\n");
    let mut scanner = Scanner::new(&place.vault);
    let first = scanner.scan().unwrap();
    assert_eq!(first.changed.len(), first.notes.len());
    let second = scanner.scan().unwrap();
    assert_eq!(second.changed, []);
    // Same size, and so soon that a coarse clock may not tell: only the text does.
    place.write(A, "two\n");
    let third = scanner.scan().unwrap();
    let (a, b) = (third.note(&note(A)).unwrap(), third.note(&note("B.md")).unwrap());
    assert_eq!(third.changed, [note(A)]);
    assert_eq!((&*a.text(), &*b.text()), ("two\n", "one\n"));
    assert!(Arc::ptr_eq(&b.text(), &second.note(&note("B.md")).unwrap().text()));
    fs::remove_file(place.file(A)).unwrap();
    assert!(scanner.scan().unwrap().note(&note(A)).is_none());
    place.write(A, "two\n");
    assert_eq!(scanner.scan().unwrap().changed, [note(A)], "it was gone in between");
}

#[test]
fn a_vault_is_found_from_below_and_its_folders_by_name() {
    let place = Place::bare();
    assert_eq!(Vault::open(&place.file("10_features/03_planned")).unwrap().root(), place.vault.root());
    let nowhere = tempfile::tempdir().unwrap();
    let error = Vault::open(nowhere.path()).unwrap_err();
    assert!(matches!(error, VaultError::NotAVault { .. }));
    assert!(error.to_string().contains("ado-vault init"));

    fs::rename(place.file("10_features"), place.file("15_features")).unwrap();
    fs::rename(place.file("15_features/03_planned"), place.file("15_features/7_planned")).unwrap();
    let folders = place.vault.folders().unwrap();
    assert_eq!(folders.features(), "15_features");
    assert_eq!(folders.status(Status::Planned), "15_features/7_planned");
    assert_eq!(folders.status(Status::Done), "15_features/06_done");
    assert_eq!(folders.repositories(), "00_system/repos");
    assert_eq!(folders.review_rules(), "30_policy/review-rules");
    assert_eq!(folders.status_of(&note("15_features/7_planned/2026/FR-1 A.md")), Some(Status::Planned));
    assert_eq!(folders.status_of(&note("15_features/7_planned_not/FR-1 A.md")), None);
    assert_eq!(folders.status_of(&note("15_features/FR-1 A.md")), None);
}

#[test]
fn a_vault_s_paths_stay_inside() {
    let place = Place::bare();
    symlink("/etc", place.file("etc")).unwrap();
    assert!(matches!(place.vault.absolute(&note("etc/passwd")), Err(VaultError::LeavesVault { .. })));
    for inside in [".git/config", "10_features/.GIT/hooks/pre-commit"] {
        assert!(matches!(place.vault.absolute(&note(inside)), Err(VaultError::InvalidPath(_))), "{inside}");
    }
    assert!(matches!(place.vault.read(&note("none.md")), Err(VaultError::Missing { .. })));
    assert!(matches!(place.vault.read(&note("10_features")), Err(VaultError::NotAFile { .. })));
    assert_eq!(place.vault.absolute(&note("new/x.md")).unwrap(), place.file("new/x.md"));
}
