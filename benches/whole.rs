//! What people wait for, measured from outside, each beside its floor in the same run: `cargo bench --bench whole`.
//! Ratios are of medians. Other numbers of notes can be named: `BENCH_NOTES=100000`.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod generate;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ado_vault::domain::{BranchName, FeatureType, NotePath, Repository, RunId};
use ado_vault::vault::{CommitMessage, History, VaultLock};
use ado_vault::workspace::Workspace;
use generate::Generated;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ado-vault");

fn main() {
    let named = std::env::var("BENCH_NOTES").unwrap_or_default();
    let sizes: Vec<usize> = named.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000] } else { sizes };
    start_up();
    for notes in sizes {
        println!("\n{notes} notes");
        commands(notes);
        burst(notes);
        saves(notes, 0);
        saves(notes, 50);
    }
    worktrees();
}

fn start_up() {
    let own = median(40, || run(PROGRAM, &["--version"], Path::new(".")));
    let git = median(40, || run("git", &["--version"], Path::new(".")));
    println!("start-up {}, git --version {}: {}", ms(own), ms(git), ratio(own, git));
}

/// Commands in a vault where nothing is to be done, without and with what an earlier one remembered.
fn commands(notes: usize) {
    let generated = Generated::committed(notes).settled();
    let root = generated.vault.root().to_owned();
    let floor = median(10, || {
        std::hint::black_box(generated.read_all_bytes_by_two());
    });
    println!("  floor: all bytes read by two threads {}", ms(floor));
    // `check` says what is wrong with every link of the generated notes.
    for (words, rounds) in [(&["sync", "--no-push"][..], 10), (&["status"][..], 10), (&["check"][..], 3)] {
        let name = words[0];
        let cold = median_after(rounds, || generated.forget_index(), || run(PROGRAM, words, &root));
        let warm = median(rounds, || run(PROGRAM, words, &root));
        println!(
            "  {name}: cold {} ({}), then {} ({})",
            ms(cold),
            ratio(cold, floor),
            ms(warm),
            ratio(warm, floor)
        );
    }
}

/// Twenty commits that follow each other, the index written once, beside as many of the git program.
fn burst(notes: usize) {
    const COMMITS: usize = 20;
    let generated = Generated::committed(notes).settled();
    let history = History::open(&generated.vault).expect("the generated vault has a repository");
    let lock = VaultLock::acquire(&generated.vault).expect("nobody else holds the lock");
    let message = CommitMessage { subject: "FR-000001: bench".into(), ..CommitMessage::default() };
    let paths = [generated.first.clone()];
    let began = Instant::now();
    history.hold_index();
    for round in 0..COMMITS {
        generated.edit_first(round as u64);
        assert!(history.commit(&lock, &paths, &message).expect("the commit can be made").is_some());
    }
    history.release_index(&lock).expect("the index can be written");
    let own = began.elapsed();
    let began = Instant::now();
    for round in COMMITS..2 * COMMITS {
        generated.edit_first(round as u64);
        generated.git(&["add", "--", generated.first.as_str()]);
        generated.git(&["commit", "-q", "-m", "FR-000001: bench"]);
    }
    let git = began.elapsed();
    println!(
        "  {COMMITS} commits, one index write {}, git add and commit {}: {}",
        ms(own),
        ms(git),
        ratio(own, git)
    );
}

/// From a note dragged to another folder until its transition is committed, by a `watch` in another process.
fn saves(notes: usize, debounce_ms: u64) {
    const ROUNDS: usize = 100;
    let generated = Generated::new(notes);
    let root = generated.vault.root().to_owned();
    let settings = root.join("00_system/Settings.md");
    let text = fs::read_to_string(&settings).expect("the template has settings");
    let text = text.replace("debounce_ms: 50", &format!("debounce_ms: {debounce_ms}"));
    fs::write(settings, text.replace("quiet_seconds: 3", "quiet_seconds: 0"))
        .expect("settings can be written");
    for arguments in [&["config", "user.name", "Bench"][..], &["config", "user.email", "bench@example.org"]] {
        generated.git(arguments);
    }
    generated.git(&["add", "-A"]);
    generated.git(&["commit", "-q", "-m", "generated"]);
    // Removed when this ends.
    let _generated = generated.settled();
    let paths: Vec<NotePath> = generate::notes(notes).map(|(path, _)| path).take(ROUNDS + 5).collect();
    let mut watch = Watching::start(&root);
    let mut took: Vec<Duration> = vec![];
    for (round, path) in paths.iter().enumerate() {
        let to = root.join("10_features/01_ideas").join(path.file_name());
        let before = head(&root);
        let began = Instant::now();
        fs::rename(root.join(path.as_str()), to).expect("notes can be moved");
        while head(&root) == before {
            assert!(began.elapsed() < Duration::from_secs(30), "the move was not taken up");
            assert!(watch.is_alive(), "watch ended");
            std::thread::yield_now();
        }
        // The first ones wait for the start.
        if round >= 5 {
            took.push(began.elapsed());
        }
    }
    took.sort_unstable();
    let at = |part: usize| ms(took[(took.len() * part / 100).min(took.len() - 1)]);
    println!("  move to commit, debounce {debounce_ms} ms: p50 {}, p99 {}", at(50), at(99));
}

/// Ended when dropped.
struct Watching(Child);

impl Watching {
    fn start(root: &Path) -> Self {
        let mut watch = Command::new(PROGRAM);
        watch.args(["watch", "--no-sandbox"]).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null());
        Self(watch.spawn().expect("the program starts"))
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the branch points at, as its file says.
fn head(root: &Path) -> Vec<u8> {
    let head = fs::read_to_string(root.join(".git/HEAD")).expect("the vault has a repository");
    let branch = head.trim().trim_start_matches("ref: ");
    fs::read(root.join(".git").join(branch)).unwrap_or_default()
}

/// Worktrees of a repository of 868 files: ten at once, beside ten by the git program one after the other; then two
/// hundred, of which none may fail.
fn worktrees() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let (vault, app) = (folder.path().join("vault"), folder.path().join("app"));
    fs::create_dir_all(&vault).expect("folders can be made");
    for number in 0..868 {
        let file = app.join(format!("src/m{}/f{number}.rs", number / 40));
        fs::create_dir_all(file.parent().expect("it has one")).expect("folders can be made");
        fs::write(file, format!("pub fn f{number}() -> u32 {{\n    {number}\n}}\n").repeat(40))
            .expect("files can be written");
    }
    for words in [
        &["init", "-q", "-b", "main"][..],
        &["config", "user.name", "Bench"],
        &["config", "user.email", "b@example.org"],
        &["add", "-A"],
        &["commit", "-q", "-m", "first"],
    ] {
        run("git", words, &app);
    }
    let root = folder.path().join("worktrees");
    let note: Repository =
        serde_json::from_value(serde_json::json!({ "path": "../app" })).expect("a path is enough");
    let workspace = Workspace::open(&note, &vault, &root).expect("the repository can be used");
    let base = workspace.base_of(&"main".parse().expect("a branch")).expect("it has a commit");
    let add = &|number: u32| {
        let run = RunId { feature: format!("FR-{number}").parse().expect("an id"), number: 1 };
        let branch = BranchName::for_run(FeatureType::Feature, &run, "bench");
        workspace.prepare(&run, &branch, &base, None)
    };
    let round = |round: u32| {
        let began = Instant::now();
        let made = std::thread::scope(|scope| {
            let adding: Vec<_> =
                (0..10).map(|at| scope.spawn(move || add(round * 10 + at).is_ok())).collect();
            adding.into_iter().map(|thread| thread.join().unwrap_or(false)).filter(|made| *made).count()
        });
        (began.elapsed(), 10 - made)
    };
    let rounds: Vec<(Duration, usize)> = (0..20).map(round).collect();
    let mut own: Vec<Duration> = rounds.iter().map(|(took, _)| *took).collect();
    own.sort_unstable();
    let failed: usize = rounds.iter().map(|(_, failed)| failed).sum();
    let mut number = 0;
    let git = median(5, || {
        for _ in 0..10 {
            number += 1;
            let place: PathBuf = folder.path().join(format!("git/{number}"));
            let place = place.to_string_lossy().into_owned();
            run("git", &["worktree", "add", "-q", "-b", &format!("b{number}"), &place, "main"], &app);
        }
    });
    println!(
        "\n10 worktrees at once {}, one after the other by git {}: {}",
        ms(own[10]),
        ms(git),
        ratio(own[10], git)
    );
    println!("200 worktrees, ten at a time: {failed} failed");
}

fn run(program: &str, arguments: &[&str], folder: &Path) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("the program starts");
    // `check` finds faults in generated notes; anything else is done.
    assert!(matches!(status.code(), Some(0 | 1)), "{program} {arguments:?}: {status}");
}

fn median(rounds: usize, work: impl FnMut()) -> Duration {
    median_after(rounds, || {}, work)
}

/// Of what `work` takes; `before` is not measured.
fn median_after(rounds: usize, mut before: impl FnMut(), mut work: impl FnMut()) -> Duration {
    let mut took: Vec<Duration> = (0..rounds)
        .map(|_| {
            before();
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[rounds / 2]
}

fn ms(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
}

fn ratio(took: Duration, floor: Duration) -> String {
    format!("{:.2} ×", took.as_secs_f64() / floor.as_secs_f64())
}
