//! Events of a run's journal (vault format, section 5). State is the fold of these.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgentName, BranchName, CallFailure, ChangeSet, ContentHash, Feedback, Finding, GitId, ModelName,
    Proposed, PullRequestRef, RepoName, RunId, Spent, Status, Step, StepKey, StepOutcome, Tokens, Triage,
    Usd,
};

/// Version of the journal's format, the `v` of each line.
pub const JOURNAL_VERSION: u32 = 2;

/// One line of `journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    pub v: u32,
    /// Counts from 1 without gaps.
    pub seq: u64,
    pub at: Timestamp,
    /// SHA-256 of the line before this one, with its line feed. Of the first line: of the last line of the run before, or
    /// of the run's name. Missing in version 1; on the first line after such lines it is the hash of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<ContentHash>,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A run began. `request` is the hash of what the human asked for.
    Started {
        run: RunId,
        repo: RepoName,
        branch: BranchName,
        target_branch: BranchName,
        request: ContentHash,
        reason: String,
        /// Version of ado-vault.
        version: String,
        /// Whether agents run in a sandbox.
        sandboxed: bool,
        /// Status of the note when the run began; missing in journals that know only `planned`. A run that begins in
        /// `new` drafts a specification and leaves the note there.
        #[serde(default)]
        from: Option<Status>,
        /// What is reviewed, where it is a pull request that ado-vault did not write. Such a run has no note and no branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Box<Proposed>>,
    },
    /// Commits of the run's branch were replaced by one with the same files: one of them held a secret.
    BranchReplaced {
        from: GitId,
        to: GitId,
    },
    Triaged {
        triage: Triage,
    },
    StepStarted {
        key: StepKey,
        attempt: u32,
    },
    StepFinished {
        key: StepKey,
        attempt: u32,
        outcome: StepOutcome,
    },
    /// Written before a model is called; `reserved` is the most it can cost.
    ModelCallStarted {
        call: u64,
        key: StepKey,
        agent: AgentName,
        model: ModelName,
        reserved: Spent,
    },
    ModelCallFinished {
        call: u64,
        tokens: Tokens,
        cost: Usd,
        millis: u64,
        /// `stop`, `tool_calls`, `length`, or an error in words.
        ended: String,
        /// File under `transcript/` that holds prompt and answer.
        transcript: Option<String>,
        /// What a failure says about later calls; missing where there was none, and in older journals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<CallFailure>,
        /// Of that file's bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript_hash: Option<ContentHash>,
    },
    /// A turn of a conversation that was cut off came up again. `used`: its answer was taken from the transcript and not
    /// paid again; otherwise the model was asked anew from there on, and `why` says what was different.
    TurnRemembered {
        key: StepKey,
        call: u64,
        used: bool,
        #[serde(default)]
        why: String,
    },
    ToolCalled {
        key: StepKey,
        agent: AgentName,
        /// As the model named it, known or not.
        tool: String,
        /// Folder that the call worked in, from the worktree's root; empty is the root.
        #[serde(default)]
        folder: String,
        /// Sanitised and bounded.
        input: String,
        /// Sanitised and bounded.
        output: String,
        ok: bool,
        exit_code: Option<i32>,
        millis: u64,
    },
    /// A command asked the sandbox's proxy for a host and did not get it.
    NetworkRefused {
        key: StepKey,
        /// Agent, gate or `setup`.
        by: String,
        host: String,
        port: u16,
        reason: String,
        times: u32,
    },
    /// A text that an agent was shown is not what it seems: it hides characters or speaks to a model.
    Noticed {
        key: StepKey,
        finding: Finding,
    },
    /// An outside effect is about to be tried; `effect` is unique in the run: `push`, `pull-request`, `merge`,
    /// `move:planned:in_progress`.
    Intended {
        effect: String,
        detail: String,
    },
    /// The effect was seen to be done.
    Completed {
        effect: String,
        detail: String,
    },
    PullRequestOpened {
        pr: PullRequestRef,
        head: GitId,
    },
    Merged {
        commit: GitId,
    },
    /// The gate `gate` waits for a human; bound to plan and base.
    ApprovalAsked {
        gate: Gate,
        plan: ContentHash,
        base: Option<GitId>,
        /// Why an answer did not count, where this is asked again for that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    Approved {
        gate: Gate,
        plan: ContentHash,
        base: Option<GitId>,
        /// Who, as far as the vault's history tells.
        by: String,
    },
    /// A human edited the plan's block before approving it.
    PlanEdited {
        plan_text: String,
    },
    /// A brake stopped the run until a human acts.
    Braked {
        brake: Brake,
        detail: String,
    },
    /// A human let a braked run go on, with words if there were any.
    Resumed {
        by: String,
        words: Vec<String>,
    },
    /// A person wants the change reviewed once more as it is, with words to the reviewer if there were any.
    ReviewAsked {
        by: String,
        words: Vec<String>,
    },
    /// What was said of the pull request becomes work.
    Reworked {
        feedback: Vec<Feedback>,
    },
    /// The target branch was merged into the run's, after what was there.
    BranchUpdated {
        from: GitId,
        change: ChangeSet,
        /// Files that hold conflict markers now.
        conflicts: Vec<String>,
    },
    /// A human moved the note.
    Moved {
        from: Status,
        to: Status,
    },
    /// A managed block was written with this content.
    BlockWritten {
        block: String,
        hash: ContentHash,
    },
    /// Sub-features were proposed as notes.
    SplitInto {
        features: Vec<super::FeatureId>,
    },
    Ended {
        result: RunEnd,
        detail: String,
    },
}

/// An approval gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    Plan,
    Paths,
    /// Push the branch and open the pull request.
    Pr,
    Merge,
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Paths => "paths",
            Self::Pr => "pr",
            Self::Merge => "merge",
        })
    }
}

/// Why a run stopped by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    Budget,
    WallTime,
    MaxRounds,
    SameError,
    NoProgress,
    BackAndForth,
    /// A review raised again what an earlier one had let pass.
    Contradiction,
    DiffTooLarge,
    NoChange,
    StepFailed,
    MissingGate,
    /// What is to be pushed holds a secret.
    Secret,
    /// No model could review the change.
    Unreviewed,
    /// What was said of the pull request was worked on so often, and there is more.
    Feedback,
}

impl std::fmt::Display for Brake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Budget => "budget",
            Self::WallTime => "wall time",
            Self::MaxRounds => "fix rounds used up",
            Self::SameError => "same error three times",
            Self::NoProgress => "no progress",
            Self::BackAndForth => "edits going back and forth",
            Self::Contradiction => "contradictory verdicts",
            Self::DiffTooLarge => "diff too large",
            Self::NoChange => "agent changed nothing",
            Self::StepFailed => "step failed",
            Self::MissingGate => "required gate missing",
            Self::Secret => "a secret in the change",
            Self::Unreviewed => "no model could review it",
            Self::Feedback => "feedback rounds used up",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Reachable from the target branch.
    Merged,
    /// A human moved the note to done.
    Accepted,
    /// A human moved the note back.
    Stopped,
    Dropped,
    /// An epic was split into smaller features.
    Split,
    /// A specification was drafted; the note stays in `new` for a human.
    Specified,
    /// Somebody else's pull request was reviewed; what happens to it is theirs.
    Reviewed,
}

impl Event {
    /// The step that an event ends successfully, for people's logs.
    pub fn finished_step(&self) -> Option<Step> {
        match self {
            Self::StepFinished { key, .. } => Some(key.step),
            _ => None,
        }
    }
}
