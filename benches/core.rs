//! Scan, parse, edit, look, decide and commit at 1,000 and 10,000 notes, each beside the floor it is measured against. Other
//! numbers of notes can be named: `BENCH_NOTES=100000 cargo bench`.
//!
//! The vault is generated from a fixed seed: the same bytes on every machine. Compare rows of one run with each other;
//! absolute times depend on the machine. Making vaults, and every note's edit, is outside of what is measured.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod generate;

use std::process::{Command, Stdio};
use std::sync::Arc;

use ado_vault::decide::decide;
use ado_vault::domain::{
    BranchName, Committed, Config, ContentHash, Event, FeatureView, NotePath, Record, RunId, RunState,
    Snapshot, Spent, Status,
};
use ado_vault::engine::{Circumstances, Observer, Quiet, RunBook, see};
use ado_vault::note::{self, PropertyValue};
use ado_vault::vault::{CommitMessage, Foreseen, History, Scanner, VaultLock};
use divan::{Bencher, black_box};
use generate::Generated;
use jiff::Timestamp;

fn sizes() -> Vec<usize> {
    let named = std::env::var("BENCH_NOTES").unwrap_or_default();
    let named: Vec<usize> = named.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    if named.is_empty() { vec![1_000, 10_000] } else { named }
}

fn main() {
    divan::main();
}

/// The floor of a cold scan: every byte of every note read, by one thread.
#[divan::bench(args = sizes(), sample_count = 10)]
fn floor_read_all_bytes(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.read_all_bytes()));
}

/// The same by two threads.
#[divan::bench(args = sizes(), sample_count = 10)]
fn floor_read_all_bytes_by_two(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.read_all_bytes_by_two()));
}

/// Every note read, hashed and parsed by a scanner that knows none; what it saw is kept for the next process.
#[divan::bench(args = sizes(), sample_count = 10)]
fn scan_cold(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.with_inputs(|| generated.forget_index()).bench_local_values(|()| {
        let scan = Scanner::new(&generated.vault).scan().expect("the generated vault can be read");
        black_box(scan.notes.len())
    });
}

/// The floor of a warm rescan: the state of every file asked for.
#[divan::bench(args = sizes(), sample_count = 10)]
fn floor_stat_all(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes);
    bencher.bench_local(|| black_box(generated.stat_all()));
}

/// What `git status` takes: what people put up with.
#[divan::bench(args = sizes(), sample_count = 10)]
fn floor_git_status(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes);
    bencher.bench_local(|| generated.git(&["status", "--porcelain"]));
}

/// Nothing changed since the scanner's last scan.
#[divan::bench(args = sizes(), sample_count = 10)]
fn scan_again(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes).settled();
    let mut scanner = Scanner::new(&generated.vault);
    scanner.scan().expect("the generated vault can be read");
    bencher.bench_local(|| black_box(scanner.scan().expect("the generated vault can be read").notes.len()));
}

/// A new process: what the last one saw is on disk, and nothing changed.
#[divan::bench(args = sizes(), sample_count = 10)]
fn scan_with_index(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes).settled();
    let scan = || Scanner::new(&generated.vault).scan().expect("the generated vault can be read").notes.len();
    scan();
    bencher.bench_local(|| black_box(scan()));
}

/// One note was saved and the file system said so.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn scan_at_one_note(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes).settled();
    let mut scanner = Scanner::new(&generated.vault);
    scanner.scan().expect("the generated vault can be read");
    let paths = [generated.first.clone()];
    let mut round = 0;
    bencher
        .with_inputs(|| {
            round += 1;
            generated.edit_first(round);
        })
        .bench_local_values(|()| {
            let scan = scanner.scan_at(&paths).expect("the generated vault can be read");
            assert_eq!(scan.changed, paths);
        });
}

#[divan::bench(args = sizes(), sample_count = 10)]
fn parse_features(bencher: Bencher, notes: usize) {
    let texts: Vec<(NotePath, String)> = generate::notes(notes).collect();
    bencher.bench_local(|| {
        for (path, text) in &texts {
            black_box(note::parse_feature(path, text, Some(Status::New)));
        }
    });
}

#[divan::bench(args = sizes(), sample_count = 10)]
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
#[divan::bench(args = sizes(), sample_count = 10)]
fn look_cold(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    bencher.with_inputs(|| generated.forget_index()).bench_local_values(|()| {
        let seen = see(&generated.vault, &[]).expect("the generated vault can be looked at");
        black_box(seen.plan.decisions.len())
    });
}

/// The same where a command ran before.
#[divan::bench(args = sizes(), sample_count = 10)]
fn look_with_index(bencher: Bencher, notes: usize) {
    let generated = Generated::committed(notes).settled();
    let look =
        || see(&generated.vault, &[]).expect("the generated vault can be looked at").plan.decisions.len();
    look();
    bencher.bench_local(|| black_box(look()));
}

/// The engine's look when nothing changed, without the decision.
#[divan::bench(args = sizes(), sample_count = 10)]
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

#[divan::bench(args = sizes(), sample_count = 10)]
fn decide_all(bencher: Bencher, notes: usize) {
    let snapshot = snapshot(notes);
    bencher.bench_local(|| black_box(decide(&snapshot).decisions.len()));
}

/// A vault as it is at work: most features done, one in ten planned and waiting for a place, twenty with a run.
#[divan::bench(args = sizes(), sample_count = 100)]
fn decide_at_work(bencher: Bencher, notes: usize) {
    let snapshot = at_work(notes);
    bencher.bench_local(|| black_box(decide(&snapshot).decisions.len()));
}

/// The floor of a start: a program that starts and says its version.
#[divan::bench(sample_count = 50)]
fn floor_git_version() {
    run("git");
}

#[divan::bench(sample_count = 50)]
fn start_up() {
    run(env!("CARGO_BIN_EXE_ado-vault"));
}

fn run(program: &str) {
    let done = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "{program}");
}

/// One note moved to another folder and back, with the links that this breaks, where a scan knows all files.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn move_one_note(bencher: Bencher, notes: usize) {
    let generated = Generated::new(notes).settled();
    let scan = Scanner::new(&generated.vault).scan().expect("the generated vault can be read");
    let lock = VaultLock::acquire(&generated.vault).expect("nobody else holds the lock");
    let there = generated.first.moved_to("50_memory").expect("a path in the vault");
    let mut a_move = (generated.first.clone(), there);
    bencher.bench_local(|| {
        let moved = Foreseen::of(&generated.vault, &a_move, &scan).carry_out(&lock, &generated.vault);
        black_box(moved.expect("the note can be moved").touched.len());
        a_move = (a_move.1.clone(), a_move.0.clone());
    });
}

/// One edited note, the rest of the vault untouched, the index left owed.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn commit_without_index(bencher: Bencher, notes: usize) {
    commit(bencher, notes, History::hold_index);
}

/// One edited note, the rest of the vault untouched.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
fn commit_one_note(bencher: Bencher, notes: usize) {
    commit(bencher, notes, |_| {});
}

fn commit(bencher: Bencher, notes: usize, before: impl Fn(&History)) {
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
            before(&history);
        })
        .bench_local_values(|()| {
            let commit = history.commit(&lock, &paths, &message).expect("the commit can be made");
            assert!(commit.is_some(), "every round commits something");
        });
}

/// The same by the git program.
#[divan::bench(args = sizes(), sample_count = 20, sample_size = 1)]
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

fn at_work(notes: usize) -> Snapshot {
    let mut snapshot = snapshot(notes);
    for (at, view) in snapshot.features.iter_mut().enumerate() {
        let status = match at % 10 {
            0 => Status::Planned,
            1 | 2 => Status::New,
            _ => Status::Done,
        };
        view.feature.folder = Some(status);
        view.feature.properties.status = Some(status);
        view.committed = Some(Committed { folder: Some(status), status: Some(status) });
        if at < 20 {
            let run =
                RunId { feature: view.feature.id.clone().expect("generated notes have an id"), number: 1 };
            let event = Event::Started {
                repo: "app".parse().expect("a name"),
                branch: BranchName::for_run(view.feature.kind(), &run, ""),
                target_branch: "main".parse().expect("a branch"),
                request: ContentHash::of("bench"),
                reason: "bench".into(),
                version: "0".into(),
                sandboxed: true,
                from: Some(Status::Planned),
                proposed: None,
                run,
            };
            let record = Record { v: 1, seq: 1, at: Timestamp::UNIX_EPOCH, prev: None, event };
            view.runs.extend(RunState::fold(&[record]).map(Into::into));
        }
    }
    snapshot
}

fn snapshot(notes: usize) -> Snapshot {
    let features = generate::notes(notes)
        .map(|(path, text)| FeatureView {
            feature: note::parse_feature(&path, &text, Some(Status::New)).into(),
            committed: None,
            settling: false,
            held: None,
            owed: false,
            runs: vec![],
            in_flight: None,
            pull_request: None,
            waiting_since: None,
            asked: false,
            edited_plan: None,
            last_author: String::new(),
            tick: Default::default(),
            claimed_by: None,
        })
        .collect();
    Snapshot {
        now: Timestamp::UNIX_EPOCH,
        config: Config::default(),
        features,
        spent_today: Spent::default(),
        spent_tonight: Spent::default(),
        unwell: vec![],
        no_sandbox: None,
        unusable_repos: Default::default(),
        only: None,
    }
}
