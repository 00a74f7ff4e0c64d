//! Models that cannot be reached or refuse the key, beside one that answers.

use std::sync::{Arc, Mutex};

use ado_vault::domain::{Status, StepResult};
use ado_vault::engine::{Outcome, Said};
use ado_vault::note::PropertyValue;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::behaviour::*;

/// A healthy small request and a larger one whose tier talks to the model at `base_url`.
fn with_another_model(base_url: &str) -> World {
    let world = World::new(&Talk::greeting());
    // The key is any variable that a test process has.
    let note = format!(
        "---\nprovider: openai-compatible\nmodel: other\nbase_url: {base_url}\napi_key_env: CARGO_PKG_NAME\n---\n"
    );
    world.put("00_system/models/other.md", &note);
    for tier in ["simple", "moderate", "complex"] {
        let key = format!("{tier}_model");
        world.set("30_policy/Routing.md", &key, PropertyValue::Text("other".into()));
    }
    world.request(Status::Planned, "FR-009");
    let files: String = (1..=13).map(|number| format!("- `part{number}/file.rs`\n")).collect();
    world.request_with(Status::Planned, "FR-001", "", &format!("\n{files}"));
    world
}

#[test]
fn a_refused_key_stops_the_run_and_says_which_variable_to_look_at() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let refusal = ResponseTemplate::new(401).set_body_string("{\"error\":{\"message\":\"bad key\"}}");
        Mock::given(any()).respond_with(refusal).mount(&server).await;
        server
    });
    let world = with_another_model(&format!("{}/v1/", server.uri()));
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.status("FR-009"), Status::Review);
    let why = world.block("FR-001", "why");
    assert!(why.contains("refused the key") && why.contains("check the key in the variable"), "{why}");
    assert_eq!(world.steps("FR-001/1"), ["plan/1"], "a refusal is not tried again");
    assert_eq!(world.property("FR-001", "cost_usd"), Some(0.into()));
}

#[test]
fn a_model_that_cannot_be_reached_is_tried_again_later_while_others_go_on() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = with_another_model(&format!("http://127.0.0.1:{port}/v1/"));
    let stop = CancellationToken::new();
    let (failed, reviewed) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
    let stopping = stop.clone();
    world.react(move |said| {
        match said {
            Said::StepFinished { run, outcome, .. } if run.feature.as_str() == "FR-001" => {
                *failed.lock().unwrap() |= matches!(outcome.result, StepResult::Failed { retry: true, .. });
            }
            Said::Did { feature, what } if feature == "FR-009" => {
                *reviewed.lock().unwrap() |= what.ends_with("→ review");
            }
            _ => {}
        }
        let both = *failed.lock().unwrap() && *reviewed.lock().unwrap();
        if both {
            stopping.cancel();
        }
        both
    });
    assert_eq!(world.try_work(&stop).unwrap(), Outcome::Stopped);
    let wait = world.wait("FR-001").unwrap();
    assert_eq!(wait.on, "retry");
    assert!(wait.why.contains("cannot be reached") && wait.why.contains("`base_url`"), "{wait:?}");
    assert_eq!(world.status("FR-001"), Status::InProgress);
}
