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
fn a_forge_that_cannot_be_asked_is_a_warning_and_the_books_are_kept() {
    let (place, _, _) = shared();
    place.write(
        "00_system/repos/app.md",
        "---\npath: ../app\nforge: github\nslug: acme/app\nbase_url: http://127.0.0.1:9\ntoken_env: NOT_SET_ANYWHERE\n\
         issue_label: ado\n---\n",
    );
    let (code, done) = place.json(&["sync"]);
    assert_eq!((code, done["problems"].as_array().unwrap().len()), (0, 1), "{done}");
    let said = &done["problems"][0];
    assert_eq!((said["code"].as_str(), said["severity"].as_str()), (Some("not-done"), Some("warning")));
    assert!(said["message"].as_str().unwrap().contains("NOT_SET_ANYWHERE"), "{done}");
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

/// Every file below a folder with its content and its time.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                found.push((entry.path(), vec![], about.modified().unwrap()));
                folders.push(entry.path());
            } else {
                found.push((entry.path(), std::fs::read(entry.path()).unwrap(), about.modified().unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn check_changes_not_one_byte_of_the_vault_or_of_git() {
    let (place, bare, clone) = shared();
    others_push(&place, &clone, "50_memory/other.md", "# Other\n");
    std::fs::rename(place.vault.join(NEW), place.vault.join(IDEA)).unwrap();
    place.write("10_features/02_new/No id.md", "# No id\n");
    place.git(&place.vault, &["add", "10_features/01_ideas"]);
    // As in a fresh clone, where nothing of ours is there yet.
    std::fs::remove_dir_all(place.vault.join(".ado")).unwrap();
    let before = (everything(&place.vault), everything(&bare));
    for arguments in [&["sync", "--check"][..], &["--format", "json", "sync", "--check"]] {
        assert_eq!(place.run(arguments).code, 1);
    }
    let after = (everything(&place.vault), everything(&bare));
    let changed: Vec<_> =
        after.0.iter().filter(|file| !before.0.contains(file)).map(|file| &file.0).collect();
    assert!(after == before, "{changed:?}");
    // A checkout of a pull request has no branch.
    place.git(&clone, &["checkout", "--quiet", "--detach"]);
    let before = everything(&clone);
    let detached = place.run(&["--vault", clone.to_str().unwrap(), "sync", "--check"]);
    assert_eq!((detached.code, everything(&clone) == before), (0, true), "{detached:?}");
}

#[test]
fn a_shallow_clone_without_a_git_identity_is_synced() {
    let (place, bare, clone) = shared();
    let shallow = place.home.join("shallow");
    let url = format!("file://{}", bare.display());
    place.git(&place.home, &["clone", "--quiet", "--depth", "1", &url, shallow.to_str().unwrap()]);
    others_push(&place, &clone, "50_memory/other.md", "# Other\n");
    std::fs::rename(shallow.join(NEW), shallow.join(IDEA)).unwrap();
    let mut command = place.command(&["--vault", shallow.to_str().unwrap(), "sync"]);
    let synced = crate::support::ended(command.current_dir(&shallow).output().unwrap());
    assert_eq!(synced.code, 0, "{synced:?}");
    assert_eq!(
        place.git(&shallow, &["rev-list", "--count", "HEAD"]),
        "4",
        "begin, other, the human's, ado's"
    );
    place.git(&clone, &["pull", "--quiet", "--rebase"]);
    assert_eq!(std::fs::read_to_string(clone.join(IDEA)).unwrap(), note("ideas"));
    place.git(&bare, &["fsck", "--strict"]);
    let again = place.run(&["--vault", shallow.to_str().unwrap(), "sync"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{again:?}");
}

#[test]
fn syncs_at_the_same_time_all_arrive_and_nothing_is_forced() {
    let (place, bare, clone) = shared();
    place.git(&bare, &["config", "receive.denyNonFastForwards", "true"]);
    let third = place.home.join("third");
    place.git(&place.home, &["clone", "--quiet", bare.to_str().unwrap(), third.to_str().unwrap()]);
    let clones = [&place.vault, &clone, &third];
    for round in 0..4 {
        let children: Vec<_> = clones
            .iter()
            .enumerate()
            .map(|(number, folder)| {
                let path = format!("10_features/02_new/FR-{round}{number} A.md");
                let text = format!("---\nid: FR-{round}{number}\nstatus: ideas\n---\n# A\n");
                std::fs::write(folder.join(path), text).unwrap();
                let mut command = place.command(&["--vault", folder.to_str().unwrap(), "sync"]);
                command
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for child in children {
            let synced = crate::support::ended(child.wait_with_output().unwrap());
            assert_eq!(synced.code, 0, "{synced:?}");
        }
        let there = place.git(&bare, &["ls-tree", "-r", "--name-only", "main"]);
        for number in 0..3 {
            assert!(there.contains(&format!("02_new/FR-{round}{number} A.md")), "round {round}: {there}");
        }
        for folder in clones {
            assert!(!folder.join(".git/rebase-merge").exists() && !folder.join(".git/rebase-apply").exists());
        }
    }
    place.git(&bare, &["fsck", "--strict"]);
}

/// A rebase of ours that a crash cut off is taken back at the next start; one that a human began is not.
#[test]
fn a_half_rebase_of_ours_is_taken_back_and_a_human_s_is_not() {
    for ours in [true, false] {
        let (place, _, clone) = shared();
        others_push(&place, &clone, "50_memory/same.md", "theirs\n");
        place.write("50_memory/same.md", "ours\n");
        place.git(&place.vault, &["add", "."]);
        place.git(&place.vault, &["commit", "--quiet", "-m", "ours"]);
        let before = head(&place, &place.vault);
        place.git(&place.vault, &["fetch", "--quiet"]);
        let theirs = place.git(&place.vault, &["rev-parse", "FETCH_HEAD"]);
        let mut rebase = std::process::Command::new("git");
        rebase.arg("-C").arg(&place.vault).args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "rebase",
            &theirs,
        ]);
        assert!(!rebase.output().unwrap().status.success(), "it conflicts");
        assert!(place.vault.join(".git/rebase-merge").exists());
        if ours {
            place.write(".ado/rebasing", &theirs);
        }
        let ended = place.run(&["sync"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert_eq!(place.vault.join(".git/rebase-merge").exists(), !ours, "{ended:?}");
        if ours {
            assert_eq!(
                (head(&place, &place.vault), place.read("50_memory/same.md")),
                (before, "ours\n".to_owned())
            );
            assert!(!place.vault.join(".ado/rebasing").exists());
        } else {
            assert!(ended.err.contains("git rebase --abort"), "{ended:?}");
        }
    }
}

#[test]
fn a_job_of_github_actions_gets_marks_on_files_and_a_summary() {
    let (place, _, _) = shared();
    place.git(&place.vault, &["remote", "remove", "origin"]);
    let summary = place.home.join("summary.md");
    let in_job = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
        crate::support::ended(command.output().unwrap())
    };
    std::fs::rename(place.vault.join(NEW), place.vault.join(IDEA)).unwrap();
    place.write("10_features/02_new/FR-901 Bad.md", "---\nid: FR-901\nstatus: soon\n---\n# Bad\n");
    place.write(IDEA, &format!("{}\n::error file=x::from a note\n", note("new")));
    let check = in_job(&["sync", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert!(check.out.contains("::error file=10_features/02_new/FR-901 Bad.md,line=3,"), "{check:?}");
    // What notes say is no command to the runner.
    let (stop, token) = check.out.lines().next().unwrap().rsplit_once("::").unwrap();
    assert_eq!(stop, "::stop-commands");
    let quoted = check.out.split(&format!("::{token}::")).next().unwrap();
    assert!(quoted.contains("+status: ideas"), "{check:?}");
    let text = std::fs::read_to_string(&summary).unwrap();
    for part in [
        "### `sync` would change 1 notes",
        "```diff",
        "+status: ideas",
        "| error | 10_features/02_new/FR-901",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let synced = in_job(&["sync"]);
    assert_eq!(synced.code, 1, "the bad note is still bad: {synced:?}");
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(
        text.contains("### The vault was put in order, no") && text.contains("FR-900: new → ideas"),
        "{text}"
    );
    assert!(!place.run(&["sync", "--check"]).out.contains("::"), "outside of a job there are none");
}
