//! The seam of forges: open or update, look, merge, close. It does not know any one forge.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::ForgeError;
use crate::domain::{GitId, MergeMethod, Proposal, PullRequestDraft, PullRequestRef, PullRequestView};
use crate::workspace::GitCredential;

/// Where pull requests live. Every call looks before it acts and may be repeated.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Opens the pull request of a run or brings it up to date; found again by run and source branch.
    async fn ensure(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError>;
    /// What the forge shows now. `reachable` is for the caller to fill in.
    async fn look(&self, pull_request: &PullRequestRef) -> Result<PullRequestView, ForgeError>;
    /// Merges it, where the forge does that itself.
    async fn merge(&self, _: &PullRequestRef, _: &MergeOrder) -> Result<Merging, ForgeError> {
        Ok(Merging::ByCaller)
    }
    /// Records that `commit` merged it.
    async fn merged(&self, pull_request: &PullRequestRef, commit: &GitId) -> Result<(), ForgeError>;
    /// The target branch has its commits: what was made for it alone goes.
    async fn landed(&self, _: &PullRequestRef) -> Result<(), ForgeError> {
        Ok(())
    }
    /// Closes it without a merge; a merged one stays merged.
    async fn close(&self, pull_request: &PullRequestRef, why: &str) -> Result<(), ForgeError>;
    /// What git may use at the forge's own server, where the forge has a secret.
    async fn credential(&self) -> Result<Option<GitCredential>, ForgeError> {
        Ok(None)
    }
    /// The key of the pull request that a person names by number or address; `None` for one of another repository.
    fn key_of(&self, _: &str) -> Option<String> {
        None
    }
    /// Reads a pull request that anybody may have written.
    async fn proposal(&self, key: &str) -> Result<Proposal, ForgeError> {
        Err(ForgeError::NotFound { key: key.to_owned() })
    }
    /// The open pull requests that changed at this time or later, with when, the last ones first; as many as one page holds.
    async fn changed_since(&self, _: Timestamp) -> Result<Vec<(PullRequestRef, Timestamp)>, ForgeError> {
        Ok(vec![])
    }
    /// Answers feedback in its place, once, and settles it there. A place that is gone needs no answer.
    async fn answer(&self, _: &PullRequestRef, _: &Answer) -> Result<(), ForgeError> {
        Ok(())
    }
    /// Whether the forge merges it by itself as soon as its rules let it.
    async fn is_queued(&self, _: &PullRequestRef) -> Result<bool, ForgeError> {
        Ok(false)
    }
    /// Takes back such a merge: another head is about to come.
    async fn unqueue(&self, _: &PullRequestRef) -> Result<(), ForgeError> {
        Ok(())
    }
    /// How long a look holds before another is worth its cost.
    fn look_holds(&self) -> Duration {
        Duration::ZERO
    }
}

/// What is said of feedback that was worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Tells answers apart; the same one is not given twice.
    pub id: String,
    /// As the feedback named it; empty for the page of the pull request.
    pub place: String,
    /// Markdown.
    pub text: String,
}

/// What is to be merged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOrder {
    /// The head that was judged; another one is not merged.
    pub head: GitId,
    pub method: MergeMethod,
    pub title: String,
    pub message: String,
}

/// How the call for a merge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merging {
    /// The forge records merges and leaves the merging to its caller.
    ByCaller,
    /// The forge merges it by itself as soon as its rules let it.
    Queued,
    /// Merged, now or before; as this commit of the target branch, where the forge names it.
    Done(Option<GitId>),
}
