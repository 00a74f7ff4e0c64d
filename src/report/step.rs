//! What is worth knowing of a step beyond how it ended, in one line: which fault was found, how it was answered.

use crate::domain::{Finding, GateResult, GateStatus, Review, RunState, Severity, Step, StepResult};
use crate::note;

/// A fault that a step found and the coder's answer to it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Setback {
    /// `gates/1`, `review/2`.
    pub step: String,
    /// The gate, or `review`.
    pub by: String,
    pub fault: String,
    /// The coder's own words; `None` until it answered.
    pub answer: Option<String>,
}

/// Everything that went wrong in a run and what was done about it, oldest first.
pub fn setbacks(run: &RunState) -> Vec<Setback> {
    let results = || run.tries.iter().filter_map(|tried| Some((tried.key, tried.result.as_ref()?)));
    results()
        .enumerate()
        .filter_map(|(at, (key, result))| {
            let (by, fault) = fault(result)?;
            let mut later = results().skip(at + 1);
            let answer = later.find_map(|(key, result)| (key.step == Step::Code).then(|| answer(result))?);
            Some(Setback { step: key.to_string(), by, fault, answer })
        })
        .collect()
}

/// Who found a fault and which, if the step found one: a gate's first error, a review's first blocking finding.
pub fn fault(result: &StepResult) -> Option<(String, String)> {
    match result {
        StepResult::Gated { gates } => {
            let failed =
                gates.iter().find(|gate| matches!(gate.status, GateStatus::Failed | GateStatus::TimedOut))?;
            Some((note::plain(&failed.name), one_line(&of_gate(failed))))
        }
        StepResult::Reviewed { review } if !review.approves() => {
            Some(("review".to_owned(), one_line(&of_review(review))))
        }
        _ => None,
    }
}

/// What a step says that it did, in an agent's words.
pub fn answer(result: &StepResult) -> Option<String> {
    match result {
        StepResult::Changed { change } => Some(one_line(&change.summary)),
        _ => None,
    }
}

fn of_gate(gate: &GateResult) -> String {
    let error = gate.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    match error.or(gate.diagnostics.first()) {
        Some(diagnostic) => placed(diagnostic.file.as_deref(), diagnostic.line, &diagnostic.message),
        None if gate.status == GateStatus::TimedOut => "took too long".to_owned(),
        None => gate.tail.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned(),
    }
}

fn of_review(review: &Review) -> String {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let unmet = || review.criteria.iter().find(|criterion| !criterion.met);
    match review.findings.iter().find(is_error) {
        Some(finding) => placed(
            Some(&finding.file).filter(|file| !file.is_empty()).map(String::as_str),
            finding.line,
            &finding.message,
        ),
        None => match unmet() {
            Some(criterion) => format!("not met: {}", criterion.text),
            None => review.summary.clone(),
        },
    }
}

fn placed(file: Option<&str>, line: Option<u32>, message: &str) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}: {message}"),
        (Some(file), None) => format!("{file}: {message}"),
        (None, _) => message.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    note::plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CriterionEvidence, GateDiagnostic, GateKind, Verdict};

    fn gate(name: &str, status: GateStatus, diagnostics: Vec<GateDiagnostic>, tail: &str) -> GateResult {
        GateResult {
            name: name.into(),
            kind: GateKind::Test,
            command: String::new(),
            status,
            exit_code: None,
            millis: 0,
            diagnostics,
            tail: tail.into(),
        }
    }

    fn told(severity: Severity, line: u32, message: &str) -> GateDiagnostic {
        GateDiagnostic {
            tool: "rustc".into(),
            severity,
            file: Some("src/lib.rs".into()),
            line: Some(line),
            column: None,
            code: None,
            message: message.into(),
            context: String::new(),
        }
    }

    fn said(by: &str, fault: &str) -> Option<(String, String)> {
        Some((by.to_owned(), fault.to_owned()))
    }

    #[test]
    fn a_gates_first_error_is_its_fault_and_its_last_words_where_it_names_none() {
        let all = vec![
            told(Severity::Warning, 1, "unused"),
            told(Severity::Error, 7, "mismatched\n  types\u{1b}[0m"),
        ];
        let gates =
            vec![gate("lint", GateStatus::Passed, vec![], ""), gate("build", GateStatus::Failed, all, "")];
        assert_eq!(fault(&StepResult::Gated { gates }), said("build", "src/lib.rs:7: mismatched types"));
        let gates = vec![gate("test", GateStatus::Failed, vec![], "one\nmake: *** no rule\n\n")];
        assert_eq!(fault(&StepResult::Gated { gates }), said("test", "make: *** no rule"));
        let gates = vec![gate("test", GateStatus::TimedOut, vec![], "")];
        assert_eq!(fault(&StepResult::Gated { gates }), said("test", "took too long"));
        let gates =
            vec![gate("lint", GateStatus::Passed, vec![], ""), gate("java", GateStatus::NotRun, vec![], "")];
        assert_eq!(fault(&StepResult::Gated { gates }), None);
    }

    #[test]
    fn a_reviews_fault_is_its_first_error_then_what_is_unmet_then_what_it_says() {
        let finding = |severity, message: &str| Finding {
            severity,
            file: String::new(),
            line: None,
            rule: String::new(),
            message: message.into(),
            suggestion: String::new(),
        };
        let mut review = Review {
            verdict: Verdict::RequestChanges,
            summary: "too much at once".into(),
            findings: vec![finding(Severity::Info, "nice"), finding(Severity::Error, "it panics")],
            criteria: vec![CriterionEvidence { text: "is dark".into(), met: false, evidence: String::new() }],
            template: false,
        };
        assert_eq!(fault(&StepResult::Reviewed { review: review.clone() }), said("review", "it panics"));
        review.findings.pop();
        assert_eq!(
            fault(&StepResult::Reviewed { review: review.clone() }),
            said("review", "not met: is dark")
        );
        review.criteria.clear();
        assert_eq!(
            fault(&StepResult::Reviewed { review: review.clone() }),
            said("review", "too much at once")
        );
        review.verdict = Verdict::Approve;
        assert_eq!(fault(&StepResult::Reviewed { review }), None);
    }
}
