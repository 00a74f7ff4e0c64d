//! The seam through which every tool call is told to the journal. Does not know where records go.

use async_trait::async_trait;

use crate::domain::{AgentName, Finding, StepKey};
use crate::sandbox::Refusal;

/// A block of an answer in an edit format without tool calls.
pub(super) const APPLY: &str = "apply";
/// One start of another program.
pub(super) const AGENT: &str = "agent";
/// What another program asked to be allowed, and the answer.
pub(super) const PERMISSION: &str = "permission";

/// One tool call as it happened. Texts are bounded, without control characters, and without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRecord {
    pub key: StepKey,
    pub agent: AgentName,
    /// Name as the model gave it; `apply` for the blocks of an edit format without tool calls.
    pub tool: String,
    /// Folder that it worked in, from the worktree's root; empty is the root.
    pub folder: String,
    /// The arguments as JSON text.
    pub input: String,
    pub output: String,
    /// False where the call was refused or failed.
    pub ok: bool,
    /// Of the `run` tool alone.
    pub exit_code: Option<i32>,
    pub millis: u64,
}

/// Told of every tool call after it was answered.
#[async_trait]
pub trait ToolRecorder: Send + Sync {
    async fn tool(&self, call: ToolRecord);

    /// Told of every host that a command asked for and did not get. `by` is an agent, a gate or `setup`.
    async fn refused(&self, key: StepKey, by: &str, refusal: &Refusal);

    /// Told of every text that an agent was shown and that is not what it seems, once in a conversation.
    async fn noticed(&self, key: StepKey, finding: Finding);
}
