//! The vault's own list of signers guards itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use ado_vault::domain::{Event, RunId, Status};
use ado_vault::vault::{History, Journal, Question};
use jiff::Timestamp;

use crate::common::{Place, note};

const NOTE: &str = "10_features/04_in_progress/FR-001 A.md";
const LIST: &str = "30_policy/allowed_signers";

/// A key pair beside the vault; gives the private key's file and the line that enrols it.
fn key(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, format!("{name}@example.org {public}"))
}

fn save(place: &Place, message: &str, key: Option<&Path>) {
    place.git(&["add", "-A"]);
    match key {
        None => drop(place.git(&["commit", "-q", "-m", message])),
        Some(key) => {
            let key = format!("user.signingkey={}", key.display());
            place.git(&["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "-m", message]);
        }
    }
}

/// What the tick of the note is worth.
fn tick(place: &Place) -> Result<String, String> {
    let journal = note("60_runs/FR-001/1/journal.jsonl");
    let question = Question { note: &note(NOTE), journal: &journal, asked: 1 };
    History::open(&place.vault).unwrap().signed_tick(&question).unwrap()
}

#[test]
fn who_is_not_on_the_list_cannot_get_onto_it() {
    let place = Place::with_git("vault");
    let keys = tempfile::tempdir().unwrap();
    let (ann, of_ann) = key(keys.path(), "ann");
    let (bob, of_bob) = key(keys.path(), "bob");
    let (mallory, of_mallory) = key(keys.path(), "mallory");
    let run: RunId = "FR-001/1".parse().unwrap();
    let (mut journal, ..) = Journal::open(&place.vault, &run).unwrap();
    journal
        .append(Timestamp::UNIX_EPOCH, Event::Moved { from: Status::Planned, to: Status::InProgress })
        .unwrap();
    place.write(NOTE, "---\nid: FR-001\napproved: false\n---\n");
    place.write(LIST, &of_ann);
    save(&place, "asked", None);
    let ticked = |text: &str, key: &Path| {
        place.write(NOTE, "---\nid: FR-001\napproved: false\n---\n");
        place.git(&["commit", "-q", "--allow-empty", "-am", "untick"]);
        place.write(NOTE, &format!("---\nid: FR-001\napproved: true\n---\n{text}\n"));
        save(&place, "tick", Some(key));
        tick(&place)
    };
    assert_eq!(ticked("a", &ann).as_deref(), Ok("ann@example.org"));
    assert!(ticked("b", &mallory).unwrap_err().contains("is signed by a key that is not enrolled"));
    // Ann lets Bob in.
    place.write(LIST, &format!("{of_ann}{of_bob}"));
    save(&place, "bob too", Some(&ann));
    assert_eq!(ticked("c", &bob).as_deref(), Ok("bob@example.org"));
    // Mallory lets himself in; or throws the list away and begins a new one.
    let before = place.git(&["rev-parse", "HEAD"]);
    place.write(LIST, &format!("{of_ann}{of_mallory}"));
    save(&place, "mallory too", Some(&mallory));
    let why = ticked("d", &mallory).unwrap_err();
    assert!(
        why.contains("which changed `allowed_signers`, is signed by a key that is not enrolled"),
        "{why}"
    );
    place.git(&["reset", "-q", "--hard", &before]);
    std::fs::remove_file(place.file(LIST)).unwrap();
    save(&place, "no list", None);
    place.write(LIST, &of_mallory);
    save(&place, "a new list", None);
    let why = ticked("e", &mallory).unwrap_err();
    assert!(why.contains("which changed `allowed_signers`, is not signed"), "{why}");
}
