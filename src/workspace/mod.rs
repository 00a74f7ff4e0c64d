//! Target repositories on this machine: worktrees for runs, commits of what agents left in them, diffs, push, merge.
//!
//! Everything that an agent could have written is read and written through libgit2 and plain file calls, which start no
//! hooks, monitors or filter programs. The `git` program only fetches and pushes, through one wrapper. This room does
//! not know notes, journals or pull requests.

mod beneath;
mod checkout;
mod commit;
mod contents;
mod credential;
mod diff;
mod error;
mod facts;
mod forbidden;
mod formatting;
mod git_program;
mod hidden_text;
mod hook;
mod ignored;
mod index_file;
mod integrity;
mod integrity_rules;
mod merge;
mod proposal;
mod push;
mod remove;
mod repository;
mod restore;
mod stage;
mod trailer;
mod update;
mod versions;
mod worktree;

pub use contents::{BranchCommit, Content};
pub use credential::GitCredential;
pub use error::WorkspaceError;
pub use facts::{CommitSubject, Excerpt, LanguageShare, RepositoryFacts};
pub use hook::run_hook;
pub use merge::Merged;
pub use push::Pushed;
pub use remove::Removed;
pub use repository::Workspace;
pub use update::Updated;
pub use worktree::{SandboxPaths, Worktree};
