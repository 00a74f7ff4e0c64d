//! Quality gates: finds a project's tools, runs them in the sandbox, and reads their output into diagnostics.
//!
//! Does not know runs, rounds or what becomes of a failure.

mod error;
mod spec;

pub use error::GateError;
pub use spec::{GateSpec, Parser};
