//! One agent's fallback chain: reserve, ask, settle, try again, go on to the next model. Knows no provider.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::domain::{EditFormat, ModelConfig, ModelName, Tokens, Usd};

use super::{ChatReply, ChatRequest, Ledger, Model, ModelError, Settlement, build, estimate};

/// How often and how long one model of a chain is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Wait before the second try; doubles with each further one, up to `max_wait`. No jitter: runs stay repeatable.
    pub base: Duration,
    /// Tries of one model in one call, the first included.
    pub tries: u32,
    /// The longest wait that a provider may ask for; beyond it the next model is asked.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), tries: 3, max_wait: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// The wait before the next try after `tries` of them ended in `error`; `None` when this model is given up.
    fn pause(&self, error: &ModelError, tries: u32) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let backoff = self.base.saturating_mul(doubled).min(self.max_wait);
        match error {
            ModelError::Unreachable { .. } | ModelError::RateLimited { retry_after: None, .. } => {
                Some(backoff)
            }
            ModelError::RateLimited { retry_after: Some(wait), .. } => {
                Some(*wait).filter(|wait| *wait <= self.max_wait)
            }
            _ => None,
        }
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
///
/// Every call to a provider is reserved in the ledger before it is made and settled after it, failures too, with no
/// tokens. A call that is cancelled, or whose future is dropped, is not settled: the provider may charge it, so its
/// reservation stays open and counts as spent.
///
/// A model that refused its key, or named a reset beyond `max_wait`, is not asked again before that time by this router.
pub struct Router {
    members: Vec<Member>,
    ledger: Arc<dyn Ledger>,
    retry: RetryPolicy,
}

struct Member {
    config: ModelConfig,
    /// Why it could not be built, otherwise.
    model: Result<Arc<dyn Model>, ModelError>,
    standing: Mutex<Option<Standing>>,
}

/// A refusal that holds for the next calls as well; until the time, if it has one.
struct Standing {
    error: ModelError,
    until: Option<Instant>,
}

/// What becomes of a chain after one model failed.
enum Failure {
    /// The next model may do better.
    Next(ModelError),
    /// No other model is asked.
    Stop(ModelError),
}

impl Router {
    /// # Panics
    /// When `models` is empty; [`chain`] returns an error instead.
    pub fn new(models: Vec<(ModelConfig, Arc<dyn Model>)>, ledger: Arc<dyn Ledger>) -> Self {
        assert!(!models.is_empty(), "a chain has at least one model");
        let members = models.into_iter().map(|(config, model)| Member::new(config, Ok(model))).collect();
        Self { members, ledger, retry: RetryPolicy::default() }
    }

    /// The same chain with another patience.
    #[must_use]
    pub fn with_retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// The preferred model's note: its edit format and context size shape the conversation. Models that could not be
    /// built are passed over unless there are only such.
    pub fn first(&self) -> &ModelConfig {
        let member = self.members.iter().find(|member| member.model.is_ok()).unwrap_or(&self.members[0]);
        &member.config
    }

    /// Asks the models in order until one answers.
    ///
    /// # Errors
    /// At once: `OutOfBudget` and `Ledger` from the ledger, `Cancelled`, `ContextOverflow` (the conversation wants
    /// shortening), `NotRecorded`. After the whole chain failed: its only member's error, or one that lists what each
    /// said: `RateLimited` with the earliest reset if any is limited, else `Unreachable` if any is, else `Rejected`.
    pub async fn call(
        &self,
        request: &ChatRequest,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, ModelError> {
        let mut refusals = Vec::new();
        for member in &self.members {
            match self.ask(member, request, cancel).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Next(error)) => {
                    tracing::warn!(model = %member.config.name, %error, "the next model of the chain is asked");
                    refusals.push((member.config.name.clone(), error));
                }
            }
        }
        Err(summary(refusals))
    }

    async fn ask(
        &self,
        member: &Member,
        request: &ChatRequest,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, Failure> {
        let model = member.model.as_ref().map_err(|error| Failure::Next(error.clone()))?;
        if let Some(error) = member.standing() {
            return Err(Failure::Next(error));
        }
        let mut tries = 1;
        loop {
            let error = match self.ask_once(&member.config, model.as_ref(), request, cancel).await? {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(pause) = self.retry.pause(&error, tries) else {
                member.remember(&error);
                return Err(match error {
                    ModelError::ContextOverflow { .. } | ModelError::NotRecorded { .. } => {
                        Failure::Stop(error)
                    }
                    error => Failure::Next(error),
                });
            };
            tracing::debug!(model = %member.config.name, %error, ?pause, tries, "the model is asked again");
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(Failure::Stop(ModelError::Cancelled)),
                () = sleep(pause) => tries += 1,
            }
        }
    }

    /// One request to the provider. The outer error stops the chain, the inner one is the provider's.
    async fn ask_once(
        &self,
        config: &ModelConfig,
        model: &dyn Model,
        request: &ChatRequest,
        cancel: &CancellationToken,
    ) -> Result<Result<RoutedReply, ModelError>, Failure> {
        if cancel.is_cancelled() {
            return Err(Failure::Stop(ModelError::Cancelled));
        }
        let most = estimate(request, config);
        let call = self.ledger.reserve(&request.context, &config.name, most).await.map_err(Failure::Stop)?;
        let began = Instant::now();
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Stop(ModelError::Cancelled)),
            answer = model.call(request) => answer,
        };
        let tokens = answer.as_ref().map_or(Tokens::default(), |reply| reply.tokens);
        let cost = config.cost(tokens);
        let settlement = Settlement {
            tokens,
            cost,
            millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended: answer.as_ref().map_or_else(ToString::to_string, |reply| reply.ended.clone()),
            transcript: Some(transcript(config, request, &answer)),
        };
        self.ledger.settle(call, settlement).await.map_err(Failure::Stop)?;
        Ok(answer.map(|reply| RoutedReply {
            reply,
            model: config.name.clone(),
            cost,
            edit_format: config.edit_format,
        }))
    }
}

impl Member {
    fn new(config: ModelConfig, model: Result<Arc<dyn Model>, ModelError>) -> Self {
        Self { config, model, standing: Mutex::new(None) }
    }

    fn standing(&self) -> Option<ModelError> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = standing.as_ref()?;
        let left = refusal.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            *standing = None;
            return None;
        }
        Some(match (&refusal.error, left) {
            (ModelError::RateLimited { model, detail, .. }, left @ Some(_)) => {
                ModelError::RateLimited { model: model.clone(), retry_after: left, detail: detail.clone() }
            }
            (error, _) => error.clone(),
        })
    }

    fn remember(&self, error: &ModelError) {
        let until = match error {
            ModelError::Auth { .. } => None,
            ModelError::RateLimited { retry_after: Some(wait), .. } => Instant::now().checked_add(*wait),
            _ => return,
        };
        let standing = Standing { error: error.clone(), until };
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }
}

/// The chain of these notes. A member that cannot be built (no key, no recording) stays in it and always fails.
///
/// # Errors
/// `NoModel` when `configs` is empty.
pub fn chain(
    configs: &[ModelConfig],
    vault_root: &Path,
    ledger: Arc<dyn Ledger>,
) -> Result<Router, ModelError> {
    if configs.is_empty() {
        return Err(ModelError::NoModel {
            detail: "name one in the agent's `models`, in the routing policy or as `default_model` in the settings"
                .into(),
        });
    }
    let members =
        configs.iter().map(|config| Member::new(config.clone(), build(config, vault_root))).collect();
    Ok(Router { members, ledger, retry: RetryPolicy::default() })
}

fn summary(mut refusals: Vec<(ModelName, ModelError)>) -> ModelError {
    if refusals.len() == 1 {
        return refusals.remove(0).1;
    }
    let detail = refusals.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; ");
    let model_of = |wanted: fn(&ModelError) -> bool| {
        refusals.iter().find(|(_, error)| wanted(error)).map(|(name, _)| name.clone())
    };
    if let Some(model) = model_of(|error| matches!(error, ModelError::RateLimited { .. })) {
        let resets = refusals.iter().filter_map(|(_, error)| match error {
            ModelError::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        });
        return ModelError::RateLimited { model, retry_after: resets.min(), detail };
    }
    if let Some(model) = model_of(|error| matches!(error, ModelError::Unreachable { .. })) {
        return ModelError::Unreachable { model, detail };
    }
    match refusals.pop() {
        Some((model, _)) => ModelError::Rejected { model, detail },
        None => ModelError::NoModel { detail: "the chain is empty".into() },
    }
}

fn transcript(config: &ModelConfig, request: &ChatRequest, answer: &Result<ChatReply, ModelError>) -> Value {
    let tools: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    let (name, outcome) = match answer {
        Ok(reply) => ("reply", json!(reply)),
        Err(error) => ("error", json!(error.to_string())),
    };
    json!({
        "model": config.name,
        "request": {
            "system": request.system,
            "messages": request.messages,
            "tools": tools,
            "temperature": request.temperature,
            "max_output_tokens": request.max_output_tokens,
        },
        name: outcome,
    })
}
