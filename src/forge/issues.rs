//! The seam of issues: see those that are wanted, show how far they are. It does not know any one forge, nor notes.

use async_trait::async_trait;

use super::ForgeError;
use crate::domain::{Comment, Issue, IssueReport};

/// Where requests come from. Every call looks before it acts and may be repeated.
#[async_trait]
pub trait Issues: Send + Sync {
    /// The open issues that are to become notes, oldest first.
    async fn wanted(&self) -> Result<Vec<Issue>, ForgeError>;
    /// An issue by its address, open or not; `None` where it is not there.
    async fn issue(&self, url: &str) -> Result<Option<Issue>, ForgeError>;
    /// Shows how far its feature is. What stands there already is not written again.
    async fn report(&self, url: &str, report: &IssueReport) -> Result<(), ForgeError>;
    /// What people wrote below an issue or pull request, oldest first; nothing of ado-vault's own.
    async fn comments(&self, url: &str) -> Result<Vec<Comment>, ForgeError>;
    /// Answers a comment that was a command, once.
    async fn reply(&self, reply: &Reply) -> Result<(), ForgeError>;
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Address of the issue or pull request.
    pub thread: String,
    /// The comment.
    pub to: u64,
    /// Its author.
    pub author: String,
    pub kind: ReplyKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyKind {
    Accepted,
    /// Why not.
    Refused(String),
    /// To somebody who may not command, however often they try.
    Stranger,
}
