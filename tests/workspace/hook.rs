//! Hooks of a worktree's life, as real processes.

use std::time::Duration;

use ado_vault::sandbox::Sandbox;
use ado_vault::workspace::{WorkspaceError, run_hook};
use tokio_util::sync::CancellationToken;

use super::repo::*;

#[tokio::test]
async fn a_hook_runs_in_the_worktree_and_its_failure_is_told() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, _) = repo.worktree(&workspace, 1);
    let (paths, sandbox, cancel) =
        (workspace.protected_paths(&worktree), Sandbox::none(), CancellationToken::new());
    let hook = async |command: &str, timeout| {
        run_hook(&sandbox, &worktree, &paths.clone().policy(timeout), "after_create", command, &cancel).await
    };
    let long = Duration::from_secs(20);
    hook("printf made > made.txt", long).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path.join("made.txt")).unwrap(), "made");
    let failed = hook("printf '\\033[31mno such tool\\n' >&2; exit 3", long).await.unwrap_err();
    assert_eq!(failed.to_string(), "hook `after_create` failed: exit code 3: \\u{1b}[31mno such tool");
    let late = hook("sleep 30", Duration::from_millis(200)).await.unwrap_err();
    assert!(
        matches!(&late, WorkspaceError::Hook { detail, .. } if detail.starts_with("no end after")),
        "{late}"
    );
    cancel.cancel();
    assert!(matches!(hook("true", long).await, Err(WorkspaceError::Sandbox { .. })));
}
