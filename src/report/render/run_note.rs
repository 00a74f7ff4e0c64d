//! The whole text of `run.md`.

use crate::domain::{Record, RunState};

/// The run note: front matter and a body that tells what happened.
pub fn run_note(state: &RunState, records: &[Record], feature_title: &str) -> String {
    format!("# {feature_title}, run {}\n\n{} records\n", state.id, records.len())
}
