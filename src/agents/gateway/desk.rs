//! Where an external agent's questions become calls of its chain: as one more turn of its step, without secrets, within
//! its turns, and reserved against every cap as any other call. Does not know the wire.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::question::Question;
use super::refusal::Refusal;
use super::sieve::Sieve;
use super::token::Token;
use crate::agents::fence::Fence;
use crate::agents::source::Source;
use crate::domain::{AgentConfig, StepKey, redact_secrets};
use crate::models::{CallContext, ChatReply, ChatRequest, Ear, Message, ModelError, Router};
use crate::sandbox::Pulse;

/// Calls at a time; agents ask for titles and summaries besides.
const AT_ONCE: usize = 4;
/// Questions after the last cap was reached, after which the agent is ended.
const MOST_IN_VAIN: u32 = 20;

/// One step's gateway.
pub(in crate::agents) struct Desk {
    pub(super) token: Token,
    /// The model's name as agents are told it.
    pub(super) model: String,
    router: Arc<Router>,
    key: StepKey,
    agent: AgentConfig,
    /// Marks what its tools put out, and holds the values that no model may see.
    fence: Arc<Fence>,
    pulse: Pulse,
    /// Of the step; ends calls under way.
    cancel: CancellationToken,
    /// Set when the agent goes on asking in vain.
    in_vain: CancellationToken,
    places: Semaphore,
    /// Answers begun.
    answers: AtomicU32,
    standing: Mutex<Standing>,
}

/// What has come of the questions so far.
#[derive(Debug, Clone, Default)]
pub(in crate::agents) struct Standing {
    pub calls: u32,
    /// Why the last question got no reply, if it did not.
    pub error: Option<ModelError>,
    /// More turns were asked for than the agent's note allows.
    pub turns_used_up: bool,
    /// The last words of the model.
    pub last_text: String,
    /// Requests without the token, and those that could not be understood, with the last reason.
    pub refused: u32,
    pub reason: String,
    vain: u32,
}

impl Standing {
    /// Whether the agent was ended because it went on asking.
    pub(in crate::agents) fn in_vain(&self) -> bool {
        self.vain >= MOST_IN_VAIN
    }
}

impl Desk {
    /// `cancel` ends calls under way, `in_vain` is told when the agent does not stop asking after a cap was reached.
    pub(in crate::agents) fn open(
        token: Token,
        router: Arc<Router>,
        (key, agent): (StepKey, &AgentConfig),
        fence: Arc<Fence>,
        pulse: Pulse,
        (cancel, in_vain): (CancellationToken, CancellationToken),
    ) -> Self {
        let first = router.first();
        let model = if first.model.is_empty() { first.name.to_string() } else { first.model.clone() };
        Self {
            token,
            model,
            router,
            key,
            agent: agent.clone(),
            fence,
            pulse,
            cancel,
            in_vain,
            places: Semaphore::new(AT_ONCE),
            answers: AtomicU32::new(0),
            standing: Mutex::default(),
        }
    }

    /// The model's name as agents are told it.
    pub(in crate::agents) fn model(&self) -> &str {
        &self.model
    }

    pub(in crate::agents) fn token(&self) -> &str {
        self.token.as_str()
    }

    pub(in crate::agents) fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// Notes a request that was refused before it was a question.
    pub(super) fn refuse(&self, refusal: Refusal) -> Refusal {
        let mut standing = self.lock();
        standing.refused += 1;
        standing.reason.clone_from(&refusal.message);
        refusal
    }

    /// A name for the next answer, unique in the step.
    pub(super) fn next_id(&self) -> String {
        format!("{:08}", self.answers.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The chain's reply without secrets, or why there is none. `ear` hears its words as they come, where the agent asked
    /// for a stream and the model can give one.
    pub(super) async fn ask(&self, question: &Question, ear: Option<Ear<'_>>) -> Result<ChatReply, Refusal> {
        let _awaited = self.pulse.hold();
        let _place = self.places.acquire().await.expect("nobody closes the semaphore");
        let turn = self.turn()?;
        let request = self.request(question, turn);
        let sieve = Mutex::new(Sieve::new(self.fence.held()));
        let told = |words: String| {
            if let (Some(ear), false) = (ear, words.is_empty()) {
                ear(&words);
            }
        };
        let hear = |words: &str| told(sieve.lock().unwrap_or_else(PoisonError::into_inner).push(words));
        let replied = match ear {
            Some(_) => self.router.call_aloud(&request, &hear, &self.cancel).await,
            None => self.router.call(&request, &self.cancel).await,
        };
        if matches!(replied, Err(ModelError::Cancelled)) {
            // The program is being ended; an answer would only set it to work once more.
            return std::future::pending().await;
        }
        let mut standing = self.lock();
        match replied {
            Ok(routed) => {
                standing.error = None;
                told(sieve.lock().unwrap_or_else(PoisonError::into_inner).finish());
                let reply = self.clean_reply(routed.reply);
                if !reply.text.trim().is_empty() {
                    standing.last_text.clone_from(&reply.text);
                }
                Ok(reply)
            }
            Err(error) => {
                let refusal = Refusal::of_model(&error);
                if refusal.status == 403 {
                    self.count_vain(&mut standing);
                }
                standing.error = Some(error);
                Err(refusal)
            }
        }
    }

    /// The number of the next turn, while the agent's note allows one.
    fn turn(&self) -> Result<u32, Refusal> {
        let mut standing = self.lock();
        let most = self.agent.max_turns.max(1);
        if standing.calls >= most {
            standing.turns_used_up = true;
            self.count_vain(&mut standing);
            return Err(Refusal::spent(&format!(
                "all {most} turns of agent `{}` are used up",
                self.agent.name
            )));
        }
        standing.calls += 1;
        Ok(standing.calls)
    }

    fn count_vain(&self, standing: &mut Standing) {
        standing.vain += 1;
        if standing.in_vain() {
            self.in_vain.cancel();
        }
    }

    fn request(&self, question: &Question, turn: u32) -> ChatRequest {
        let limit = self.router.first().max_output_tokens;
        ChatRequest {
            context: CallContext { key: self.key, agent: self.agent.name.clone(), turn },
            system: self.clean(&question.system),
            messages: self.messages(&question.messages),
            tools: question.tools.clone(),
            temperature: self.agent.temperature.or(question.temperature),
            max_output_tokens: question.max_output_tokens.unwrap_or(limit),
        }
    }

    /// The conversation without secrets, what tools put out fenced as data.
    fn messages(&self, messages: &[Message]) -> Vec<Message> {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            match message {
                Message::User { text } => *text = self.clean(text),
                Message::Tool { name, content, .. } => {
                    let source = Source::Tool { name: name.clone(), about: None };
                    *content = self.fence.wrap(&source, content, content.len().max(1));
                }
                Message::Assistant { text, tool_calls } => {
                    *text = self.clean(text);
                    tool_calls.iter_mut().for_each(|call| self.clean_value(&mut call.arguments));
                }
            }
        }
        messages
    }

    /// The reply as the agent gets it. What a tool is called with is the agent's work, of which only held values are taken.
    fn clean_reply(&self, mut reply: ChatReply) -> ChatReply {
        reply.text = self.clean(&reply.text);
        for call in &mut reply.tool_calls {
            each_text(&mut call.arguments, &|text| {
                for held in self.fence.held().iter().filter(|held| held.len() >= 8) {
                    *text = text.replace(held.as_str(), "[redacted: held]");
                }
            });
        }
        reply
    }

    fn clean_value(&self, value: &mut Value) {
        each_text(value, &|text| *text = self.clean(text));
    }

    fn clean(&self, text: &str) -> String {
        redact_secrets(text, self.fence.held())
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes every text in a JSON value.
fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_text(field, change)),
        _ => {}
    }
}
