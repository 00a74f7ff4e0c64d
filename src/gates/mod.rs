//! Quality gates: finds a project's tools, runs them in the sandbox, and reads their output into diagnostics.
//!
//! Does not know runs, rounds or what becomes of a failure.

mod clean;
mod detect;
mod error;
mod parse;
mod resolve;
mod run;
mod secrets;
mod spec;

pub use detect::detect;
pub use error::GateError;
pub use resolve::resolve;
pub use run::{GateRun, run};
pub use secrets::{SecretScan, secrets_gate};
pub use spec::{GateSpec, Parser};
