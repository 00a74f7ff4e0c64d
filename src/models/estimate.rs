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
    let most = most_tokens(request, config);
    Spent::of_call(config.most(most.input, most.output), most.total())
}

/// The tokens of the worst case: what an answer that was lost may have taken.
pub(super) fn most_tokens(request: &ChatRequest, config: &ModelConfig) -> Tokens {
    Tokens { input: input_tokens(request), output: output_limit(request, config), ..Tokens::default() }
}

/// What a request and so many bytes of its answer have taken.
pub(super) fn heard(request: &ChatRequest, answered: usize) -> Tokens {
    let output = (answered as u64).div_ceil(BYTES_PER_TOKEN);
    Tokens { input: input_tokens(request), output, ..Tokens::default() }
}

/// An upper guess of the request's tokens.
pub(super) fn input_tokens(request: &ChatRequest) -> u64 {
    let messages: u64 = request.messages.iter().map(message_bytes).sum();
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| bytes(&tool.name) + bytes(&tool.description) + bytes(&tool.parameters.to_string()))
        .sum();
    let parts = (request.messages.len() + request.tools.len()) as u64;
    (bytes(&request.system) + messages + tools).div_ceil(BYTES_PER_TOKEN)
        + parts * OVERHEAD_EACH
        + OVERHEAD_REQUEST
}

/// An upper guess of a text's tokens.
pub(super) fn text_tokens(text: &str) -> u64 {
    bytes(text).div_ceil(BYTES_PER_TOKEN)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{CallContext, ToolCall, ToolSpec};
    use super::*;
    use crate::domain::{Step, StepKey, Usd};

    #[test]
    fn the_worst_case_counts_every_part_and_the_lower_output_limit() {
        let request = ChatRequest {
            context: CallContext {
                key: StepKey::new(Step::Code, 1),
                agent: "coder".parse().unwrap(),
                turn: 1,
            },
            system: "s".repeat(300),
            messages: vec![
                Message::User { text: "u".repeat(600) },
                Message::Assistant {
                    text: String::new(),
                    tool_calls: vec![ToolCall { id: "a".into(), name: "bc".into(), arguments: json!({}) }],
                },
                Message::Tool { call_id: "a".into(), name: "bc".into(), content: "t".repeat(17) },
            ],
            tools: vec![ToolSpec { name: "n".into(), description: "d".repeat(27), parameters: json!({}) }],
            temperature: None,
            max_output_tokens: 4000,
        };
        let config: ModelConfig = serde_json::from_value(json!({
            "provider": "openai", "price_input": 3.0, "price_output": 15.0, "price_cached": 0.3,
            "max_output_tokens": 1000,
        }))
        .unwrap();
        let input = (300 + 600 + 5 + 20 + 30) / 3 + 1 + 4 * 16 + 64;
        assert_eq!(
            estimate(&request, &config),
            Spent::of_call(Usd::from_micros(input * 3 + 15_000), input + 1000)
        );
    }
}
