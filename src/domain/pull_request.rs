//! Pull requests in words that every forge shares.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BranchName, Checks, Feedback, ForgeKind, GitId, RunId, Standing};

/// Where a pull request can be found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequestRef {
    pub forge: ForgeKind,
    /// `PR-0007` of the local forge, `owner/name#7` of others.
    pub key: String,
    /// What goes into the note's `pr` property: a wikilink or a URL.
    pub link: String,
}

impl fmt::Display for PullRequestRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

/// What is to be opened or brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequestDraft {
    pub run: RunId,
    pub repo: super::RepoName,
    pub title: String,
    /// Markdown: what, why, criteria with evidence, checks, risks, rollback, cost.
    pub body: String,
    pub source: BranchName,
    pub target: BranchName,
    pub head: GitId,
    /// Unified diff against the target, bounded; the local forge shows it.
    pub diff: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestState {
    Open,
    Merged,
    Closed,
}

/// What a look at the forge showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequestView {
    pub state: PullRequestState,
    /// A human asked for the merge: `merge: true` in the note of the local forge.
    pub merge_requested: bool,
    /// Whether the branch's head is reachable from the target branch (or, after a squash, the merge commit is).
    pub reachable: bool,
    /// The commit that the merge made in the target branch, where the forge merged it and says so.
    #[serde(default)]
    pub merged_as: Option<GitId>,
    /// What is to be worked on: words of people who may instruct, and checks of this head that failed once all had ended.
    #[serde(default)]
    pub feedback: Vec<Feedback>,
    /// The head that the forge shows, where it has heads of its own.
    #[serde(default)]
    pub head: Option<GitId>,
    #[serde(default)]
    pub checks: Checks,
    #[serde(default)]
    pub standing: Standing,
    /// The forge merges it by itself as soon as it may: it is in a merge queue, or auto-merge is on.
    #[serde(default)]
    pub queued: bool,
    /// A review that approves, by somebody who may.
    #[serde(default)]
    pub approval: Option<ForgeApproval>,
}

impl PullRequestView {
    /// One of which nothing but its state is known.
    pub fn of(state: PullRequestState) -> Self {
        Self {
            state,
            merge_requested: false,
            reachable: false,
            merged_as: None,
            feedback: vec![],
            head: None,
            checks: Checks::None,
            standing: Standing::Unknown,
            queued: false,
            approval: None,
        }
    }
}

/// A review at a forge that approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgeApproval {
    /// The reviewer's login.
    pub by: String,
    /// The commit that was reviewed.
    pub head: GitId,
}
