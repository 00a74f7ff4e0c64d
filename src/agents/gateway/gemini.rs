//! Gemini's generateContent (<https://ai.google.dev/api/generate-content>), as far as agents use it. The model and whether
//! the answer is a stream stand in the request's path, and are put into the body before it comes here.

use serde_json::{Value, json};

use super::question::{Question, Said, entries, event, tool, word};
use crate::models::{ToolCall, ToolSpec};

pub(super) fn read(body: &Value) -> Result<Question, String> {
    let config = body.get("generationConfig").unwrap_or(&Value::Null);
    let mut question = Question {
        model: word(body, "model").to_owned(),
        temperature: config.get("temperature").and_then(Value::as_f64),
        max_output_tokens: config.get("maxOutputTokens").and_then(Value::as_u64),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        ..Question::default()
    };
    for part in body.get("systemInstruction").into_iter().flat_map(|content| entries(content, "parts")) {
        question.add_system(word(part, "text"));
    }
    let mut calls = Calls::default();
    for content in entries(body, "contents") {
        for part in entries(content, "parts") {
            add(&mut question, &mut calls, word(content, "role"), part)?;
        }
    }
    if body.pointer("/toolConfig/functionCallingConfig/mode").and_then(Value::as_str) != Some("NONE") {
        let functions = entries(body, "tools").flat_map(|tools| entries(tools, "functionDeclarations"));
        question.tools = functions.map(function).collect();
    }
    Ok(question)
}

/// Calls that wait for their answer: this dialect need not give them ids.
#[derive(Default)]
struct Calls {
    made: usize,
    open: Vec<(String, String)>,
}

impl Calls {
    fn begin(&mut self, call: &Value) -> ToolCall {
        self.made += 1;
        let (id, name) = (word(call, "id"), word(call, "name").to_owned());
        let id = if id.is_empty() { format!("call_{}", self.made) } else { id.to_owned() };
        self.open.push((id.clone(), name.clone()));
        ToolCall { id, name, arguments: call.get("args").cloned().unwrap_or_else(|| json!({})) }
    }

    fn end(&mut self, response: &Value) -> Option<String> {
        let (id, name) = (word(response, "id"), word(response, "name"));
        let by_id = self.open.iter().position(|(open, _)| open == id);
        let at = by_id.or_else(|| self.open.iter().position(|(_, open)| open == name))?;
        Some(self.open.remove(at).0)
    }
}

fn add(question: &mut Question, calls: &mut Calls, role: &str, part: &Value) -> Result<(), String> {
    // Thoughts are the provider's own, and no other can read them.
    if part.get("thought").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    if let Some(text) = part.get("text").and_then(Value::as_str) {
        match role {
            "model" => question.add_own(text.to_owned(), vec![]),
            _ => question.add_user(text.to_owned()),
        }
    } else if let Some(call) = part.get("functionCall") {
        let call = calls.begin(call);
        question.add_own(String::new(), vec![call]);
    } else if let Some(response) = part.get("functionResponse") {
        let id = calls.end(response);
        let id =
            id.ok_or_else(|| format!("no call waits for the response of `{}`", word(response, "name")))?;
        let content = response.get("response").map(|content| match content.get("output") {
            Some(Value::String(text)) => text.clone(),
            _ => content.to_string(),
        });
        question.add_output(&id, content.unwrap_or_default())?;
    } else if let Some(kind) =
        part.as_object().and_then(|part| part.keys().find(|key| *key != "thoughtSignature"))
    {
        return Err(format!("a part of the kind `{kind}` cannot be passed on; only text and functions can"));
    }
    Ok(())
}

fn function(given: &Value) -> ToolSpec {
    let mut parameters = given.get("parametersJsonSchema").or_else(|| given.get("parameters")).cloned();
    parameters.iter_mut().for_each(small_types);
    tool(word(given, "name"), word(given, "description"), parameters.as_ref())
}

/// The dialect writes `OBJECT` where JSON Schema has `object`.
fn small_types(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(kind)) = fields.get_mut("type") {
                *kind = kind.to_lowercase();
            }
            fields.values_mut().for_each(small_types);
        }
        Value::Array(items) => items.iter_mut().for_each(small_types),
        _ => {}
    }
}

pub(super) fn answer(said: &Said<'_>) -> Value {
    let reply = said.reply;
    let mut parts = vec![];
    if !reply.text.is_empty() || reply.tool_calls.is_empty() {
        parts.push(json!({"text": reply.text}));
    }
    parts.extend(reply.tool_calls.iter().map(
        |call| json!({"functionCall": {"id": call.id, "name": call.name, "args": call.arguments_object()}}),
    ));
    let finish = if reply.ended == "length" { "MAX_TOKENS" } else { "STOP" };
    let tokens = reply.tokens;
    json!({
        "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": finish}],
        "usageMetadata": {
            "promptTokenCount": tokens.input,
            "cachedContentTokenCount": tokens.cached,
            "candidatesTokenCount": tokens.output.saturating_sub(tokens.reasoning),
            "thoughtsTokenCount": tokens.reasoning,
            "totalTokenCount": tokens.total(),
        },
        "modelVersion": said.question.model,
        "responseId": said.id,
    })
}

pub(super) fn words(said: &Said<'_>, words: &str) -> String {
    let content = json!({"role": "model", "parts": [{"text": words}]});
    let chunk = json!({"candidates": [{"index": 0, "content": content}],
        "modelVersion": said.question.model, "responseId": said.id});
    event(None, &chunk)
}

/// Calls, tokens and end of a stream whose words were told.
pub(super) fn end(said: &Said<'_>) -> String {
    let mut last = answer(said);
    if let Some(Value::Array(parts)) = last.pointer_mut("/candidates/0/content/parts") {
        parts.retain(|part| part.get("text").is_none());
    }
    event(None, &last)
}

#[cfg(test)]
mod tests {
    use super::super::question::Dialect;
    use super::super::question::samples::{conversation, data, reply, said, stream, tools};
    use super::*;
    use crate::models::Message;

    #[test]
    fn a_question_is_read_and_answers_find_their_calls() {
        let body = json!({
            "model": "m", "stream": true, "generationConfig": {"temperature": 0.5, "maxOutputTokens": 30},
            "systemInstruction": {"parts": [{"text": "Be good."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "go"}]},
                {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": "I look."},
                    {"functionCall": {"id": "c1", "name": "read", "args": {"path": "a"}}, "thoughtSignature": "x"}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "read", "response": {"output": "text of a"}}}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "read", "description": "Reads.",
                "parameters": {"type": "OBJECT", "properties": {"path": {"type": "STRING"}}}}]}, {"googleSearch": {}}],
        });
        let wanted = Question {
            model: "m".into(),
            system: "Be good.".into(),
            messages: conversation(),
            tools: tools(),
            temperature: Some(0.5),
            max_output_tokens: Some(30),
            stream: true,
            ..Question::default()
        };
        assert_eq!(read(&body), Ok(wanted));
    }

    #[test]
    fn calls_without_ids_are_answered_in_their_order_and_pictures_are_refused() {
        let call = |path: &str| json!({"functionCall": {"name": "read", "args": {"path": path}}});
        let response =
            |text: &str| json!({"functionResponse": {"name": "read", "response": {"error": text}}});
        let contents = json!([
            {"role": "model", "parts": [call("a"), call("b")]},
            {"role": "user", "parts": [response("1"), response("2")]},
        ]);
        let question = read(&json!({"contents": contents})).unwrap();
        let outputs: Vec<(&str, &str)> = question.messages[1..]
            .iter()
            .map(|message| match message {
                Message::Tool { call_id, content, .. } => (call_id.as_str(), content.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(outputs, [("call_1", r#"{"error":"1"}"#), ("call_2", r#"{"error":"2"}"#)]);
        let picture = json!([{"role": "user", "parts": [{"inlineData": {"data": "x"}}]}]);
        assert!(read(&json!({"contents": picture})).unwrap_err().contains("`inlineData`"));
        let lost = json!([{"role": "user", "parts": [response("1")]}]);
        assert!(read(&json!({"contents": lost})).unwrap_err().contains("`read`"));
    }

    #[test]
    fn an_answer_is_the_same_whole_and_as_a_stream() {
        let question = Question { model: "m".into(), ..Question::default() };
        let wanted = json!({
            "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": "And b."}, {"functionCall": {"id": "c2", "name": "read", "args": {"path": "b"}}}]}}],
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 6,
                "thoughtsTokenCount": 3, "totalTokenCount": 109},
            "modelVersion": "m", "responseId": "7",
        });
        assert_eq!(answer(&said(&question, &reply())), wanted);
        let mut last = wanted.clone();
        last["candidates"][0]["content"]["parts"].as_array_mut().unwrap().remove(0);
        let events = data(&stream(Dialect::Gemini, &question, &reply()));
        assert_eq!(events[0]["candidates"][0]["content"]["parts"], json!([{"text": "And b."}]));
        assert_eq!(events[1..], [last]);
    }
}
