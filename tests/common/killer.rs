//! Ends its own process when the engine says its n-th word, counted over all processes of a story.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ado_vault::engine::{Listener, Said};

const VAULT: &str = "ADO_KILL_VAULT";
const WORDS: &str = "ADO_KILL_WORDS";
const AT: &str = "ADO_KILL_AT";
/// How words that count begin; all count without it.
pub const BEGINNING: &str = "ADO_KILL_BEGINNING";

/// The vault of a process that is to be killed, and what kills it; nothing where the tests themselves run.
pub fn victim() -> Option<(PathBuf, Killer)> {
    let vault = std::env::var_os(VAULT)?.into();
    let words = std::env::var_os(WORDS).unwrap().into();
    let at = std::env::var(AT).unwrap().parse().unwrap();
    let beginning = std::env::var(BEGINNING).unwrap_or_default();
    Some((vault, Killer::at_word(words, beginning, at)))
}

/// A test of this program, by its name, in a process of its own that is killed at word `at`, never for 0. `words` is the file
/// in which all processes write what was said.
pub fn engine(worker: &str, vault: &Path, words: &Path, at: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([worker, "--exact", "--nocapture"])
        .env(VAULT, vault)
        .env(WORDS, words)
        .env(AT, at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Counts durable records and effects over all processes, in a file; kills its own process at one.
pub struct Killer {
    words: PathBuf,
    at: u32,
    /// Words that count begin so.
    beginning: String,
    said: AtomicU32,
}

impl Killer {
    fn at_word(words: PathBuf, beginning: String, at: u32) -> Self {
        let said = fs::read_to_string(&words).unwrap_or_default();
        let said = said.lines().filter(|word| word.starts_with(&beginning)).count();
        Self { words, at, beginning, said: AtomicU32::new(u32::try_from(said).unwrap()) }
    }
}

impl Listener for Killer {
    fn hear(&self, said: &Said) {
        let word = match said {
            Said::Recorded { record, .. } => format!("{:?}", record.event),
            Said::Did { what, .. } => format!("did {what}"),
            _ => return,
        };
        let line: String = word.chars().take(100).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.words).unwrap();
        writeln!(file, "{}", line.replace('\n', " ")).unwrap();
        if line.starts_with(&self.beginning) && self.said.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
            // The signal ends every thread; none may get further meanwhile.
            std::thread::park();
        }
    }
}
