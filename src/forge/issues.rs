//! The seam of issues: see those that are wanted, show how far they are. It does not know any one forge, nor notes.

use async_trait::async_trait;

use super::ForgeError;
use crate::domain::{Issue, IssueReport};

/// Where requests come from. Every call looks before it acts and may be repeated.
#[async_trait]
pub trait Issues: Send + Sync {
    /// The open issues that are to become notes, oldest first.
    async fn wanted(&self) -> Result<Vec<Issue>, ForgeError>;
    /// An issue by its address, open or not; `None` where it is not there.
    async fn issue(&self, url: &str) -> Result<Option<Issue>, ForgeError>;
    /// Shows how far its feature is. What stands there already is not written again.
    async fn report(&self, url: &str, report: &IssueReport) -> Result<(), ForgeError>;
}
