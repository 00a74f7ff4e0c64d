//! The same request with a model behind HTTP that speaks OpenAI's chat completions: a server in this process.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use ado_vault::domain::{RunEnd, Status};
use ado_vault::engine::Quiet;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::judge::{Ending, assert_whole};
use crate::kill::start_until;
use crate::tally;
use crate::world::{World, git};

/// Answers the conversation in its order, and remembers what was wrong with a request.
struct Scripted {
    /// How many requests came, and what was wrong with them.
    asked: Mutex<(usize, Vec<String>)>,
}

impl Scripted {
    fn wrong(&self) -> (usize, Vec<String>) {
        self.asked.lock().unwrap().clone()
    }
}

struct Server(Arc<Scripted>);

impl Respond for Server {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let mut state = self.0.asked.lock().unwrap();
        let index = state.0;
        state.0 += 1;
        let Some(turn) = turns().into_iter().nth(index) else {
            state.1.push(format!("request {index} is one too many"));
            return ResponseTemplate::new(400);
        };
        let with_role = |role: &str| {
            let messages = asked["messages"].as_array().unwrap().iter();
            messages.filter(|message| message["role"] == role).count()
        };
        let offered: Vec<&Value> =
            asked["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
        if with_role("assistant") != turn.before
            || with_role("tool") != turn.before
            || !offered.contains(&&Value::from(turn.tool))
        {
            state.1.push(format!("request {index} is not that of {}: {asked}", turn.key));
        }
        let function = json!({"name": turn.tool, "arguments": turn.arguments.to_string()});
        ResponseTemplate::new(200).set_body_json(json!({
            "model": "scripted",
            "choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "content": "",
                "tool_calls": [{"id": format!("call_{index}"), "type": "function", "function": function}]}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        }))
    }
}

/// One answer of the conversation.
pub struct Turn {
    pub key: &'static str,
    /// Answers before it in the same step.
    pub before: usize,
    pub tool: &'static str,
    pub arguments: Value,
}

pub fn turns() -> Vec<Turn> {
    let mut before = BTreeMap::new();
    let turns = tally::conversation().into_iter().map(|(key, _, calls)| {
        let (tool, arguments) = calls.into_iter().next().unwrap();
        let count = before.entry(key).or_insert(0);
        *count += 1;
        Turn { key, before: *count - 1, tool, arguments }
    });
    turns.collect()
}

pub fn model_note(server: &str) -> String {
    format!(
        "---\nprovider: openai-compatible\nmodel: scripted\nbase_url: {server}/v1/\nedit_format: tools\n\
         price_input: 3\nprice_output: 15\ntimeout_seconds: 20\n---\nA server on this machine.\n"
    )
}

pub fn assert_done(world: &World) {
    let ending = Ending::of(world);
    let reached = (ending.status, ending.ended);
    assert_eq!(reached, (Some(Status::Done), Some(RunEnd::Merged)), "{}", ending.note);
    assert_eq!(git(&world.origin_root(), &["show", "main:tally.sh"]), tally::RIGHT.trim_end());
    // 10 calls of 1,000 tokens in and 100 out.
    assert!(fs::read_to_string(world.note()).unwrap().contains("\ncost_usd: 0.045\ntokens: 11000\n"));
    assert_whole(world);
}

/// A server in this process that holds the conversation.
fn serve() -> (tokio::runtime::Runtime, MockServer, Arc<Scripted>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scripted = Arc::new(Scripted { asked: Mutex::default() });
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let answers = Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .respond_with(Server(scripted.clone()));
        answers.mount(&server).await;
        server
    });
    (runtime, server, scripted)
}

#[test]
fn a_request_goes_the_whole_way_over_http() {
    let (_runtime, server, scripted) = serve();
    let world = World::new(&model_note(&server.uri()));
    world.run_to_the_end(Arc::new(Quiet));
    assert_eq!(scripted.wrong(), (turns().len(), vec![]));
    assert_done(&world);
}

/// Killed when this many answers were journaled, or right before this many were asked for.
fn killed_at(word: &str, count: usize) {
    let (_runtime, server, scripted) = serve();
    let world = World::new(&model_note(&server.uri()));
    let mut acts = vec![];
    let mut kills = 0;
    while world.act(&mut acts) {
        while !start_until(&world, word, if kills == 0 { count } else { 0 }).success() {
            kills += 1;
            assert_eq!(kills, 1, "killed once");
        }
    }
    assert_eq!(kills, 1, "the kill at {word} {count} did not happen");
    assert_eq!(
        scripted.wrong(),
        (turns().len(), vec![]),
        "killed at {word} {count}: every answer is paid once"
    );
    let ending = Ending::of(&world);
    assert_eq!((ending.status, ending.ended), (Some(Status::Done), Some(RunEnd::Merged)), "{}", ending.note);
    assert_eq!(git(&world.origin_root(), &["show", "main:tally.sh"]), tally::RIGHT.trim_end());
    assert_whole(&world);
}

#[test]
fn a_conversation_that_is_killed_between_turns_goes_on_without_paying_twice() {
    let turns = turns();
    // The second answer of a step, and the one before it: the tools of the first were at work already.
    let second = turns.iter().position(|turn| turn.before == 1).unwrap() + 1;
    killed_at("ModelCallFinished", second);
    killed_at("ModelCallStarted", second);
    let deepest = turns.iter().enumerate().max_by_key(|(_, turn)| turn.before).unwrap().0 + 1;
    killed_at("ModelCallFinished", deepest);
    killed_at("ToolCalled", deepest);
}
