//! Why an agent gave no answer. Says nothing of what is done about it.

use crate::domain::{AgentName, StepKey};
use crate::models::ModelError;

/// Why an agent gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The step's request names no agent.
    #[error("step `{step}` names no agent; write an agent note of the needed role into `20_agents/`")]
    NoAgent { step: StepKey },
    /// The agent note's Tera template cannot be rendered. `line` counts from 1 within the note's body; 0 is unknown.
    #[error("prompt of agent `{agent}` fails in line {line}: {problem}")]
    Prompt { agent: AgentName, line: u32, problem: String },
    /// No model gave a reply; rate limits and budgets are in here.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Every turn that the agent note allows was used. `partial`: the role may write, so that the worktree may hold
    /// changes worth keeping.
    #[error(
        "agent `{agent}` used up its {turns} turns without finishing; raise `max_turns` in its note or split the feature"
    )]
    TurnsUsedUp { agent: AgentName, turns: u32, partial: bool },
    /// The model answered without a tool call, without text or without anything usable, again and again.
    #[error("agent `{agent}` gave no usable answer: {detail}; try another model or edit format")]
    NoAnswer { agent: AgentName, detail: String },
    /// The result did not match its schema, also after it was sent back.
    #[error("agent `{agent}` gave a result that does not fit its schema: {detail}; try another model")]
    BadAnswer { agent: AgentName, detail: String },
    /// The worktree cannot be read or written.
    #[error("cannot use the worktree of agent `{agent}`: {detail}")]
    Worktree { agent: AgentName, detail: String },
    /// An external agent cannot be started as its note says.
    #[error("agent `{agent}` cannot be started: {detail}")]
    Start { agent: AgentName, detail: String },
    /// An external agent that may write ended before it was done, as far as can be told. Its worktree may hold changes
    /// worth keeping; `error` is why its last model call failed, if it did.
    #[error("agent `{agent}` did not finish: {reason}")]
    Unfinished { agent: AgentName, reason: String, error: Option<Box<ModelError>>, summary: String },
    #[error("stopped")]
    Cancelled,
}
