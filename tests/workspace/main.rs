//! Target repositories with real git: worktrees, commits of hostile files, push and merge with and without a remote.

mod hook;
mod hostile;
mod merge;
mod naive;
mod push;
mod repo;
mod update;
mod worktree;
