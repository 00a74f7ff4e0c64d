//! Why gates could not be run at all; a failing gate is a result, not an error.

use crate::domain::RepoName;
use crate::sandbox::SandboxError;

/// Why gates could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A line of the repository note's `gates` is not `kind: command`.
    #[error("gate line `{line}` of repository `{repo}` is not usable: {problem}")]
    BadLine { repo: RepoName, line: String, problem: String },
    /// The sandbox failed, not the gate.
    #[error("cannot run gate `{gate}`")]
    Sandbox { gate: String, source: SandboxError },
    #[error("stopped")]
    Cancelled,
}
