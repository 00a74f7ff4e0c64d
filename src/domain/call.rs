//! How a model call ended, as far as later calls are concerned, and which providers are left alone for a while. Says
//! nothing of what a call cost.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ModelName;

/// What a failed call says about the calls that would come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallFailure {
    pub kind: FailureKind,
    /// When the provider said that it can be asked again; `None` where it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Too many requests or tokens of this model in a time (429).
    Limited,
    /// The provider has more to do than it can (529).
    Overloaded,
    /// The plan, the credit or a long quota is used up.
    Exhausted,
    /// No connection, no answer in time, an error of the server.
    Unreachable,
}

/// The end of a call, as the journals have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    pub model: ModelName,
    pub at: Timestamp,
    /// `None` where the provider answered, be it with a refusal of this one request.
    pub failure: Option<CallFailure>,
}

/// A provider, or one model of it, that is not asked for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwell {
    /// `anthropic`, `openai-compatible at localhost:8000`, `model large`.
    pub what: String,
    pub until: Timestamp,
    pub why: String,
}

impl FailureKind {
    /// For people: `is over its limit`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Limited => "is over its limit",
            Self::Overloaded => "is overloaded",
            Self::Exhausted => "has no quota or credit left",
            Self::Unreachable => "cannot be reached",
        }
    }
}
