//! Title and description of a pull request.

use crate::domain::{Feature, RunState};

/// `FR-056: Short title`.
pub fn pull_request_title(feature: &Feature) -> String {
    format!("{}: {}", feature.label(), feature.title)
}

/// The description: what, why, criteria with evidence, checks, risks, rollback, cost, link to the feature.
pub fn pull_request_body(feature: &Feature, state: &RunState) -> String {
    format!("{}\n\nRun {}\n", feature.title, state.id)
}
