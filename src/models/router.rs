//! One agent's fallback chain: reserve, ask, settle, retry, go on to the next model.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::{EditFormat, ModelConfig, ModelName, Usd};

use super::{ChatReply, ChatRequest, Ledger, Model, ModelError};

/// How often and how long one model of a chain is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait before the second try; doubles with each further one.
    pub base: Duration,
    /// Tries of one model, the first included.
    pub tries: u32,
    /// The longest wait that a provider may ask for; beyond it the next model is asked.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), tries: 3, max_wait: Duration::from_secs(30) }
    }
}

/// What the chain answered, and who of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutedReply {
    pub reply: ChatReply,
    pub model: ModelName,
    pub cost: Usd,
    /// How this model is asked to change files.
    pub edit_format: EditFormat,
}

/// Fallback chain for one agent.
pub struct Router {
    models: Vec<(ModelConfig, Arc<dyn Model>)>,
    _ledger: Arc<dyn Ledger>,
}

impl Router {
    /// # Panics
    /// When `models` is empty; [`chain`] returns an error instead.
    pub fn new(models: Vec<(ModelConfig, Arc<dyn Model>)>, ledger: Arc<dyn Ledger>) -> Self {
        assert!(!models.is_empty(), "a chain has at least one model");
        Self { models, _ledger: ledger }
    }

    /// The preferred model's note: its edit format and context size shape the conversation.
    pub fn first(&self) -> &ModelConfig {
        &self.models[0].0
    }

    /// Asks the chain.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub async fn call(
        &self,
        _request: &ChatRequest,
        _cancel: &CancellationToken,
    ) -> Result<RoutedReply, ModelError> {
        Err(ModelError::Cancelled)
    }
}

/// The chain of these notes. A member that cannot be built (no key) stays in it and always fails.
///
/// # Errors
/// `NoModel` when `configs` is empty.
pub fn chain(
    configs: &[ModelConfig],
    vault_root: &Path,
    ledger: Arc<dyn Ledger>,
) -> Result<Router, ModelError> {
    let models = configs
        .iter()
        .map(|config| Ok((config.clone(), super::build(config, vault_root)?)))
        .collect::<Result<Vec<_>, ModelError>>()?;
    if models.is_empty() {
        return Err(ModelError::NoModel { detail: String::new() });
    }
    Ok(Router::new(models, ledger))
}
