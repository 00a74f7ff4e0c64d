//! Commands that a repository note names for a worktree's life, run in the sandbox.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::diff::escaped;
use super::{WorkspaceError, Worktree};
use crate::sandbox::{Refusal, Sandbox, SandboxCommand, SandboxPolicy};

/// Runs a hook with `sh -c` in the worktree, in the sandbox, and gives what it was refused of the network. `name` is the
/// hook's property: `after_create`.
///
/// # Errors
/// `Hook` when it fails or takes longer than the policy allows, `Sandbox` when it cannot be started or was cancelled.
pub async fn run_hook(
    sandbox: &Sandbox,
    worktree: &Worktree,
    policy: &SandboxPolicy,
    name: &str,
    command: &str,
    cancel: &CancellationToken,
) -> Result<Vec<Refusal>, WorkspaceError> {
    let command = SandboxCommand {
        argv: ["sh", "-c", command].map(String::from).to_vec(),
        cwd: worktree.path.clone(),
        env: BTreeMap::new(),
        stdin: String::new(),
    };
    let output = sandbox
        .run(&command, policy, cancel)
        .await
        .map_err(|source| WorkspaceError::Sandbox { hook: name.to_owned(), source })?;
    if output.success() {
        return Ok(output.refused);
    }
    let how = match (output.timed_out, output.exit_code, output.signal) {
        (true, _, _) => format!("no end after {} seconds", policy.limits.wall.as_secs()),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
    };
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    Err(WorkspaceError::Hook { hook: name.to_owned(), detail: format!("{how}: {}", tail(words)) })
}

/// The last lines, safe to show.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = escaped(&lines[lines.len().saturating_sub(5)..].join("; "));
    last.chars().take(500).collect()
}
