//! Ollama's own chat format. Written here and not taken from the library because that cannot send `num_ctx`: without it
//! Ollama cuts a longer conversation off at its start and says nothing.

use std::time::Duration;

use async_trait::async_trait;
use genai::webc;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{ModelConfig, ModelName, Tokens};

use super::estimate::{heard, input_tokens, most_tokens, output_limit};
use super::failure::{Failures, one_line};
use super::remote::{call_id, or_estimated};
use super::{ChatReply, ChatRequest, Ear, Message, Model, ModelError, ToolCall};

/// The smallest context that is asked for, in tokens. A changed context makes Ollama load the model again, so it grows
/// in powers of two from here.
const LEAST_CONTEXT: u64 = 8192;

/// Not `Debug`: it holds the key.
pub(super) struct OllamaModel {
    config: ModelConfig,
    /// Ends in `/`.
    base_url: String,
    /// For servers behind a proxy that wants one.
    key: Option<SecretString>,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Answer {
    message: Said,
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    prompt_eval_cached_count: u64,
    #[serde(default)]
    eval_count: u64,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    id: String,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

impl OllamaModel {
    pub(super) fn new(
        config: ModelConfig,
        base_url: String,
        key: Option<SecretString>,
        client: reqwest::Client,
    ) -> Self {
        Self { config, base_url, key, client }
    }

    async fn send(&self, body: &Value) -> Result<reqwest::Response, webc::Error> {
        let mut request = self.client.post(format!("{}api/chat", self.base_url)).json(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        Ok(request.send().await?)
    }

    /// The answer put together from its pieces, one JSON object a line; given up when none comes for so long.
    async fn in_pieces(
        &self,
        body: &Value,
        request: &ChatRequest,
        (stall, ear): (Duration, Ear<'_>),
        failures: &Failures<'_>,
    ) -> Result<Value, ModelError> {
        let of_web = |error: webc::Error| failures.of_web(&error, Timestamp::now());
        let mut response = self.send(body).await.map_err(of_web)?;
        if !response.status().is_success() {
            let (status, headers) = (response.status(), Box::new(response.headers().clone()));
            let body = response.text().await.unwrap_or_default();
            return Err(of_web(webc::Error::ResponseFailedStatus { status, body, headers }));
        }
        let (mut whole, mut waiting) = (Value::Null, Vec::new());
        loop {
            let piece = match tokio::time::timeout(stall, response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => return Err(failures.of_exchange(&error, so_far(request, &whole))),
                Err(_) => {
                    return Err(failures.broken_off(
                        so_far(request, &whole),
                        &format!("nothing came for {} s", stall.as_secs()),
                    ));
                }
            };
            let ended = piece.is_none();
            waiting.extend_from_slice(&piece.unwrap_or_default());
            while let Some(at) =
                waiting.iter().position(|byte| *byte == b'\n').or(ended.then_some(waiting.len()))
            {
                let line: Vec<u8> = waiting.drain(..(at + 1).min(waiting.len())).collect();
                if line.iter().all(u8::is_ascii_whitespace) {
                    if waiting.is_empty() { break } else { continue }
                }
                let piece: Value = serde_json::from_slice(&line).map_err(|error| {
                    failures.broken_off(
                        so_far(request, &whole),
                        &format!("a piece of it is broken JSON: {error}"),
                    )
                })?;
                ear(piece["message"]["content"].as_str().unwrap_or_default());
                add(&mut whole, piece);
            }
            if whole["done"] == true || whole.get("error").is_some() {
                return Ok(whole);
            }
            if ended {
                return Err(failures.broken_off(so_far(request, &whole), "it has no end"));
            }
        }
    }

    async fn post(&self, body: &Value) -> Result<Value, webc::Error> {
        let response = self.send(body).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await?;
        if !status.is_success() {
            return Err(webc::Error::ResponseFailedStatus { status, body, headers: Box::new(headers) });
        }
        let content_type =
            headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !content_type.starts_with("application/json") {
            return Err(webc::Error::ResponseFailedNotJson { content_type: content_type.into(), body });
        }
        serde_json::from_str(&body)
            .map_err(|error| webc::Error::ResponseFailedInvalidJson { cause: error.to_string(), body })
    }

    fn body(&self, request: &ChatRequest) -> Value {
        let output = output_limit(request, &self.config);
        let mut options = json!({
            "num_predict": output,
            "num_ctx": context(input_tokens(request).saturating_add(output), self.config.context_tokens),
        });
        if let Some(temperature) = request.temperature {
            options["temperature"] = json!(temperature);
        }
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.is_empty() {
            messages.push(json!({"role": "system", "content": request.system}));
        }
        messages.extend(request.messages.iter().map(message));
        let mut body =
            json!({"model": self.config.model, "stream": false, "options": options, "messages": messages});
        if !request.tools.is_empty() {
            let tools = request.tools.iter().map(|tool| json!({"type": "function", "function": tool}));
            body["tools"] = tools.collect();
        }
        body
    }
}

#[async_trait]
impl Model for OllamaModel {
    fn name(&self) -> &ModelName {
        &self.config.name
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let stall = self.config.stall_seconds.filter(|seconds| *seconds > 0);
        self.ask(request, stall.map(|stall| (Duration::from_secs(stall), &(|_: &str| {}) as Ear<'_>))).await
    }

    async fn call_aloud(&self, request: &ChatRequest, ear: Ear<'_>) -> Result<ChatReply, ModelError> {
        self.ask(request, Some((self.config.longest_silence(), ear))).await
    }
}

impl OllamaModel {
    /// The answer, in pieces where a longest silence and an ear are given.
    async fn ask(
        &self,
        request: &ChatRequest,
        pieces: Option<(Duration, Ear<'_>)>,
    ) -> Result<ChatReply, ModelError> {
        let failures = Failures {
            model: &self.config.name,
            key: self.key.as_ref(),
            most: most_tokens(request, &self.config),
        };
        let mut asked = self.body(request);
        let body = match pieces {
            None => {
                let body = self.post(&asked).await;
                body.map_err(|error| failures.of_web(&error, Timestamp::now()))?
            }
            Some(pieces) => {
                asked["stream"] = json!(true);
                self.in_pieces(&asked, request, pieces, &failures).await?
            }
        };
        if let Some(error) = failures.of_body(&body, Timestamp::now()) {
            return Err(error);
        }
        let answer = Answer::deserialize(body).map_err(|error| {
            failures.rejected(&format!("its answer does not have the form of this provider: {error}"))
        })?;
        Ok(reply(answer, request))
    }
}

/// What the pieces up to now have taken.
fn so_far(request: &ChatRequest, whole: &Value) -> Tokens {
    heard(request, whole["message"]["content"].as_str().map_or(0, str::len))
}

/// Adds a piece of an answer to those before it: texts and calls are strung together, all else is as the last piece says.
fn add(whole: &mut Value, mut piece: Value) {
    let text = |answer: &Value| answer["message"]["content"].as_str().unwrap_or_default().to_owned();
    let calls = |answer: &Value| answer["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
    let (text, calls) = (text(whole) + &text(&piece), [calls(whole), calls(&piece)].concat());
    if piece.is_object() {
        piece["message"] = json!({"content": text, "tool_calls": calls});
    }
    *whole = piece;
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text, tool_calls } if tool_calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        Message::Assistant { text, tool_calls } => {
            let calls: Vec<Value> = tool_calls
                .iter()
                .map(|call| json!({"function": {"name": call.name, "arguments": call.arguments_object()}}))
                .collect();
            json!({"role": "assistant", "content": text, "tool_calls": calls})
        }
        Message::Tool { name, content, .. } => json!({"role": "tool", "tool_name": name, "content": content}),
    }
}

fn reply(answer: Answer, request: &ChatRequest) -> ChatReply {
    let text = answer.message.content.unwrap_or_default();
    let tool_calls: Vec<ToolCall> = answer
        .message
        .tool_calls
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, call)| ToolCall {
            id: call_id(call.id, request.context.turn, index),
            name: call.function.name,
            arguments: call.function.arguments,
        })
        .collect();
    let tokens = Tokens {
        input: answer.prompt_eval_count,
        cached: answer.prompt_eval_cached_count.min(answer.prompt_eval_count),
        output: answer.eval_count,
        ..Tokens::default()
    };
    let tokens = or_estimated(tokens, request, &text, &tool_calls);
    let ended = match answer.done_reason.as_deref() {
        Some("length") => "length".into(),
        _ if !tool_calls.is_empty() => "tool_calls".into(),
        Some(word) => one_line(word, 40),
        None => "stop".into(),
    };
    ChatReply { text, tool_calls, tokens, ended }
}

/// The context that holds `needed` tokens, within the note's limit.
fn context(needed: u64, limit: u64) -> u64 {
    needed.max(LEAST_CONTEXT).checked_next_power_of_two().unwrap_or(limit).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_grows_in_powers_of_two_up_to_the_notes_limit() {
        for (needed, limit, expected) in [
            (10, 128_000, 8192),
            (8192, 128_000, 8192),
            (8193, 128_000, 16_384),
            (70_000, 128_000, 128_000),
            (10, 4096, 4096),
            (u64::MAX, 32_768, 32_768),
        ] {
            assert_eq!(context(needed, limit), expected, "{needed}");
        }
    }
}
