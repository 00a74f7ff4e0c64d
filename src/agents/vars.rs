//! Fills the prompt's variables from a job. Everything from outside is fenced; sizes follow the model's context.

use std::fmt::Write;

use super::fence::Fence;
use super::source::Source;
use super::{AgentJob, FeatureVars, PromptVars, RepositoryVars, tool};
use crate::domain::{
    AgentConfig, EditFormat, Finding, GateDiagnostic, GateResult, GateStatus, Instruction, WorkPlan,
};

/// The variables of the job, for a model with room for `room` bytes of prompt.
pub(super) fn vars(
    job: &AgentJob<'_>,
    agent: &AgentConfig,
    format: EditFormat,
    fence: &Fence,
    room: usize,
) -> PromptVars {
    let request = job.request;
    let part = |source: Source, text: &str, share: usize| fence.wrap(&source, text, (room / share).max(400));
    let of_request = |of_note, of_proposal| match (&request.proposal, request.feature.of_issue) {
        (Some(_), _) => Source::Proposal(of_proposal),
        (None, Some(trust)) => Source::Issue(of_note, trust),
        (None, None) => Source::Request(of_note),
    };
    let tools: Vec<&str> = tool::offered(agent).iter().map(|(_, name)| *name).collect();
    let rules: Vec<String> = request
        .review_rules
        .iter()
        .map(|rule| format!("### {}\n\n{}", rule.name, rule.text.trim()))
        .collect();
    PromptVars {
        feature: FeatureVars {
            title: fence.wrap(
                &of_request("title of the feature note", "title of the pull request"),
                &fence.line(&request.feature.title),
                400,
            ),
            kind: request.feature.kind.slug().to_owned(),
            body: part(of_request("the feature note", "text of the pull request"), &request.feature.body, 5),
            criteria: part(
                of_request("acceptance criteria of the feature note", "criteria of the pull request"),
                &criteria(job),
                8,
            ),
        },
        plan: request.plan.as_ref().map_or_else(String::new, |plan| part(Source::Plan, &plan_text(plan), 8)),
        facts: part(Source::Facts, &job.facts, 6),
        diff: part(Source::Diff, &job.diff, 3),
        gates: match &request.proposal {
            Some(_) => "None ran: the change is somebody else's, and nothing of it is run here.".to_owned(),
            None => part(Source::Gates("results of the gates"), &gates_text(job.gates), 6),
        },
        findings: part(Source::Findings("findings by rules"), &findings_text(job.findings), 10),
        instruction: instruction(&request.instruction, fence, room),
        constitution: request.constitution.trim().to_owned(),
        review_rules: rules.join("\n\n"),
        repository: RepositoryVars {
            name: request.repository.name.to_string(),
            conventions: request.repository.conventions.trim().to_owned(),
        },
        rounds_left: request.rounds_left,
        budget_left: request.budget_left.clone(),
        tools: if format == EditFormat::Tools { tools.join(", ") } else { String::new() },
        edit_format: match format {
            EditFormat::Tools => "tools",
            EditFormat::SearchReplace => "search-replace",
            EditFormat::WholeFile => "whole-file",
        }
        .to_owned(),
    }
}

fn criteria(job: &AgentJob<'_>) -> String {
    let lines: Vec<String> =
        job.request.feature.criteria.iter().map(|one| format!("- {}", one.text)).collect();
    lines.join("\n")
}

fn plan_text(plan: &WorkPlan) -> String {
    let mut text = format!("{}\n", plan.summary);
    let mut section = |head: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n{head}:\n{}\n", lines.join("\n"));
        }
    };
    section("Files", plan.files.iter().map(|file| format!("- `{}`: {}", file.path, file.change)).collect());
    section(
        "Steps",
        plan.steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1)).collect(),
    );
    section("Validation", plan.validation.iter().map(|command| format!("- `{command}`")).collect());
    section("Risks", plan.risks.iter().map(|risk| format!("- {risk}")).collect());
    if !plan.rollback.is_empty() {
        let _ = write!(text, "\nRollback: {}\n", plan.rollback);
    }
    text
}

fn gates_text(gates: &[GateResult]) -> String {
    let mut text = String::new();
    for gate in gates {
        let status = match gate.status {
            GateStatus::Passed => "passed",
            GateStatus::Failed => "FAILED",
            GateStatus::TimedOut => "TIMED OUT",
            GateStatus::NotRun => "not run",
        };
        let _ = writeln!(text, "- {} (`{}`): {status}", gate.name, gate.command);
        if gate.status == GateStatus::NotRun && !gate.tail.is_empty() {
            let _ = writeln!(text, "  {}", gate.tail.lines().next().unwrap_or_default());
        }
        for diagnostic in gate.diagnostics.iter().take(10) {
            let _ = writeln!(text, "  - {}", diagnostic_line(diagnostic));
        }
    }
    text
}

fn diagnostic_line(diagnostic: &GateDiagnostic) -> String {
    let place = match (&diagnostic.file, diagnostic.line, diagnostic.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
        (Some(file), Some(line), None) => format!("{file}:{line}: "),
        (Some(file), None, _) => format!("{file}: "),
        _ => String::new(),
    };
    let code = diagnostic.code.as_ref().map_or_else(String::new, |code| format!("[{code}]"));
    format!("{place}{}{code} ({}): {}", diagnostic.severity, diagnostic.tool, diagnostic.message)
}

fn findings_text(findings: &[Finding]) -> String {
    findings.iter().map(finding_line).collect::<Vec<_>>().join("\n")
}

fn finding_line(finding: &Finding) -> String {
    let place = match (finding.file.as_str(), finding.line) {
        ("", _) => String::new(),
        (file, Some(line)) => format!("{file}:{line}: "),
        (file, None) => format!("{file}: "),
    };
    let mut text = format!("- {place}{}", finding.severity);
    if !finding.rule.is_empty() {
        let _ = write!(text, " [{}]", finding.rule);
    }
    let _ = write!(text, ": {}", finding.message);
    if !finding.suggestion.is_empty() {
        let _ = write!(text, "\n  Suggestion: {}", finding.suggestion);
    }
    text
}

/// Why the agent is called again: ado's own words outside the fences, everybody else's inside.
fn instruction(instruction: &Instruction, fence: &Fence, room: usize) -> String {
    let mut parts = vec![];
    let part = |source: Source, text: &str, share: usize| fence.wrap(&source, text, (room / share).max(400));
    if instruction.try_differently {
        parts.push(
            "The last attempt changed nothing or failed in the same way. Take another approach: read the code around the \
             problem again, question what was assumed, and solve it differently."
                .to_owned(),
        );
    }
    if !instruction.diagnostics.is_empty() {
        let lines: Vec<String> = instruction
            .diagnostics
            .iter()
            .map(|diagnostic| {
                let context: Vec<String> =
                    diagnostic.context.lines().take(20).map(|line| format!("    {line}")).collect();
                format!("- {}\n{}", diagnostic_line(diagnostic), context.join("\n")).trim_end().to_owned()
            })
            .collect();
        parts.push(format!(
            "Errors to fix:\n{}",
            part(Source::Gates("errors of the gates"), &lines.join("\n"), 5)
        ));
    }
    for (gate, tail) in &instruction.tails {
        let output = part(Source::GateOutput(gate.clone()), tail, 8);
        parts.push(format!("Gate `{}` failed:\n{output}", fence.line(gate)));
    }
    if !instruction.findings.is_empty() {
        let text = findings_text(&instruction.findings);
        parts.push(format!(
            "Findings to resolve:\n{}",
            part(Source::Findings("findings of the review"), &text, 6)
        ));
    }
    if !instruction.unmet.is_empty() {
        let lines: Vec<String> = instruction.unmet.iter().map(|text| format!("- {text}")).collect();
        parts.push(format!(
            "Acceptance criteria not met yet:\n{}",
            part(Source::Request("criteria"), &lines.join("\n"), 8)
        ));
    }
    if !instruction.human.is_empty() {
        let text = instruction.human.join("\n\n");
        parts.push(format!("A person says about this change:\n{}", part(Source::Person, &text, 8)));
    }
    if !instruction.passed.is_empty() {
        let names: Vec<String> = instruction.passed.iter().map(|name| fence.line(name)).collect();
        parts.push(format!("These gates pass and must keep passing: {}.", names.join(", ")));
    }
    parts.join("\n\n")
}
