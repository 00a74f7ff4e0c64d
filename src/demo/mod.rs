//! The demo's folder: a vault, a small real repository with a bare origin, a feature, a recorded conversation.
//!
//! Only lays things out; the work on them is the engine's, as everywhere.

mod lay_out;

pub use lay_out::{Demo, DemoError, lay_out};
