//! What the user has staged stays as it was, and `git status` tells the truth after every commit.

use std::fs;
use std::os::unix::fs::MetadataExt;

use ado_vault::domain::NotePath;
use ado_vault::vault::{CommitMessage, History};

use crate::common::{Place, note};

const A: &str = "10_features/03_planned/FR-001 A.md";
const B: &str = "10_features/03_planned/FR-002 B.md";
const C: &str = "10_features/03_planned/FR-003 C.md";

fn commit(place: &Place, paths: &[NotePath]) {
    let history = History::open(&place.vault).unwrap();
    let message = CommitMessage { subject: "ado".into(), ..CommitMessage::default() };
    history.commit(&place.lock(), paths, &message).unwrap().unwrap();
}

/// A and B committed; B staged and then edited further, C staged as new; A changed by ado.
fn busy() -> Place {
    let place = Place::unborn("");
    for path in [A, B] {
        place.write(path, "one\n");
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "begin"]);
    place.write(B, "one\nstaged\n");
    place.write(C, "new\n");
    place.git(&["add", B, C]);
    place.write(B, "one\nstaged\nnot staged\n");
    place
}

#[test]
fn staged_and_partly_staged_work_stays_staged() {
    let place = busy();
    let before = (place.git(&["diff", "--cached"]), place.git(&["diff"]));
    let a = place.write(A, "ado\n");
    commit(&place, &[a]);
    assert_eq!((place.git(&["diff", "--cached"]), place.git(&["diff"])), before);
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
    assert_eq!(place.git(&["show", "--name-only", "--format=", "HEAD"]), A);
}

#[test]
fn our_own_path_that_was_partly_staged_is_committed_whole() {
    let place = busy();
    commit(&place, &[note(B)]);
    assert_eq!(place.git(&["show", &format!("HEAD:{B}")]), "one\nstaged\nnot staged");
    assert_eq!(place.git(&["status", "--porcelain"]), format!("A  \"{C}\""));
}

#[test]
fn a_foreign_index_lock_is_respected_and_the_index_mended_later() {
    let place = busy();
    let a = place.write(A, "ado\n");
    let before = fs::read(place.file(".git/index")).unwrap();
    fs::write(place.file(".git/index.lock"), "someone").unwrap();
    commit(&place, &[a]);
    assert_eq!(fs::read_to_string(place.file(".git/index.lock")).unwrap(), "someone");
    assert_eq!(fs::read(place.file(".git/index")).unwrap(), before);
    fs::remove_file(place.file(".git/index.lock")).unwrap();
    assert!(
        place.git(&["status", "--porcelain"]).contains(&format!("MM \"{A}\"")),
        "the debt shows until it is mended"
    );

    let before = fs::read(place.file(".git/index")).unwrap();
    let history = History::open(&place.vault).unwrap();
    assert_eq!(fs::read(place.file(".git/index")).unwrap(), before, "to look changes nothing");
    history.repair(&place.lock()).unwrap();
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
}

#[test]
fn a_debt_is_forgiven_where_the_user_staged_something_since() {
    let place = busy();
    let a = place.write(A, "ado\n");
    fs::write(place.file(".git/index.lock"), "someone").unwrap();
    commit(&place, &[a]);
    fs::remove_file(place.file(".git/index.lock")).unwrap();
    place.write(A, "ado\nuser\n");
    place.git(&["add", A]);
    History::open(&place.vault).unwrap().repair(&place.lock()).unwrap();
    assert_eq!(place.git(&["status", "--porcelain", A]), format!("M  \"{A}\""));
}

/// The user had staged another version when the note was committed whole, and the process ended before the index knew.
#[test]
fn a_debt_is_settled_where_the_user_had_staged_something_before() {
    let place = busy();
    fs::write(place.file(".git/index.lock"), "someone").unwrap();
    commit(&place, &[note(B)]);
    fs::remove_file(place.file(".git/index.lock")).unwrap();
    History::open(&place.vault).unwrap().repair(&place.lock()).unwrap();
    assert_eq!(place.git(&["status", "--porcelain"]), format!("A  \"{C}\""));
}

/// Two commits are owed, and the user's own `git add` between them made the index what HEAD was then.
#[test]
fn a_debt_of_two_commits_is_settled_whichever_of_them_the_index_knows() {
    let place = busy();
    let lock = place.file(".git/index.lock");
    let a = place.write(A, "first\n");
    fs::write(&lock, "someone").unwrap();
    commit(&place, std::slice::from_ref(&a));
    fs::remove_file(&lock).unwrap();
    place.git(&["add", A]);
    fs::write(&lock, "someone").unwrap();
    place.write(A, "second\n");
    commit(&place, &[a]);
    place.write(C, "newer\n");
    fs::remove_file(&lock).unwrap();
    place.git(&["add", C]);
    History::open(&place.vault).unwrap().repair(&place.lock()).unwrap();
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
}

/// What was staged of another owed note since stays staged when a later commit settles both.
#[test]
fn a_later_commit_takes_over_only_what_it_holds() {
    let place = busy();
    let lock = place.file(".git/index.lock");
    let a = place.write(A, "ado\n");
    fs::write(&lock, "someone").unwrap();
    commit(&place, &[a]);
    fs::remove_file(&lock).unwrap();
    place.write(A, "ado\nuser\n");
    place.git(&["add", A]);
    place.write(B, "whole\n");
    commit(&place, &[note(B)]);
    assert_eq!(place.git(&["status", "--porcelain"]), format!("M  \"{A}\"\nA  \"{C}\""));
}

/// A file that is as young as the index and changes without changing its size is still seen as changed.
#[test]
fn a_change_in_the_same_instant_as_the_commit_is_not_hidden() {
    let place = busy();
    place.git(&["reset", "-q", "--hard"]);
    for round in 0..20 {
        place.write(B, "aaa\n");
        place.git(&["add", B]);
        place.write(B, "bbb\n");
        let a = place.write(A, &format!("{round}\n"));
        commit(&place, &[a]);
        let porcelain = place.git(&["status", "--porcelain", B]);
        assert!(porcelain.starts_with("MM"), "round {round}: {porcelain:?}");
    }
}

/// libgit2 cannot read a split index; the commit stands and the index is truthful all the same.
#[test]
fn a_split_index_is_kept_truthful_too() {
    let place = busy();
    place.git(&["config", "core.splitIndex", "true"]);
    place.git(&["update-index", "--split-index"]);
    let a = place.write(A, "ado\n");
    commit(&place, &[a]);
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
    fs::remove_file(place.file(A)).unwrap();
    commit(&place, &[note(A)]);
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
}

/// A burst: each transition has its commit, the index is written once.
#[test]
fn many_commits_write_the_index_once() {
    let place = busy();
    let history = History::open(&place.vault).unwrap();
    let lock = place.lock();
    let inode = || fs::metadata(place.file(".git/index")).unwrap().ino();
    let before = inode();
    history.hold_index();
    for round in 0..5 {
        let a = place.write(A, &format!("{round}\n"));
        let message = CommitMessage { subject: format!("round {round}"), ..CommitMessage::default() };
        history.commit(&lock, &[a, note(B)], &message).unwrap().unwrap();
        assert_eq!(inode(), before, "round {round}");
    }
    history.release_index(&lock).unwrap();
    assert_ne!(inode(), before);
    assert_eq!(place.git(&["status", "--porcelain"]), format!("A  \"{C}\""));
    assert_eq!(place.git(&["rev-list", "--count", "HEAD"]), "6");
    assert!(!place.file(".ado/index-debt.json").exists());
    place.git(&["fsck", "--strict"]);
}

#[test]
fn what_the_user_stages_during_a_burst_stays_staged() {
    let place = busy();
    let history = History::open(&place.vault).unwrap();
    let lock = place.lock();
    history.hold_index();
    let a = place.write(A, "ado\n");
    history.commit(&lock, &[a], &CommitMessage::default()).unwrap().unwrap();
    place.write(A, "ado\nuser\n");
    place.git(&["add", A]);
    history.release_index(&lock).unwrap();
    assert_eq!(place.git(&["status", "--porcelain", A]), format!("M  \"{A}\""));
}

/// What is owed when the process ends in the middle of a burst is settled at the next start.
#[test]
fn a_burst_that_was_cut_off_is_settled_at_the_next_start() {
    let place = busy();
    {
        let history = History::open(&place.vault).unwrap();
        history.hold_index();
        let a = place.write(A, "ado\n");
        history.commit(&place.lock(), &[a], &CommitMessage::default()).unwrap().unwrap();
        assert!(place.git(&["status", "--porcelain"]).contains(&format!("MM \"{A}\"")));
    }
    History::open(&place.vault).unwrap().repair(&place.lock()).unwrap();
    assert_eq!(place.git(&["status", "--porcelain"]), format!("MM \"{B}\"\nA  \"{C}\""));
}
