//! Scan, parse, edit, decide and commit at 1,000 and 10,000 notes, each beside the floor it is measured against.
//!
//! The vault is generated from a fixed seed: the same bytes on every machine. Compare rows of one run with each other;
//! absolute times depend on the machine.

mod generate;

use ado_vault::decide::decide;
use ado_vault::domain::{Config, FeatureView, NotePath, Snapshot, Spent, Status};
use ado_vault::note::{self, PropertyValue};
use ado_vault::vault::{CommitMessage, History, Scanner, VaultLock, edit};
use divan::{Bencher, black_box};
use generate::Generated;
use jiff::Timestamp;

const SIZES: [usize; 2] = [1_000, 10_000];

fn main() {
    divan::main();
}

/// The floor of a cold scan: every byte of every note read.
#[divan::bench(args = SIZES, sample_count = 10)]
fn floor_read_all_bytes(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.read_all_bytes()));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn scan_cold(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| {
        let scan = Scanner::new(&generated.vault).scan().expect("the generated vault can be read");
        black_box(scan.notes.len())
    });
}

/// The floor of a warm rescan: the state of every file asked for.
#[divan::bench(args = SIZES, sample_count = 10)]
fn floor_stat_all(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.stat_all()));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn scan_warm(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    let mut scanner = Scanner::new(&generated.vault);
    scanner.scan().expect("the generated vault can be read");
    bencher.bench_local(|| black_box(scanner.scan().expect("the generated vault can be read").notes.len()));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn parse_features(bencher: Bencher, notes: usize) {
    let texts: Vec<(NotePath, String)> = generate::notes(notes).collect();
    bencher.bench_local(|| {
        for (path, text) in &texts {
            black_box(note::parse_feature(path, text, Some(Status::New)));
        }
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn edit_property(bencher: Bencher, notes: usize) {
    let texts: Vec<(NotePath, String)> = generate::notes(notes).collect();
    let value = PropertyValue::Text("in_progress".into());
    bencher.bench_local(|| {
        for (_, text) in &texts {
            black_box(
                note::set_property(text, "status", Some(&value)).expect("generated notes can be edited"),
            );
        }
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn decide_all(bencher: Bencher, notes: usize) {
    let snapshot = snapshot(notes);
    bencher.bench_local(|| black_box(decide(&snapshot).decisions.len()));
}

/// One note edited and committed, the rest of the vault untouched.
#[divan::bench(args = SIZES, sample_count = 20)]
fn commit_one_note(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes);
    let history = History::open(&generated.vault).expect("the generated vault has a repository");
    let lock = VaultLock::acquire(&generated.vault).expect("nobody else holds the lock");
    let path = generated.first.clone();
    let message = CommitMessage { subject: "FR-000001: bench".into(), ..CommitMessage::default() };
    let mut round = 0;
    bencher.bench_local(|| {
        round += 1;
        edit(&lock, &generated.vault, &path, |text| {
            note::set_property(text, "priority", Some(&PropertyValue::Integer(round)))
        })
        .expect("the note can be edited");
        black_box(
            history.commit(&lock, std::slice::from_ref(&path), &message).expect("the commit can be made"),
        )
    });
}

fn snapshot(notes: usize) -> Snapshot {
    let features = generate::notes(notes)
        .map(|(path, text)| FeatureView {
            feature: note::parse_feature(&path, &text, Some(Status::New)),
            committed: None,
            settling: false,
            runs: vec![],
            in_flight: None,
            pull_request: None,
            waiting_since: None,
            asked: false,
            edited_plan: None,
            last_author: String::new(),
        })
        .collect();
    Snapshot {
        now: Timestamp::UNIX_EPOCH,
        config: Config::default(),
        features,
        spent_today: Spent::default(),
        no_sandbox: None,
        unusable_repos: Default::default(),
        only: None,
    }
}
