//! Pull requests behind one trait, and the built-in local forge whose pull requests are notes.
//!
//! A forge records and shows; it merges nothing and does not know git: that is the workspace's.

mod error;
mod forge;
mod local;

pub use error::ForgeError;
pub use forge::Forge;
pub use local::LocalForge;
