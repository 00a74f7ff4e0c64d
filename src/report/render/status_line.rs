//! One line for terminals and logs.

use crate::domain::{RunState, StepTry};

/// `FR-056/1 · code/2 · $0.12 · 41 s`.
pub fn status_line(state: &RunState) -> String {
    format!("{} · {}", state.id, state.spent.usd)
}

/// What one step did: `code/2: 3 files, +20 −4 · 12 s · $0.0300`.
pub fn step_line(step: &StepTry) -> String {
    format!("{} · {}", step.key, step.spent.usd)
}
