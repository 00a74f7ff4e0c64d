//! What was observed, as one value: the only input of `decide`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Config, Feature, FeatureId, MachineName, NotePath, PullRequestView, RunId, RunState, Shared, Spent,
    Status, StepKey, Unwell,
};

/// A feature as the last commit of the vault has it: what a human's change is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    pub folder: Option<Status>,
    /// The `status` property; `None` when missing or not a status.
    pub status: Option<Status>,
}

/// Why ado leaves a note alone for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it may be written again.
    pub until: Timestamp,
    pub why: HoldReason,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The note itself was written just now, by whomever.
    JustWritten,
    /// This note is being typed, and has a link that the note's move would mend.
    LinkTyped(NotePath),
}

/// One feature with everything known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureView {
    pub feature: Shared<Feature>,
    /// `None` when the last commit does not have this feature.
    pub committed: Option<Committed>,
    /// Whether the note changed within the quiet period, or read differently twice: leave it alone for now.
    pub settling: bool,
    /// Why the note is not written now; what needs no write of it goes on.
    pub held: Option<Hold>,
    /// Whether the note does not show yet what the live run's journal says.
    pub owed: bool,
    /// All runs, oldest first.
    pub runs: Vec<Shared<RunState>>,
    /// The step that a task of this process is working on.
    pub in_flight: Option<StepKey>,
    pub pull_request: Option<PullRequestView>,
    /// Since when it is planned, for ageing: the last commit or file time that put it there.
    pub waiting_since: Option<Timestamp>,
    /// Asked for by name on the command line (`run FR`).
    pub asked: bool,
    /// Text of the `plan` block where a human edited it after ado wrote it.
    pub edited_plan: Option<String>,
    /// Who of the people last changed the note, as far as the vault's history tells: `Name <mail>`; empty where nobody
    /// asks for it.
    pub last_author: String,
    /// What a tick of `approved` is worth.
    #[serde(default)]
    pub tick: Tick,
    /// The other machine that has claimed the current run, as far as this one heard.
    pub claimed_by: Option<MachineName>,
}

/// What a tick of `approved` is worth, by the authority that the settings name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tick {
    /// It is a human's word.
    #[default]
    Counts,
    /// It may become one when it is committed and signed.
    Unsigned,
    /// It is none; why.
    Refused(String),
}

impl FeatureView {
    pub fn run(&self) -> Option<&RunState> {
        self.runs.last().map(|run| &**run)
    }

    /// The last run unless it ended.
    pub fn live_run(&self) -> Option<&RunState> {
        self.run().filter(|run| run.ended.is_none())
    }

    /// The run that is live, else the one that would begin next; `None` for a note without an id.
    pub fn current_run(&self) -> Option<RunId> {
        let feature = self.feature.id.clone()?;
        Some(match self.run() {
            Some(run) if run.ended.is_none() => run.id.clone(),
            last => RunId { feature, number: last.map_or(0, |run| run.id.number).saturating_add(1) },
        })
    }

    /// Why the note is not written at this time.
    pub fn held_at(&self, now: Timestamp) -> Option<&Hold> {
        self.held.as_ref().filter(|hold| hold.until > now)
    }

    /// Spent on this feature in its whole life.
    pub fn spent(&self) -> Spent {
        self.runs.iter().map(|run| run.committed_spend()).sum()
    }
}

/// A look at the vault and the world at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub now: Timestamp,
    pub config: Config,
    pub features: Vec<FeatureView>,
    /// Spent today (UTC) over all runs, reservations included.
    pub spent_today: Spent,
    /// Spent in the night that it is now, likewise; nothing in the daytime.
    #[serde(default)]
    pub spent_tonight: Spent,
    /// Providers and models that are not asked at this moment, as the journals tell.
    #[serde(default)]
    pub unwell: Vec<Unwell>,
    /// Why no agent may run on this machine, if so: no sandbox and none waived.
    pub no_sandbox: Option<String>,
    /// Repositories that cannot be used, with the reason and remedy: missing, not a repository, no commits.
    pub unusable_repos: BTreeMap<super::RepoName, String>,
    /// When set, only these features are worked on (`run FR…`).
    pub only: Option<Vec<FeatureId>>,
}

impl Snapshot {
    /// The next free number of a feature id with the settings' prefix.
    pub fn next_feature_number(&self) -> u64 {
        let ids = self.features.iter().filter_map(|view| view.feature.id.as_ref());
        let ours = ids.filter(|id| id.prefix() == self.config.settings.id_prefix);
        ours.map(FeatureId::number).max().unwrap_or(0) + 1
    }

    pub fn feature(&self, id: &FeatureId) -> Option<&FeatureView> {
        self.features.iter().find(|view| view.feature.id.as_ref() == Some(id))
    }
}
