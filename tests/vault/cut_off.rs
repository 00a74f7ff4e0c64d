//! A commit that is cut off before and after every change of the disk: the index tells the truth again, whatever a human
//! did with git in between and whoever looked meanwhile.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ado_vault::vault::{CommitMessage, History, Vault, VaultLock, at_moments};

use crate::common::{Place, note};

const VAULT: &str = "ADO_VAULT_CUT_OFF";
const AT: &str = "ADO_VAULT_CUT_OFF_AT";

const HERE: &str = "10_features/03_planned/FR-001 A.md";
const THERE: &str = "10_features/04_in_progress/FR-001 A.md";
const PARTLY: &str = "10_features/03_planned/FR-002 B.md";
const STAGED: &str = "Staged.md";

/// Not a test by itself: the commit that is cut off, in a process of its own. Somebody looks at every moment.
#[test]
fn worker() {
    let Some(root) = std::env::var_os(VAULT) else { return };
    let vault = Vault::open(Path::new(&root)).unwrap();
    let at: u32 = std::env::var(AT).unwrap().parse().unwrap();
    let moments = AtomicU32::new(0);
    let looked_at = vault.clone();
    let looks = AtomicBool::new(false);
    assert!(at_moments(move |moment| {
        // Who looks must change nothing, and so comes here no second time.
        if looks.swap(true, Ordering::SeqCst) {
            return;
        }
        let now = moments.fetch_add(1, Ordering::SeqCst) + 1;
        eprintln!("moment {moment:?}");
        // So none of these can be left behind by us.
        for never in ["HEAD.lock", "packed-refs.lock", "config.lock"] {
            assert!(!looked_at.root().join(".git").join(never).exists(), "{never} is taken");
        }
        if now == at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
        History::open(&looked_at).unwrap().blocked();
        looks.store(false, Ordering::SeqCst);
    }));
    let message = CommitMessage { subject: "ado".into(), ..CommitMessage::default() };
    let paths = [note(HERE), note(THERE), note(PARTLY)];
    let history = History::open(&vault).unwrap();
    history.commit(&VaultLock::acquire(&vault).unwrap(), &paths, &message).unwrap();
}

/// A note moved, another partly staged, a third staged; the commit of the first two cut off at moment `at`. Gives the
/// moments there were.
fn cut_off(at: usize) -> (Place, Vec<String>) {
    let place = Place::unborn("");
    for path in [HERE, PARTLY] {
        place.write(path, "one\n");
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "begin"]);
    place.write(PARTLY, "two\n");
    place.write(STAGED, "staged\n");
    place.git(&["add", PARTLY, STAGED]);
    place.write(PARTLY, "three\n");
    std::fs::rename(place.file(HERE), place.file(THERE)).unwrap();
    place.write(THERE, "moved\n");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["cut_off::worker", "--exact", "--nocapture"])
        .env(VAULT, place.vault.root())
        .env(AT, at.to_string())
        .output()
        .unwrap();
    assert_eq!(output.status.success(), at == 0, "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stderr).unwrap();
    (place, said.lines().filter_map(|line| line.strip_prefix("moment ")).map(str::to_owned).collect())
}

/// What a start does, and then whatever is still to be committed.
fn start_again(place: &Place) {
    let history = History::open(&place.vault).unwrap();
    let lock = place.lock();
    history.repair(&lock).unwrap();
    assert_eq!(history.blocked(), None);
    let message = CommitMessage { subject: "ado".into(), ..CommitMessage::default() };
    history.commit(&lock, &[note(HERE), note(THERE), note(PARTLY)], &message).unwrap();
    assert_eq!(place.git(&["fsck", "--strict", "--no-dangling"]), "");
    let left = walkdir::WalkDir::new(place.file(".git")).into_iter().map(|entry| entry.unwrap().into_path());
    let own: Vec<_> = left
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "lock")
                || path.parent().unwrap().ends_with("ado-vault")
        })
        .collect();
    assert!(own.is_empty(), "{own:?}");
}

#[test]
fn a_commit_cut_off_at_any_moment_leaves_a_truthful_index() {
    let (place, moments) = cut_off(0);
    assert_eq!(place.git(&["status", "--porcelain"]), "A  Staged.md");
    for change in [
        "write blob",
        "write tree",
        "write commit",
        "mark",
        "log branch",
        "move branch",
        "lock",
        "replace index",
    ] {
        let named = [format!("Before({change:?})"), format!("After({change:?})")];
        assert!(named.iter().all(|moment| moments.contains(moment)), "{change}: {moments:?}");
    }
    for at in 1..=moments.len() {
        let (place, said) = cut_off(at);
        assert_eq!(said.len(), at);
        start_again(&place);
        let now = place.git(&["status", "--porcelain"]);
        assert_eq!(now, "A  Staged.md", "cut off at {at}, {:?}", said.last());
    }
}

#[test]
fn what_a_human_does_with_git_after_a_crash_stays_as_it_is() {
    let (_, moments) = cut_off(0);
    let first = moments.iter().position(|moment| moment == "After(\"write commit\")").unwrap();
    for at in (first + 1..=moments.len()).step_by(2) {
        let (place, said) = cut_off(at);
        let is_free = !place.file(".git/index.lock").exists();
        if is_free {
            place.write(THERE, "human\n");
            place.git(&["add", THERE]);
            place.write(THERE, "human, later\n");
        }
        let history = History::open(&place.vault).unwrap();
        history.repair(&place.lock()).unwrap();
        if is_free {
            let staged = place.git(&["show", &format!(":{THERE}")]);
            assert_eq!(staged, "human", "cut off at {at}, {:?}", said.last());
        }
        start_again(&place);
        assert_eq!(
            place.git(&["status", "--porcelain"]),
            "A  Staged.md",
            "cut off at {at}, {:?}",
            said.last()
        );
    }
}
