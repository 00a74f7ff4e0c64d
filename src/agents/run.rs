//! The built-in loop: ask the model, answer its tool calls, until it finishes.

use super::{AgentAnswer, AgentError, AgentJob, AgentTools};

/// Runs the agent of the job's request to its checked answer.
///
/// # Errors
/// See [`AgentError`].
pub async fn run(job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
    if tools.cancel.is_cancelled() {
        return Err(AgentError::Cancelled);
    }
    Err(AgentError::NoAgent { step: job.request.key })
}
