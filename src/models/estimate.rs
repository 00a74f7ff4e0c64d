//! The most that a call can cost, reckoned before it is made. Knows no tokenizer: it counts bytes and errs upward.

use crate::domain::{ModelConfig, Spent, Tokens};

use super::{ChatRequest, Message};

/// Bytes of text that are counted as one token. Tokenizers take 3–4 bytes of English or code a token.
const BYTES_PER_TOKEN: u64 = 3;
/// Tokens that a provider adds around each message and tool.
const OVERHEAD_EACH: u64 = 16;
/// Tokens that a provider adds around a request.
const OVERHEAD_REQUEST: u64 = 64;

/// The worst case of one call: input counted from bytes, nothing read from a cache, the whole output used.
pub fn estimate(request: &ChatRequest, config: &ModelConfig) -> Spent {
    let messages: u64 = request.messages.iter().map(message_bytes).sum();
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| bytes(&tool.name) + bytes(&tool.description) + bytes(&tool.parameters.to_string()))
        .sum();
    let parts = (request.messages.len() + request.tools.len()) as u64;
    let input = (bytes(&request.system) + messages + tools).div_ceil(BYTES_PER_TOKEN)
        + parts * OVERHEAD_EACH
        + OVERHEAD_REQUEST;
    let tokens = Tokens { input, cached: 0, output: output_limit(request, config), reasoning: 0 };
    Spent { usd: config.cost(tokens), tokens: tokens.total(), calls: 1 }
}

/// The output tokens that this model is asked for: the request's limit, or the note's when that is lower.
pub(super) fn output_limit(request: &ChatRequest, config: &ModelConfig) -> u64 {
    request.max_output_tokens.min(config.max_output_tokens)
}

fn message_bytes(message: &Message) -> u64 {
    match message {
        Message::User { text } => bytes(text),
        Message::Assistant { text, tool_calls } => {
            let calls: u64 = tool_calls
                .iter()
                .map(|call| bytes(&call.id) + bytes(&call.name) + bytes(&call.arguments.to_string()))
                .sum();
            bytes(text) + calls
        }
        Message::Tool { call_id, name, content } => bytes(call_id) + bytes(name) + bytes(content),
    }
}

fn bytes(text: &str) -> u64 {
    text.len() as u64
}
