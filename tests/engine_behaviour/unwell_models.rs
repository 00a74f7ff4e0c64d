//! Models that cannot be reached or refuse the key, beside one that answers.

use std::sync::{Arc, Mutex};

use ado_vault::domain::{Status, StepResult};
use ado_vault::engine::{Outcome, Said};
use ado_vault::note::PropertyValue;
use jiff::Timestamp;
use serde_json::json;
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
    world.request_with(Status::Planned, "FR-001", "", &many_files());
    world
}

fn many_files() -> String {
    let files: String = (1..=13).map(|number| format!("- `part{number}/file.rs`\n")).collect();
    format!("\n{files}")
}

/// A server on loopback that gives one answer to everything.
fn server(answer: ResponseTemplate) -> (tokio::runtime::Runtime, MockServer) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        server
    });
    (runtime, server)
}

/// Works until a step of FR-001 ended in this way and FR-009 is reviewed.
fn work_until(world: &World, is_it: impl Fn(&StepResult) -> bool + Send + Sync + 'static) {
    let stop = CancellationToken::new();
    let (ended, reviewed) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
    let stopping = stop.clone();
    world.react(move |said| {
        match said {
            Said::StepFinished { run, outcome, .. } if run.feature.as_str() == "FR-001" => {
                *ended.lock().unwrap() |= is_it(&outcome.result);
            }
            Said::Did { feature, what } if feature == "FR-009" => {
                *reviewed.lock().unwrap() |= what.ends_with("→ review");
            }
            _ => {}
        }
        let both = *ended.lock().unwrap() && *reviewed.lock().unwrap();
        if both {
            stopping.cancel();
        }
        both
    });
    assert_eq!(world.try_work(&stop).unwrap(), Outcome::Stopped);
}

#[test]
fn a_used_up_plan_parks_the_run_without_an_attempt_and_every_command_says_until_when() {
    let until = Timestamp::from_second(Timestamp::now().as_second() + 7200).unwrap();
    let body = json!({"error": {"message": "The usage limit has been reached", "type": "usage_limit_reached",
        "resets_at": until.as_second()}});
    let (runtime, server) = server(ResponseTemplate::new(429).set_body_json(body));
    let world = with_another_model(&format!("{}/v1/", server.uri()));
    work_until(&world, |result| matches!(result, StepResult::Parked { .. }));
    let wait = world.wait("FR-001").unwrap();
    assert_eq!((wait.on.as_str(), wait.needs_human), ("quota", false));
    assert!(wait.why.contains(&format!("parked until {until:.0}")), "{wait:?}");
    assert_eq!(world.steps("FR-001/1"), ["plan/1"]);

    // A new process knows it from the journals and does not ask.
    let asked = || runtime.block_on(server.received_requests()).unwrap().len();
    assert_eq!(asked(), 1);
    let unwell = world.look().observation.snapshot.unwell.clone();
    assert_eq!(unwell.len(), 1, "{unwell:?}");
    assert_eq!((unwell[0].until, unwell[0].why.as_str()), (until, "has no quota or credit left"));
    assert!(unwell[0].what.starts_with("openai-compatible at 127.0.0.1:"), "{unwell:?}");
    world.request_with(Status::Planned, "FR-002", "", &many_files());
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    world.react(move |said| {
        let parked = matches!(said, Said::StepFinished { run, .. } if run.feature.as_str() == "FR-002");
        if parked {
            stopping.cancel();
        }
        parked
    });
    assert_eq!(world.try_work(&stop).unwrap(), Outcome::Stopped);
    assert!(world.wait("FR-002").unwrap().why.contains("it has no quota or credit left"));
    assert_eq!(asked(), 1, "another run of another process asks nobody");
}

#[test]
fn a_template_at_the_end_of_a_chain_plans_and_its_review_waits_for_a_person() {
    let (_runtime, server) = server(ResponseTemplate::new(402).set_body_string("pay"));
    let world = World::new(&Talk::greeting());
    world.put("00_system/models/last.md", "---\nprovider: template\n---\n");
    let dear = format!("---\nprovider: openai-compatible\nmodel: x\nbase_url: {}/v1/\n---\n", server.uri());
    world.put("00_system/models/dear.md", &dear);
    for agent in ["Planner", "Reviewer"] {
        let models = PropertyValue::List(vec!["dear".into(), "last".into()]);
        world.set(&format!("20_agents/{agent}.md"), "models", models);
    }
    world.set("30_policy/Routing.md", "trivial_strategy", PropertyValue::Text("pipeline".into()));
    world.says(&Talk::greeting().tested());
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.steps("FR-001/1"), ["plan/1", "code/1", "test/1", "gates/1", "review/1"]);
    assert!(world.block("FR-001", "plan").contains("This is a template and no plan of a model"));
    let why = world.block("FR-001", "why");
    assert!(why.contains("no model could review it") && why.contains("A person must look"), "{why}");
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review, "{}", world.note("FR-001"));
    assert_eq!(world.state("FR-001/1").review_history.len(), 1);
}

#[test]
fn a_refused_key_stops_the_run_and_says_which_variable_to_look_at() {
    let refusal = ResponseTemplate::new(401).set_body_string("{\"error\":{\"message\":\"bad key\"}}");
    let (_runtime, server) = server(refusal);
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
    work_until(&world, |result| matches!(result, StepResult::Failed { retry: true, .. }));
    let wait = world.wait("FR-001").unwrap();
    assert_eq!(wait.on, "retry");
    assert!(wait.why.contains("cannot be reached") && wait.why.contains("`base_url`"), "{wait:?}");
    assert_eq!(world.status("FR-001"), Status::InProgress);
}
