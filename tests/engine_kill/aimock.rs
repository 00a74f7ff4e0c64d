//! The same request with aimock, a mock of the model providers that others wrote. `scripts/aimock-test` installs it and
//! turns this test on with the feature `aimock`.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ado_vault::engine::Quiet;
use serde_json::{Value, json};

use crate::wire::{assert_done, model_note, turns};
use crate::world::World;

/// A server that ends with the test.
struct Aimock(Child);

impl Drop for Aimock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What aimock is to answer, told apart by the prompt's beginning, the turn and the round.
fn fixtures() -> Value {
    let mut rounds: BTreeMap<(&str, usize), u32> = BTreeMap::new();
    let fixtures: Vec<Value> = turns()
        .into_iter()
        .map(|turn| {
            let step = turn.key.split('/').next().unwrap_or_default();
            let prompt = match step {
                "plan" => "You plan a change to the repository",
                "code" => "You change the code of the repository",
                "test" => "You write tests for a change",
                _ => "You review a change to the repository",
            };
            let round = rounds.entry((step, turn.before)).and_modify(|round| *round += 1).or_insert(0);
            json!({
                "match": {"userMessage": prompt, "turnIndex": turn.before, "sequenceIndex": *round},
                "response": {
                    "toolCalls": [{
                        "id": format!("call_{}_{}", turn.key.replace('/', "_"), turn.before),
                        "name": turn.tool, "arguments": turn.arguments,
                    }],
                    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
                },
            })
        })
        .collect();
    json!({ "fixtures": fixtures })
}

#[test]
fn a_request_goes_the_whole_way_with_a_server_that_others_wrote() {
    let program = std::env::var_os("AIMOCK_PROGRAM").expect("scripts/aimock-test names the server");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tally.json"), fixtures().to_string()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(program)
        .args(["-p", &port.to_string(), "-f"])
        .arg(folder.path())
        .args(["--strict", "--validate-on-load"])
        .env("AIMOCK_STRICT_TURN_INDEX", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Aimock(server);
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            server.0.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(20),
            "no server"
        );
        std::thread::yield_now();
    }
    let world = World::new(&model_note(&format!("http://127.0.0.1:{port}")));
    world.run_to_the_end(Arc::new(Quiet));
    assert_done(&world);
}
