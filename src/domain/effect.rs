//! What `decide` says should happen: effects and waits, each with its reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Brake, ContentHash, Diagnostic, FeatureId, FeatureType, Feedback, Gate, GitId, Instruction, NotePath,
    RepoName, RunEnd, RunId, Status, StepKey, SubFeature, Triage,
};

/// Something to do in the world. Performing one twice must do no more than performing it once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Give a note outside `ideas` its id.
    AssignId {
        path: NotePath,
        id: FeatureId,
    },
    /// A human moved the note or set its status: make the other agree, commit the human's version.
    Align {
        path: NotePath,
        status: Status,
    },
    /// Journal a human's move so that the run knows of it.
    NoteMove {
        run: RunId,
        from: Status,
        to: Status,
    },
    /// Begin run `run`: journal, claim, move to `in_progress`. From `new` it only drafts, and the note stays there.
    Start {
        path: NotePath,
        run: RunId,
        repo: RepoName,
        kind: FeatureType,
        from: Status,
    },
    /// The draft in the `spec` block becomes the note's own text, as a human left it.
    AdoptSpec {
        path: NotePath,
    },
    /// Score it and write the `triage` block.
    Triage {
        run: RunId,
        triage: Triage,
    },
    /// Bring the note to what its run's journal says: it was written too lately to do so at once.
    Show {
        run: RunId,
    },
    /// Begin a step; it goes on in the background.
    Step {
        run: RunId,
        key: StepKey,
        attempt: u32,
        instruction: Instruction,
    },
    /// Stop the step that is at work.
    Cancel {
        run: RunId,
    },
    /// Take over the plan text that a human wrote into the block.
    AdoptPlan {
        run: RunId,
        text: String,
    },
    AskApproval {
        run: RunId,
        gate: Gate,
        plan: ContentHash,
        base: Option<GitId>,
        /// Why the answer that is there does not count.
        refused: Option<String>,
    },
    Approve {
        run: RunId,
        gate: Gate,
        plan: ContentHash,
        base: Option<GitId>,
        by: String,
    },
    Brake {
        run: RunId,
        brake: Brake,
        detail: String,
    },
    Resume {
        run: RunId,
        by: String,
        words: Vec<String>,
    },
    /// Have the change reviewed once more as it is.
    AskReview {
        run: RunId,
        by: String,
        /// Words to the reviewer.
        words: Vec<String>,
    },
    /// Write the sub-features of an epic as notes in `new`.
    Split {
        run: RunId,
        features: Vec<SubFeature>,
    },
    /// Push the branch, open or update the pull request, move to `review`.
    Publish {
        run: RunId,
    },
    /// Take up what was said of the pull request.
    Rework {
        run: RunId,
        feedback: Vec<Feedback>,
    },
    /// Merge the target branch into the run's.
    Update {
        run: RunId,
    },
    /// Merge the pull request into the target branch.
    Merge {
        run: RunId,
    },
    /// Move the note to `done`, clean up.
    Finish {
        run: RunId,
        result: RunEnd,
        detail: String,
    },
    /// Stop for good or until moved again: end the run, keep its branch; close the pull request when dropped.
    End {
        run: RunId,
        result: RunEnd,
        detail: String,
    },
    /// Move to `planned` by itself (policy `auto_advance`).
    Advance {
        path: NotePath,
        to: Status,
    },
}

impl Effect {
    /// What it does, as the rest of "will …".
    pub fn in_words(&self) -> String {
        match self {
            Self::AssignId { id, .. } => format!("give it the id {id}"),
            Self::Align { status, .. } => format!("align status and folder to {status}"),
            Self::NoteMove { from, to, .. } => format!("note the move {from} → {to}"),
            Self::Start { run, repo, from: Status::New, .. } => {
                format!("start run {run} on {repo}, which drafts a specification")
            }
            Self::AdoptSpec { .. } => "take over the draft as the note's own text".to_owned(),
            Self::Start { run, repo, .. } => format!("start run {run} on {repo}"),
            Self::Triage { triage, .. } => {
                format!("triage it as {}, complexity {}", triage.tier, triage.complexity)
            }
            Self::Step { key, attempt, .. } if *attempt > 1 => format!("begin {key}, attempt {attempt}"),
            Self::Step { key, .. } => format!("begin {key}"),
            Self::Show { .. } => "bring the note up to date".to_owned(),
            Self::Cancel { .. } => "stop the step at work".to_owned(),
            Self::AdoptPlan { .. } => "take over the plan as edited".to_owned(),
            Self::AskApproval { gate, .. } => format!("ask for the approval of {gate}"),
            Self::Approve { gate, by, .. } => format!("count {gate} as approved by {by}"),
            Self::Brake { brake, detail, .. } => format!("stop: {brake}: {detail}"),
            Self::Resume { by, .. } => format!("go on, by {by}"),
            Self::AskReview { by, .. } => format!("review it once more, by {by}"),
            Self::Split { features, .. } => format!("split it into {} features", features.len()),
            Self::Publish { .. } => "push the branch and open the pull request".to_owned(),
            Self::Rework { feedback, .. } => format!("take up {} points of feedback", feedback.len()),
            Self::Update { .. } => "merge the target branch into the run's".to_owned(),
            Self::Merge { .. } => "merge the pull request".to_owned(),
            Self::Finish { .. } => "move it to done".to_owned(),
            Self::End { result, .. } => format!("end the run: {result:?}").to_lowercase(),
            Self::Advance { to, .. } => format!("advance it to {to}"),
        }
    }

    /// The run that it begins or belongs to.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::NoteMove { run, .. }
            | Self::Start { run, .. }
            | Self::Triage { run, .. }
            | Self::Show { run }
            | Self::Step { run, .. }
            | Self::Cancel { run }
            | Self::AdoptPlan { run, .. }
            | Self::AskApproval { run, .. }
            | Self::Approve { run, .. }
            | Self::Brake { run, .. }
            | Self::Resume { run, .. }
            | Self::AskReview { run, .. }
            | Self::Split { run, .. }
            | Self::Publish { run }
            | Self::Rework { run, .. }
            | Self::Update { run }
            | Self::Merge { run }
            | Self::Finish { run, .. }
            | Self::End { run, .. } => Some(run),
            Self::AssignId { .. } | Self::Align { .. } | Self::AdoptSpec { .. } | Self::Advance { .. } => {
                None
            }
        }
    }

    /// Whether it only keeps the books: no agent, no push, no merge. `sync` performs these alone.
    pub fn is_bookkeeping(&self) -> bool {
        matches!(
            self,
            Self::AssignId { .. } | Self::Align { .. } | Self::NoteMove { .. } | Self::Finish { .. }
        )
    }

    /// Whether it can only be done by writing the feature's note. Triage writes it too, but what it writes can follow.
    pub fn needs_note(&self) -> bool {
        !matches!(
            self,
            Self::NoteMove { .. }
                | Self::Triage { .. }
                | Self::Step { .. }
                | Self::Cancel { .. }
                | Self::AdoptPlan { .. }
        )
    }

    /// The status whose folder it moves the note to, if the note does not lie there.
    pub fn destination(&self) -> Option<Status> {
        match self {
            Self::Align { status, .. } => Some(*status),
            Self::Advance { to, .. } => Some(*to),
            Self::Start { from, .. } => {
                Some(*from).filter(|from| *from != Status::New).and(Some(Status::InProgress))
            }
            Self::Publish { .. } => Some(Status::Review),
            Self::Finish { .. } => Some(Status::Done),
            _ => None,
        }
    }

    /// Whether performing it may move a note and so change links in others.
    pub fn moves_notes(&self) -> bool {
        matches!(
            self,
            Self::Align { .. }
                | Self::Start { .. }
                | Self::Publish { .. }
                | Self::Finish { .. }
                | Self::Split { .. }
                | Self::Advance { .. }
        )
    }
}

/// What a feature waits for, in the words of the `waiting_on` property, and how to unblock it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// `approval: plan`, `human: …`, `dependency: FR-054`, `budget`, `quota`, `ci`, `merge`, `slot`; empty for none.
    pub on: String,
    /// Why, in a sentence.
    pub why: String,
    /// The exact action that unblocks it.
    pub unblock: String,
    /// True when a human must act: it is written into the note. Waits that end by themselves are shown by `why` only.
    pub needs_human: bool,
}

/// One decision about one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub feature: String,
    pub path: NotePath,
    #[serde(flatten)]
    pub verdict: DecisionKind,
    /// Why this and why now.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DecisionKind {
    Do {
        effect: Box<Effect>,
    },
    Wait {
        wait: Wait,
    },
    /// Nothing to do: an idea, done, dropped, or a step is at work.
    Rest,
}

/// Everything that should happen next. At most one effect per feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub decisions: Vec<Decision>,
    /// When the first note that is left alone now may be written, if anything waits for that.
    pub wake: Option<Timestamp>,
    /// About the vault as a whole.
    pub problems: Vec<Diagnostic>,
}

impl Plan {
    pub fn effects(&self) -> impl Iterator<Item = (&Decision, &Effect)> {
        self.decisions.iter().filter_map(|decision| match &decision.verdict {
            DecisionKind::Do { effect } => Some((decision, effect.as_ref())),
            _ => None,
        })
    }

    pub fn waits(&self) -> impl Iterator<Item = (&Decision, &Wait)> {
        self.decisions.iter().filter_map(|decision| match &decision.verdict {
            DecisionKind::Wait { wait } => Some((decision, wait)),
            _ => None,
        })
    }
}
