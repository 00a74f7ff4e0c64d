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
    said: AtomicU32,
}

impl Killer {
    /// `words` is the file in which all processes write what was said; it kills at word `at`, never for 0.
    pub fn at(words: PathBuf, at: u32) -> Self {
        let said = fs::read_to_string(&words).unwrap_or_default().lines().count();
        Self { words, at, said: AtomicU32::new(u32::try_from(said).unwrap()) }
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
        if self.said.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
            // The signal ends every thread; none may get further meanwhile.
            std::thread::park();
        }
    }
}
