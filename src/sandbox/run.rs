//! Starts boxes and gathers what comes out of them. Does not know how a box is built.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy, SandboxReport};

/// Runs commands, boxed or (explicitly) not. A clone shares everything.
#[derive(Debug, Clone)]
pub struct Sandbox {
    report: Arc<SandboxReport>,
}

impl Sandbox {
    /// Tries the whole profile once. `init` is the path of the `ado-vault` program itself.
    ///
    /// # Errors
    /// `Unavailable` names the layer that this machine cannot enforce and what helps.
    pub fn detect(init: &Path) -> Result<Self, SandboxError> {
        Err(SandboxError::Unavailable { reason: format!("`{}` was not probed", init.display()) })
    }

    /// No box: the environment is still cleared, limits, time-outs and the kill of the process group still hold.
    pub fn none() -> Self {
        Self { report: Arc::default() }
    }

    pub fn is_enforcing(&self) -> bool {
        self.report.enforcing
    }

    pub fn report(&self) -> SandboxReport {
        SandboxReport::clone(&self.report)
    }

    /// Runs to the end, to a limit or until `cancel`.
    ///
    /// # Errors
    /// `Policy` for an unusable policy, `Start` naming the layer that failed, `Cancelled` after `cancel`.
    pub async fn run(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        cancel: &CancellationToken,
    ) -> Result<SandboxOutput, SandboxError> {
        let _ = (policy, cancel);
        Err(SandboxError::Start {
            program: command.argv.first().cloned().unwrap_or_default(),
            reason: "not available".into(),
        })
    }
}
