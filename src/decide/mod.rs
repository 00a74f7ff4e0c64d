//! Every rule, pure: what should happen next, and why.
//!
//! `decide` turns a snapshot into a plan: at most one effect per feature, a reason for every effect and every wait.
//! One file holds one rule: which notes can be acted on (`intake`), who wins between folder and `status` (`drift`),
//! which note is left alone for a moment (`holds`),
//! which machine works (`claims`), what a human's move means (`moves`), what may start (`eligibility`, `dependencies`, `queue`), how a run goes on
//! (`pipeline`, `steps`, `feedback`, `merging`, `rounds`, `approvals`, `specifying`, `splitting`, `shepherd`), what it owes its issue (`issues`),
//! what a command in a comment means (`commands`), what a review of somebody else's pull request may take (`reviewing`) and
//! what stops a run (`brakes`). Knows no files,
//! processes, clocks or randomness; time is a field of the snapshot.

mod approvals;
mod brakes;
mod claims;
mod commands;
mod complexity;
mod dependencies;
mod drift;
mod eligibility;
mod estimate;
mod feedback;
mod holds;
mod instruction;
mod intake;
mod issues;
mod look;
mod merging;
mod models;
mod moves;
mod next;
mod pipeline;
mod queue;
mod reviewing;
mod risk;
mod rounds;
mod shepherd;
mod specifying;
mod spending;
mod splitting;
mod steps;

pub use brakes::step_seconds;
pub use commands::{Obedience, Outside, obey, obey_outside, takes_commands};
pub use complexity::triage;
pub use issues::{after_issue, issue_report, shown_by_issue};
pub use look::decide;
pub use models::pick_models;
pub use reviewing::{review_caps, review_obstacle, review_seconds};
pub use spending::caps_for;
