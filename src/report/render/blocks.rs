//! The managed blocks of a feature note. Markers are not written here.

use crate::domain::{Diagnostic, RunId, RunState, Triage, Wait, WorkPlan};

/// Content of the `triage` block: the routing decision with its reasons.
pub fn triage_block(triage: &Triage) -> String {
    format!("> [!info]- Triage: {} ({})", triage.tier, triage.complexity)
}

/// Content of the `plan` block.
pub fn plan_block(plan: &WorkPlan, run: &RunId) -> String {
    format!("> [!info]- Plan, run {run}\n> {} steps", plan.steps.len())
}

/// Content of the `progress` block: an embed of the run note, so that progress never rewrites the feature note.
pub fn progress_block(run: &RunId) -> String {
    format!("![[60_runs/{run}/run|Run {run}]]")
}

/// Content of the `review` block: the last review and the rounds before it.
pub fn review_block(state: &RunState) -> String {
    format!("> [!info]- Review, run {}", state.id)
}

/// Content of the `pull-request` block.
pub fn pull_request_block(state: &RunState) -> String {
    format!("> [!info] Pull request of run {}", state.id)
}

/// Content of the `why` block: what the feature waits for, what unblocks it, and what is wrong with the note.
pub fn why_block(wait: &Wait, problems: &[Diagnostic]) -> String {
    format!("> [!warning] Waiting on {}\n> {} problems", wait.on, problems.len())
}
