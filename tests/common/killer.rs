//! Ends its own process when the engine says its n-th word, counted over all processes of a story.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ado_vault::engine::{Listener, Said};

/// Counts durable records and effects over all processes, in a file; kills its own process at one.
pub struct Killer {
    words: PathBuf,
    at: u32,
    /// Words that count begin so.
    beginning: String,
    said: AtomicU32,
}

impl Killer {
    /// `words` is the file in which all processes write what was said; it kills at word `at`, never for 0.
    pub fn at(words: PathBuf, at: u32) -> Self {
        Self::at_word(words, String::new(), at)
    }

    /// The same, with only words counted that begin so.
    pub fn at_word(words: PathBuf, beginning: String, at: u32) -> Self {
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
