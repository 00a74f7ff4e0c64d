//! OpenAI's chat completions (<https://platform.openai.com/docs/api-reference/chat>), as far as agents use them.

use serde_json::{Value, json};

use super::question::{Question, Said, arguments, arguments_text, entries, event, text_of, tool, word};
use crate::models::ToolCall;

const TEXT: [&str; 2] = ["text", "refusal"];

pub(super) fn read(body: &Value) -> Result<Question, String> {
    if body.get("n").and_then(Value::as_u64).is_some_and(|n| n > 1) {
        return Err("`n` above 1 is not supported".into());
    }
    let mut question = Question {
        model: word(body, "model").to_owned(),
        temperature: body.get("temperature").and_then(Value::as_f64),
        max_output_tokens: ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| body.get(*name).and_then(Value::as_u64)),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        usage_in_stream: body
            .pointer("/stream_options/include_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        ..Question::default()
    };
    for message in entries(body, "messages") {
        let text = text_of(message.get("content"), &TEXT)?;
        match word(message, "role") {
            "system" | "developer" => question.add_system(&text),
            "user" => question.add_user(text),
            "assistant" => {
                let calls = entries(message, "tool_calls").map(|call| ToolCall {
                    id: word(call, "id").to_owned(),
                    name: call
                        .pointer("/function/name")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    arguments: arguments(
                        call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default(),
                    ),
                });
                question.add_own(text, calls.collect());
            }
            "tool" => question.add_output(word(message, "tool_call_id"), text)?,
            role => return Err(format!("a message of the role `{role}` cannot be passed on")),
        }
    }
    if body.get("tool_choice").and_then(Value::as_str) != Some("none") {
        let functions = entries(body, "tools").filter_map(|tool| tool.get("function"));
        question.tools = functions
            .map(|function| {
                tool(word(function, "name"), word(function, "description"), function.get("parameters"))
            })
            .collect();
    }
    Ok(question)
}

pub(super) fn answer(said: &Said<'_>) -> Value {
    let text = &said.reply.text;
    let mut message =
        json!({"role": "assistant", "content": (!text.is_empty()).then_some(text), "refusal": null});
    if !said.reply.tool_calls.is_empty() {
        message["tool_calls"] = said.reply.tool_calls.iter().map(call).collect();
    }
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(said)});
    json!({
        "id": format!("chatcmpl-{}", said.id),
        "object": "chat.completion",
        "created": said.at,
        "model": said.question.model,
        "choices": [choice],
        "usage": usage(said),
    })
}

/// The first event of a stream.
pub(super) fn begin(said: &Said<'_>) -> String {
    delta(said, json!({"role": "assistant", "content": ""}), Value::Null)
}

pub(super) fn words(said: &Said<'_>, words: &str) -> String {
    delta(said, json!({"content": words}), Value::Null)
}

/// Calls, tokens and end of a stream.
pub(super) fn end(said: &Said<'_>) -> String {
    let mut out = String::new();
    for (index, one) in said.reply.tool_calls.iter().enumerate() {
        let mut one = call(one);
        one["index"] = index.into();
        out += &delta(said, json!({"tool_calls": [one]}), Value::Null);
    }
    out += &delta(said, json!({}), finish_reason(said).into());
    if said.question.usage_in_stream {
        out += &chunk(said, json!([]), usage(said));
    }
    out + "data: [DONE]\n\n"
}

fn delta(said: &Said<'_>, delta: Value, finish: Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
    chunk(said, json!([choice]), Value::Null)
}

fn chunk(said: &Said<'_>, choices: Value, usage: Value) -> String {
    let data = json!({
        "id": format!("chatcmpl-{}", said.id),
        "object": "chat.completion.chunk",
        "created": said.at,
        "model": said.question.model,
        "choices": choices,
        "usage": usage,
    });
    event(None, &data)
}

fn call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments_text(&call.arguments)},
    })
}

fn finish_reason(said: &Said<'_>) -> &'static str {
    match said.reply.ended.as_str() {
        "length" => "length",
        _ if !said.reply.tool_calls.is_empty() => "tool_calls",
        _ => "stop",
    }
}

fn usage(said: &Said<'_>) -> Value {
    let tokens = said.reply.tokens;
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    })
}

#[cfg(test)]
mod tests {
    use super::super::question::Dialect;
    use super::super::question::samples::{data, reply, said, stream};
    use super::*;
    use crate::models::ChatReply;

    #[test]
    fn what_cannot_be_passed_on_is_refused_by_name() {
        let message = |message: Value| read(&json!({"messages": [message]})).unwrap_err();
        let image = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
        assert!(message(json!({"role": "user", "content": image})).contains("`image_url`"));
        assert!(message(json!({"role": "function", "content": "x"})).contains("`function`"));
        assert!(message(json!({"role": "tool", "tool_call_id": "c9", "content": "x"})).contains("`c9`"));
        assert!(read(&json!({"n": 2, "messages": []})).is_err());
        assert_eq!(
            read(&json!({"tool_choice": "none", "tools": [{"function": {"name": "x"}}]})).unwrap().tools,
            []
        );
    }

    #[test]
    fn broken_arguments_go_on_as_they_were_written() {
        let calls = json!([{"id": "c", "function": {"name": "f", "arguments": "{\"path\": "}}]);
        let body = json!({"messages": [{"role": "assistant", "content": null, "tool_calls": calls}]});
        let question = read(&body).unwrap();
        let crate::models::Message::Assistant { tool_calls, .. } = &question.messages[0] else { panic!() };
        assert_eq!(tool_calls[0].arguments, json!("{\"path\": "));
        assert_eq!(call(&tool_calls[0])["function"]["arguments"], json!("{\"path\": "));
    }

    #[test]
    fn an_answer_has_words_calls_and_tokens() {
        let question = Question { model: "m".into(), ..Question::default() };
        let wanted = json!({
            "id": "chatcmpl-7", "object": "chat.completion", "created": 5, "model": "m",
            "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": "And b.", "refusal": null, "tool_calls": [
                    {"id": "c2", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"b\"}"}}]}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109,
                "prompt_tokens_details": {"cached_tokens": 40},
                "completion_tokens_details": {"reasoning_tokens": 3}},
        });
        assert_eq!(answer(&said(&question, &reply())), wanted);
        let cut = ChatReply { text: "x".into(), ended: "length".into(), ..ChatReply::default() };
        assert_eq!(answer(&said(&question, &cut))["choices"][0]["finish_reason"], "length");
    }

    #[test]
    fn a_stream_gives_the_same_in_pieces_and_ends() {
        let question = Question { usage_in_stream: true, ..Question::default() };
        let text = stream(Dialect::Chat, &question, &reply());
        assert!(text.ends_with("data: [DONE]\n\n"));
        let chunks = data(&text);
        let deltas: Vec<&Value> =
            chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta")).collect();
        assert_eq!(deltas[1], &json!({"content": "And b."}));
        let call = json!({"id": "c2", "type": "function", "index": 0,
            "function": {"name": "read", "arguments": "{\"path\":\"b\"}"}});
        assert_eq!(deltas[2], &json!({"tool_calls": [call]}));
        assert_eq!(chunks[3]["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(chunks[4]["usage"]["total_tokens"], 109);
        let quiet = stream(Dialect::Chat, &Question::default(), &reply());
        assert_eq!(data(&quiet).len(), 4, "no tokens where they are not asked for");
    }
}
