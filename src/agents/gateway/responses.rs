//! OpenAI's responses (<https://platform.openai.com/docs/api-reference/responses>), as far as agents use them; Codex
//! speaks nothing else.

use serde_json::{Value, json};

use super::question::{Question, Said, arguments, arguments_text, entries, event, text_of, tool, word};
use crate::models::{ToolCall, ToolSpec};

const TEXT: [&str; 5] = ["input_text", "output_text", "text", "refusal", "summary_text"];

pub(super) fn read(body: &Value) -> Result<Question, String> {
    if body.get("previous_response_id").is_some_and(|id| !id.is_null()) {
        return Err("`previous_response_id` is not supported: send the whole conversation".into());
    }
    let mut question = Question {
        model: word(body, "model").to_owned(),
        system: word(body, "instructions").to_owned(),
        temperature: body.get("temperature").and_then(Value::as_f64),
        max_output_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        ..Question::default()
    };
    match body.get("input") {
        Some(Value::String(text)) => question.add_user(text.clone()),
        Some(Value::Array(items)) => {
            items.iter().try_for_each(|item| add(&mut question, item))?;
        }
        _ => return Err("`input` is missing".into()),
    }
    if body.get("tool_choice").and_then(Value::as_str) != Some("none") {
        for given in entries(body, "tools") {
            match word(given, "type") {
                "function" => question.tools.push(tool(
                    word(given, "name"),
                    word(given, "description"),
                    given.get("parameters"),
                )),
                "custom" => {
                    question.plain_tools.insert(word(given, "name").to_owned());
                    question.tools.push(plain_tool(given));
                }
                // Tools that the provider itself would run, such as a web search, are not there.
                _ => {}
            }
        }
    }
    Ok(question)
}

fn add(question: &mut Question, item: &Value) -> Result<(), String> {
    match word(item, "type") {
        "" | "message" => {
            let text = text_of(item.get("content"), &TEXT)?;
            match word(item, "role") {
                "system" | "developer" => question.add_system(&text),
                "user" => question.add_user(text),
                "assistant" => question.add_own(text, vec![]),
                role => return Err(format!("a message of the role `{role}` cannot be passed on")),
            }
            Ok(())
        }
        kind @ ("function_call" | "custom_tool_call") => {
            let arguments = match kind {
                "function_call" => arguments(word(item, "arguments")),
                _ => json!({"input": word(item, "input")}),
            };
            let call = ToolCall {
                id: word(item, "call_id").to_owned(),
                name: word(item, "name").to_owned(),
                arguments,
            };
            question.add_own(String::new(), vec![call]);
            Ok(())
        }
        "function_call_output" | "custom_tool_call_output" => {
            let output = text_of(item.get("output"), &TEXT)?;
            question.add_output(word(item, "call_id"), output)
        }
        // Thoughts are the provider's own, and no other can read them.
        "reasoning" => Ok(()),
        kind => Err(format!("an item of the type `{kind}` cannot be passed on")),
    }
}

/// A tool whose argument is plain text, as one whose arguments are JSON.
fn plain_tool(given: &Value) -> ToolSpec {
    let mut description = word(given, "description").to_owned();
    if let Some(grammar) = given.pointer("/format/definition").and_then(Value::as_str) {
        description.push_str(&format!("\n\n`input` follows this grammar:\n{grammar}"));
    }
    let parameters = json!({
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": false,
    });
    tool(word(given, "name"), &description, Some(&parameters))
}

pub(super) fn answer(said: &Said<'_>) -> Value {
    response(said, ended(said), output(said))
}

/// The first event of a stream. Events are counted by `sequence`.
pub(super) fn begin(said: &Said<'_>, sequence: &mut u64) -> String {
    tell(sequence, "response.created", json!({"response": response(said, "in_progress", vec![])}))
}

pub(super) fn words(said: &Said<'_>, sequence: &mut u64, words: &str, is_first: bool) -> String {
    let mut out = String::new();
    if is_first {
        let begun = json!({"type": "message", "id": message_id(said), "status": "in_progress", "role": "assistant",
            "content": []});
        out += &tell(sequence, "response.output_item.added", json!({"output_index": 0, "item": begun}));
        let part = json!({"type": "output_text", "text": "", "annotations": []});
        out += &tell(sequence, "response.content_part.added", of_words(said, "part", part));
    }
    out + &tell(sequence, "response.output_text.delta", of_words(said, "delta", words.into()))
}

/// The end of the words, if there were any; calls, tokens and end of a stream.
pub(super) fn end(said: &Said<'_>, sequence: &mut u64) -> String {
    let mut out = String::new();
    for (index, item) in output(said).into_iter().enumerate() {
        match word(&item, "type") {
            "message" => {
                let part = item["content"][0].clone();
                out += &tell(
                    sequence,
                    "response.output_text.done",
                    of_words(said, "text", part["text"].clone()),
                );
                out += &tell(sequence, "response.content_part.done", of_words(said, "part", part));
            }
            kind => {
                let (field, name) = match kind {
                    "function_call" => ("arguments", "response.function_call_arguments"),
                    _ => ("input", "response.custom_tool_call_input"),
                };
                let mut begun = item.clone();
                begun["status"] = "in_progress".into();
                begun[field] = "".into();
                let part =
                    |part: &str| json!({"output_index": index, "item_id": item["id"], part: item[field]});
                let added = json!({"output_index": index, "item": begun});
                out += &tell(sequence, "response.output_item.added", added);
                out += &tell(sequence, &format!("{name}.delta"), part("delta"));
                out += &tell(sequence, &format!("{name}.done"), part(field));
            }
        }
        out += &tell(sequence, "response.output_item.done", json!({"output_index": index, "item": item}));
    }
    let status = ended(said);
    let response = response(said, status, output(said));
    out + &tell(sequence, &format!("response.{status}"), json!({"response": response}))
}

/// The end of a stream that broke off; `body` is the refusal's.
pub(super) fn failed(said: &Said<'_>, sequence: &mut u64, body: &Value) -> String {
    let mut response = response(said, "failed", vec![]);
    response["error"] = json!({"code": body["error"]["code"], "message": body["error"]["message"]});
    tell(sequence, "response.failed", json!({"response": response}))
}

fn tell(sequence: &mut u64, kind: &str, mut data: Value) -> String {
    data["type"] = kind.into();
    data["sequence_number"] = (*sequence).into();
    *sequence += 1;
    event(Some(kind), &data)
}

/// An event about the words, which are the only part of the first item.
fn of_words(said: &Said<'_>, name: &str, value: Value) -> Value {
    json!({"output_index": 0, "item_id": message_id(said), "content_index": 0, name: value})
}

fn message_id(said: &Said<'_>) -> String {
    format!("msg_{}", said.id)
}

fn ended(said: &Said<'_>) -> &'static str {
    if said.reply.ended == "length" { "incomplete" } else { "completed" }
}

fn output(said: &Said<'_>) -> Vec<Value> {
    let reply = said.reply;
    let mut items = vec![];
    if !reply.text.is_empty() || reply.tool_calls.is_empty() {
        items.push(json!({
            "type": "message",
            "id": message_id(said),
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
        }));
    }
    for (index, call) in reply.tool_calls.iter().enumerate() {
        let id = format!("{}_{index}", said.id);
        items.push(if said.question.plain_tools.contains(&call.name) {
            json!({
                "type": "custom_tool_call",
                "id": format!("ctc_{id}"),
                "call_id": call.id,
                "name": call.name,
                "input": call.arguments.get("input").map_or_else(|| arguments_text(&call.arguments), arguments_text),
                "status": "completed",
            })
        } else {
            json!({
                "type": "function_call",
                "id": format!("fc_{id}"),
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments_text(&call.arguments),
                "status": "completed",
            })
        });
    }
    items
}

fn response(said: &Said<'_>, status: &str, output: Vec<Value>) -> Value {
    let tokens = said.reply.tokens;
    let usage = json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    });
    json!({
        "id": format!("resp_{}", said.id),
        "object": "response",
        "created_at": said.at,
        "status": status,
        "error": null,
        "incomplete_details": (status == "incomplete").then(|| json!({"reason": "max_output_tokens"})),
        "model": said.question.model,
        "output": output,
        "parallel_tool_calls": true,
        "tool_choice": "auto",
        "tools": [],
        "usage": if status == "in_progress" { Value::Null } else { usage },
    })
}

#[cfg(test)]
mod tests {
    use super::super::question::Dialect;
    use super::super::question::samples::{data, reply, said, stream};
    use super::*;
    use crate::models::{ChatReply, Message};

    #[test]
    fn a_tool_with_plain_text_is_asked_as_json_and_answered_as_text() {
        let body = json!({
            "input": [
                {"type": "message", "role": "user", "content": "go"},
                {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
                {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
            ],
            "tools": [{"type": "custom", "name": "apply_patch", "description": "Patches.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}}],
        });
        let question = read(&body).unwrap();
        let Message::Assistant { tool_calls, .. } = &question.messages[1] else { panic!() };
        assert_eq!(tool_calls[0].arguments, json!({"input": "*** Begin"}));
        assert!(question.tools[0].description.ends_with("start: x"));
        let reply = ChatReply { text: String::new(), tool_calls: tool_calls.clone(), ..ChatReply::default() };
        let item = json!({"type": "custom_tool_call", "id": "ctc_7_0", "call_id": "c1", "name": "apply_patch",
            "input": "*** Begin", "status": "completed"});
        assert_eq!(answer(&said(&question, &reply))["output"], json!([item]));
    }

    #[test]
    fn what_cannot_be_passed_on_is_refused_by_name() {
        let error = |body: Value| read(&body).unwrap_err();
        assert!(error(json!({"input": "x", "previous_response_id": "r"})).contains("previous_response_id"));
        assert!(error(json!({})).contains("`input`"));
        assert!(
            error(json!({"input": [{"type": "item_reference", "id": "x"}]})).contains("`item_reference`")
        );
        let image = json!([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]);
        assert!(error(json!({"input": image})).contains("`input_image`"));
    }

    #[test]
    fn a_stream_tells_each_item_from_its_beginning_to_its_end() {
        let question = Question { model: "m".into(), ..Question::default() };
        let events = data(&stream(Dialect::Responses, &question, &reply()));
        let kinds: Vec<&str> = events.iter().map(|event| word(event, "type")).collect();
        assert_eq!(
            kinds,
            [
                "response.created",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        let numbers: Vec<u64> = events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
        assert_eq!(numbers, (0..12).collect::<Vec<u64>>());
        assert_eq!(events[3]["delta"], "And b.");
        let call = json!({"type": "function_call", "id": "fc_7_0", "call_id": "c2", "name": "read",
            "arguments": "{\"path\":\"b\"}", "status": "completed"});
        assert_eq!(events[10]["item"], call);
        assert_eq!(events[11]["response"], answer(&said(&question, &reply())));
        assert_eq!(events[11]["response"]["usage"]["input_tokens_details"], json!({"cached_tokens": 40}));
    }

    #[test]
    fn an_answer_that_was_cut_off_is_incomplete() {
        let cut = ChatReply { text: "x".into(), ended: "length".into(), ..ChatReply::default() };
        let question = Question::default();
        let whole = answer(&said(&question, &cut));
        assert_eq!(
            (&whole["status"], &whole["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!("max_output_tokens"))
        );
        assert!(stream(Dialect::Responses, &question, &cut).contains("event: response.incomplete\n"));
    }
}
