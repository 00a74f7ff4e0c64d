//! A run's journal as lines for people.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{Event, Record, RunId};
use crate::note;

/// One line of `ado-vault log`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    pub run: RunId,
    pub seq: u64,
    pub at: Timestamp,
    /// The event's name in the journal.
    pub event: String,
    pub what: String,
}

/// All records of a run in words, oldest first.
pub fn log(run: &RunId, records: &[Record]) -> Vec<LogLine> {
    records
        .iter()
        .map(|record| LogLine {
            run: run.clone(),
            seq: record.seq,
            at: record.at,
            event: event_name(&record.event),
            what: note::plain(&in_words(&record.event)),
        })
        .collect()
}

/// The event's tag as the journal writes it.
pub(super) fn event_name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap_or_default();
    value.get("type").and_then(|name| name.as_str()).unwrap_or("unknown").to_owned()
}

/// What happened, without the event's name.
pub(super) fn in_words(event: &Event) -> String {
    match event {
        Event::Started { repo, branch, reason, sandboxed, .. } => {
            let boxed = if *sandboxed { "" } else { ", WITHOUT a sandbox" };
            format!("on {repo}, branch {branch}{boxed}: {reason}")
        }
        Event::BranchReplaced { from, to } => format!("{} by {}", from.short(), to.short()),
        Event::Triaged { triage } => {
            format!(
                "{}, complexity {}, risk {}, {}",
                triage.tier, triage.complexity, triage.risk, triage.strategy
            )
        }
        Event::StepStarted { key, attempt } => format!("{key}, attempt {attempt}"),
        Event::StepFinished { key, outcome, .. } => {
            format!("{key} in {:.1} s: {}", outcome.millis as f64 / 1000.0, outcome.result.in_words())
        }
        Event::ModelCallStarted { call, key, agent, model, reserved } => {
            format!("call {call} for {key} by {agent} to {model}, at most {}", reserved.usd)
        }
        Event::ModelCallFinished { call, tokens, cost, ended, .. } => {
            format!(
                "call {call}: {} tokens in ({} of them cached), {} out, {cost}, ended by {ended}",
                tokens.input, tokens.cached, tokens.output
            )
        }
        Event::TurnRemembered { key, call, used: true, .. } => {
            format!("{key} goes on: the answer of call {call} is in its transcript and was not paid again")
        }
        Event::TurnRemembered { key, call, used: false, why } => {
            format!("{key} asks anew from where call {call} was: {why}")
        }
        Event::ToolCalled { tool, input, ok, exit_code, .. } => {
            let end = match (ok, exit_code) {
                (true, _) => String::new(),
                (false, Some(code)) => format!(" → exit {code}"),
                (false, None) => " → refused or failed".to_owned(),
            };
            format!("{tool} {}{end}", first_line(input))
        }
        Event::NetworkRefused { by, host, port, reason, times, .. } => {
            format!("{host}:{port} refused to {by}, {times} times: {reason}")
        }
        Event::Noticed { key, finding } => format!("{key} [{}] {}", finding.rule, finding.message),
        Event::Intended { effect, detail } => format!("{effect} {detail}"),
        Event::Completed { effect, detail } => format!("{effect} {detail}"),
        Event::PullRequestOpened { pr, head } => format!("{pr} at {}", head.short()),
        Event::Merged { commit } => commit.to_string(),
        Event::ApprovalAsked { gate, refused: Some(why), .. } => format!("{gate} again: {why}"),
        Event::ApprovalAsked { gate, .. } => format!("{gate}"),
        Event::Approved { gate, by, .. } => format!("{gate} by {by}"),
        Event::PlanEdited { .. } => "the plan as a human rewrote it".to_owned(),
        Event::Braked { brake, detail } => format!("{brake}: {detail}"),
        Event::Resumed { by, words } | Event::ReviewAsked { by, words } => {
            format!("by {by} {}", words.join(" / "))
        }
        Event::Reworked { feedback } => {
            feedback.iter().map(|each| first_line(&each.text)).collect::<Vec<_>>().join(" / ")
        }
        Event::BranchUpdated { from, change, conflicts } => {
            let into = format!("{} into {}: {}", change.base.short(), from.short(), change.commit.short());
            if conflicts.is_empty() { into } else { format!("{into}, in conflict: {}", conflicts.join(", ")) }
        }
        Event::Moved { from, to } => format!("{from} → {to} by a human"),
        Event::BlockWritten { block, .. } => block.clone(),
        Event::SplitInto { features } => {
            features.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        Event::Ended { result, detail } => format!("{result:?} {detail}").to_lowercase(),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 100 {
        format!("{}…", line.chars().take(99).collect::<String>())
    } else {
        line.to_owned()
    }
}
