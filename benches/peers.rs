//! CPU time of the same work by other programs that keep tasks as Markdown, in one run: `BACKLOG=$(which backlog) cargo bench
//! --bench peers` holds `status`, `check` and one edit against backlog.md's list and edit (`npm install backlog.md`). Other
//! numbers of notes can be named: `BENCH_NOTES=1000,10000`.
//!
//! CPU time of the process and its children, the best of several: other work on the machine changes it little.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod generate;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use generate::Generated;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ado-vault");
const ROUNDS: usize = 3;

fn main() {
    let named = std::env::var("BENCH_NOTES").unwrap_or_default();
    let sizes: Vec<usize> = named.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let Ok(backlog) = std::env::var("BACKLOG") else {
        println!("BACKLOG names no program: nothing is measured");
        return;
    };
    for notes in if sizes.is_empty() { vec![1_000, 10_000] } else { sizes } {
        let generated = Generated::committed(notes).settled();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        lay_out_tasks(&backlog, folder.path(), notes);
        let list = cpu(&backlog, &["task", "list", "--plain"], folder.path());
        let edit = cpu(&backlog, &["task", "edit", "1", "-t", "Title ROUND", "--plain"], folder.path());
        println!("{notes} notes: backlog.md lists in {} and edits in {}, CPU time", ms(list), ms(edit));
        let root = generated.vault.root();
        let first = generated.first.as_str();
        for (words, floor) in
            [(&["status"][..], list), (&["check"][..], list), (&["set", first, "priority=ROUND"][..], edit)]
        {
            let own = cpu(PROGRAM, words, root);
            let factor = floor.as_secs_f64() / own.as_secs_f64();
            println!("  {}: {}, {factor:.0} × less", words[0], ms(own));
        }
    }
}

/// As many tasks as notes, each as long, in a repository with nothing uncommitted.
fn lay_out_tasks(backlog: &str, folder: &Path, count: usize) {
    let git = |words: &[&str]| done("git", words, folder);
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "user.name", "Bench"]);
    git(&["config", "user.email", "bench@example.org"]);
    done(backlog, &["init", "bench", "--defaults"], folder);
    // So that it looks at nothing but the files.
    for setting in ["remoteOperations", "checkActiveBranches"] {
        done(backlog, &["config", "set", setting, "false"], folder);
    }
    for (number, (path, text)) in (1..).zip(generate::notes(count)) {
        let title = path.stem().split_once(' ').map_or("", |(_, title)| title);
        let body = text.splitn(3, "---").nth(2).unwrap_or_default();
        let task = format!(
            "---\nid: TASK-{number}\ntitle: {title}\nstatus: To Do\nassignee: []\ncreated_date: '2026-11-21 10:00'\n\
             labels: []\ndependencies: []\nordinal: {number}000\n---\n{body}"
        );
        let file = format!("backlog/tasks/task-{number} - {}.md", title.replace(' ', "-"));
        fs::write(folder.join(file), task).expect("tasks can be written");
    }
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "generated"]);
}

fn done(program: &str, words: &[&str], folder: &Path) {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("the program starts");
    // `check` finds faults in generated notes; anything else is done.
    assert!(matches!(status.code(), Some(0 | 1)), "{program} {words:?}: {status}");
}

/// The least of several rounds; `ROUND` in a word is the round's number, so that an edit changes something each time.
fn cpu(program: &str, words: &[&str], folder: &Path) -> Duration {
    let round = |round: usize| {
        let words: Vec<String> = words.iter().map(|word| word.replace("ROUND", &round.to_string())).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let before = of_children();
        done(program, &words, folder);
        of_children() - before
    };
    (1..=ROUNDS).map(round).min().expect("there is a round")
}

/// CPU time of all children that have ended, user and system.
fn of_children() -> Duration {
    // SAFETY: a struct of numbers may be all zero, and the call only writes into it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        let (seconds, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros.unwrap_or(0))
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn ms(took: Duration) -> String {
    format!("{:.0} ms", took.as_secs_f64() * 1_000.0)
}
