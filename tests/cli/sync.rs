//! `sync`: the books kept once, alone and against a remote that others push to.

use std::path::{Path, PathBuf};

use crate::support::{Place, keys};

const IDEA: &str = "10_features/01_ideas/FR-900 Dark mode.md";
const NEW: &str = "10_features/02_new/FR-900 Dark mode.md";

fn note(status: &str) -> String {
    format!("---\nid: FR-900\ntitle: Dark mode\nstatus: {status}\n---\n# Dark mode\n\n## Summary\n\nDark.\n")
}

fn head(place: &Place, vault: &Path) -> String {
    place.git(vault, &["rev-parse", "HEAD"])
}

/// A committed vault with a bare remote, and a clone of it elsewhere.
fn shared() -> (Place, PathBuf, PathBuf) {
    let place = Place::vault();
    place.write(NEW, &note("new"));
    place.git(&place.vault, &["add", "."]);
    place.git(&place.vault, &["commit", "--quiet", "-m", "begin"]);
    let (bare, clone) = (place.home.join("vault.git"), place.home.join("clone"));
    let (from, to) = (place.vault.to_str().unwrap(), bare.to_str().unwrap());
    place.git(&place.home, &["clone", "--quiet", "--bare", from, to]);
    place.git(&place.vault, &["remote", "add", "origin", to]);
    place.git(&place.home, &["clone", "--quiet", to, clone.to_str().unwrap()]);
    (place, bare, clone)
}

/// Somebody else's commit in the clone, pushed.
fn others_push(place: &Place, clone: &Path, path: &str, text: &str) {
    std::fs::write(clone.join(path), text).unwrap();
    place.git(clone, &["add", "."]);
    place.git(clone, &["commit", "--quiet", "-m", "other"]);
    place.git(clone, &["push", "--quiet"]);
}

#[test]
fn sync_aligns_once_and_is_quiet_then() {
    let (place, _, _) = shared();
    place.git(&place.vault, &["remote", "remove", "origin"]);
    place.write(NEW, &note("ideas"));
    let before = head(&place, &place.vault);
    let check = place.run(&["sync", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert!(check.out.contains("FR-900") && check.out.contains("would"), "{check:?}");
    assert_eq!((head(&place, &place.vault), place.read(NEW)), (before.clone(), note("ideas")), "only looked");
    let (code, would) = place.json(&["sync", "--check"]);
    assert_eq!((code, keys(&would)), (1, vec!["would", "changes", "problems"]));

    let (code, done) = place.json(&["sync"]);
    assert_eq!((code, keys(&done)), (0, vec!["pushed", "problems"]));
    assert_eq!(place.read(IDEA), note("ideas"));
    let after = head(&place, &place.vault);
    assert_ne!(after, before);
    assert_eq!(place.run(&["sync", "--check"]).code, 0, "{:?}", place.run(&["sync", "--check"]));
    let again = place.run(&["sync"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{again:?}");
    assert_eq!(head(&place, &place.vault), after);
}

#[test]
fn a_dragged_note_gets_its_status_and_check_shows_the_change() {
    let (place, _, _) = shared();
    std::fs::rename(place.vault.join(NEW), place.vault.join(IDEA)).unwrap();
    let check = place.run(&["sync", "--check"]);
    assert_eq!(check.code, 1);
    for line in ["-status: new", "+status: ideas"] {
        assert!(check.out.lines().any(|found| found.trim() == line), "{line}: {check:?}");
    }
    assert_eq!(place.read(IDEA), note("new"), "nothing was written");
    assert_eq!(place.run(&["sync", "--no-push"]).code, 0);
    assert_eq!(place.read(IDEA), note("ideas"));
}

#[test]
fn two_clones_come_together_through_the_remote() {
    let (place, bare, clone) = shared();
    others_push(&place, &clone, "50_memory/other.md", "# Other\n");
    place.write(NEW, &note("ideas"));
    let held_back = place.run(&["sync", "--no-push"]);
    assert_eq!(held_back.code, 0, "{held_back:?}");
    assert_eq!(place.read("50_memory/other.md"), "# Other\n", "pulled");
    assert_ne!(place.git(&bare, &["rev-parse", "HEAD"]), head(&place, &place.vault), "not pushed");

    others_push(&place, &clone, "50_memory/third.md", "# Third\n");
    let (code, done) = place.json(&["sync"]);
    assert_eq!((code, &done["pushed"]), (0, &"pushed".into()), "{done}");
    assert_eq!(place.git(&bare, &["rev-parse", "HEAD"]), head(&place, &place.vault));
    assert_eq!(place.read("50_memory/third.md"), "# Third\n");
    assert_eq!(place.json(&["sync"]).1["pushed"], "nothing to push");

    place.git(&clone, &["pull", "--quiet", "--rebase"]);
    assert_eq!(std::fs::read_to_string(clone.join(IDEA)).unwrap(), note("ideas"));
    let there = place.run(&["--vault", clone.to_str().unwrap(), "sync"]);
    assert_eq!(there.code, 0, "{there:?}");
    assert_eq!(head(&place, &clone), head(&place, &place.vault), "the other machine has nothing to add");
}

#[test]
fn a_remote_that_refuses_every_push_is_not_asked_for_ever() {
    let (place, bare, _) = shared();
    // A rule of the remote against every push.
    let hook = bare.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho >> pushes\necho not here >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write(NEW, &note("ideas"));
    let refused = place.run(&["sync"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("push"), "{refused:?}");
    let pushes = std::fs::read_to_string(bare.join("pushes")).unwrap().lines().count();
    assert!((1..=3).contains(&pushes), "{pushes}");
}

#[test]
fn a_conflict_with_the_remote_stops_sync_and_leaves_the_vault_as_it_was() {
    let (place, _, clone) = shared();
    others_push(&place, &clone, "50_memory/same.md", "theirs\n");
    place.write("50_memory/same.md", "ours\n");
    place.git(&place.vault, &["add", "."]);
    place.git(&place.vault, &["commit", "--quiet", "-m", "ours"]);
    let before = head(&place, &place.vault);
    let stopped = place.run(&["sync"]);
    assert_eq!(stopped.code, 1, "{stopped:?}");
    assert!(stopped.err.contains("git pull --rebase"), "{stopped:?}");
    assert_eq!((head(&place, &place.vault), place.read("50_memory/same.md")), (before, "ours\n".to_owned()));
    assert!(!place.vault.join(".git/rebase-merge").exists());
}
