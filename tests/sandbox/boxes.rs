//! What every test of boxes begins with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ado_vault::sandbox::{Limits, Sandbox, SandboxCommand, SandboxOutput, SandboxPolicy};
use tokio_util::sync::CancellationToken;

pub use crate::machine::sandbox;

pub fn sh(cwd: &Path, script: &str) -> SandboxCommand {
    SandboxCommand {
        argv: ["sh", "-c", script].map(String::from).to_vec(),
        cwd: cwd.into(),
        env: BTreeMap::new(),
        stdin: String::new(),
    }
}

pub fn policy(worktree: &Path) -> SandboxPolicy {
    SandboxPolicy {
        write: vec![worktree.into()],
        read: vec![],
        protect: vec![],
        limits: Limits { wall: Duration::from_secs(60), ..Limits::default() },
        ..Default::default()
    }
}

pub async fn run(sandbox: &Sandbox, command: &SandboxCommand, policy: &SandboxPolicy) -> SandboxOutput {
    sandbox.run(command, policy, &CancellationToken::new()).await.unwrap()
}

pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}
