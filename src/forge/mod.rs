//! Pull requests behind one trait: the built-in local forge, whose pull requests are notes, and GitHub; issues behind
//! another, which not every forge has.
//!
//! A forge opens, shows, merges or records; it does not know git, which is the workspace's.

mod contract;
mod error;
mod forges;
pub mod github;
mod inert;
mod issues;
mod local;
mod local_note;

pub use contract::{Answer, Forge, MergeOrder, Merging};
pub use error::ForgeError;
pub use forges::Forges;
pub use issues::{Issues, Reply, ReplyKind};
pub use local::LocalForge;

use inert::inert;
