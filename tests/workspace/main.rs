//! Target repositories with real git: worktrees, commits of hostile files, push and merge with and without a remote.

mod hostile;
mod merge;
mod push;
mod repo;
mod worktree;
