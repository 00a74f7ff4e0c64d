//! What came of the review of somebody else's pull request, as whoever asked for it is told. Reads a run's state, and does
//! nothing.

use serde::Serialize;

use super::EngineError;
use crate::domain::{
    Finding, GitId, PullRequestRef, Review, RunId, RunState, Severity, Spent, StepResult, Wait,
};

/// How an order ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Reviewed {
    Done(Box<ReviewReport>),
    /// Not now, and why.
    Waits(Wait),
}

/// What a review found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewReport {
    /// Under which it is journalled.
    pub run: RunId,
    pub pull_request: PullRequestRef,
    pub author: String,
    pub from_fork: bool,
    pub head: GitId,
    /// Whether anything was found that should keep it from being merged.
    pub blocks: bool,
    pub review: Review,
    /// What rules found, in the change and in what the agent was shown.
    pub found: Vec<Finding>,
    pub spent: Spent,
    /// The head was reviewed before, and nothing was asked for it now.
    pub known: bool,
    /// What was found stands at the forge.
    pub posted: bool,
}

pub(super) fn is_posted(state: &RunState) -> bool {
    state.proposed.as_ref().is_some_and(|proposed| state.completed.contains(&proposed.comment_effect()))
}

/// What rules found, worst first.
pub(super) fn found_in(state: &RunState) -> Vec<Finding> {
    let mut found: Vec<Finding> = state.noticed.iter().map(|(_, finding)| finding.clone()).collect();
    found.sort_by_key(|finding| finding.severity);
    found
}

pub(super) fn report(state: &RunState, review: Review, known: bool) -> Result<ReviewReport, EngineError> {
    let proposed = state.proposed.clone().ok_or_else(|| EngineError::NoSuchRun(state.id.to_string()))?;
    let found = found_in(state);
    Ok(ReviewReport {
        run: state.id.clone(),
        blocks: !review.approves() || found.iter().any(|finding| finding.severity == Severity::Error),
        pull_request: proposed.pr,
        author: proposed.author,
        from_fork: proposed.from_fork,
        head: proposed.head,
        review,
        found,
        spent: state.committed_spend(),
        known,
        posted: is_posted(state),
    })
}

/// How a review ended that came to no verdict.
pub(super) fn not_reviewed(state: &RunState) -> Result<Reviewed, EngineError> {
    let wait = |on: &str, why: &str, unblock: &str| {
        let (on, why, unblock) = (on.to_owned(), why.to_owned(), unblock.to_owned());
        Ok(Reviewed::Waits(Wait { on, why, unblock, needs_human: false }))
    };
    match state.last_try().and_then(|step| step.result.as_ref()) {
        Some(StepResult::Failed { error, remedy, .. }) => {
            Err(EngineError::not_reviewed(error.clone(), remedy))
        }
        Some(StepResult::OutOfBudget { reason }) => {
            wait("budget", reason, "wait, or raise the cap in `00_system/Settings.md`")
        }
        Some(StepResult::Parked { until, reason }) => wait(
            "quota",
            reason,
            &format!("ask again after {until:.0}, or name another model for the reviewer"),
        ),
        _ => wait("stopped", "the review was stopped", "ask again; it goes on where it was"),
    }
}
