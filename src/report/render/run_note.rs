//! The whole text of `run.md`: a projection of the journal for people. Knows nothing of where it is written.

use super::markdown::{cell, code, code_cell, inline, or_dash, table, yaml};
use super::standing::standing;
use super::{blocks, words};
use crate::domain::{Event, GateResult, NoteName, Record, RunState, Severity};
use crate::note;

/// Lines of the timeline; older ones are in the journal.
const TIMELINE: usize = 200;
/// Diagnostics shown for one gate.
const DIAGNOSTICS: usize = 20;

/// The run note: front matter, and a body that tells what happened. `feature_title` is the feature note's stem, or its
/// title where the id is not part of it.
pub fn run_note(state: &RunState, records: &[Record], feature_title: &str) -> String {
    let stem = feature_stem(state, feature_title);
    let mut text = front_matter(state, &stem);
    match &state.proposed {
        Some(proposed) => {
            let (key, head, author) =
                (inline(&proposed.pr.key), proposed.head.short(), inline(&proposed.author));
            text.push_str(&format!("# Review {} of {key}\n\n", state.id.number));
            text.push_str(&format!(
                "{}, {head} by {author}: {}\n",
                proposed.pr.link,
                inline(&standing(state))
            ));
        }
        None => {
            text.push_str(&format!("# Run {} of {}\n\n", state.id.number, inline(&stem)));
            text.push_str(&format!("[[{}]]: {}\n", inline(&stem), inline(&standing(state))));
        }
    }
    if !state.sandboxed {
        text.push_str("\n> [!warning] The agents of this run work without a sandbox\n");
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n## {title}\n\n{}\n", lines.join("\n").trim()));
        }
    };
    section("Steps", steps(state));
    section("Checks", checks(state));
    section("Review", review(state));
    section("Plan", state.plan.as_ref().map(blocks::plan_lines).unwrap_or_default());
    section("Commits", commits(state));
    section("Timeline", timeline(records));
    text
}

/// The name that a wikilink to the feature says.
fn feature_stem(state: &RunState, title: &str) -> String {
    let id = &state.id.feature;
    if title.starts_with(id.as_str()) {
        return title.to_owned();
    }
    let name = note::file_name(Some(id), title, NoteName::Title);
    name.strip_suffix(".md").map_or_else(|| name.clone(), str::to_owned)
}

fn front_matter(state: &RunState, stem: &str) -> String {
    let step = state.last_try().map_or_else(String::new, |step| step.key.to_string());
    let (of, branch) = match &state.proposed {
        Some(proposed) => (format!("pull_request: {}", yaml(&proposed.pr.link)), String::new()),
        None => (format!("feature: {}", yaml(&format!("[[{stem}]]"))), format!("branch: {}\n", state.branch)),
    };
    format!(
        "---\n{of}\nrun: {}\nstatus: {}\nstep: {}\n{branch}cost_usd: {}\ntokens: {}\nstarted: {}\n\
         updated: {}\n---\n",
        state.id,
        state.status,
        step,
        state.spent.usd.rounded(),
        state.spent.tokens,
        words::clock(state.started),
        words::clock(state.last),
    )
}

fn steps(state: &RunState) -> Vec<String> {
    let rows: Vec<Vec<String>> = state
        .tries
        .iter()
        .map(|step| {
            let result = step.result.as_ref().map_or_else(|| "at work".to_owned(), words::result);
            let key = match step.attempt {
                0 | 1 => step.key.to_string(),
                attempt => format!("{}, attempt {attempt}", step.key),
            };
            let (cost, tokens) = match step.spent.calls {
                0 => ("—".to_owned(), "—".to_owned()),
                _ => (step.spent.usd.to_string(), words::grouped(step.spent.tokens)),
            };
            vec![key, cell(&result), words::taken(step, state.last), cost, tokens]
        })
        .collect();
    let mut lines = table(&["step", "result", "time", "cost", "tokens"], &rows);
    // The feature note embeds this section: it is there from the start.
    if rows.is_empty() {
        lines.push("None yet.".to_owned());
    } else {
        lines.push(String::new());
        lines.push(format!(
            "Together {} and {} of work.",
            words::spent(state.spent),
            words::duration(state.active_millis())
        ));
        lines.extend(words::kinds(state.tokens));
    }
    lines
}

fn checks(state: &RunState) -> Vec<String> {
    let Some((round, _)) = state.gate_history.last() else { return vec![] };
    let mut lines = vec![format!("Round {round}: {}", inline(&words::gates(&state.gates)))];
    lines.extend(blocks::gates_table(&state.gates));
    for gate in state.gates.iter().filter(|gate| !gate.passed()) {
        lines.extend(diagnostics(gate));
    }
    let earlier = state.gate_history.len() - 1;
    if earlier > 0 {
        lines.push(String::new());
        lines.extend(
            state.gate_history[..earlier]
                .iter()
                .map(|(round, gates)| format!("- Round {round}: {}", inline(&words::gates(gates)))),
        );
    }
    lines
}

fn diagnostics(gate: &GateResult) -> Vec<String> {
    let shown: Vec<_> = gate.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    let mut lines = vec![];
    if !shown.is_empty() {
        lines.extend([String::new(), format!("Errors of {}:", inline(&gate.name)), String::new()]);
    }
    lines.extend(shown.iter().take(DIAGNOSTICS).map(|d| {
        let place = match (&d.file, d.line) {
            (Some(file), Some(line)) => format!("{}: ", code(&format!("{file}:{line}"))),
            (Some(file), None) => format!("{}: ", code(file)),
            _ => String::new(),
        };
        let number = d.code.as_ref().map_or_else(String::new, |code| format!(" ({})", inline(code)));
        format!("- {place}{}{number}", or_dash(&d.message))
    }));
    if shown.len() > DIAGNOSTICS {
        lines.push(format!("- and {} more", shown.len() - DIAGNOSTICS));
    }
    lines
}

fn review(state: &RunState) -> Vec<String> {
    if state.review.is_none() { vec![] } else { vec![super::review_block(state)] }
}

fn commits(state: &RunState) -> Vec<String> {
    table(
        &["step", "commit", "change since the base", "summary"],
        &state
            .changes
            .iter()
            .map(|(key, change)| {
                vec![
                    key.to_string(),
                    code_cell(change.commit.short()),
                    words::size(change),
                    cell(&change.summary),
                ]
            })
            .collect::<Vec<_>>(),
    )
}

/// What happened when, without tool and model calls: those are in the journal.
fn timeline(records: &[Record]) -> Vec<String> {
    let finished: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::StepFinished { key, attempt, .. } => Some((*key, *attempt)),
            _ => None,
        })
        .collect();
    let is_told_by_its_end = |event: &Event| match event {
        Event::StepStarted { key, attempt } => finished.contains(&(*key, *attempt)),
        _ => false,
    };
    let lines: Vec<String> = records
        .iter()
        .filter(|record| !is_told_by_its_end(&record.event))
        .filter_map(|record| {
            let at = record.at.strftime("%Y-%m-%d %H:%M:%S");
            Some(format!("- {at} {}", inline(&told(&record.event)?)))
        })
        .collect();
    if lines.is_empty() {
        return vec![];
    }
    let hidden = lines.len().saturating_sub(TIMELINE);
    let mut shown =
        vec!["Times are UTC; model and tool calls are in `journal.jsonl`.".to_owned(), String::new()];
    if hidden > 0 {
        shown.push(format!("- {hidden} earlier events are in `journal.jsonl`"));
    }
    shown.extend(lines.into_iter().skip(hidden));
    shown
}

/// An event in words; `None` for what its neighbours say better.
fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started { reason, version, .. } => format!("started by ado-vault {version}: {reason}"),
        Event::Triaged { triage } => format!("triaged: {}, complexity {}", triage.tier, triage.complexity),
        Event::StepStarted { key, attempt: 0 | 1 } => format!("{key} begun"),
        Event::StepStarted { key, attempt } => format!("{key} begun, attempt {attempt}"),
        Event::StepFinished { key, outcome, .. } => format!("{key}: {}", words::result(&outcome.result)),
        Event::Completed { effect, detail } => done(effect, detail)?,
        Event::PullRequestOpened { pr, head } => format!("pull request {pr} at {}", head.short()),
        Event::BranchReplaced { to, .. } => {
            format!("commits that held a secret were replaced by {}, nothing of them was pushed", to.short())
        }
        Event::Merged { commit } => format!("merged as {}", commit.short()),
        Event::ApprovalAsked { gate, .. } => format!("asked for approval: {gate}"),
        Event::Approved { gate, by, .. } => format!("{gate} approved by {by}"),
        Event::PlanEdited { .. } => "plan edited by a human".to_owned(),
        Event::Braked { brake, detail } => format!("stopped by a brake, {brake}: {detail}"),
        Event::Resumed { by, .. } => format!("let go on by {by}"),
        Event::ReviewAsked { by, .. } => format!("another review asked for by {by}"),
        Event::Reworked { feedback } => {
            let points: Vec<String> = feedback.iter().map(|each| short(&each.in_words())).collect();
            format!("feedback taken up: {}", points.join("; "))
        }
        Event::BranchUpdated { change, conflicts, .. } => {
            let files = if conflicts.is_empty() { "none".to_owned() } else { conflicts.join(", ") };
            format!("target branch merged in as {}, files in conflict: {files}", change.commit.short())
        }
        Event::Moved { from, to } => format!("moved by a human: {from} → {to}"),
        Event::SplitInto { features } => {
            let names: Vec<&str> = features.iter().map(|feature| feature.as_str()).collect();
            format!("split into {}", names.join(", "))
        }
        Event::NetworkRefused { by, host, port, reason, .. } => {
            format!("`{host}:{port}` was refused to {by}: {reason}")
        }
        Event::Noticed { finding, .. } => format!("noticed by rule: {}", finding.message),
        Event::Ended { .. } => "ended".to_owned(),
        Event::ModelCallStarted { .. }
        | Event::ModelCallFinished { .. }
        | Event::TurnRemembered { .. }
        | Event::ToolCalled { .. }
        | Event::Intended { .. }
        | Event::BlockWritten { .. } => return None,
    })
}

/// The first words of a text.
fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An outside effect in words; opening and merging a pull request have events of their own.
fn done(effect: &str, detail: &str) -> Option<String> {
    match effect.split(':').collect::<Vec<_>>()[..] {
        ["move", from, to] => Some(format!("note moved: {from} → {to}")),
        ["push", head] => Some(format!("branch at {}: {detail}", head.get(..10).unwrap_or(head))),
        ["pull-request" | "merge"] => None,
        ["queue", _] => Some(detail.to_owned()),
        ["answer", _] => Some("feedback answered where it was given".to_owned()),
        _ => Some(format!("done: {effect}")),
    }
}
