//! A run whose model's answers were recorded is replayed from the recording to the same result.

use std::sync::atomic::{AtomicUsize, Ordering};

use ado_vault::domain::Spent;
use ado_vault::engine::Outcome;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::place::*;

const PLAIN: &str = "---\nid: FR-001\nstatus: planned\nrepo: textstat\n---\n# Greet\n\n## Acceptance criteria\n\n- [ ] it greets\n";
const TAPE: &str = "00_system/models/tape.jsonl";

/// Gives one answer after the other, in the words of OpenAI's chat completions.
struct Server {
    turns: Vec<Value>,
    next: AtomicUsize,
}

impl Respond for Server {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let Some(turn) = self.turns.get(self.next.fetch_add(1, Ordering::SeqCst)) else {
            return ResponseTemplate::new(500);
        };
        let call = &turn["reply"]["tool_calls"][0];
        let function = json!({"name": call["name"], "arguments": call["arguments"].to_string()});
        let calls = json!([{"id": call["id"], "type": "function", "function": function}]);
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "c", "object": "chat.completion", "model": "small",
            "choices": [{"index": 0, "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": null, "tool_calls": calls}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        }))
    }
}

fn planned() -> Place {
    let place = Place::new(PLAIN);
    place.drag("02_new", "03_planned");
    place
}

#[test]
fn a_run_recorded_from_a_server_replays_to_the_same_commit_and_verdict() {
    let real = planned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = MockServer::start().await;
        let turns = work(&["it greets"]);
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .respond_with(Server { turns, next: AtomicUsize::new(0) })
            .expect(3)
            .mount(&server)
            .await;
        real.model(&format!(
            "provider: openai-compatible\nmodel: small\nbase_url: {}/v1/\nprice_input: 1\nprice_output: 2\n\
             recording: {TAPE}",
            server.uri()
        ));
        assert_eq!(real.work_within().await, Outcome::WaitsForHuman);
    });
    let recorded = real.run(1);
    assert!(recorded.pr.is_some(), "{recorded:?}");
    let tape = real.read(TAPE);
    assert!(tape.starts_with("{\"v\":1,\"about\":\"answers of model recorded-demo\"}\n"), "{tape}");
    assert_eq!(tape.lines().count(), 4, "one line says what it is, one for each answer:\n{tape}");

    // The server is gone: what answers now is the file.
    let replay = planned();
    replay.write(TAPE, &tape);
    replay.model(&format!("provider: recorded\nprice_input: 1\nprice_output: 2\nrecording: {TAPE}"));
    assert_eq!(replay.work(), Outcome::WaitsForHuman);
    let replayed = replay.run(1);
    assert_eq!(replay.steps(1), real.steps(1));
    let tree = |run: &ado_vault::domain::RunState| run.change.as_ref().unwrap().tree.clone();
    assert_eq!(tree(&replayed), tree(&recorded));
    assert_eq!(replayed.review, recorded.review);
    assert_eq!(replayed.review.unwrap().criteria.len(), 1);
    // Seconds are those of the work itself.
    assert_eq!(Spent { seconds: recorded.spent.seconds, ..replayed.spent }, recorded.spent);
    assert_eq!(replayed.pr.is_some(), recorded.pr.is_some());
    assert_eq!(replay.read(TAPE), tape, "a replay records nothing");
}
