//! What an external agent's run came to: its result for a role that gives one, else a change that others judge, or why
//! neither can be told.

use super::station::{Run, Station};
use crate::agents::gateway::Standing;
use crate::agents::{AgentAnswer, AgentError, evidence, schema};
use crate::models::ModelError;

const SUMMARY_BYTES: usize = 4 << 10;

/// What a run came to.
pub(super) enum Ending {
    Answer(AgentAnswer),
    /// The result does not fit, or there is none: what to tell the agent.
    Repair(String),
}

/// Judges one run. `said` are the agent's last words as far as its backend knows them.
///
/// # Errors
/// The model's own where it ended the work; `TurnsUsedUp`; `Unfinished` for a change that may be half of one.
pub(super) fn judge(station: &Station<'_>, run: &Run, said: &str) -> Result<Ending, AgentError> {
    let standing = station.standing();
    match station.may_write() {
        true => judge_change(station, run, said, standing),
        false => judge_result(station, run, said, standing),
    }
}

/// The error after the last repair.
pub(super) fn not_repaired(station: &Station<'_>, problem: &str) -> AgentError {
    AgentError::BadAnswer { agent: station.agent.name.clone(), detail: station.clean(problem, 500) }
}

fn judge_change(
    station: &Station<'_>,
    run: &Run,
    said: &str,
    standing: Standing,
) -> Result<Ending, AgentError> {
    let agent = station.agent.name.clone();
    let summary = summary(station, said, &standing);
    if let Some(error @ ModelError::OutOfBudget { .. }) = standing.error {
        return Err(AgentError::Model(error));
    }
    if standing.turns_used_up {
        return Err(AgentError::TurnsUsedUp { agent, turns: station.agent.max_turns, partial: true });
    }
    let reason = match &standing.error {
        Some(error) => Some(error.to_string()),
        None if standing.calls == 0 => Some(no_call(run, &standing)),
        None => run.was_ended.then(|| run.ended.clone()),
    };
    match reason {
        Some(reason) => {
            let reason = station.clean(&reason, 600);
            Err(AgentError::Unfinished { agent, reason, error: standing.error.map(Box::new), summary })
        }
        None => Ok(Ending::Answer(AgentAnswer::Changed { summary })),
    }
}

fn judge_result(
    station: &Station<'_>,
    run: &Run,
    said: &str,
    standing: Standing,
) -> Result<Ending, AgentError> {
    let left = station.left_behind().unwrap_or_default();
    let mut problem = None;
    for text in [left.as_str(), said, run.said.as_str(), standing.last_text.as_str()] {
        let Some(found) = schema::find(station.role(), text) else { continue };
        match found.and_then(|answer| evidence::covering_all(answer, &station.job.request.feature)) {
            Ok(answer) => return Ok(Ending::Answer(answer)),
            Err(why) => {
                problem.get_or_insert(why);
            }
        }
    }
    if let Some(error) = standing.error {
        return Err(AgentError::Model(error));
    }
    let agent = station.agent.name.clone();
    if standing.turns_used_up {
        return Err(AgentError::TurnsUsedUp { agent, turns: station.agent.max_turns, partial: false });
    }
    if run.was_ended || standing.calls == 0 {
        let reason = if run.was_ended { run.ended.clone() } else { no_call(run, &standing) };
        return Err(AgentError::NoAnswer { agent, detail: station.clean(&reason, 600) });
    }
    Ok(Ending::Repair(problem.unwrap_or_else(|| "there is no result".to_owned())))
}

fn no_call(run: &Run, standing: &Standing) -> String {
    let why = if standing.reason.is_empty() { String::new() } else { format!(" ({})", standing.reason) };
    format!("it ended without a model call{why}: {}", run.ended)
}

/// The agent's own words on what it did, for the commit.
fn summary(station: &Station<'_>, said: &str, standing: &Standing) -> String {
    let words = [said, standing.last_text.as_str()].into_iter().map(str::trim).find(|text| !text.is_empty());
    words.map_or_else(
        || format!("changed by agent `{}`", station.agent.name),
        |words| station.clean(words, SUMMARY_BYTES),
    )
}
