//! One exchange with a model, in words that every provider shares, and the two seams around it: `Model` and `Ledger`.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::{AgentName, CallFailure, FailureKind, ModelName, Spent, StepKey, Tokens, Usd};

/// Where in the work a call belongs: recordings are keyed by it, budgets are charged to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallContext {
    pub key: StepKey,
    pub agent: AgentName,
    /// Turn within the step's conversation, from 1.
    pub turn: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    User {
        text: String,
    },
    Assistant {
        text: String,
        #[serde(default)]
        tool_calls: Vec<ToolCall>,
    },
    /// The answer to one tool call.
    Tool {
        call_id: String,
        name: String,
        content: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// Arguments as the model gave them; not validated.
    pub arguments: Value,
}

impl ToolCall {
    /// The arguments as the object that every provider wants back; anything else is wrapped in one.
    pub fn arguments_object(&self) -> Value {
        match &self.arguments {
            object @ Value::Object(_) => object.clone(),
            Value::Null => json!({}),
            other => json!({ "not_an_object": other }),
        }
    }
}

/// A tool offered to the model; `parameters` is a JSON Schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    pub parameters: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    pub context: CallContext,
    pub system: String,
    pub messages: Vec<Message>,
    pub tools: Vec<ToolSpec>,
    pub temperature: Option<f64>,
    pub max_output_tokens: u64,
}

impl ChatRequest {
    /// What transcripts hold of it: everything that the answer depends on, tools by name.
    pub fn in_transcript(&self) -> Value {
        let tools: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
        json!({
            "system": self.system,
            "messages": self.messages,
            "tools": tools,
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatReply {
    pub text: String,
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    pub tokens: Tokens,
    /// `stop`, `tool_calls`, `length`, or the provider's word.
    pub ended: String,
}

/// Why a call gave no reply.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The environment variable that should hold the key is not set.
    #[error("environment variable `{variable}` for model `{model}` is not set")]
    NoKey { model: ModelName, variable: String },
    #[error("model `{model}` refused the key: {detail}")]
    Auth { model: ModelName, detail: String },
    /// 429: too many requests or tokens in a time; costs no attempt.
    #[error("model `{model}` is over its limit: {detail}")]
    RateLimited { model: ModelName, retry_after: Option<Duration>, detail: String },
    /// 529: the provider has more to do than it can; costs no attempt.
    #[error("the provider of model `{model}` is overloaded: {detail}")]
    Overloaded { model: ModelName, retry_after: Option<Duration>, detail: String },
    /// The plan, the credit or a long quota is used up, until the time if that is known; costs no attempt.
    #[error("the quota or credit for model `{model}` is used up: {detail}")]
    Exhausted { model: ModelName, until: Option<Timestamp>, detail: String },
    /// Not asked: its breaker is open. Costs no attempt.
    #[error("model `{model}` is not asked before {until:.0}: {detail}")]
    Unwell { model: ModelName, until: Timestamp, detail: String },
    /// Connection refused, time-out, 5xx.
    #[error("model `{model}` cannot be reached: {detail}")]
    Unreachable { model: ModelName, detail: String },
    /// The answer stopped on its way, or did not come in time. The provider may charge for it: `tokens` are counted.
    #[error("the answer of model `{model}` broke off: {detail}")]
    BrokenOff { model: ModelName, tokens: Tokens, detail: String },
    #[error("model `{model}` rejected the request: {detail}")]
    Rejected { model: ModelName, detail: String },
    /// The conversation is longer than the model's context.
    #[error("the conversation is too long for model `{model}`: {detail}")]
    ContextOverflow { model: ModelName, detail: String },
    /// A recording has no answer for this place of the conversation.
    #[error("recording of model `{model}` cannot answer: {detail}")]
    NotRecorded { model: ModelName, detail: String },
    /// A cap would be passed; the call was not made.
    #[error("budget: {detail}")]
    OutOfBudget { detail: String },
    /// The chain is empty: neither the agent, nor the tier, nor the settings name a model.
    #[error("no model is configured: {detail}")]
    NoModel { detail: String },
    /// Stopped from outside. The reservation of a call under way stays open and counts as spent.
    #[error("the model call was cancelled")]
    Cancelled,
    /// The journal could not be written; the call was not made.
    #[error("cannot record the call: {detail}")]
    Ledger { detail: String },
}

impl ModelError {
    /// What it says about calls that would come next; `None` where it is about this one alone.
    pub fn failure(&self, now: Timestamp) -> Option<CallFailure> {
        let later = |wait: &Option<Duration>| {
            wait.and_then(|wait| now.checked_add(SignedDuration::try_from(wait).ok()?).ok())
        };
        Some(match self {
            Self::RateLimited { retry_after, .. } => {
                CallFailure { kind: FailureKind::Limited, until: later(retry_after) }
            }
            Self::Overloaded { retry_after, .. } => {
                CallFailure { kind: FailureKind::Overloaded, until: later(retry_after) }
            }
            Self::Exhausted { until, .. } => CallFailure { kind: FailureKind::Exhausted, until: *until },
            Self::Unreachable { .. } | Self::BrokenOff { .. } => {
                CallFailure { kind: FailureKind::Unreachable, until: None }
            }
            _ => return None,
        })
    }

    /// When a call that this error ended may go through, where nothing but time is needed: the time that the provider
    /// named or the breaker is open until, else an hour for a used-up plan and a minute for a limit.
    pub fn resumes(&self, now: Timestamp) -> Option<Timestamp> {
        if let Self::Unwell { until, .. } = self {
            return Some(*until);
        }
        let CallFailure { kind, until } = self.failure(now)?;
        let pause = match kind {
            FailureKind::Limited | FailureKind::Overloaded => SignedDuration::from_mins(1),
            FailureKind::Exhausted => SignedDuration::from_hours(1),
            FailureKind::Unreachable => return None,
        };
        Some(until.unwrap_or_else(|| now.checked_add(pause).unwrap_or(Timestamp::MAX)))
    }
}

/// A model that can be asked. One call is one request to the provider: no retries inside.
#[async_trait]
pub trait Model: Send + Sync {
    fn name(&self) -> &ModelName;
    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError>;

    /// The same, asked for in pieces where the provider can: `ear` hears the words as they come. Tool calls come with the
    /// reply alone. A model that answers at once tells the ear nothing.
    async fn call_aloud(&self, request: &ChatRequest, ear: Ear<'_>) -> Result<ChatReply, ModelError> {
        let _ = ear;
        self.call(request).await
    }
}

/// Hears the words of an answer while it comes.
pub type Ear<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A reservation of a call's greatest possible cost; settled or lost, and a lost one stays spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId(pub u64);

/// How a call ended, for the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    pub tokens: Tokens,
    pub cost: Usd,
    pub millis: u64,
    /// `stop`, `tool_calls`, `length`, or the error in words.
    pub ended: String,
    /// What a failure says about later calls.
    pub failure: Option<CallFailure>,
    /// Prompt and answer for the transcript.
    pub transcript: Option<Value>,
}

/// Keeps the budget: every call is reserved before it is made and settled after.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes the reservation durably and holds it against every cap.
    ///
    /// # Errors
    /// `OutOfBudget` when a cap would be passed, `Ledger` when it cannot be written.
    async fn reserve(
        &self,
        context: &CallContext,
        model: &ModelName,
        most: Spent,
    ) -> Result<CallId, ModelError>;
    async fn settle(&self, call: CallId, settlement: Settlement) -> Result<(), ModelError>;

    /// Who answered this same request before the conversation was cut off, and what, where the journal has it: it is
    /// neither asked nor paid again.
    async fn remembered(&self, _request: &ChatRequest) -> Option<(ModelName, ChatReply)> {
        None
    }
}
