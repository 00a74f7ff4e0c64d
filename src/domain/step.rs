//! Steps of a run as values: what a step is given and what it gives back. Both serialise, so that a step may run in
//! this process or on another machine.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgentConfig, AuthorTrust, BranchName, ContentHash, Criterion, FeatureType, Finding, GateDiagnostic,
    GatePolicy, GateResult, GitId, ModelConfig, Proposal, Repository, Review, ReviewRule, Role, RunId,
    SandboxMode, Severity, SpecDraft, WorkPlan,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Triage,
    Specify,
    Plan,
    Code,
    Test,
    Gates,
    Review,
    Publish,
    Merge,
}

impl Step {
    /// The role whose agent does the step; `None` for steps without one.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Specify => Some(Role::SpecWriter),
            Self::Plan => Some(Role::Planner),
            Self::Code => Some(Role::Coder),
            Self::Test => Some(Role::Tester),
            Self::Review => Some(Role::Reviewer),
            Self::Triage | Self::Gates | Self::Publish | Self::Merge => None,
        }
    }

    /// Whether it is done at the forge, by no agent.
    pub fn is_at_forge(self) -> bool {
        matches!(self, Self::Publish | Self::Merge)
    }

    pub fn slug(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Specify => "specify",
            Self::Plan => "plan",
            Self::Code => "code",
            Self::Test => "test",
            Self::Gates => "gates",
            Self::Review => "review",
            Self::Publish => "publish",
            Self::Merge => "merge",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A step at a place in a run: the round counts fix rounds from 1. `code/2` is the first fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct StepKey {
    pub step: Step,
    pub round: u32,
}

impl StepKey {
    pub fn new(step: Step, round: u32) -> Self {
        Self { step, round }
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.step, self.round)
    }
}

/// What an agent is told of the feature. All of it is a human's text and is fenced as such in prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureBrief {
    pub title: String,
    pub kind: FeatureType,
    /// The note's body without ado's blocks.
    pub body: String,
    pub criteria: Vec<Criterion>,
    /// Rows of the note's phases that agents have yet to do, one line each: a reviewer judges them as it does criteria.
    #[serde(default)]
    pub rows: Vec<String>,
    /// Rows of the note's phases that people do, one line each: agents leave them.
    #[serde(default)]
    pub for_people: Vec<String>,
    /// How far the author of the issue is known that the note was made from, where it was.
    #[serde(default)]
    pub of_issue: Option<AuthorTrust>,
}

/// Why the coder is called again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Instruction {
    /// Errors of the last gates.
    pub diagnostics: Vec<GateDiagnostic>,
    /// Raw tails of gates whose output was not understood, with the gate's name.
    pub tails: Vec<(String, String)>,
    /// Names of the gates that passed and must keep passing.
    pub passed: Vec<String>,
    pub findings: Vec<Finding>,
    /// Acceptance criteria that the reviewer found unmet.
    pub unmet: Vec<String>,
    /// A human's words: review comments, answers.
    pub human: Vec<String>,
    /// Set when the last attempt changed nothing or failed the same way: ask for another approach.
    pub try_differently: bool,
}

impl Instruction {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Everything a step needs. Paths in it are of the executing machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRequest {
    pub run: RunId,
    pub key: StepKey,
    /// Counts from 1; above 1 after a crash or a failure of the same step.
    pub attempt: u32,
    pub feature: FeatureBrief,
    pub repository: Repository,
    pub branch: BranchName,
    pub target_branch: BranchName,
    /// The commit that the run started from; `None` until the worktree was made.
    pub base: Option<GitId>,
    /// The branch's head after the last completed step; the step resets the worktree to it. `None` at the start.
    pub head: Option<GitId>,
    /// Absolute folder under which worktrees are made.
    pub worktrees: String,
    pub agent: Option<AgentConfig>,
    /// Fallback chain for the agent, resolved.
    pub models: Vec<ModelConfig>,
    /// Absolute folder of the vault, where recordings lie. Never shown to an agent.
    pub vault: String,
    pub plan: Option<WorkPlan>,
    pub instruction: Instruction,
    /// What rules found in the change so far and in what agents were shown.
    #[serde(default)]
    pub findings: Vec<Finding>,
    pub constitution: String,
    pub review_rules: Vec<ReviewRule>,
    pub gates: GatePolicy,
    /// What the gates that ran last said of the change; empty before any ran.
    #[serde(default)]
    pub gate_results: Vec<GateResult>,
    pub rounds_left: u32,
    /// What is left of the run's budget, in words, for prompts.
    pub budget_left: String,
    pub sandbox: SandboxMode,
    /// Patterns of paths that need a person.
    #[serde(default)]
    pub sensitive_paths: Vec<String>,
    /// What is reviewed, where somebody else wrote it: its files are read alone, and everything in it is a stranger's.
    #[serde(default)]
    pub proposal: Option<Proposal>,
    /// Wall-time limit of the whole step.
    pub timeout_seconds: u64,
}

/// A commit that a step made on the run's branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeSet {
    pub commit: GitId,
    pub tree: GitId,
    pub base: GitId,
    /// Against the run's base, not the last step.
    pub files: Vec<ChangedFile>,
    /// The agent's own words.
    pub summary: String,
    /// Whether it changes only blanks and line breaks, in files where those mean nothing.
    #[serde(default)]
    pub formatting: bool,
    /// Whether it changes only versions in manifests of dependencies, and lock files that name no new source.
    #[serde(default)]
    pub only_versions: bool,
    /// What rules found in the diff: tests that lost assertions, were skipped or deleted, files refused.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl ChangeSet {
    pub fn lines(&self) -> u64 {
        self.files.iter().map(|file| file.added + file.removed).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedFile {
    pub path: String,
    pub added: u64,
    pub removed: u64,
}

/// What a step gave. A result is a fact about the world (a commit, an exit code), never an agent's claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepResult {
    Specified {
        draft: SpecDraft,
    },
    Planned {
        plan: WorkPlan,
        base: GitId,
    },
    /// Code or test: a commit; the same commit as before when nothing changed.
    Changed {
        change: ChangeSet,
    },
    Gated {
        gates: Vec<GateResult>,
    },
    Reviewed {
        review: Review,
    },
    /// A provider's limit or outage; costs no attempt.
    Parked {
        until: Timestamp,
        reason: String,
    },
    /// A cap would have been passed.
    OutOfBudget {
        reason: String,
    },
    /// The step could not do its work. `retry`: the same step may succeed later.
    Failed {
        error: String,
        remedy: String,
        retry: bool,
    },
    /// Stopped from outside.
    Cancelled,
}

impl StepResult {
    /// What came of a step, in a few words.
    pub fn in_words(&self) -> String {
        match self {
            Self::Specified { draft } => format!("drafted {} criteria", draft.criteria.len()),
            Self::Planned { plan, .. } => {
                format!("planned {} files in {} steps", plan.files.len(), plan.steps.len())
            }
            Self::Changed { change } => {
                let (count, end) = (change.files.len(), if change.files.len() == 1 { "" } else { "s" });
                format!("changed {count} file{end}, {}", change.commit.short())
            }
            Self::Gated { gates } => {
                let failed: Vec<&str> = gates
                    .iter()
                    .filter(|gate| !gate.passed() && gate.status != super::GateStatus::NotRun)
                    .map(|gate| gate.name.as_str())
                    .collect();
                let idle = gates.iter().filter(|gate| gate.status == super::GateStatus::NotRun);
                let idle: Vec<&str> = idle.map(|gate| gate.name.as_str()).collect();
                match (failed.is_empty(), idle.is_empty()) {
                    (true, true) => "passed".to_owned(),
                    (true, false) => format!("passed, but not run: {}", idle.join(", ")),
                    (false, _) => format!("failed: {}", failed.join(", ")),
                }
            }
            Self::Reviewed { review } if review.approves() => "approved".to_owned(),
            Self::Reviewed { review } => {
                let errors = review.findings.iter().filter(|finding| finding.severity == Severity::Error);
                match errors.count() {
                    0 => "asks for changes".to_owned(),
                    1 => "found 1 fault".to_owned(),
                    many => format!("found {many} faults"),
                }
            }
            Self::Parked { reason, .. } => format!("parked: {reason}"),
            Self::OutOfBudget { reason } => format!("out of budget: {reason}"),
            Self::Failed { error, .. } => format!("failed: {error}"),
            Self::Cancelled => "stopped".to_owned(),
        }
    }
}

/// A step's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepOutcome {
    #[serde(flatten)]
    pub result: StepResult,
    /// The agent note's hash, for the record.
    #[serde(default)]
    pub agent: Option<ContentHash>,
    pub millis: u64,
}
