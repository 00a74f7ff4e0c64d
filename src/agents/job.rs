//! What an agent is given for one step, and what it may use. Plain references; nothing is done here.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ToolRecorder;
use super::fence::Fence;
use crate::domain::{Finding, GateResult, StepKey, StepRequest};
use crate::models::Router;
use crate::sandbox::{Sandbox, SandboxPolicy};

/// One agent's work on one step.
#[derive(Clone)]
pub struct AgentJob<'a> {
    pub request: &'a StepRequest,
    /// Absolute folder that the agent reads and, by role, writes.
    pub worktree: &'a Path,
    /// For the `run` tool.
    pub policy: &'a SandboxPolicy,
    /// Repository facts as text: layout, manifests, conventions, recent commits.
    pub facts: String,
    /// Unified diff from base to head, for reviewer and tester; empty for others.
    pub diff: String,
    /// Results of the gates that ran last; empty before any ran.
    pub gates: &'a [GateResult],
    /// What rules found in the diff and in what agents were shown.
    pub findings: &'a [Finding],
}

/// What an agent works with.
pub struct AgentTools<'a> {
    pub router: &'a Arc<Router>,
    pub sandbox: &'a Sandbox,
    pub recorder: &'a dyn ToolRecorder,
    pub cancel: &'a CancellationToken,
}

impl AgentTools<'_> {
    /// Tells the recorder what was noticed in the texts that the agent was shown.
    pub(super) async fn tell_found(&self, key: StepKey, fence: &Fence) {
        for finding in fence.take_found() {
            self.recorder.noticed(key, finding).await;
        }
    }
}
