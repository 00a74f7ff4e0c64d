//! What gates and reviewers say: diagnostics of tools, findings of reviews, verdicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ContentHash, GateKind, Severity};

/// One message of a tool, such as a compiler error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateDiagnostic {
    /// The program that said it: `rustc`, `clippy`, `pytest`.
    pub tool: String,
    pub severity: Severity,
    /// Relative to the repository's root.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    /// The tool's own code: `E0308`, `F401`.
    pub code: Option<String>,
    pub message: String,
    /// The tool's rendered text or source lines around the place, bounded.
    #[serde(default)]
    pub context: String,
}

impl GateDiagnostic {
    /// Identity of the error without line numbers, digits and paths' leading folders, so that the same error in a
    /// shifted line counts as the same.
    pub fn fingerprint(&self) -> String {
        let message: String =
            self.message.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).take(200).collect();
        format!(
            "{}|{}|{}|{}",
            self.tool,
            self.code.as_deref().unwrap_or(""),
            self.file.as_deref().unwrap_or(""),
            message.split_whitespace().collect::<Vec<_>>().join(" ")
        )
    }
}

/// How one gate ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// Unique within the run: `test`, `lint`, `web-test`.
    pub name: String,
    pub kind: GateKind,
    pub command: String,
    pub status: GateStatus,
    pub exit_code: Option<i32>,
    pub millis: u64,
    pub diagnostics: Vec<GateDiagnostic>,
    /// Last lines of raw output, bounded, control characters stripped.
    pub tail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateStatus {
    Passed,
    Failed,
    TimedOut,
    /// The tool is not installed or the gate needs one that failed.
    NotRun,
}

impl GateResult {
    pub fn passed(&self) -> bool {
        self.status == GateStatus::Passed
    }

    /// Fingerprints of what failed; one for the gate itself where the tool's output was not understood.
    pub fn fingerprints(&self) -> Vec<String> {
        if self.passed() || self.status == GateStatus::NotRun {
            return vec![];
        }
        let errors: Vec<String> = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(GateDiagnostic::fingerprint)
            .collect();
        if errors.is_empty() {
            vec![format!("{}|{:?}|{}", self.name, self.status, ContentHash::of(&self.tail).short())]
        } else {
            errors
        }
    }
}

/// One finding of a review. Agents give it as JSON of this shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `error` must be fixed before a pull request; `warning` and `info` are written into it.
    pub severity: Severity,
    /// Relative to the repository's root; empty for the change as a whole.
    #[serde(default)]
    pub file: String,
    #[serde(default)]
    pub line: Option<u32>,
    /// The review rule or principle it rests on.
    #[serde(default)]
    pub rule: String,
    pub message: String,
    #[serde(default)]
    pub suggestion: String,
}

impl Finding {
    pub fn fingerprint(&self) -> String {
        format!("{}|{}|{}", self.rule, self.file, self.message)
    }
}

/// A reviewer's answer. Agents give it as JSON of this shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    pub verdict: Verdict,
    pub summary: String,
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// For each acceptance criterion and each row of the phases: met or not, and what shows it.
    #[serde(default)]
    pub criteria: Vec<CriterionEvidence>,
    /// No model read the change: the text is a template's, and a person must look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(skip)]
    pub template: bool,
}

impl Review {
    /// An approval with an error in it is no approval.
    pub fn approves(&self) -> bool {
        self.verdict == Verdict::Approve
            && !self.template
            && !self.findings.iter().any(|finding| finding.severity == Severity::Error)
            && self.criteria.iter().all(|criterion| criterion.met)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    RequestChanges,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriterionEvidence {
    pub text: String,
    pub met: bool,
    /// Test name, file and line, or command that shows it.
    #[serde(default)]
    pub evidence: String,
}
