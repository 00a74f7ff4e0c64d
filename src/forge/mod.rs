//! Pull requests behind one trait, and the built-in local forge whose pull requests are notes.
//!
//! A forge records and shows; it merges nothing and does not know git: that is the workspace's.

mod contract;
mod error;
mod inert;
mod local;
mod local_note;

pub use contract::Forge;
pub use error::ForgeError;
pub use local::LocalForge;
