//! The vault's git history: what the last commit says, and commits of exactly the paths that are named.
//!
//! Uses libgit2 for all but fetch, push and rebase, so that no hook, filter or monitor of the repository runs. Does not
//! know which transition a commit stands for, and never touches the user's staged work.

mod about;
mod branch;
mod claim;
mod commit;
mod committed;
mod git_lock;
mod handle;
mod heads;
mod hooks;
mod index;
mod intended;
mod message;
mod program;
mod read;
mod remote;
mod repository;
mod sign;
mod signature;
mod splice;
mod tick;

pub use about::CommitAbout;
pub use claim::{Claimed, machine};
pub use committed::CommittedFeatures;
pub(super) use heads::CommittedHead;
pub use intended::{Intended, OwnTexts};
pub use message::CommitMessage;
pub use read::{CommittedTexts, TextId};
pub use remote::{Pulled, Pushed};
pub use repository::History;
pub use tick::Question;
