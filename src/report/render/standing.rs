//! What a run is doing, in a few words. Knows nothing of Markdown or colours.

use super::words;
use crate::domain::{RunEnd, RunState};

/// What a run is doing or waiting for, in a few words.
pub(super) fn standing(state: &RunState) -> String {
    if let Some((end, detail)) = &state.ended {
        let word = match end {
            RunEnd::Merged => "merged",
            RunEnd::Accepted => "accepted",
            RunEnd::Stopped => "stopped",
            RunEnd::Dropped => "dropped",
            RunEnd::Split => "split into smaller features",
            RunEnd::Specified => "specification drafted",
            RunEnd::Reviewed => "reviewed",
        };
        return if detail.is_empty() { word.to_owned() } else { format!("{word}: {detail}") };
    }
    if let Some((brake, detail)) = &state.brake {
        return format!("stopped by a brake, {brake}: {detail}");
    }
    if let Some((until, reason)) = &state.parked {
        return format!("parked until {}: {reason}", words::clock(*until));
    }
    if let Some(asked) = &state.asked {
        return format!("waiting for approval: {}", asked.gate);
    }
    match state.last_try() {
        Some(step) if step.result.is_none() => "at work".to_owned(),
        _ if state.pr.is_some() => "pull request open".to_owned(),
        _ => "between steps".to_owned(),
    }
}
