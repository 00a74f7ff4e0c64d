//! Target repositories on this machine: worktrees for runs, commits of what agents left in them, diffs, push, merge.
//!
//! Everything that an agent could have written is read and written through libgit2 and plain file calls, which start no
//! hooks, monitors or filter programs. The `git` program only fetches and pushes, through one wrapper. This room does
//! not know notes, journals or pull requests.

mod error;
mod facts;
mod hook;
mod integrity;
mod merge;
mod push;
mod repository;
mod worktree;

pub use error::WorkspaceError;
pub use facts::{CommitSubject, Excerpt, LanguageShare, RepositoryFacts};
pub use hook::run_hook;
pub use integrity::test_integrity;
pub use merge::Merged;
pub use push::Pushed;
pub use repository::Workspace;
pub use worktree::{Removed, SandboxPaths, Worktree};
