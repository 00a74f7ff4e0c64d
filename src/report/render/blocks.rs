//! The managed blocks of a feature note, as callouts. Knows nothing of the markers around them.

use super::markdown::{callout, cell, code, code_cell, folded, inline, or_dash, table, with_detail};
use super::{markdown, words};
use crate::domain::{
    CriterionEvidence, Diagnostic, Feedback, Finding, GateResult, Review, RunId, RunState, SpecDraft, Triage,
    Wait, WorkPlan,
};

/// Points of feedback shown in a note, and characters of one.
const MOST_POINTS: usize = 10;
const MOST_POINT: usize = 160;

/// Content of the `triage` block: the routing decision with its reasons.
pub fn triage_block(triage: &Triage) -> String {
    let title = format!(
        "Triage: {}, complexity {} of 100, risk {}, novelty {}",
        triage.tier, triage.complexity, triage.risk, triage.novelty
    );
    let approval = if triage.plan_approval { "waits for your approval" } else { "needs no approval" };
    let mut body = vec![format!("Way of working: {}. The plan {approval}.", triage.strategy)];
    body.extend(table(
        &["criterion", "points", "because"],
        &triage
            .points
            .iter()
            .map(|p| vec![cell(&p.criterion), format!("{} of {}", p.points, p.of), cell(&p.because)])
            .collect::<Vec<_>>(),
    ));
    body.push(String::new());
    body.push(with_detail(&format!("- Risk {}", triage.risk), &triage.risk_reasons.join("; ")));
    body.push(with_detail(&format!("- Novelty {}", triage.novelty), &triage.novelty_reason));
    folded("info", &title, &body)
}

/// Content of the `plan` block.
pub fn plan_block(plan: &WorkPlan, run: &RunId) -> String {
    let title = format!(
        "Plan, run {}: {}, {}",
        run.number,
        words::count(plan.steps.len(), "step", "steps"),
        words::count(plan.files.len(), "file", "files")
    );
    folded("info", &title, &plan_lines(plan))
}

/// Content of the `spec` block: sections as a human would write them, because that is what they become.
pub fn spec_block(draft: &SpecDraft) -> String {
    let mut text = format!("## Summary\n\n{}\n", markdown::block(&draft.summary));
    let mut section = |title: &str, items: Vec<String>, between: &str| {
        if !items.is_empty() {
            text.push_str(&format!("\n## {title}\n\n{}\n", items.join(between)));
        }
    };
    let lines = |texts: &[String]| -> Vec<String> {
        texts.iter().map(|text| inline(unlisted(text))).filter(|text| !text.is_empty()).collect()
    };
    let criteria = lines(&draft.criteria).into_iter().map(|text| format!("- [ ] {text}"));
    section("Acceptance criteria", criteria.collect(), "\n");
    let questions = lines(&draft.questions).into_iter().map(|text| format!("### {text}\n\nDecision:"));
    section("Open questions", questions.collect(), "\n\n");
    text
}

/// `text` of `- [ ] text`: models write list items where one line was asked for.
fn unlisted(text: &str) -> &str {
    let text = text.trim();
    let item = text.strip_prefix("- ").or(text.strip_prefix("* ")).unwrap_or(text).trim_start();
    item.strip_prefix("[ ]").unwrap_or(item).trim_start()
}

/// The plan without a frame around it, line by line.
pub(super) fn plan_lines(plan: &WorkPlan) -> Vec<String> {
    let mut lines = vec![or_dash(&plan.summary)];
    let mut list = |head: &str, items: Vec<String>| {
        if !items.is_empty() {
            lines.extend([String::new(), format!("**{head}**"), String::new()]);
            lines.extend(items);
        }
    };
    list(
        "Steps",
        plan.steps.iter().enumerate().map(|(i, step)| format!("{}. {}", i + 1, or_dash(step))).collect(),
    );
    list(
        "Files",
        plan.files.iter().map(|file| format!("- {}: {}", code(&file.path), or_dash(&file.change))).collect(),
    );
    list("Checks", plan.validation.iter().map(|command| format!("- {}", code(command))).collect());
    list("Risks", plan.risks.iter().map(|risk| format!("- {}", or_dash(risk))).collect());
    if !plan.rollback.trim().is_empty() {
        list("Rollback", vec![inline(&plan.rollback)]);
    }
    list(
        "Smaller features",
        plan.sub_features
            .iter()
            .enumerate()
            .map(|(i, sub)| format!("{}. **{}**: {}", i + 1, or_dash(&sub.title), or_dash(&sub.summary)))
            .collect(),
    );
    lines
}

/// Content of the `progress` block: an embed of the run note's steps, so that progress never rewrites the feature note.
/// By path, because every run note is called `run`; `runs` is the folder of run notes.
pub fn progress_block(run: &RunId, runs: &str) -> String {
    format!("![[{runs}/{run}/run#Steps]]\n\n[[{runs}/{run}/run|All of run {}]]", run.number)
}

/// Content of the `review` block: the last review, and one line for each earlier round.
pub fn review_block(state: &RunState) -> String {
    let Some((round, review)) = state.review_history.last() else {
        return callout("info", &format!("No review yet in run {}", state.id.number), &[]);
    };
    let kind = if review.approves() { "success" } else { "warning" };
    let title = format!("Review, run {}, round {round}: {}", state.id.number, words::review(review));
    let mut body = review_lines(review);
    let earlier = &state.review_history[..state.review_history.len() - 1];
    if !earlier.is_empty() {
        body.push(String::new());
        body.extend(earlier.iter().map(|(round, old)| {
            format!("- Round {round}, {}: {}", words::review(old), or_dash(&old.summary))
        }));
    }
    folded(kind, &title, &body)
}

fn review_lines(review: &Review) -> Vec<String> {
    let mut lines = vec![or_dash(&review.summary)];
    lines.extend(findings_table(&review.findings));
    lines.extend(criteria_table(&review.criteria));
    lines
}

pub(super) fn findings_table(findings: &[Finding]) -> Vec<String> {
    table(
        &["severity", "place", "finding", "suggestion"],
        &findings
            .iter()
            .map(|f| {
                let place = match (f.file.is_empty(), f.line) {
                    (true, _) => "—".to_owned(),
                    (false, None) => code_cell(&f.file),
                    (false, Some(line)) => code_cell(&format!("{}:{line}", f.file)),
                };
                let message = match f.rule.trim() {
                    "" => cell(&f.message),
                    rule => format!("{} ({})", cell(&f.message), cell(rule)),
                };
                vec![f.severity.to_string(), place, message, cell(&f.suggestion)]
            })
            .collect::<Vec<_>>(),
    )
}

pub(super) fn gates_table(gates: &[GateResult]) -> Vec<String> {
    table(
        &["check", "result", "command", "time"],
        &gates
            .iter()
            .map(|gate| {
                vec![
                    cell(&gate.name),
                    words::gate_status(gate.status).to_owned(),
                    code_cell(&gate.command),
                    words::duration(gate.millis),
                ]
            })
            .collect::<Vec<_>>(),
    )
}

fn criteria_table(criteria: &[CriterionEvidence]) -> Vec<String> {
    table(
        &["met", "criterion", "evidence"],
        &criteria
            .iter()
            .map(|c| vec![if c.met { "yes" } else { "**no**" }.to_owned(), cell(&c.text), cell(&c.evidence)])
            .collect::<Vec<_>>(),
    )
}

/// Content of the `pull-request` block: where it is, what was checked, how to merge it.
pub fn pull_request_block(state: &RunState) -> String {
    let Some(pr) = &state.pr else {
        return callout("info", &format!("No pull request yet in run {}", state.id.number), &[]);
    };
    let link = inline(pr.link.trim_matches('"'));
    let mut body = vec![format!("- Link: {link}")];
    body.push(format!("- Branch: {} → {}", code(state.branch.as_str()), code(state.target_branch.as_str())));
    if let Some(change) = &state.change {
        body.push(format!("- Change: {}, commit {}", words::size(change), code(change.commit.short())));
    }
    body.push(format!("- Checks: {}", inline(&words::gates(&state.gates))));
    if let Some(review) = &state.review {
        body.push(format!("- Review: {}", words::review(review)));
    }
    body.push(format!("- Cost: {}", words::spent(state.spent)));
    body.extend(feedback_lines(state));
    match &state.merged {
        Some(commit) => {
            body.push(format!("- Merged as {}", code(commit.short())));
            callout("success", &format!("Pull request {}, merged", inline(&pr.key)), &body)
        }
        None if state.ended.is_some() => {
            callout("info", &format!("Pull request {}, not merged", inline(&pr.key)), &body)
        }
        None => {
            body.push(String::new());
            body.push(
                "To merge: tick `merge` in the pull request's note, or move this note to `06_done`. To send it back: \
                 write under Comments in the pull request's note and move this note to `04_in_progress`."
                    .to_owned(),
            );
            callout("info", &format!("Pull request {}", inline(&pr.key)), &body)
        }
    }
}

/// What was said of the pull request and taken up, the last points first.
fn feedback_lines(state: &RunState) -> Vec<String> {
    let taken_up = &state.taken_up;
    let (all, open) = (taken_up.len(), state.feedback.len());
    if all == 0 {
        return vec![];
    }
    let mut lines = vec![format!("- Feedback: {all} points taken up, {open} of them being worked on")];
    let point = |each: &Feedback| {
        let words = each.in_words();
        let shown: String = words.chars().take(MOST_POINT).collect();
        let rest = if words.chars().count() > MOST_POINT { "…" } else { "" };
        format!("    - {}{rest}", inline(&shown))
    };
    lines.extend(taken_up.iter().rev().take(MOST_POINTS).map(point));
    if all > MOST_POINTS {
        lines.push(format!("    - and {} before these", all - MOST_POINTS));
    }
    lines
}

/// Content of the `why` block: what the feature waits for, what unblocks it, and what is wrong with the note.
pub fn why_block(wait: &Wait, problems: &[Diagnostic]) -> String {
    let mut body = vec![];
    if !wait.why.trim().is_empty() {
        body.push(format!("- Why: {}", inline(&wait.why)));
    }
    if !wait.unblock.trim().is_empty() {
        body.push(format!("- To go on: {}", inline(&wait.unblock)));
    }
    body.extend(table(
        &["", "line", "problem", "what to do"],
        &problems
            .iter()
            .map(|p| {
                let line = match (&p.path, p.line) {
                    (Some(path), 0) => code_cell(path.as_str()),
                    (Some(path), line) => code_cell(&format!("{path}:{line}")),
                    (None, 0) => "—".to_owned(),
                    (None, line) => line.to_string(),
                };
                vec![p.severity.to_string(), line, cell(&p.message), cell(&p.remedy)]
            })
            .collect::<Vec<_>>(),
    ));
    let title = match wait.on.trim() {
        "" => "Nothing is done with this note until it is mended".to_owned(),
        on => format!("Waiting on {}", inline(on)),
    };
    let kind = if wait.needs_human || !problems.is_empty() { "warning" } else { "info" };
    callout(kind, &title, &body)
}
