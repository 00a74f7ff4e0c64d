//! A run's state, folded from its journal. Nothing else is stored about a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Brake, BranchName, ChangeSet, ContentHash, FeatureId, Feedback, Finding, Gate, GateResult, GitId,
    Proposed, PullRequestRef, RepoName, Review, RunEnd, RunId, SpecDraft, Spent, Status, StepKey, StepResult,
    Tier, Tokens, Triage, WorkPlan,
};

/// A step that was started, and how it ended if it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTry {
    pub key: StepKey,
    pub attempt: u32,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub result: Option<StepResult>,
    pub spent: Spent,
    /// The first model call that it made.
    #[serde(default)]
    pub first_call: Option<u64>,
    /// Whether its last model call failed for a reason that is not in the conversation: a limit, an outage.
    #[serde(default)]
    pub starved: bool,
}

impl StepTry {
    /// Whether it was ended from outside, in the middle of its work: what it was told still holds for the next try.
    pub fn is_cut_off(&self) -> bool {
        match &self.result {
            None
            | Some(StepResult::Cancelled | StepResult::Parked { .. } | StepResult::OutOfBudget { .. }) => {
                true
            }
            Some(StepResult::Failed { .. }) => self.starved,
            Some(_) => false,
        }
    }
}

/// What progress is measured by: the tree, the failing checks, the open findings, the criteria shown to be met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub tree: Option<GitId>,
    pub failing: BTreeSet<String>,
    pub findings: BTreeSet<String>,
    pub met: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    pub id: RunId,
    pub repo: RepoName,
    pub branch: BranchName,
    pub target_branch: BranchName,
    pub request: ContentHash,
    pub sandboxed: bool,
    /// Status of the note when the run began: `new` where it drafts a specification, `review` where it has no note, else
    /// `planned`.
    pub from: Status,
    /// What is reviewed, where it is a pull request of somebody else's.
    pub proposed: Option<Box<Proposed>>,
    pub started: Timestamp,
    /// Time of the last record.
    pub last: Timestamp,
    pub last_seq: u64,
    pub triage: Option<Triage>,
    pub draft: Option<SpecDraft>,
    pub plan: Option<WorkPlan>,
    /// The plan as a human rewrote it in the note.
    pub plan_text: Option<String>,
    pub base: Option<GitId>,
    pub tries: Vec<StepTry>,
    pub change: Option<ChangeSet>,
    /// Every commit made on the branch, oldest first, with the round that made it.
    pub changes: Vec<(StepKey, ChangeSet)>,
    /// Results of the last gates step, and of every earlier one by round.
    pub gates: Vec<GateResult>,
    pub gate_history: Vec<(u32, Vec<GateResult>)>,
    pub review: Option<Review>,
    pub review_history: Vec<(u32, Review)>,
    pub pr: Option<PullRequestRef>,
    /// Head that the pull request was opened or last updated with.
    pub pr_head: Option<GitId>,
    /// Whether the note lay in `review` since the pull request was last opened or updated.
    pub offered: bool,
    pub merged: Option<GitId>,
    pub spent: Spent,
    /// Tokens of all settled calls by kind.
    pub tokens: Tokens,
    /// Reservations of calls whose end is not in the journal (in flight, or lost in a crash: those count as spent).
    pub open_calls: BTreeMap<u64, Spent>,
    pub next_call: u64,
    pub asked: Option<Asked>,
    /// Approvals that still hold: what they were given for is there as it was.
    pub approved: Vec<(Gate, ContentHash, Option<GitId>)>,
    pub brake: Option<(Brake, String)>,
    /// Seq of the last resume; brakes look only at what came after it.
    pub resumed_at: u64,
    /// Index into `tries`, `gate_history`, `review_history` and `changes` of what came after the last resume.
    pub since_resume: SinceResume,
    /// Human words not yet given to the coder.
    pub words: Vec<String>,
    /// What was noticed in texts that agents were shown, each once, with the step that was shown it first.
    pub noticed: Vec<(StepKey, Finding)>,
    /// Every word of a human that this run was ever told, and the key of every other feedback.
    pub heard: BTreeSet<String>,
    /// Feedback not yet given to the coder.
    pub feedback: Vec<Feedback>,
    /// Feedback ever taken up, without its evidence, oldest first.
    pub taken_up: Vec<Feedback>,
    /// Feedback that was worked on and whose place of answer has none yet.
    pub unanswered: Vec<Feedback>,
    /// Rounds of feedback since a human last let the run go on.
    pub reworks: u32,
    /// Whether the target branch was merged in and that was not pushed yet.
    pub updated: bool,
    pub parked: Option<(Timestamp, String)>,
    /// Words to the reviewer of a person who asked for another review, for as long as it has not ended.
    pub review_asked: Option<Vec<String>>,
    /// Effects intended and not completed.
    pub pending: BTreeMap<String, String>,
    pub completed: BTreeSet<String>,
    /// Status of the note as far as this run knows.
    pub status: Status,
    /// Last content written to each managed block.
    pub blocks: BTreeMap<String, ContentHash>,
    /// Every content that ado ever wrote to a block: anything else in the note is a human's.
    pub written: BTreeSet<(String, ContentHash)>,
    pub split: Vec<FeatureId>,
    pub ended: Option<(RunEnd, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceResume {
    pub tries: usize,
    pub gates: usize,
    pub reviews: usize,
    pub changes: usize,
}

/// A gate that waits for a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub gate: Gate,
    /// What the approval will be bound to.
    pub plan: ContentHash,
    pub base: Option<GitId>,
    /// Number of the record that asks.
    pub seq: u64,
    /// Why the last answer did not count.
    pub refused: Option<String>,
}

impl RunState {
    /// What rules found in the change, and in what other steps were shown: a step that goes on after it was cut off is told
    /// the same as when it began.
    pub fn found_by_rules(&self, key: StepKey) -> Vec<Finding> {
        let of_change = self.change.iter().flat_map(|change| &change.findings);
        let noticed = self.noticed.iter().filter(|(by, _)| *by != key).map(|(_, finding)| finding);
        of_change.chain(noticed).cloned().collect()
    }

    /// Whether something was said that the coder was not told yet.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty() || !self.feedback.is_empty()
    }

    /// Whether the forge was ever asked to merge it as soon as its rules let it.
    pub fn was_queued(&self) -> bool {
        self.completed.iter().any(|effect| effect.starts_with(QUEUE))
    }

    /// Whether it drafts a specification and changes nothing else.
    pub fn only_specifies(&self) -> bool {
        self.from == Status::New
    }

    /// The tier it was routed to. Before that it counts as complex; a draft is never scored and counts as simple.
    pub fn tier(&self) -> Tier {
        let unscored = if self.only_specifies() { Tier::Simple } else { Tier::Complex };
        self.triage.as_ref().map_or(unscored, |triage| triage.tier)
    }

    /// Spent plus everything reserved and not settled, and the time of a step that has not ended up to the last record:
    /// what a cap is held against.
    pub fn committed_spend(&self) -> Spent {
        let open = self.tries.last().filter(|step| step.ended.is_none());
        let working = open.map(|step| Spent::of_time(step.started, self.last)).unwrap_or_default();
        self.spent + self.open_calls.values().copied().sum() + working
    }

    /// The tries of this step that were cut off and that its next try goes on from, oldest first.
    pub fn cut_off(&self, key: StepKey) -> &[StepTry] {
        let goes_on = |step: &&StepTry| step.key == key && step.is_cut_off();
        let count = self.tries.iter().rev().take_while(goes_on).count();
        &self.tries[self.tries.len() - count..]
    }

    /// What was committed before those tries: a step that goes on is told the same as when it began.
    pub fn committed_before(&self, key: StepKey) -> Spent {
        let cut_off = self.cut_off(key);
        let since: Spent = cut_off.iter().map(|step| step.spent).sum();
        let first = cut_off.iter().find_map(|step| step.first_call).unwrap_or(u64::MAX);
        let open: Spent = self.open_calls.range(..first).map(|(_, most)| *most).sum();
        self.spent - since + open
    }

    /// The last try, finished or not.
    pub fn last_try(&self) -> Option<&StepTry> {
        self.tries.last()
    }

    /// The branch's head after the last completed change.
    pub fn head(&self) -> Option<&GitId> {
        self.change.as_ref().map(|change| &change.commit).or(self.base.as_ref())
    }

    /// How often this step was begun.
    pub fn attempts(&self, key: StepKey) -> u32 {
        self.tries.iter().filter(|step| step.key == key).count() as u32
    }

    /// Milliseconds in which a step was at work. A step without an end counts up to the last record.
    pub fn active_millis(&self) -> u64 {
        let worked =
            |step: &StepTry| step.ended.unwrap_or(self.last).duration_since(step.started).as_millis();
        self.tries.iter().map(|step| u64::try_from(worked(step)).unwrap_or(0)).sum()
    }

    pub fn is_approved(&self, gate: Gate, plan: &ContentHash) -> bool {
        self.approved
            .iter()
            .any(|(approved, hash, base)| *approved == gate && hash == plan && *base == self.base)
    }

    /// Progress as of now.
    pub fn progress(&self) -> Progress {
        Progress {
            tree: self.change.as_ref().map(|change| change.tree.clone()),
            failing: self.gates.iter().flat_map(GateResult::fingerprints).collect(),
            findings: self
                .review
                .iter()
                .flat_map(|review| review.findings.iter().map(Finding::fingerprint))
                .collect(),
            met: self
                .review
                .iter()
                .flat_map(|review| review.criteria.iter())
                .filter(|criterion| criterion.met)
                .map(|criterion| criterion.text.clone())
                .collect(),
        }
    }
}

const QUEUE: &str = "queue:";

/// The effect key of a move: `move:planned:in_progress`.
pub fn move_effect(from: Status, to: Status) -> String {
    format!("move:{from}:{to}")
}

/// Key of the effect that puts a head into the forge's queue of merges.
pub fn queue_effect(head: &GitId) -> String {
    format!("{QUEUE}{head}")
}

/// Key of the effect that answers a feedback where it was given.
pub fn answer_effect(feedback: &str) -> String {
    format!("answer:{feedback}")
}

/// The statuses of a move's effect key.
pub fn parse_move(effect: &str) -> Option<(Status, Status)> {
    let (from, to) = effect.strip_prefix("move:")?.split_once(':')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}
