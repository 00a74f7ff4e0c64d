//! Scan, parse, edit, look, decide and commit at 1,000 and 10,000 notes, each beside the floor it is measured against.
//!
//! The vault is generated from a fixed seed: the same bytes on every machine. Compare rows of one run with each other;
//! absolute times depend on the machine. Making vaults, and every note's edit, is outside of what is measured.

mod generate;

use std::sync::Arc;

use ado_vault::decide::decide;
use ado_vault::domain::{Config, FeatureView, NotePath, Snapshot, Spent, Status};
use ado_vault::engine::{Circumstances, Observer, Quiet, RunBook, see};
use ado_vault::note::{self, PropertyValue};
use ado_vault::vault::{CommitMessage, History, Scanner, VaultLock};
use divan::{Bencher, black_box};
use generate::Generated;
use jiff::Timestamp;

const SIZES: [usize; 2] = [1_000, 10_000];

fn main() {
    divan::main();
}

/// The floor of a cold scan: every byte of every note read, by one thread.
#[divan::bench(args = SIZES, sample_count = 10)]
fn floor_read_all_bytes(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.read_all_bytes()));
}

/// Every note read and hashed by a scanner that knows none.
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

/// What `git status` takes: what people put up with.
#[divan::bench(args = SIZES, sample_count = 10)]
fn floor_git_status(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes);
    bencher.bench_local(|| generated.git(&["status", "--porcelain"]));
}

/// Nothing changed since the scanner's last scan.
#[divan::bench(args = SIZES, sample_count = 10)]
fn scan_again(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes).settled();
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

/// What a command does that only shows: everything read, parsed and held against the last commit, and decided.
#[divan::bench(args = SIZES, sample_count = 10)]
fn look_cold(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    bencher.bench_local(|| {
        let seen = see(&generated.vault, &[]).expect("the generated vault can be looked at");
        black_box(seen.plan.decisions.len())
    });
}

/// The engine's look when nothing changed, without the decision.
#[divan::bench(args = SIZES, sample_count = 10)]
fn look_again(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    let history = History::open(&generated.vault).expect("the generated vault has a repository");
    let (book, _) = RunBook::load(&generated.vault, Arc::new(Quiet)).expect("there are no runs");
    let mut observer = Observer::new(&generated.vault);
    let mut look = || {
        let look = observer.look(&book, &history, &Circumstances::default());
        look.expect("the generated vault can be looked at")
    };
    look();
    bencher.bench_local(|| black_box(look().snapshot.features.len()));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn decide_all(bencher: Bencher, notes: usize) {
    let snapshot = snapshot(notes);
    bencher.bench_local(|| black_box(decide(&snapshot).decisions.len()));
}

/// One edited note, the rest of the vault untouched.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn commit_one_note(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    let history = History::open(&generated.vault).expect("the generated vault has a repository");
    let lock = VaultLock::acquire(&generated.vault).expect("nobody else holds the lock");
    let message = CommitMessage { subject: "FR-000001: bench".into(), ..CommitMessage::default() };
    let paths = [generated.first.clone()];
    let mut round = 0;
    bencher
        .with_inputs(|| {
            round += 1;
            generated.edit_first(round);
        })
        .bench_local_values(|()| {
            let commit = history.commit(&lock, &paths, &message).expect("the commit can be made");
            assert!(commit.is_some(), "every round commits something");
        });
}

/// The same by the git program.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn floor_git_add_and_commit(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    let mut round = 0;
    bencher
        .with_inputs(|| {
            round += 1;
            generated.edit_first(round);
        })
        .bench_local_values(|()| {
            generated.git(&["add", "--", generated.first.as_str()]);
            generated.git(&["commit", "-q", "-m", "FR-000001: bench"]);
        });
}

fn snapshot(notes: usize) -> Snapshot {
    let features = generate::notes(notes)
        .map(|(path, text)| FeatureView {
            feature: note::parse_feature(&path, &text, Some(Status::New)).into(),
            committed: None,
            settling: false,
            runs: vec![],
            in_flight: None,
            pull_request: None,
            waiting_since: None,
            asked: false,
            edited_plan: None,
            last_author: String::new(),
            claimed_by: None,
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
