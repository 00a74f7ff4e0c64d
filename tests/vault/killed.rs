//! Killed at any instant: a child of this test works on a vault and is killed; what it leaves must be whole.

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ado_vault::domain::{Event, RunId, Status};
use ado_vault::vault::{
    CommitMessage, History, Journal, Scanner, Vault, VaultLock, edit, read_journal, relocate, sweep_kept,
};
use jiff::Timestamp;

use crate::common::{Place, note};

const HERE: &str = "10_features/03_planned/FR-001 A.md";
const THERE: &str = "10_features/04_in_progress/FR-001 A.md";
const WORKER: &str = "ADO_VAULT_TEST_WORKER";

/// Not a test by itself: the work that is killed, in a process of its own.
#[test]
fn worker() {
    let Some(root) = std::env::var_os(WORKER) else { return };
    let vault = Vault::open(Path::new(&root)).unwrap();
    let run: RunId = "FR-001/1".parse().unwrap();
    let (mut journal, records, _) = Journal::open(&vault, &run).unwrap();
    for round in records.len().. {
        let lock = VaultLock::acquire(&vault).unwrap();
        sweep_kept(&lock, &vault).unwrap();
        let history = History::open(&vault).unwrap();
        let scan = Scanner::new(&vault).scan().unwrap();
        let (from, to) = if vault.root().join(HERE).exists() { (HERE, THERE) } else { (THERE, HERE) };
        journal
            .append(Timestamp::now(), Event::Moved { from: Status::Planned, to: Status::InProgress })
            .unwrap();
        let moved = relocate(&lock, &vault, &note(from), &note(to), &scan).unwrap();
        edit(&lock, &vault, &note(to), |_| {
            Ok::<_, Infallible>(format!("---\nround: {round}\n---\nHuman text.\n"))
        })
        .unwrap();
        let message = CommitMessage { subject: format!("round {round}"), ..CommitMessage::default() };
        history.commit(&lock, &moved.touched, &message).unwrap();
        println!("\nround");
    }
}

#[test]
fn killed_at_any_instant_nothing_is_lost_or_doubled() {
    let place = Place::unborn("");
    place.write(HERE, "---\nround: -1\n---\nHuman text.\n");
    place.write("Staged.md", "staged\n");
    place.git(&["add", HERE, "00_system"]);
    place.git(&["commit", "-q", "-m", "begin"]);
    place.git(&["add", "Staged.md"]);
    let mut rounds = 0;
    for attempt in 0..12_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::worker", "--exact", "--nocapture"])
            .env(WORKER, place.vault.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Let one round end, so that each attempt gets somewhere, then kill at another moment each time.
        assert!(lines.any(|line| line.unwrap() == "round"), "attempt {attempt}: the work failed");
        for _ in 0..attempt * 20_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let (here, there) = (place.file(HERE), place.file(THERE));
        assert!(here.exists() != there.exists(), "attempt {attempt}: exactly one note");
        let text = fs::read_to_string(if here.exists() { here } else { there }).unwrap();
        assert!(text.starts_with("---\nround: ") && text.ends_with("---\nHuman text.\n"), "{text:?}");
        let (records, _) = read_journal(&place.vault, &"FR-001/1".parse().unwrap()).unwrap();
        assert!(records.len() > rounds, "attempt {attempt}: the journal grew");
        rounds = records.len();
    }
    sweep_kept(&place.lock(), &place.vault).unwrap();
    let history = History::open(&place.vault).unwrap();
    history.commit_human(&place.lock(), &[note(HERE), note(THERE)]).unwrap();
    assert!(!place.file(".git/index.lock").exists());
    assert_eq!(place.git(&["status", "--porcelain"]), "A  Staged.md\n?? 60_runs/");
    assert_eq!(place.git(&["fsck", "--strict", "--no-dangling"]), "");
    let left: Vec<_> = walkdir::WalkDir::new(place.file("10_features"))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
