//! What an external agent asks of a model, in words that every dialect is read into, and the small readings that the
//! dialects share.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::models::{ChatReply, Message, ToolCall, ToolSpec};

/// A wire format that agents speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's generateContent.
    Gemini,
}

impl Dialect {
    /// # Errors
    /// What of the question cannot be asked of a model here.
    pub(super) fn read(self, body: &Value) -> Result<Question, String> {
        match self {
            Self::Chat => super::chat::read(body),
            Self::Responses => super::responses::read(body),
            Self::Messages => super::messages::read(body),
            Self::Gemini => super::gemini::read(body),
        }
    }

    /// The whole answer as one JSON.
    pub(super) fn answer(self, said: &Said<'_>) -> Value {
        match self {
            Self::Chat => super::chat::answer(said),
            Self::Responses => super::responses::answer(said),
            Self::Messages => super::messages::answer(said),
            Self::Gemini => super::gemini::answer(said),
        }
    }
}

/// One question, whatever the dialect.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Question {
    /// The model's name as the agent gave it; the chain decides which one answers.
    pub model: String,
    pub system: String,
    pub messages: Vec<Message>,
    pub tools: Vec<ToolSpec>,
    pub temperature: Option<f64>,
    pub max_output_tokens: Option<u64>,
    pub stream: bool,
    /// Chat completions alone: the stream ends with the tokens.
    pub usage_in_stream: bool,
    /// Responses alone: tools whose argument is plain text, not JSON.
    pub plain_tools: BTreeSet<String>,
}

/// A reply on its way to the agent.
pub(super) struct Said<'a> {
    pub question: &'a Question,
    pub reply: &'a ChatReply,
    /// Unique in the step.
    pub id: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl Question {
    /// Adds a text that stands above the conversation.
    pub(super) fn add_system(&mut self, text: &str) {
        if !self.system.is_empty() && !text.is_empty() {
            self.system.push_str("\n\n");
        }
        self.system.push_str(text);
    }

    /// Adds a user's text; an empty one says nothing.
    pub(super) fn add_user(&mut self, text: String) {
        if !text.is_empty() {
            self.messages.push(Message::User { text });
        }
    }

    /// Adds the model's own words or calls; what belongs to one turn comes in several pieces in some dialects.
    pub(super) fn add_own(&mut self, words: String, calls: Vec<ToolCall>) {
        if words.is_empty() && calls.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(Message::Assistant { text, tool_calls }) => {
                if !text.is_empty() && !words.is_empty() {
                    text.push('\n');
                }
                text.push_str(&words);
                tool_calls.extend(calls);
            }
            _ => self.messages.push(Message::Assistant { text: words, tool_calls: calls }),
        }
    }

    /// Adds the answer to a call.
    ///
    /// # Errors
    /// When no such call stands before it.
    pub(super) fn add_output(&mut self, call_id: &str, content: String) -> Result<(), String> {
        let calls = self.messages.iter().rev().filter_map(|message| match message {
            Message::Assistant { tool_calls, .. } => Some(tool_calls),
            _ => None,
        });
        let name = calls.flatten().find(|call| call.id == call_id).map(|call| call.name.clone());
        let name = name.ok_or_else(|| format!("no tool call has the id `{call_id}`"))?;
        self.messages.push(Message::Tool { call_id: call_id.to_owned(), name, content });
        Ok(())
    }
}

/// A text that may come in parts; `kinds` are the types of parts that hold text.
///
/// # Errors
/// Names the part that is none: an image, a file.
pub(super) fn text_of(content: Option<&Value>, kinds: &[&str]) -> Result<String, String> {
    match content {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let mut texts = vec![];
            for part in parts {
                match part {
                    Value::String(text) => texts.push(text.as_str()),
                    part => {
                        let kind = word(part, "type");
                        if !kinds.contains(&kind) {
                            return Err(format!(
                                "content of the type `{kind}` cannot be passed on; only text can"
                            ));
                        }
                        texts.push(
                            part.get("text")
                                .or_else(|| part.get("refusal"))
                                .and_then(Value::as_str)
                                .unwrap_or_default(),
                        );
                    }
                }
            }
            Ok(texts.join("\n"))
        }
        Some(other) => Ok(other.to_string()),
    }
}

/// The text of a field, empty where there is none.
pub(super) fn word<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The entries of a field that is a list.
pub(super) fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A tool with the schema that every provider wants.
pub(super) fn tool(name: &str, description: &str, parameters: Option<&Value>) -> ToolSpec {
    let parameters = parameters.filter(|schema| schema.is_object()).cloned();
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: parameters.unwrap_or_else(|| json!({"type": "object", "properties": {}})),
    }
}

/// Arguments that come as text.
pub(super) fn arguments(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if text.trim().is_empty() => json!({}),
        Err(_) => Value::from(text),
    }
}

/// Arguments as text, also those that are no JSON because a weak model wrote them.
pub(super) fn arguments_text(arguments: &Value) -> String {
    match arguments {
        Value::String(text) => text.clone(),
        Value::Null => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// One server-sent event.
pub(super) fn event(name: Option<&str>, data: &Value) -> String {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::domain::Tokens;

    /// A conversation in which a tool was called and answered.
    pub(in crate::agents::gateway) fn conversation() -> Vec<Message> {
        let call = ToolCall { id: "c1".into(), name: "read".into(), arguments: json!({"path": "a"}) };
        vec![
            Message::User { text: "go".into() },
            Message::Assistant { text: "I look.".into(), tool_calls: vec![call] },
            Message::Tool { call_id: "c1".into(), name: "read".into(), content: "text of a".into() },
        ]
    }

    pub(in crate::agents::gateway) fn tools() -> Vec<ToolSpec> {
        let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        vec![ToolSpec { name: "read".into(), description: "Reads.".into(), parameters }]
    }

    /// A reply with words and a call.
    pub(in crate::agents::gateway) fn reply() -> ChatReply {
        let call = ToolCall { id: "c2".into(), name: "read".into(), arguments: json!({"path": "b"}) };
        ChatReply {
            text: "And b.".into(),
            tool_calls: vec![call],
            tokens: Tokens { input: 100, cached: 40, cache_written: 10, output: 9, reasoning: 3 },
            ended: "tool_calls".into(),
        }
    }

    pub(in crate::agents::gateway) fn said<'a>(question: &'a Question, reply: &'a ChatReply) -> Said<'a> {
        Said { question, reply, id: "7".into(), at: 5 }
    }

    /// The whole answer as a stream.
    pub(in crate::agents::gateway) fn stream(
        dialect: Dialect,
        question: &Question,
        reply: &ChatReply,
    ) -> String {
        let question = std::sync::Arc::new(question.clone());
        super::super::pieces::Pieces::new(dialect, question, "7".into(), 5).end(reply)
    }

    /// The data of a stream's events.
    pub(in crate::agents::gateway) fn data(stream: &str) -> Vec<Value> {
        let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{conversation, tools};
    use super::*;

    #[test]
    fn every_dialect_says_the_same_question_in_its_own_way() {
        let chat = json!({
            "model": "m", "temperature": 0.5, "max_completion_tokens": 30, "max_tokens": 10, "stream": true,
            "stream_options": {"include_usage": true},
            "messages": [
                {"role": "system", "content": "Be good."},
                {"role": "developer", "content": [{"type": "text", "text": "Be quick."}]},
                {"role": "user", "content": [{"type": "text", "text": "go"}]},
                {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"a\"}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "text of a"},
            ],
            "tools": [{"type": "function", "function": {"name": "read", "description": "Reads.",
                "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}}],
        });
        let messages = json!({
            "model": "m", "temperature": 0.5, "max_tokens": 30, "stream": true,
            "system": [{"type": "text", "text": "Be good.", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "\nBe quick."}],
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "x"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "text of a"}]}]},
            ],
            "tools": [
                {"name": "read", "description": "Reads.",
                    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
        });
        let responses = json!({
            "model": "m", "temperature": 0.5, "instructions": "Be good.", "store": false, "stream": true,
            "max_output_tokens": 30,
            "input": [
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be quick."}]},
                {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
                {"type": "reasoning", "summary": [], "encrypted_content": "x"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"path\":\"a\"}"},
                {"type": "function_call_output", "call_id": "c1", "output": "text of a"},
            ],
            "tools": [
                {"type": "function", "name": "read", "description": "Reads.", "strict": false,
                    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}},
                {"type": "web_search"},
            ],
        });
        for (dialect, body) in
            [(Dialect::Chat, chat), (Dialect::Messages, messages), (Dialect::Responses, responses)]
        {
            let wanted = Question {
                model: "m".into(),
                system: "Be good.\n\nBe quick.".into(),
                messages: conversation(),
                tools: tools(),
                temperature: Some(0.5),
                max_output_tokens: Some(30),
                stream: true,
                usage_in_stream: dialect == Dialect::Chat,
                ..Question::default()
            };
            assert_eq!(dialect.read(&body), Ok(wanted), "{dialect:?}");
        }
    }
}
