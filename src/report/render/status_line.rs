//! One line for terminals and logs. Knows nothing of Markdown or colours.

use super::words;
use crate::domain::{RunState, StepTry};
use crate::note::plain;

/// Where a run stands: `FR-056/1 · code/2 · at work · $0.12, 41,000 tokens, 7 calls · 3 min 5 s`.
pub fn status_line(state: &RunState) -> String {
    let mut parts = vec![state.id.to_string()];
    if let Some(step) = state.last_try() {
        parts.push(step.key.to_string());
    }
    parts.push(standing(state));
    parts.push(words::spent(state.spent));
    parts.push(words::duration(state.active_seconds()));
    plain(&parts.join(" · "))
}

/// What one step did: `code/2 · 3 files, +20 −4 · 12 s · $0.03`. An unfinished step is `at work`.
pub fn step_line(step: &StepTry) -> String {
    let mut parts = vec![step.key.to_string()];
    if step.attempt > 1 {
        parts.push(format!("attempt {}", step.attempt));
    }
    match &step.result {
        Some(result) => {
            parts.push(words::result(result));
            parts.push(words::taken(step, step.started));
        }
        None => parts.push("at work".to_owned()),
    }
    if step.spent.calls > 0 {
        parts.push(step.spent.usd.to_string());
    }
    plain(&parts.join(" · ")).replace('\n', " ")
}

/// What a run is doing or waiting for, in a few words.
pub(super) fn standing(state: &RunState) -> String {
    if let Some((end, detail)) = &state.ended {
        let word = match end {
            crate::domain::RunEnd::Merged => "merged",
            crate::domain::RunEnd::Accepted => "accepted",
            crate::domain::RunEnd::Stopped => "stopped",
            crate::domain::RunEnd::Dropped => "dropped",
            crate::domain::RunEnd::Split => "split into smaller features",
            crate::domain::RunEnd::Specified => "specification drafted",
        };
        return if detail.is_empty() { word.to_owned() } else { format!("{word}: {detail}") };
    }
    if let Some((brake, detail)) = &state.brake {
        return format!("stopped by a brake, {brake}: {detail}");
    }
    if let Some((until, reason)) = &state.parked {
        return format!("parked until {}: {reason}", words::clock(*until));
    }
    if let Some((gate, ..)) = &state.asked {
        return format!("waiting for approval: {gate}");
    }
    match state.last_try() {
        Some(step) if step.result.is_none() => "at work".to_owned(),
        _ if state.pr.is_some() => "pull request open".to_owned(),
        _ => "between steps".to_owned(),
    }
}
