//! Commits of named paths: whose they are, what is in them, and that nothing else is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::slice::from_ref;
use std::sync::Arc;

use ado_vault::vault::{CommitMessage, History, TextId, VaultError};

use crate::common::{Place, note};

const A: &str = "10_features/03_planned/FR-001 A.md";
const B: &str = "10_features/03_planned/FR-002 B.md";
const MOVED: &str = "10_features/04_in_progress/FR-001 A.md";

fn message() -> CommitMessage {
    CommitMessage {
        subject: "FR-001: planned → in_progress".into(),
        body: String::new(),
        trailers: vec![("Ado-Feature".into(), "FR-001".into()), ("Ado-Run".into(), "FR-001/1".into())],
    }
}

#[test]
fn a_human_s_change_is_committed_as_the_human_and_ado_s_as_ado() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "---\nid: FR-001\n---\n");
    place.write(B, "not asked for\n");
    let human = history.commit_human(&place.lock(), from_ref(&a)).unwrap().unwrap();
    assert_eq!(
        place.git(&["log", "-1", "--format=%an <%ae>|%s"]),
        "Ann Human <ann@example.org>|vault: add FR-001 A"
    );
    assert_eq!(place.git(&["rev-parse", "HEAD"]), human.as_str());
    assert_eq!(place.git(&["show", "--name-only", "--format=", "HEAD"]), format!("{A}"));
    assert_eq!(history.commit_human(&place.lock(), from_ref(&a)).unwrap(), None);

    place.write(A, "---\nid: FR-001\nstatus: in_progress\n---\n");
    history.commit(&place.lock(), from_ref(&a), &message()).unwrap().unwrap();
    assert_eq!(
        place.git(&["log", "-1", "--format=%an <%ae>|%cn"]),
        "ado-vault <ado-vault@localhost>|ado-vault"
    );
    assert_eq!(
        place.git(&["log", "-1", "--format=%B"]).trim(),
        "FR-001: planned → in_progress\n\nAdo-Feature: FR-001\nAdo-Run: FR-001/1"
    );
    assert_eq!(place.git(&["log", "-1", "--format=%(trailers:key=Ado-Run,valueonly)"]).trim(), "FR-001/1");
    assert_eq!(history.committed_text(&a).unwrap().unwrap(), place.text(A));
    assert_eq!(history.last_author(&a).unwrap().unwrap(), "ado-vault <ado-vault@localhost>");
    assert_eq!(place.git(&["status", "--porcelain"]), format!("?? \"{B}\""));
    assert!(place.git(&["fsck", "--strict", "--no-dangling"]).is_empty());
}

#[test]
fn a_human_s_move_is_one_commit_that_says_so() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "text\n");
    history.commit_human(&place.lock(), from_ref(&a)).unwrap();
    fs::rename(place.file(A), place.file(MOVED)).unwrap();
    history.commit_human(&place.lock(), &[a.clone(), note(MOVED)]).unwrap().unwrap();
    assert_eq!(place.git(&["log", "-1", "--format=%s"]), "vault: move FR-001 A: 03_planned → 04_in_progress");
    assert_eq!(
        place.git(&["show", "--name-status", "--format=", "-M", "HEAD"]),
        format!("R100\t{A}\t{MOVED}")
    );
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert_eq!(history.committed_text(&a).unwrap(), None);

    fs::remove_file(place.file(MOVED)).unwrap();
    history.commit_human(&place.lock(), &[note(MOVED)]).unwrap().unwrap();
    assert_eq!(place.git(&["log", "-1", "--format=%s"]), "vault: delete FR-001 A");
    assert_eq!(place.git(&["ls-tree", "-r", "--name-only", "HEAD"]), "00_system/Settings.md");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_vault_in_a_sub_folder_commits_below_it_and_nothing_beside_it() {
    let place = Place::with_git("docs/vault");
    fs::write(place.folder.path().join("main.rs"), "fn main() {}\n").unwrap();
    place.git(&["add", "main.rs"]);
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "---\nid: FR-001\n---\n");
    history.commit(&place.lock(), from_ref(&a), &message()).unwrap().unwrap();
    assert_eq!(place.git(&["show", "--name-only", "--format=", "HEAD"]), format!("docs/vault/{A}"));
    assert_eq!(place.git(&["status", "--porcelain"]), "A  main.rs");
    let features = history.committed_features().unwrap();
    assert_eq!(features.len(), 1);
    assert_eq!(features.text_at(&a), Some(TextId::of("---\nid: FR-001\n---\n")));
}

#[test]
fn the_first_commit_of_a_repository_can_be_ours() {
    let place = Place::unborn("");
    let history = History::open(&place.vault).unwrap();
    assert!(history.committed_features().unwrap().is_empty());
    assert_eq!(history.last_author(&note(A)).unwrap(), None);
    let a = place.write(A, "text\n");
    history.commit(&place.lock(), &[a], &message()).unwrap().unwrap();
    assert_eq!(place.git(&["rev-list", "--count", "main"]), "1");
    assert_eq!(place.git(&["status", "--porcelain"]), "?? 00_system/");
}

#[test]
fn committed_features_follow_head_and_renumbered_folders() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "---\nid: FR-001\n---\n");
    place.write(B, "---\nid: [\n---\nbroken\n");
    history.commit_human(&place.lock(), &[a.clone(), note(B)]).unwrap();
    let text = |text: &str| TextId::of(text);
    let first = history.committed_features().unwrap();
    let mut seen = first.missing(|_| false);
    seen.sort_by_key(|(path, _)| path.clone());
    let (one, two) = ("---\nid: FR-001\n---\n", "---\nid: [\n---\nbroken\n");
    assert_eq!(seen, [(a.clone(), text(one)), (note(B), text(two))]);
    assert_eq!(first.missing(|path| path == A), [(note(B), text(two))]);
    assert_eq!(history.committed_texts().unwrap().read(text(two)).unwrap(), two);
    place.write(A, "---\nid: FR-009\n---\n");
    let again = history.committed_features().unwrap();
    assert!(Arc::ptr_eq(&first, &again), "only HEAD counts, and it is not read again while it is the same");
    history.commit_human(&place.lock(), from_ref(&a)).unwrap();
    assert_eq!(history.committed_features().unwrap().text_at(&a), Some(TextId::of("---\nid: FR-009\n---\n")));
    let deeper = place.write("10_features/03_planned/2026/FR-010 C.md", "c\n");
    history.commit_human(&place.lock(), from_ref(&deeper)).unwrap();
    let third = history.committed_features().unwrap();
    assert_eq!(
        (third.len(), third.text_at(&deeper), third.text_at(&note(B))),
        (3, Some(text("c\n")), Some(text(two)))
    );
    fs::remove_file(place.file(deeper.as_str())).unwrap();
    history.commit_human(&place.lock(), from_ref(&deeper)).unwrap();
    fs::rename(place.file("10_features"), place.file("15_features")).unwrap();
    assert_eq!(history.committed_features().unwrap().len(), 2);
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "renumbered"]);
    let moved = note(&A.replace("10_features", "15_features"));
    assert!(history.committed_features().unwrap().text_at(&moved).is_some(), "the same tree elsewhere");
}

#[test]
fn the_last_author_is_who_changed_this_note() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let (a, b) = (place.write(A, "one\n"), place.write(B, "one\n"));
    history.commit_human(&place.lock(), from_ref(&a)).unwrap();
    history.commit(&place.lock(), from_ref(&b), &message()).unwrap();
    assert_eq!(history.last_author(&a).unwrap().unwrap(), "Ann Human <ann@example.org>");
    assert_eq!(history.last_author(&b).unwrap().unwrap(), "ado-vault <ado-vault@localhost>");
    assert_eq!(history.last_author(&note("none.md")).unwrap(), None);
}

#[test]
fn the_last_person_is_never_ado() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "one\n");
    place.git(&["add", "."]);
    place.git(&["-c", "user.name=Bob", "-c", "user.email=bob@example.org", "commit", "-q", "-m", "by Bob"]);
    place.write(A, "two\n");
    history.commit(&place.lock(), from_ref(&a), &message()).unwrap();
    assert_eq!(history.last_person(&a, false).unwrap(), "Bob <bob@example.org>");
    assert_eq!(history.last_person(&a, true).unwrap(), "Ann Human <ann@example.org>", "not committed yet");
    assert_eq!(history.last_person(&note("none.md"), false).unwrap(), "Ann Human <ann@example.org>");
}

#[test]
fn unfinished_git_work_blocks_commits_and_says_how_to_end_it() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    assert_eq!(history.blocked(), None);
    place.git(&["checkout", "-q", "--detach"]);
    assert!(history.blocked().unwrap().contains("git switch"));
    let a = place.write(A, "text\n");
    let refused = history.commit_human(&place.lock(), from_ref(&a));
    assert!(matches!(refused, Err(VaultError::Blocked { .. })));
    place.git(&["switch", "-q", "main"]);

    let head = place.git(&["rev-parse", "HEAD"]);
    fs::write(place.file(".git/MERGE_HEAD"), format!("{head}\n")).unwrap();
    assert!(history.blocked().unwrap().contains("git merge --abort"));
    assert!(history.commit(&place.lock(), from_ref(&a), &message()).is_err());
    assert_eq!(place.git(&["rev-parse", "HEAD"]), head);
    fs::remove_file(place.file(".git/MERGE_HEAD")).unwrap();

    fs::write(place.file(".git/index.lock"), "").unwrap();
    assert!(history.blocked().unwrap().contains("index.lock"));
    fs::remove_file(place.file(".git/index.lock")).unwrap();
    assert!(history.commit_human(&place.lock(), &[a]).unwrap().is_some());
}

#[test]
fn no_repository_is_said_with_its_remedy() {
    let place = Place::bare();
    let error = History::open(&place.vault).unwrap_err();
    assert!(matches!(error, VaultError::NoRepository { .. }));
    assert!(error.to_string().contains("ado-vault init"));
}

#[test]
fn hooks_and_filters_of_the_repository_do_not_run() {
    let place = Place::with_git("");
    let sentinel = place.folder.path().join("ran");
    let script = format!("#!/bin/sh\ntouch '{}'\ncat\n", sentinel.display());
    for hook in ["pre-commit", "post-commit", "commit-msg", "reference-transaction", "post-index-change"] {
        let file = place.file(&format!(".git/hooks/{hook}"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let hook = place.file(".git/hooks/pre-commit").display().to_string();
    place.git(&["config", "filter.evil.clean", &hook]);
    place.git(&["config", "core.fsmonitor", &hook]);
    place.write(".gitattributes", "*.md filter=evil\n");
    let a = place.write(A, "text\n");
    let history = History::open(&place.vault).unwrap();
    history.commit(&place.lock(), &[a], &message()).unwrap().unwrap();
    assert!(!sentinel.exists());
}

fn hook(place: &Place, name: &str, script: &str) {
    let file = place.file(".git/hooks").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hooks_that_are_asked_for_see_what_is_committed_and_may_refuse_it_or_word_it() {
    let place = Place::with_git("");
    place.write("Staged.md", "the human's\n");
    place.git(&["add", "Staged.md"]);
    let seen = place.file(".git/seen");
    hook(
        &place,
        "pre-commit",
        &format!("git diff --cached --name-only > '{}'\necho 'too late' >&2\nexit 1", seen.display()),
    );
    hook(&place, "commit-msg", "echo 'Checked-by: hook' >> \"$1\"");
    hook(&place, "post-commit", "touch .git/posted");
    let a = place.write(A, "text\n");
    let history = History::open(&place.vault).unwrap();
    history.set_hooks(true);
    let head = place.git(&["rev-parse", "HEAD"]);
    let refused = history.commit(&place.lock(), from_ref(&a), &message()).unwrap_err().to_string();
    assert!(refused.contains("`pre-commit` refuses: too late; nothing was committed"), "{refused}");
    assert_eq!(fs::read_to_string(seen).unwrap().trim(), A, "not what the human staged");
    assert_eq!(place.git(&["rev-parse", "HEAD"]), head);

    hook(&place, "pre-commit", "exit 0");
    history.commit(&place.lock(), &[a], &message()).unwrap().unwrap();
    assert!(place.git(&["log", "-1", "--format=%B"]).ends_with("Checked-by: hook"));
    assert_eq!(place.git(&["status", "--porcelain"]), "A  Staged.md");
    assert!(!place.file(".git/posted").exists(), "only what judges a commit runs");
    assert_eq!(fs::read_dir(place.file(".git/ado-vault")).unwrap().count(), 0);
}

#[test]
fn commits_are_signed_when_git_is_set_to_and_never_made_unsigned() {
    let place = Place::with_git("");
    let signer = place.folder.path().join("signer");
    fs::write(&signer, "#!/bin/sh\ncat >/dev/null\nprintf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n")
        .unwrap();
    fs::set_permissions(&signer, fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["config", "commit.gpgsign", "true"]);
    place.git(&["config", "gpg.program", signer.to_str().unwrap()]);
    let history = History::open(&place.vault).unwrap();
    let a = place.write(A, "one\n");
    history.commit(&place.lock(), from_ref(&a), &message()).unwrap().unwrap();
    assert!(place.git(&["cat-file", "commit", "HEAD"]).contains("gpgsig -----BEGIN PGP SIGNATURE-----"));

    fs::write(&signer, "#!/bin/sh\ncat >/dev/null\necho 'no secret key' >&2\nexit 2\n").unwrap();
    let head = place.git(&["rev-parse", "HEAD"]);
    place.write(A, "two\n");
    let error = history.commit(&place.lock(), &[a], &message()).unwrap_err();
    assert!(error.to_string().contains("no secret key"), "{error}");
    assert_eq!(place.git(&["rev-parse", "HEAD"]), head);
}
