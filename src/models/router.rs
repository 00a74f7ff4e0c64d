//! One agent's fallback chain: reserve, ask, settle, try again, go on to the next model. Knows no provider.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::domain::{EditFormat, FailureKind, ModelConfig, ModelName, Tokens, Usd};

use super::{ChatReply, ChatRequest, Ear, Health, Ledger, Model, ModelError, Settlement, build, estimate};

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
            ModelError::Unreachable { .. }
            | ModelError::BrokenOff { .. }
            | ModelError::RateLimited { retry_after: None, .. }
            | ModelError::Overloaded { retry_after: None, .. } => Some(backoff),
            ModelError::RateLimited { retry_after: Some(wait), .. }
            | ModelError::Overloaded { retry_after: Some(wait), .. } => {
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
/// Every call to a provider is reserved in the ledger before it is made and settled after it. A refusal is settled with no
/// tokens, an answer that broke off with what it may cost. A call that is cancelled, or whose future is dropped, is not settled: the provider may charge it, so its
/// reservation stays open and counts as spent.
///
/// A model whose breaker is open in [`Health`] is not asked, one that refused its key not again by this router.
pub struct Router {
    members: Vec<Member>,
    ledger: Arc<dyn Ledger>,
    health: Arc<Health>,
    retry: RetryPolicy,
}

struct Member {
    config: ModelConfig,
    /// Why it could not be built, otherwise.
    model: Result<Arc<dyn Model>, ModelError>,
    /// That it refused its key.
    refusal: Mutex<Option<ModelError>>,
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
        Self { members, ledger, health: Arc::default(), retry: RetryPolicy::default() }
    }

    /// The same chain with another patience.
    #[must_use]
    pub fn with_retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// The same chain with breakers that it shares with others.
    #[must_use]
    pub fn with_health(self, health: Arc<Health>) -> Self {
        Self { health, ..self }
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
    /// said: `Unwell` with the earliest time if time alone helps any of them, else `Unreachable` if any is, else
    /// `Rejected`.
    pub async fn call(
        &self,
        request: &ChatRequest,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, ModelError> {
        self.call_heard(request, None, cancel).await
    }

    /// The same, with an ear that hears the words as they come. Once it heard any, neither this model nor another is asked
    /// again: an answer that was half told cannot be begun anew.
    ///
    /// # Errors
    /// As [`Router::call`].
    pub async fn call_aloud(
        &self,
        request: &ChatRequest,
        ear: Ear<'_>,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, ModelError> {
        self.call_heard(request, Some(ear), cancel).await
    }

    async fn call_heard(
        &self,
        request: &ChatRequest,
        ear: Option<Ear<'_>>,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, ModelError> {
        if let Some(reply) = self.remembered(request).await {
            return Ok(reply);
        }
        let mut refusals = Vec::new();
        for member in &self.members {
            match self.ask(member, request, ear, cancel).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Next(error)) => {
                    tracing::warn!(model = %member.config.name, %error, "the next model of the chain is asked");
                    refusals.push((member.config.name.clone(), error));
                }
            }
        }
        Err(summary(refusals, self.health.now()))
    }

    /// The answer of a model of this chain from before the conversation was cut off.
    async fn remembered(&self, request: &ChatRequest) -> Option<RoutedReply> {
        let (model, reply) = self.ledger.remembered(request).await?;
        let config = self.members.iter().map(|member| &member.config).find(|config| config.name == model)?;
        Some(RoutedReply { reply, model, cost: Usd::ZERO, edit_format: config.edit_format })
    }

    async fn ask(
        &self,
        member: &Member,
        request: &ChatRequest,
        ear: Option<Ear<'_>>,
        cancel: &CancellationToken,
    ) -> Result<RoutedReply, Failure> {
        let was_heard = AtomicBool::new(false);
        let noting = |words: &str| {
            if let (Some(ear), false) = (ear, words.is_empty()) {
                was_heard.store(true, Ordering::Relaxed);
                ear(words);
            }
        };
        let ear = ear.map(|_| &noting as Ear<'_>);
        let model = member.model.as_ref().map_err(|error| Failure::Next(error.clone()))?;
        if let Some(error) = member.refusal() {
            return Err(Failure::Next(error));
        }
        let mut tries = 1;
        loop {
            self.let_through(&member.config, cancel).await?;
            let error = match self.ask_once(&member.config, model.as_ref(), (request, ear), cancel).await? {
                Ok(reply) => return Ok(reply),
                Err(error) if was_heard.load(Ordering::Relaxed) => return Err(Failure::Stop(error)),
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
            rest(pause, cancel).await?;
            tries += 1;
        }
    }

    /// Waits for a short limit of the model; a longer one, or a provider that is unwell, is the next model's turn.
    async fn let_through(&self, config: &ModelConfig, cancel: &CancellationToken) -> Result<(), Failure> {
        loop {
            let Err(refused) = self.health.ask(config) else { return Ok(()) };
            let left = refused.until.duration_since(self.health.now());
            let left = Duration::try_from(left).unwrap_or_default();
            if refused.kind != FailureKind::Limited || left > self.retry.max_wait {
                let detail = format!("it {}", refused.kind.in_words());
                let model = config.name.clone();
                return Err(Failure::Next(ModelError::Unwell { model, until: refused.until, detail }));
            }
            rest(left, cancel).await?;
        }
    }

    /// One request to the provider. The outer error stops the chain, the inner one is the provider's.
    async fn ask_once(
        &self,
        config: &ModelConfig,
        model: &dyn Model,
        (request, ear): (&ChatRequest, Option<Ear<'_>>),
        cancel: &CancellationToken,
    ) -> Result<Result<RoutedReply, ModelError>, Failure> {
        if cancel.is_cancelled() {
            return Err(Failure::Stop(ModelError::Cancelled));
        }
        let most = estimate(request, config);
        let call = self.ledger.reserve(&request.context, &config.name, most).await.map_err(Failure::Stop)?;
        let began = Instant::now();
        let asking = match ear {
            Some(ear) => model.call_aloud(request, ear),
            None => model.call(request),
        };
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Stop(ModelError::Cancelled)),
            answer = asking => answer,
        };
        let failure = answer.as_ref().err().and_then(|error| error.failure(self.health.now()));
        self.health.ended(config, failure);
        let tokens = match &answer {
            Ok(reply) => reply.tokens,
            Err(ModelError::BrokenOff { tokens, .. }) => *tokens,
            Err(_) => Tokens::default(),
        };
        let cost = config.cost(tokens);
        let settlement = Settlement {
            tokens,
            cost,
            millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended: answer.as_ref().map_or_else(ToString::to_string, |reply| reply.ended.clone()),
            failure,
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
        Self { config, model, refusal: Mutex::default() }
    }

    fn refusal(&self) -> Option<ModelError> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, error: &ModelError) {
        if matches!(error, ModelError::Auth { .. }) {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

/// A pause that a stop ends.
async fn rest(pause: Duration, cancel: &CancellationToken) -> Result<(), Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::Stop(ModelError::Cancelled)),
        () = sleep(pause) => Ok(()),
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
    Ok(Router { members, ledger, health: Arc::default(), retry: RetryPolicy::default() })
}

fn summary(mut refusals: Vec<(ModelName, ModelError)>, now: Timestamp) -> ModelError {
    if refusals.len() == 1 {
        return refusals.remove(0).1;
    }
    let detail = refusals.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; ");
    let resumes = refusals.iter().filter_map(|(name, error)| Some((error.resumes(now)?, name)));
    if let Some((until, model)) = resumes.min_by_key(|(until, _)| *until) {
        return ModelError::Unwell { model: model.clone(), until, detail };
    }
    let is_down =
        |error: &ModelError| matches!(error, ModelError::Unreachable { .. } | ModelError::BrokenOff { .. });
    let down = refusals.iter().find(|(_, error)| is_down(error));
    if let Some((model, _)) = down {
        return ModelError::Unreachable { model: model.clone(), detail };
    }
    match refusals.pop() {
        Some((model, _)) => ModelError::Rejected { model, detail },
        None => ModelError::NoModel { detail: "the chain is empty".into() },
    }
}

fn transcript(config: &ModelConfig, request: &ChatRequest, answer: &Result<ChatReply, ModelError>) -> Value {
    let (name, outcome) = match answer {
        Ok(reply) => ("reply", json!(reply)),
        Err(error) => ("error", json!(error.to_string())),
    };
    json!({
        "model": config.name,
        "request": request.in_transcript(),
        name: outcome,
    })
}
