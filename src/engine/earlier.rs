//! What a conversation that was cut off was answered, read from the journal and its transcripts, so that it goes on without
//! paying for it again.
//!
//! The step begins anew in a worktree put back to its beginning. Answers are taken from here as long as each request is
//! the one that was answered then: the tool calls in them are done again, so that files come to be as they were, and
//! what they give is part of the next request. The first request that differs, and all after it, are the model's again.

use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::{ContentHash, Event, ModelName, Record, RunState, StepKey};
use crate::models::ChatReply;
use crate::vault::{Vault, read_transcript};

/// The answers that are left, oldest first.
#[derive(Default)]
pub struct Earlier {
    left: Mutex<Left>,
}

#[derive(Default)]
struct Left {
    turns: Vec<Turn>,
    /// Whether a request that differs was met already.
    parted: bool,
}

/// One answered request.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub call: u64,
    pub model: ModelName,
    pub reply: ChatReply,
    /// As [`steady`] leaves it.
    request: Value,
}

/// What a request meets.
#[derive(Debug, PartialEq)]
pub enum Met {
    /// Nothing is remembered, or it was said already that the conversation goes another way.
    Nothing,
    Same(Turn),
    /// This call came next, and its request was another one.
    Other {
        call: u64,
        why: String,
    },
}

#[derive(Deserialize)]
struct Transcript {
    model: ModelName,
    request: Value,
    reply: Option<Value>,
}

impl Earlier {
    /// The answers to the tries of this step that were cut off. What cannot be read is not remembered.
    pub fn of(vault: &Vault, run: &RunState, records: &[Record], key: StepKey) -> Self {
        let first = run.cut_off(key).iter().find_map(|step| step.first_call);
        let Some(first) = first else { return Self::default() };
        let answered = records.iter().filter_map(|record| match &record.event {
            Event::ModelCallFinished {
                call, transcript: Some(file), failure: None, transcript_hash, ..
            } if *call >= first => Some((*call, file, transcript_hash.as_ref())),
            _ => None,
        });
        let turns = answered.filter_map(|(call, file, hash)| {
            let text = read_transcript(vault, &run.id, file);
            let text = text.inspect_err(|error| tracing::warn!(call, %error, "an answer is asked for again"));
            let text = text.ok().filter(|text| is_as_recorded(call, text, hash))?;
            turn(call, &text)
        });
        Self::from_turns(turns.collect())
    }

    fn from_turns(turns: Vec<Turn>) -> Self {
        Self { left: Mutex::new(Left { turns, parted: false }) }
    }

    /// Takes the next answer to this request, as transcripts hold it.
    pub fn meet(&self, request: Value) -> Met {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = steady(request);
        if let Some(at) = left.turns.iter().position(|turn| turn.request == asked) {
            // Those before it belong to a way that the conversation did not go again.
            let turn = left.turns.drain(..=at).next_back();
            return turn.map_or(Met::Nothing, Met::Same);
        }
        match left.turns.first() {
            Some(next) if !left.parted => {
                let met = Met::Other { call: next.call, why: difference(&next.request, &asked) };
                left.parted = true;
                met
            }
            _ => Met::Nothing,
        }
    }
}

/// Whether a transcript is the one that the journal names. Older journals name no hash.
fn is_as_recorded(call: u64, text: &str, hash: Option<&ContentHash>) -> bool {
    let is_same = hash.is_none_or(|hash| *hash == ContentHash::of(text));
    if !is_same {
        tracing::warn!(
            call,
            "the transcript was changed after it was recorded; the answer is asked for again"
        );
    }
    is_same
}

/// A transcript's turn; `None` for one without an answer, or whose answer held a secret that is not in it any more.
fn turn(call: u64, text: &str) -> Option<Turn> {
    let Transcript { model, request, reply } = serde_json::from_str(text).ok()?;
    let reply = reply?;
    if reply.to_string().contains("[redacted: ") {
        return None;
    }
    Some(Turn { call, model, reply: serde_json::from_value(reply).ok()?, request: steady(request) })
}

/// The request without what is never twice the same: the numbers of fences, and how long commands took.
fn steady(mut request: Value) -> Value {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b\d+(\.\d+)?\s?(ms|µs|us|ns|s|secs?|seconds?|min|m)\b").expect("a literal pattern")
    });
    // The numbers of fences are others in every try.
    static FENCES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^(<<<data )[0-9a-f]{12}( )|^(data )[0-9a-f]{12}(>>>)$").expect("a literal pattern")
    });
    let messages = request.get_mut("messages").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten() {
        let is_output = message["role"] == "tool";
        for part in ["content", "text"] {
            let Some(Value::String(content)) = message.get_mut(part) else { continue };
            if is_output {
                *content = TIMES.replace_all(content, "[time]").into_owned();
            }
            *content = FENCES.replace_all(content, "$1$2$3$4").into_owned();
        }
    }
    request
}

/// Which part of a request is not what it was, in words.
fn difference(then: &Value, now: &Value) -> String {
    let messages = |request: &Value| request["messages"].as_array().cloned().unwrap_or_default();
    let (before, after) = (messages(then), messages(now));
    let at = before.iter().zip(&after).position(|(one, other)| one != other);
    match at {
        Some(0) => "the task reads differently now".to_owned(),
        Some(at) => match after[at]["name"].as_str() {
            Some(tool) => format!("the output of `{tool}` is another than then"),
            None => format!("message {} is another than then", at + 1),
        },
        None if before.len() != after.len() => "the conversation has another length".to_owned(),
        None => "the agent's instructions, tools or limits were changed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(outputs: &[(&str, &str)]) -> Value {
        let mut messages = vec![json!({"role": "user", "text": "the task took 3 s"})];
        for (name, content) in outputs {
            messages.push(json!({"role": "assistant", "text": "", "tool_calls": []}));
            messages.push(json!({"role": "tool", "call_id": "c", "name": name, "content": content}));
        }
        json!({"system": "s", "messages": messages, "tools": [], "temperature": null, "max_output_tokens": 10})
    }

    fn remembered(call: u64, request: &Value, text: &str) -> Turn {
        let transcript = json!({"model": "m", "request": request,
            "reply": {"text": text, "tokens": {}, "ended": "stop"}});
        turn(call, &transcript.to_string()).unwrap()
    }

    fn said(met: Met) -> String {
        match met {
            Met::Nothing => "nothing".to_owned(),
            Met::Same(turn) => format!("call {}: {}", turn.call, turn.reply.text),
            Met::Other { call, why } => format!("not call {call}: {why}"),
        }
    }

    const RUN: &str =
        "<<<data 0a1b2c3d4e5f program: output of run\nexit code 0\n3 passed in 0.12s\ndata 0a1b2c3d4e5f>>>";
    const AGAIN: &str =
        "<<<data 998877665544 program: output of run\nexit code 0\n3 passed in 1.7s\ndata 998877665544>>>";
    const OTHER: &str =
        "<<<data 998877665544 program: output of run\nexit code 0\n2 passed in 1.7s\ndata 998877665544>>>";

    #[test]
    fn the_same_requests_are_answered_from_memory_in_their_order() {
        let (first, second) = (request(&[]), request(&[("run", RUN)]));
        let earlier = Earlier::from_turns(vec![remembered(4, &first, "one"), remembered(5, &second, "two")]);
        assert_eq!(said(earlier.meet(first.clone())), "call 4: one");
        assert_eq!(said(earlier.meet(request(&[("run", AGAIN)]))), "call 5: two", "but for the time it took");
        assert_eq!(said(earlier.meet(request(&[("run", AGAIN), ("read", "x")]))), "nothing");
    }

    #[test]
    fn from_the_first_difference_on_the_model_is_asked_and_the_reason_is_said_once() {
        let (first, second) = (request(&[]), request(&[("run", RUN)]));
        let both = || Earlier::from_turns(vec![remembered(4, &first, "one"), remembered(5, &second, "two")]);
        let earlier = both();
        assert_eq!(said(earlier.meet(first.clone())), "call 4: one");
        let other = request(&[("run", OTHER)]);
        assert_eq!(said(earlier.meet(other.clone())), "not call 5: the output of `run` is another than then");
        assert_eq!(said(earlier.meet(other.clone())), "nothing");

        let mut fenced = first.clone();
        fenced["messages"][0]["text"] = json!("<<<data 0a1b2c3d4e5f vault: x\ny\ndata 0a1b2c3d4e5f>>>");
        let earlier = Earlier::from_turns(vec![remembered(4, &fenced, "one")]);
        fenced["messages"][0]["text"] = json!("<<<data 998877665544 vault: x\ny\ndata 998877665544>>>");
        assert_eq!(said(earlier.meet(fenced)), "call 4: one", "the task's fences have numbers of each try");

        let mut task = first.clone();
        task["messages"][0]["text"] = json!("the task took 4 s");
        assert_eq!(said(both().meet(task)), "not call 4: the task reads differently now");
        let mut tools = first.clone();
        tools["tools"] = json!(["run"]);
        let why = "not call 4: the agent's instructions, tools or limits were changed";
        assert_eq!(said(both().meet(tools)), why);
    }

    #[test]
    fn a_second_cut_off_try_that_went_another_way_is_followed() {
        let (first, run, other) = (request(&[]), request(&[("run", RUN)]), request(&[("run", OTHER)]));
        let turns =
            vec![remembered(4, &first, "one"), remembered(5, &run, "two"), remembered(6, &other, "three")];
        let earlier = Earlier::from_turns(turns);
        assert_eq!(said(earlier.meet(first.clone())), "call 4: one");
        assert_eq!(said(earlier.meet(other.clone())), "call 6: three");
        assert_eq!(said(earlier.meet(run.clone())), "nothing");
    }

    #[test]
    fn a_transcript_that_is_not_the_recorded_one_is_not_believed() {
        let hash = ContentHash::of("as it was\n");
        assert!(is_as_recorded(1, "as it was\n", Some(&hash)));
        assert!(!is_as_recorded(1, "as it was made\n", Some(&hash)));
        assert!(is_as_recorded(1, "of a journal without hashes\n", None));
    }

    #[test]
    fn answers_that_are_not_whole_any_more_are_not_remembered() {
        let transcript =
            |reply: Value| json!({"model": "m", "request": request(&[]), "reply": reply}).to_string();
        let reply = |text: &str| json!({"text": text, "tokens": {}, "ended": "stop"});
        assert!(turn(1, &transcript(reply("fine"))).is_some());
        assert!(turn(1, &transcript(reply("key [redacted: held]"))).is_none());
        assert!(
            turn(1, &json!({"model": "m", "request": request(&[]), "error": "503"}).to_string()).is_none()
        );
        assert!(turn(1, "{\"model\":").is_none());
    }
}
