//! Every rule, pure: what should happen next, and why.
//!
//! `decide` turns a snapshot into a plan: at most one effect per feature, a reason for every effect and every wait.
//! Knows no files, processes, clocks or randomness; time is a field of the snapshot.

mod complexity;
mod models;
mod spending;

use crate::domain::{Plan, Snapshot};

pub use complexity::triage;
pub use models::pick_models;
pub use spending::caps_for;

/// What should happen next.
pub fn decide(snapshot: &Snapshot) -> Plan {
    Plan { decisions: vec![], problems: snapshot.config.problems.clone() }
}
