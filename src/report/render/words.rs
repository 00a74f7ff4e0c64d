//! Results, times and sums in words, the same in notes, pull requests and on terminals. Plain text: callers escape it.

use jiff::Timestamp;

use crate::domain::{
    ChangeSet, Finding, GateResult, GateStatus, Review, Severity, Spent, StepResult, StepTry, Tokens, Verdict,
};

/// How a step ended.
pub(super) fn result(result: &StepResult) -> String {
    match result {
        StepResult::Specified { draft } => count(draft.criteria.len(), "criterion", "criteria") + " drafted",
        StepResult::Planned { plan, .. } => format!(
            "plan of {} in {}",
            count(plan.steps.len(), "step", "steps"),
            count(plan.files.len(), "file", "files")
        ),
        StepResult::Changed { change } => size(change),
        StepResult::Gated { gates } => self::gates(gates),
        StepResult::Reviewed { review } => self::review(review),
        StepResult::Parked { until, reason } => format!("parked until {}: {reason}", clock(*until)),
        StepResult::OutOfBudget { reason } => format!("out of budget: {reason}"),
        StepResult::Failed { error, remedy, .. } => match remedy.as_str() {
            "" => format!("failed: {error}"),
            remedy => format!("failed: {error}; {remedy}"),
        },
        StepResult::Cancelled => "stopped".to_owned(),
    }
}

/// `3 files, +20 −4`.
pub(super) fn size(change: &ChangeSet) -> String {
    if change.files.is_empty() {
        return "no change".to_owned();
    }
    let added: u64 = change.files.iter().map(|file| file.added).sum();
    let removed: u64 = change.files.iter().map(|file| file.removed).sum();
    format!("{}, +{added} −{removed}", count(change.files.len(), "file", "files"))
}

/// `4 passed`, or what did not pass by name.
pub(super) fn gates(gates: &[GateResult]) -> String {
    let named = |status: GateStatus| -> Vec<&str> {
        gates.iter().filter(|gate| gate.status == status).map(|gate| gate.name.as_str()).collect()
    };
    let mut parts = vec![];
    for (status, word) in
        [(GateStatus::Failed, "failed"), (GateStatus::TimedOut, "timed out"), (GateStatus::NotRun, "not run")]
    {
        let names = named(status);
        if !names.is_empty() {
            parts.push(format!("{} {word}", names.join(", ")));
        }
    }
    let passed = named(GateStatus::Passed).len();
    if passed > 0 {
        parts.push(format!("{passed} passed"));
    }
    if parts.is_empty() { "no gates".to_owned() } else { parts.join("; ") }
}

pub(super) fn gate_status(status: GateStatus) -> &'static str {
    match status {
        GateStatus::Passed => "passed",
        GateStatus::Failed => "failed",
        GateStatus::TimedOut => "timed out",
        GateStatus::NotRun => "not run",
    }
}

/// `changes requested (1 error, 2 infos)`.
pub(super) fn review(review: &Review) -> String {
    let verdict = match (review.verdict, review.approves()) {
        (_, true) => "approved",
        (Verdict::RequestChanges, _) => "changes requested",
        (Verdict::Approve, _) => "not approved",
    };
    match findings(&review.findings).as_str() {
        "" => verdict.to_owned(),
        found => format!("{verdict} ({found})"),
    }
}

/// `1 error, 2 warnings`; empty for none.
pub(super) fn findings(findings: &[Finding]) -> String {
    [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")]
        .into_iter()
        .filter_map(|(severity, word)| {
            let number = findings.iter().filter(|finding| finding.severity == severity).count();
            (number > 0).then(|| count(number, word, &format!("{word}s")))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// Which of the tokens met a cache or were reasoning; `None` where no provider said so.
pub(super) fn kinds(tokens: Tokens) -> Option<String> {
    let kinds = [
        (tokens.cached, "came from the provider's cache"),
        (tokens.cache_written, "were put into it"),
        (tokens.reasoning, "were reasoning"),
    ];
    let told: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    (!told.is_empty()).then(|| format!("Of the tokens {}.", told.join(", ")))
}

/// `$0.12, 41,000 tokens, 7 calls`.
pub(super) fn spent(spent: Spent) -> String {
    format!(
        "{}, {} tokens, {}",
        spent.usd,
        grouped(spent.tokens),
        count(usize::try_from(spent.calls).unwrap_or(usize::MAX), "call", "calls")
    )
}

/// Time that a step took so far; an unfinished one counts to `now`.
pub(super) fn taken(step: &StepTry, now: Timestamp) -> String {
    let millis = step.ended.unwrap_or(now).duration_since(step.started).as_millis();
    duration(u64::try_from(millis).unwrap_or(0))
}

/// `0.2 s` below ten seconds, then `41 s`, `3 min 5 s`, `2 h 10 min`.
pub(super) fn duration(millis: u64) -> String {
    let tenths = (millis + 50) / 100;
    match (millis + 500) / 1_000 {
        _ if tenths < 100 => format!("{}.{} s", tenths / 10, tenths % 10),
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
    }
}

/// RFC 3339 in UTC, whole seconds.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// With a capital at the beginning.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            (grouped(7), grouped(1234), grouped(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
        assert_eq!(
            [0, 49, 50, 240, 9_949, 9_950, 59_999, 60_000, 3_599_000, 3_600_000, 7_800_000].map(duration),
            [
                "0.0 s",
                "0.0 s",
                "0.1 s",
                "0.2 s",
                "9.9 s",
                "10 s",
                "1 min 0 s",
                "1 min 0 s",
                "59 min 59 s",
                "1 h 0 min",
                "2 h 10 min"
            ]
            .map(String::from)
        );
    }

    #[test]
    fn what_did_not_pass_comes_first_and_by_name() {
        let gate = |name: &str, status| GateResult {
            name: name.into(),
            kind: crate::domain::GateKind::Test,
            command: String::new(),
            status,
            exit_code: None,
            millis: 0,
            diagnostics: vec![],
            tail: String::new(),
        };
        let ran = [
            gate("format", GateStatus::Passed),
            gate("test", GateStatus::Failed),
            gate("coverage", GateStatus::NotRun),
        ];
        assert_eq!(gates(&ran), "test failed; coverage not run; 1 passed");
        assert_eq!(gates(&[]), "no gates");
    }
}
