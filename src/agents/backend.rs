//! The seam between a step and whoever does an agent's work: the built-in loop or another program.

use async_trait::async_trait;

use super::external::{Acp, CommandLine};
use super::run::BuiltIn;
use super::{AgentAnswer, AgentError, AgentJob, AgentTools};
use crate::domain::Backend;

/// Times that a result that does not fit is sent back.
pub(super) const MOST_REPAIRS: u32 = 2;

/// Does an agent's work on one step.
#[async_trait]
pub trait AgentBackend: Send + Sync {
    /// Runs to the checked answer. What it did besides is told to the recorder. What a coder or tester changed stays in the
    /// worktree also when this fails.
    ///
    /// # Errors
    /// See [`AgentError`].
    async fn run(&self, job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError>;
}

/// Runs the agent of the job's request to its checked answer, by the backend that its note names.
///
/// # Errors
/// See [`AgentError`].
pub async fn run(job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
    let agent = job.request.agent.as_ref().ok_or(AgentError::NoAgent { step: job.request.key })?;
    let backend: &dyn AgentBackend = match agent.backend {
        Backend::BuiltIn => &BuiltIn,
        Backend::Acp => &Acp,
        Backend::Command => &CommandLine,
    };
    backend.run(job, tools).await
}
