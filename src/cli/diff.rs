//! What a file would become, as a unified diff.

use serde::Serialize;
use similar::TextDiff;

use crate::domain::NotePath;

/// One file's change.
#[derive(Debug, Serialize)]
pub struct NoteDiff {
    pub path: NotePath,
    pub to: NotePath,
    pub diff: String,
}

impl NoteDiff {
    pub fn of(path: &NotePath, to: &NotePath, before: &str, after: &str) -> Self {
        let (from, into) = (format!("a/{path}"), format!("b/{to}"));
        let lines = TextDiff::from_lines(before, after);
        let mut diff = lines.unified_diff().context_radius(1).header(&from, &into).to_string();
        if diff.is_empty() {
            diff = format!("--- {from}\n+++ {into}\n");
        }
        Self { path: path.clone(), to: to.clone(), diff }
    }
}
