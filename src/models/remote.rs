//! A model behind a provider's wire format, spoken by the `genai` library. Knows nothing of budgets, retries or chains.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{self as wire, MessageContent, ReasoningEffort, StopReason};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::domain::{ModelConfig, ModelName, Tokens};

use super::estimate::{heard, input_tokens, most_tokens, output_limit, text_tokens};
use super::failure::{Failures, one_line};
use super::{ChatReply, ChatRequest, Ear, Message, Model, ModelError, ToolCall};

/// Not `Debug`: it holds the key.
pub(super) struct RemoteModel {
    config: ModelConfig,
    adapter: AdapterKind,
    base_url: String,
    key: SecretString,
    client: genai::Client,
}

impl RemoteModel {
    pub(super) fn new(
        config: ModelConfig,
        adapter: AdapterKind,
        base_url: String,
        key: SecretString,
        client: reqwest::Client,
    ) -> genai::Result<Self> {
        let client = genai::Client::builder().with_reqwest(client).build()?;
        Ok(Self { config, adapter, base_url, key, client })
    }

    fn target(&self) -> ServiceTarget {
        ServiceTarget {
            endpoint: Endpoint::from_owned(self.base_url.clone()),
            auth: AuthData::from_single(self.key.expose_secret()),
            model: ModelIden::new(self.adapter, self.config.model.clone()),
        }
    }

    fn failures(&self, request: &ChatRequest) -> Failures<'_> {
        let most = most_tokens(request, &self.config);
        Failures { model: &self.config.name, key: Some(&self.key), most }
    }

    /// Asks for the answer in pieces, and gives it up when none comes for so long.
    async fn in_pieces(
        &self,
        request: &ChatRequest,
        stall: Duration,
        ear: Ear<'_>,
    ) -> Result<ChatReply, ModelError> {
        let failures = self.failures(request);
        let options = wire::ChatOptions {
            capture_raw_body: None,
            capture_usage: Some(true),
            capture_content: Some(true),
            capture_tool_calls: Some(true),
            stream_read_timeout: Some(stall),
            ..self.options(request)
        };
        let asked = to_wire(request, self.adapter);
        let answer = self.client.exec_chat_stream(self.target(), asked, Some(&options)).await;
        let mut pieces = answer.map_err(|error| failures.read(&error, Timestamp::now()))?.stream;
        // Pieces of a tool call repeat what came before.
        let (mut said, mut called) = (0, 0);
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(wire::ChatStreamEvent::Chunk(text)) => {
                    said += text.content.len();
                    ear(&text.content);
                }
                Ok(wire::ChatStreamEvent::ReasoningChunk(text)) => said += text.content.len(),
                Ok(wire::ChatStreamEvent::ToolCallChunk(call)) => {
                    called = called.max(call.tool_call.fn_arguments.to_string().len());
                }
                Ok(wire::ChatStreamEvent::End(end)) => return self.whole(end, request),
                Ok(_) => {}
                Err(error) => return Err(failures.of_stream(&error, heard(request, said + called))),
            }
        }
        Err(failures.broken_off(heard(request, said + called), "it has no end"))
    }

    fn whole(&self, end: wire::StreamEnd, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let usage = end.captured_usage.unwrap_or_default();
        let content = end.captured_content.unwrap_or_default();
        let reply = reply(content, &usage, end.captured_stop_reason.as_ref(), request);
        if reply.text.is_empty() && reply.tool_calls.is_empty() && reply.ended.is_empty() {
            let problem = "its answer holds neither text nor a tool call; check `base_url`, or leave `stall_seconds` out";
            return Err(self.failures(request).rejected(problem));
        }
        Ok(reply)
    }

    fn options(&self, request: &ChatRequest) -> wire::ChatOptions {
        wire::ChatOptions {
            temperature: request.temperature,
            max_tokens: Some(u32::try_from(output_limit(request, &self.config)).unwrap_or(u32::MAX)),
            capture_raw_body: Some(true),
            // The library takes `-max`, `-high` and the like off the model's name as a reasoning effort; a budget, which
            // OpenAI's format has no field for, keeps the name whole and sends nothing.
            reasoning_effort: (self.adapter == AdapterKind::OpenAI).then_some(ReasoningEffort::Budget(0)),
            ..wire::ChatOptions::default()
        }
    }
}

#[async_trait]
impl Model for RemoteModel {
    fn name(&self) -> &ModelName {
        &self.config.name
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        if let Some(stall) = self.config.stall_seconds.filter(|seconds| *seconds > 0) {
            return self.in_pieces(request, Duration::from_secs(stall), &|_| {}).await;
        }
        let failures = self.failures(request);
        let asked = to_wire(request, self.adapter);
        let answer = self.client.exec_chat(self.target(), asked, Some(&self.options(request))).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return salvaged(&error, request).ok_or_else(|| failures.read(&error, Timestamp::now()));
            }
        };
        let body = answer.captured_raw_body.clone().unwrap_or(Value::Null);
        if let Some(error) = failures.of_body(&body, Timestamp::now()) {
            return Err(error);
        }
        let reply = from_wire(answer, request);
        if reply.text.is_empty() && reply.tool_calls.is_empty() && reply.ended.is_empty() {
            return Err(failures.rejected("its answer holds neither text nor a tool call; check `base_url`"));
        }
        Ok(reply)
    }

    async fn call_aloud(&self, request: &ChatRequest, ear: Ear<'_>) -> Result<ChatReply, ModelError> {
        if !self.config.answers_in_pieces() {
            return self.call(request).await;
        }
        self.in_pieces(request, self.config.longest_silence(), ear).await
    }
}

fn to_wire(request: &ChatRequest, adapter: AdapterKind) -> wire::ChatRequest {
    // Anthropic and Gemini want the results of one turn in one message.
    let together = matches!(adapter, AdapterKind::Anthropic | AdapterKind::Gemini);
    let mut messages: Vec<wire::ChatMessage> = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        match message {
            Message::User { text } => messages.push(wire::ChatMessage::user(text.as_str())),
            Message::Assistant { text, tool_calls } => {
                messages.push(wire::ChatMessage::assistant(assistant(text, tool_calls)));
            }
            Message::Tool { call_id, name, content } => {
                let answer = wire::ToolResponse::new(call_id, content).with_fn_name(name);
                match messages.last_mut() {
                    Some(last) if together && last.role == wire::ChatRole::Tool => last.content.push(answer),
                    _ => messages.push(wire::ChatMessage::from(answer)),
                }
            }
        }
    }
    if adapter == AdapterKind::Anthropic {
        keep_for_the_next_turn(&mut messages);
    }
    let tools = request
        .tools
        .iter()
        .map(|tool| {
            wire::Tool::new(tool.name.clone())
                .with_description(tool.description.clone())
                .with_schema(tool.parameters.clone())
        })
        .collect::<Vec<_>>();
    wire::ChatRequest {
        system: (!request.system.is_empty()).then(|| request.system.clone()),
        messages,
        tools: (!tools.is_empty()).then_some(tools),
        ..wire::ChatRequest::default()
    }
}

/// Marks what the provider is to keep: the task, with all that stands before it, and the newest message. The next turn
/// then reads both from the cache at a tenth of the price. Other providers keep prompts unasked.
fn keep_for_the_next_turn(messages: &mut [wire::ChatMessage]) {
    let last = messages.len().saturating_sub(1);
    for (index, message) in messages.iter_mut().enumerate() {
        if index == 0 || index == last {
            message.options = Some(wire::CacheControl::Ephemeral.into());
        }
    }
}

fn assistant(text: &str, tool_calls: &[ToolCall]) -> MessageContent {
    let mut content = MessageContent::default();
    if !text.is_empty() {
        content.push(text);
    } else if tool_calls.is_empty() {
        // Providers refuse a turn without content.
        content.push("(no answer)");
    }
    for call in tool_calls {
        content.push(wire::ToolCall {
            call_id: call.id.clone(),
            fn_name: call.name.clone(),
            fn_arguments: call.arguments_object(),
            thought_signatures: None,
        });
    }
    content
}

fn from_wire(answer: wire::ChatResponse, request: &ChatRequest) -> ChatReply {
    reply(answer.content, &answer.usage, answer.stop_reason.as_ref(), request)
}

fn reply(
    content: MessageContent,
    usage: &wire::Usage,
    stop: Option<&StopReason>,
    request: &ChatRequest,
) -> ChatReply {
    let text = content.joined_texts().unwrap_or_default();
    let tool_calls: Vec<ToolCall> = content
        .into_tool_calls()
        .into_iter()
        .enumerate()
        .map(|(index, call)| ToolCall {
            id: call_id(call.call_id, request.context.turn, index),
            name: call.fn_name,
            arguments: call.fn_arguments,
        })
        .collect();
    let tokens = or_estimated(tokens(usage), request, &text, &tool_calls);
    let ended = ended(stop, !tool_calls.is_empty(), &text);
    ChatReply { text, tool_calls, tokens, ended }
}

/// An id that every provider takes back and that is unique in the conversation: some give none, some give signs that
/// others refuse, and a fallback chain may change providers between turns.
pub(super) fn call_id(id: String, turn: u32, index: usize) -> String {
    let ok = (1..=40).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if ok { id } else { format!("call_{turn}_{index}") }
}

fn ended(reason: Option<&StopReason>, calls: bool, text: &str) -> String {
    match reason {
        Some(StopReason::MaxTokens(_)) => "length".into(),
        _ if calls => "tool_calls".into(),
        Some(StopReason::Completed(_) | StopReason::StopSequence(_) | StopReason::ToolCall(_)) => {
            "stop".into()
        }
        Some(StopReason::ContentFilter(word) | StopReason::Other(word)) => one_line(word, 40),
        None if text.is_empty() => String::new(),
        None => "stop".into(),
    }
}

fn tokens(usage: &wire::Usage) -> Tokens {
    let count = |value: Option<i32>| value.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let input = count(usage.prompt_tokens);
    let cached = count(usage.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens));
    let reasoning =
        count(usage.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens));
    let written =
        count(usage.prompt_tokens_details.as_ref().and_then(|details| details.cache_creation_tokens));
    let output = count(usage.completion_tokens).max(reasoning);
    let cached = cached.min(input);
    Tokens { input, cached, cache_written: written.min(input - cached), output, reasoning }
}

/// Some servers report no usage; a call is never free of tokens, so it is then estimated from bytes.
pub(super) fn or_estimated(
    tokens: Tokens,
    request: &ChatRequest,
    text: &str,
    tool_calls: &[ToolCall],
) -> Tokens {
    if tokens.input > 0 || tokens.output > 0 {
        return tokens;
    }
    let calls: u64 = tool_calls.iter().map(|call| text_tokens(&call.arguments.to_string())).sum();
    Tokens { input: input_tokens(request), output: text_tokens(text) + calls, ..Tokens::default() }
}

/// The answer of a weak model whose tool call holds broken JSON. The library gives up on it; the agent can tell the
/// model what is wrong, so such arguments are handed on as text.
fn salvaged(error: &genai::Error, request: &ChatRequest) -> Option<ChatReply> {
    let genai::Error::ChatResponseGeneration { response_body: body, .. } = error else { return None };
    let message = body.pointer("/choices/0/message")?;
    let tool_calls = message
        .get("tool_calls")?
        .as_array()?
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let arguments = call.pointer("/function/arguments").cloned().unwrap_or(Value::Null);
            let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(ToolCall {
                id: call_id(id, request.context.turn, index),
                name: call.pointer("/function/name")?.as_str()?.to_owned(),
                arguments: parsed.unwrap_or(arguments),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let text = message.get("content").and_then(Value::as_str).unwrap_or_default().to_owned();
    let usage: wire::Usage =
        body.get("usage").and_then(|usage| serde_json::from_value(usage.clone()).ok()).unwrap_or_default();
    let tokens = or_estimated(tokens(&usage), request, &text, &tool_calls);
    Some(ChatReply { text, tool_calls, tokens, ended: "tool_calls".into() })
}
