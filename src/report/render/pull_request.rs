//! Title and description of a pull request: what a reviewer wants to know before opening the diff. Knows no forge.

use super::markdown::{block, code, code_cell, inline, or_dash, table, with_detail};
use super::{blocks, words};
use crate::domain::{Feature, Phase, PhaseRow, RunState};
use crate::note::plain;

/// Longest title, in characters: forges cut longer ones.
const TITLE: usize = 120;

/// `FR-056: Short title`, one plain line.
pub fn pull_request_title(feature: &Feature) -> String {
    let title = plain(&format!("{}: {}", feature.label(), feature.title));
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    match title.char_indices().nth(TITLE) {
        Some((cut, _)) => format!("{}…", title[..cut].trim_end()),
        None => title,
    }
}

/// The description: what, why, criteria with evidence, what is left for people, checks, review, risks, rollback, cost, link to the feature.
pub fn pull_request_body(feature: &Feature, state: &RunState) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if lines.iter().any(|line| !line.trim().is_empty()) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("## {title}\n\n{}\n", lines.join("\n").trim()));
        }
    };
    section("What", what(state));
    section("Why", why(feature));
    section("Acceptance criteria", criteria(feature, state));
    section("Left for people", for_people(feature));
    section("Files", files(state));
    section("Checks", checks(state));
    section("Review", review(state));
    section("Risks", risks(state));
    section("Rollback", rollback(state));
    section("Cost", cost(state));
    section("Request", vec![format!("[[{}]], run {}", inline(feature.path.stem()), state.id.number)]);
    text
}

fn what(state: &RunState) -> Vec<String> {
    let mut lines = vec![];
    if let Some(plan) = &state.plan {
        lines.push(inline(&plan.summary));
    }
    let said: Vec<String> = state
        .changes
        .iter()
        .filter(|(_, change)| !change.summary.trim().is_empty())
        .map(|(key, change)| format!("- {key}: {}", inline(&change.summary)))
        .collect();
    if !lines.is_empty() && !said.is_empty() {
        lines.extend([String::new(), "Step by step:".to_owned(), String::new()]);
    }
    lines.extend(said);
    lines
}

fn why(feature: &Feature) -> Vec<String> {
    [&feature.sections.problem, &feature.sections.summary]
        .into_iter()
        .find(|text| !text.trim().is_empty())
        .map(|text| vec![block(text)])
        .unwrap_or_default()
}

/// The note's criteria in their order, ticked where the last review found them met.
fn criteria(feature: &Feature, state: &RunState) -> Vec<String> {
    let judged = state.review.iter().flat_map(|review| &review.criteria).collect::<Vec<_>>();
    feature
        .sections
        .criteria
        .iter()
        .map(|criterion| match judged.iter().find(|found| found.text.trim() == criterion.text.trim()) {
            Some(found) => {
                let tick = if found.met { 'x' } else { ' ' };
                let evidence = inline(&found.evidence);
                let shown = if evidence.is_empty() { String::new() } else { format!(" ({evidence})") };
                format!("- [{tick}] {}{shown}", inline(&criterion.text))
            }
            None => format!("- [ ] {} (not judged)", inline(&criterion.text)),
        })
        .collect()
}

/// Rows of the note that people own and have not done.
fn for_people(feature: &Feature) -> Vec<String> {
    let line = |(phase, row): (&Phase, &PhaseRow)| {
        let details = if row.item.trim().is_empty() { "" } else { &row.details };
        let head = format!("- [ ] Phase {}: {} ({})", phase.number, inline(row.name()), inline(&row.owner));
        with_detail(&head, details)
    };
    feature.sections.rows_of_people().map(line).collect()
}

fn files(state: &RunState) -> Vec<String> {
    let Some(change) = &state.change else { return vec![] };
    let mut lines = vec![words::size(change)];
    lines.extend(table(
        &["file", "added", "removed"],
        &change
            .files
            .iter()
            .map(|file| vec![code_cell(&file.path), file.added.to_string(), file.removed.to_string()])
            .collect::<Vec<_>>(),
    ));
    lines
}

fn checks(state: &RunState) -> Vec<String> {
    let mut lines = blocks::gates_table(&state.gates);
    if let Some((round @ 2.., gates)) = state.gate_history.last()
        && gates.iter().all(|gate| gate.passed())
    {
        lines.push(String::new());
        lines.push(format!("All passed in round {round}; earlier rounds are in the run note."));
    }
    lines
}

fn review(state: &RunState) -> Vec<String> {
    let Some(review) = &state.review else { return vec![] };
    let mut lines = vec![format!("{}. {}", words::sentence(&words::review(review)), inline(&review.summary))];
    lines.extend(blocks::findings_table(&review.findings));
    lines
}

fn risks(state: &RunState) -> Vec<String> {
    let mut lines = vec![];
    if let Some(triage) = &state.triage {
        lines.push(with_detail(&format!("- Risk {}", triage.risk), &triage.risk_reasons.join("; ")));
    }
    if let Some(plan) = &state.plan {
        lines.extend(plan.risks.iter().map(|risk| format!("- {}", or_dash(risk))));
    }
    let of_change = state.change.iter().flat_map(|change| &change.findings);
    let noticed = state.noticed.iter().map(|(_, finding)| finding);
    lines.extend(of_change.chain(noticed).map(|finding| {
        let place =
            if finding.file.is_empty() { String::new() } else { format!(" in {}", code(&finding.file)) };
        format!("- Found by rule{place}: {}", or_dash(&finding.message))
    }));
    if !state.sandboxed {
        lines.push("- The agents of this run worked without a sandbox.".to_owned());
    }
    lines
}

fn rollback(state: &RunState) -> Vec<String> {
    match state.plan.as_ref().map(|plan| inline(&plan.rollback)) {
        Some(said) if !said.is_empty() => vec![said],
        _ => vec!["Revert the merge commit.".to_owned()],
    }
}

fn cost(state: &RunState) -> Vec<String> {
    vec![format!("{}, {} of work", words::spent(state.spent), words::duration(state.active_millis()))]
}
