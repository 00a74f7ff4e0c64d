//! What the engine says while it works, for progress displays and logs.

use crate::domain::{Diagnostic, Record, RunId, Spent, StepKey, StepOutcome};

pub(super) const NO_SANDBOX: &str =
    "agents run WITHOUT a sandbox: they can read and change everything you can";

/// Something worth telling a person who watches.
#[derive(Debug, Clone)]
pub enum Said {
    /// A transition or another effect was performed: `FR-001: planned → in_progress`.
    Did {
        feature: String,
        what: String,
    },
    StepStarted {
        run: RunId,
        key: StepKey,
        attempt: u32,
    },
    StepFinished {
        run: RunId,
        key: StepKey,
        outcome: Box<StepOutcome>,
        spent: Spent,
    },
    /// A human must act.
    Waits {
        feature: String,
        on: String,
        unblock: String,
    },
    Problem {
        what: String,
    },
    /// A record was written to a run's journal and is durable.
    Recorded {
        run: RunId,
        record: Box<Record>,
    },
}

impl Said {
    /// A problem as a finding of the books: how agents would run is none.
    pub fn as_warning(&self) -> Option<Diagnostic> {
        match self {
            Self::Problem { what } if what != NO_SANDBOX => {
                Some(Diagnostic::warning("not-done", what, "the next `sync` or `watch` tries it again"))
            }
            _ => None,
        }
    }
}

/// Hears what the engine says. Must return at once, and must not call back: the journals may be locked meanwhile.
pub trait Listener: Send + Sync {
    fn hear(&self, said: &Said);
}

/// Hears nothing.
pub struct Quiet;

impl Listener for Quiet {
    fn hear(&self, _said: &Said) {}
}
