//! The seam of forges: open or update, look, record a merge, close. It does not know any one forge.

use async_trait::async_trait;

use super::ForgeError;
use crate::domain::{GitId, PullRequestDraft, PullRequestRef, PullRequestView};

/// Where pull requests live. Every call looks before it acts and may be repeated.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Opens the pull request of a run or brings it up to date; found again by run and source branch.
    async fn ensure(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError>;
    /// What the forge shows now. `reachable` is for the caller to fill in.
    async fn look(&self, pull_request: &PullRequestRef) -> Result<PullRequestView, ForgeError>;
    /// Records that `commit` merged it.
    async fn merged(&self, pull_request: &PullRequestRef, commit: &GitId) -> Result<(), ForgeError>;
    /// Closes it without a merge; a merged one stays merged.
    async fn close(&self, pull_request: &PullRequestRef, why: &str) -> Result<(), ForgeError>;
}
