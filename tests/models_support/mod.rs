//! What the tests of the models share: a ledger that remembers, requests and notes.

use std::sync::{Arc, Mutex};

use ado_vault::domain::{ModelConfig, ModelName, Spent, Step, StepKey};
use ado_vault::models::{
    CallContext, CallId, ChatRequest, Ledger, Message, ModelError, Settlement, ToolSpec,
};
use async_trait::async_trait;

/// A ledger that keeps everything and has a cap on calls.
pub struct Book {
    entries: Mutex<Vec<Entry>>,
    calls: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Reserved(u64, ModelName, Spent),
    Settled(u64, Settlement),
}

impl Entry {
    pub fn short(&self) -> String {
        match self {
            Self::Reserved(id, model, _) => format!("reserve {id} {model}"),
            Self::Settled(id, settlement) => format!("settle {id} {}", settlement.ended),
        }
    }
}

impl Book {
    pub fn new() -> Arc<Self> {
        Self::with_calls(u64::MAX)
    }

    pub fn with_calls(calls: u64) -> Arc<Self> {
        Arc::new(Self { entries: Mutex::new(Vec::new()), calls })
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    pub fn short(&self) -> Vec<String> {
        self.entries().iter().map(Entry::short).collect()
    }
}

#[async_trait]
impl Ledger for Book {
    async fn reserve(
        &self,
        _context: &CallContext,
        model: &ModelName,
        most: Spent,
    ) -> Result<CallId, ModelError> {
        let mut entries = self.entries.lock().unwrap();
        let made = entries.iter().filter(|entry| matches!(entry, Entry::Reserved(..))).count() as u64;
        if made >= self.calls {
            let detail = format!("{made} of {} model calls made", self.calls);
            return Err(ModelError::OutOfBudget { detail });
        }
        entries.push(Entry::Reserved(made + 1, model.clone(), most));
        Ok(CallId(made + 1))
    }

    async fn settle(&self, call: CallId, settlement: Settlement) -> Result<(), ModelError> {
        self.entries.lock().unwrap().push(Entry::Settled(call.0, settlement));
        Ok(())
    }
}

pub fn config(json: &str) -> ModelConfig {
    serde_json::from_str(json).unwrap()
}

/// Turn 1 of `code/1` of the coder, with one tool.
pub fn request(text: &str) -> ChatRequest {
    ChatRequest {
        context: CallContext { key: StepKey::new(Step::Code, 1), agent: "coder".parse().unwrap(), turn: 1 },
        system: "You write code.".into(),
        messages: vec![Message::User { text: text.into() }],
        tools: vec![ToolSpec {
            name: "edit".into(),
            description: "Replaces text in a file.".into(),
            parameters: serde_json::json!({
                "type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]
            }),
        }],
        temperature: Some(0.2),
        max_output_tokens: 500,
    }
}
