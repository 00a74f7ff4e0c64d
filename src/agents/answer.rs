//! What an agent's work ends in, by role. Knows nothing of how the conversation went.

use crate::domain::{Review, SpecDraft, WorkPlan};

/// The checked result of an agent, by the role of the agent that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAnswer {
    /// A planner's plan.
    Plan(WorkPlan),
    /// A coder or tester says it is done; what it did is in the worktree.
    Changed { summary: String },
    /// A reviewer's verdict and findings.
    Review(Review),
    /// A spec writer's draft.
    Spec(SpecDraft),
}
