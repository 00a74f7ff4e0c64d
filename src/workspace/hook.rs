//! Commands that a repository note names for a worktree's life, run in the sandbox.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{SandboxPaths, WorkspaceError, Worktree};
use crate::sandbox::Sandbox;

/// Runs a hook with `sh -c` in the worktree, in the sandbox.
///
/// # Errors
/// `Hook` when it fails or takes longer than `timeout`, `Sandbox` when it cannot be started.
pub async fn run_hook(
    sandbox: &Sandbox,
    worktree: &Worktree,
    paths: &SandboxPaths,
    name: &str,
    command: &str,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<(), WorkspaceError> {
    let _ = (sandbox, worktree, paths, command, timeout, cancel);
    Err(WorkspaceError::Hook { hook: name.to_owned(), detail: "hooks do not run yet".into() })
}
