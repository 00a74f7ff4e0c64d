//! Anthropic's messages (<https://docs.anthropic.com/en/api/messages>), as far as agents use them.

use serde_json::{Value, json};

use super::question::{Question, Said, entries, event, text_of, tool, word};
use crate::models::ToolCall;

const TEXT: [&str; 1] = ["text"];

pub(super) fn read(body: &Value) -> Result<Question, String> {
    let mut question = Question {
        model: word(body, "model").to_owned(),
        system: text_of(body.get("system"), &TEXT)?,
        temperature: body.get("temperature").and_then(Value::as_f64),
        max_output_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        ..Question::default()
    };
    for message in entries(body, "messages") {
        let role = word(message, "role");
        let blocks = match message.get("content") {
            Some(Value::String(text)) => vec![json!({"type": "text", "text": text})],
            Some(Value::Array(blocks)) => blocks.clone(),
            _ => vec![],
        };
        for block in &blocks {
            add(&mut question, role, block)?;
        }
    }
    if body.pointer("/tool_choice/type").and_then(Value::as_str) != Some("none") {
        // Tools with a type are run by the provider itself, and are not there.
        let own = entries(body, "tools").filter(|tool| matches!(word(tool, "type"), "" | "custom"));
        question.tools = own
            .map(|given| tool(word(given, "name"), word(given, "description"), given.get("input_schema")))
            .collect();
    }
    Ok(question)
}

fn add(question: &mut Question, role: &str, block: &Value) -> Result<(), String> {
    match (role, word(block, "type")) {
        ("user", "text") => question.add_user(word(block, "text").to_owned()),
        ("system", "text") => question.add_system(word(block, "text")),
        ("assistant", "text") => question.add_own(word(block, "text").to_owned(), vec![]),
        ("assistant", "tool_use") => {
            let call = ToolCall {
                id: word(block, "id").to_owned(),
                name: word(block, "name").to_owned(),
                arguments: block.get("input").cloned().unwrap_or_else(|| json!({})),
            };
            question.add_own(String::new(), vec![call]);
        }
        ("user", "tool_result") => {
            let mut content = text_of(block.get("content"), &TEXT)?;
            if block.get("is_error").and_then(Value::as_bool) == Some(true) {
                content = format!("error: {content}");
            }
            question.add_output(word(block, "tool_use_id"), content)?;
        }
        // Thoughts are the provider's own, and no other can read them.
        ("assistant", "thinking" | "redacted_thinking") => {}
        (role, kind) => {
            return Err(format!("content of the type `{kind}` from `{role}` cannot be passed on"));
        }
    }
    Ok(())
}

pub(super) fn answer(said: &Said<'_>) -> Value {
    message(said, content(said), Some(stop_reason(said)), said.reply.tokens.output)
}

/// The first event of a stream.
pub(super) fn begin(said: &Said<'_>) -> String {
    tell("message_start", json!({"message": message(said, vec![], None, 0)}))
}

pub(super) fn words(words: &str, is_first: bool) -> String {
    let delta = json!({"index": 0, "delta": {"type": "text_delta", "text": words}});
    let begun = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
    let opened = if is_first { tell("content_block_start", begun) } else { String::new() };
    opened + &tell("content_block_delta", delta)
}

/// The end of the words, if there were any; calls, tokens and end of a stream.
pub(super) fn end(said: &Said<'_>, has_words: bool) -> String {
    let mut out = String::new();
    if has_words {
        out += &tell("content_block_stop", json!({"index": 0}));
    }
    for (index, block) in calls(said).enumerate() {
        let index = index + usize::from(has_words);
        let begun = json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": block["input"].to_string()});
        out += &tell("content_block_start", json!({"index": index, "content_block": begun}));
        out += &tell("content_block_delta", json!({"index": index, "delta": delta}));
        out += &tell("content_block_stop", json!({"index": index}));
    }
    let delta = json!({"stop_reason": stop_reason(said), "stop_sequence": null});
    out += &tell("message_delta", json!({"delta": delta, "usage": usage(said, said.reply.tokens.output)}));
    out + &tell("message_stop", json!({}))
}

fn tell(kind: &str, mut data: Value) -> String {
    data["type"] = kind.into();
    event(Some(kind), &data)
}

fn content(said: &Said<'_>) -> Vec<Value> {
    let mut blocks = vec![];
    if !said.reply.text.is_empty() {
        blocks.push(json!({"type": "text", "text": said.reply.text}));
    }
    blocks.extend(calls(said));
    blocks
}

fn calls(said: &Said<'_>) -> impl Iterator<Item = Value> {
    said.reply.tool_calls.iter().map(
        |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments_object()}),
    )
}

fn message(said: &Said<'_>, content: Vec<Value>, stop: Option<&str>, output: u64) -> Value {
    json!({
        "id": format!("msg_{}", said.id),
        "type": "message",
        "role": "assistant",
        "model": said.question.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": usage(said, output),
    })
}

fn usage(said: &Said<'_>, output: u64) -> Value {
    let tokens = said.reply.tokens;
    json!({
        "input_tokens": tokens.input.saturating_sub(tokens.cached + tokens.cache_written),
        "cache_read_input_tokens": tokens.cached,
        "cache_creation_input_tokens": tokens.cache_written,
        "output_tokens": output,
    })
}

fn stop_reason(said: &Said<'_>) -> &'static str {
    match said.reply.ended.as_str() {
        "length" => "max_tokens",
        _ if !said.reply.tool_calls.is_empty() => "tool_use",
        _ => "end_turn",
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::Dialect;
    use super::super::question::samples::{data, reply, said, stream};
    use super::*;
    use crate::models::{ChatReply, Message};

    #[test]
    fn a_failed_tool_is_told_and_pictures_are_refused() {
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]});
        let result = |content: Value| {
            let result =
                json!({"type": "tool_result", "tool_use_id": "c", "is_error": true, "content": content});
            read(&json!({"messages": [call, {"role": "user", "content": [result]}]}))
        };
        let question = result(json!("no such file")).unwrap();
        assert!(
            matches!(&question.messages[1], Message::Tool { content, .. } if content == "error: no such file")
        );
        assert!(result(json!([{"type": "image", "source": {}}])).unwrap_err().contains("`image`"));
        let image = json!({"role": "user", "content": [{"type": "image", "source": {}}]});
        assert!(read(&json!({"messages": [image]})).unwrap_err().contains("`image`"));
    }

    #[test]
    fn an_answer_has_blocks_and_tokens_without_those_from_the_cache() {
        let question = Question { model: "m".into(), ..Question::default() };
        let wanted = json!({
            "id": "msg_7", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "And b."},
                {"type": "tool_use", "id": "c2", "name": "read", "input": {"path": "b"}}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 50, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 10,
                "output_tokens": 9},
        });
        assert_eq!(answer(&said(&question, &reply())), wanted);
        let cut = ChatReply { ended: "length".into(), ..ChatReply::default() };
        assert_eq!(answer(&said(&question, &cut))["stop_reason"], "max_tokens");
    }

    #[test]
    fn a_stream_opens_fills_and_closes_each_block() {
        let question = Question::default();
        let events = data(&stream(Dialect::Messages, &question, &reply()));
        let kinds: Vec<&str> = events.iter().map(|event| word(event, "type")).collect();
        let block = ["content_block_start", "content_block_delta", "content_block_stop"];
        let wanted: Vec<&str> = ["message_start"]
            .into_iter()
            .chain(block)
            .chain(block)
            .chain(["message_delta", "message_stop"])
            .collect();
        assert_eq!(kinds, wanted);
        assert_eq!(events[2]["delta"], json!({"type": "text_delta", "text": "And b."}));
        let begun = json!({"type": "tool_use", "id": "c2", "name": "read", "input": {}});
        assert_eq!(events[4]["content_block"], begun);
        assert_eq!(
            events[5]["delta"],
            json!({"type": "input_json_delta", "partial_json": "{\"path\":\"b\"}"})
        );
        assert_eq!(events[7]["delta"]["stop_reason"], "tool_use");
        assert_eq!(events[7]["usage"]["cache_read_input_tokens"], 40);
    }
}
