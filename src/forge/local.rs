//! The built-in forge: a pull request is a note of the vault that a human reads, comments on and ticks to merge. It does
//! not commit notes and does not know git.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Forge, ForgeError};
use crate::domain::{
    ForgeKind, GitId, NotePath, PullRequestDraft, PullRequestRef, PullRequestState, PullRequestView,
};
use crate::vault::Vault;

/// Pull requests as notes in `80_pull_requests/`. Takes the vault's lock for each operation; committing what it wrote is
/// the caller's, who asks [`LocalForge::note_of`].
#[derive(Debug, Clone)]
pub struct LocalForge {
    vault: Vault,
    now: Timestamp,
}

impl LocalForge {
    /// `now` is what `updated` says in the notes that this value writes.
    pub fn new(vault: Vault, now: Timestamp) -> Self {
        Self { vault, now }
    }

    /// The note of a pull request, wherever it lies now.
    ///
    /// # Errors
    /// `NotFound`, `Doubled`.
    pub fn note_of(&self, pull_request: &PullRequestRef) -> Result<NotePath, ForgeError> {
        let _ = (self.vault.root(), self.now);
        Err(ForgeError::NotFound { key: pull_request.key.clone() })
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn ensure(&self, draft: &PullRequestDraft) -> Result<PullRequestRef, ForgeError> {
        let key = format!("PR {}", draft.run);
        Ok(PullRequestRef { forge: ForgeKind::Local, link: format!("[[{key}]]"), key })
    }

    async fn look(&self, _: &PullRequestRef) -> Result<PullRequestView, ForgeError> {
        Ok(PullRequestView {
            state: PullRequestState::Open,
            merge_requested: false,
            reachable: false,
            comments: vec![],
        })
    }

    async fn merged(&self, pull_request: &PullRequestRef, _: &GitId) -> Result<(), ForgeError> {
        self.note_of(pull_request).map(|_| ())
    }

    async fn close(&self, pull_request: &PullRequestRef, _: &str) -> Result<(), ForgeError> {
        self.note_of(pull_request).map(|_| ())
    }
}
