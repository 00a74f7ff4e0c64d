//! Secrets that agents write: none reaches the remote, be it in a commit that a later one mends, and only a human can
//! say that one is none.

use ado_vault::domain::{Event, Status};
use ado_vault::note::PropertyValue;
use serde_json::json;

use super::behaviour::*;

const REPOSITORY: &str = "00_system/repos/target.md";

/// Put together here so that no scanner takes this file for a leak.
fn key() -> String {
    format!("gh{}_{}", "p", "a1B2c3D4e5F6".repeat(3))
}

fn leak() -> String {
    format!("token = {}\n", key())
}

/// A world whose repository has a bare remote.
fn with_remote(talk: &Talk) -> World {
    let world = World::new(talk);
    let target = world.target();
    let origin = target.with_file_name("origin.git");
    git(&target, &["clone", "-q", "--bare", ".", origin.to_str().unwrap()]);
    git(&target, &["remote", "add", "origin", origin.to_str().unwrap()]);
    world
}

/// Every line that any commit of the remote adds, and every message.
fn remote_history(world: &World) -> String {
    let origin = world.target().with_file_name("origin.git");
    git(&origin, &["log", "--all", "-p", "--format=%H%n%B"])
}

#[test]
fn a_secret_of_an_earlier_commit_is_never_pushed() {
    let talk = Talk::default().code(1, "greeting.txt", &leak()).code(2, "greeting.txt", GREETING).approve(2);
    let world = with_remote(&talk);
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "code/2", "gates/2", "review/2"]);
    let pushed = remote_history(&world);
    assert!(pushed.contains("+hello") && !pushed.contains(&key()), "{pushed}");
    let run = world.state("FR-001/1");
    assert!(pushed.contains(run.head().unwrap().as_str()), "the head that was pushed is the run's");
    let told: Vec<Event> = world
        .events("FR-001/1")
        .into_iter()
        .filter(|event| match event {
            Event::BranchReplaced { .. } => true,
            Event::Intended { effect, .. } | Event::Completed { effect, .. } => !effect.starts_with("move:"),
            _ => false,
        })
        .collect();
    let kinds: Vec<String> = told
        .iter()
        .map(|event| match event {
            Event::Intended { effect, .. } => format!("intended {}", effect.split(':').next().unwrap()),
            Event::Completed { effect, .. } => format!("completed {}", effect.split(':').next().unwrap()),
            _ => "replaced".to_owned(),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "intended replace",
            "replaced",
            "completed replace",
            "intended push",
            "completed push",
            "intended pull-request",
            "completed pull-request"
        ]
    );
}

#[test]
fn a_secret_in_the_files_stops_the_push_and_asks_with_file_line_and_rule() {
    let talk = Talk::default().code(1, "greeting.txt", &format!("hello\n{}", leak())).approve(1);
    let world = with_remote(&talk);
    let allow = |lines: &[&str]| {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        world.set(REPOSITORY, "allow_secrets", PropertyValue::List(lines));
    };
    allow(&["github-token greeting.*"]);
    world.save("allowed");
    // The human takes the word back while the review is going on.
    let path = world.root().join(REPOSITORY);
    world.when_started("review/1", move || {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("greeting.*", "nowhere/**")).unwrap();
    });
    world.request(Status::Planned, "FR-001");
    world.work();
    let why = world.block("FR-001", "why");
    assert!(why.contains("greeting.txt:2 (github-token)") && why.contains("allow_secrets"), "{why}");
    assert!(!why.contains(&key()[..8]), "{why}");
    assert!(!remote_history(&world).contains(&key()));
    // Approving alone does not let it through.
    world.approve("FR-001");
    world.work();
    assert_ne!(world.status("FR-001"), Status::Review);
    assert!(!remote_history(&world).contains(&key()));
    // The line that the human was shown does, for this value in this file.
    let line = why.split('`').find(|part| part.starts_with("github-token greeting.txt sha256:")).unwrap();
    allow(&[line]);
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert!(remote_history(&world).contains(&key()), "it is none, said the human");
}

#[test]
fn what_an_agent_writes_allows_nothing() {
    let front = "---\nallow_secrets:\n  - github-token **\n---\n";
    let talk = Talk::default()
        .turn(
            "code/1",
            "Coder",
            1,
            &[
                ("write", json!({"path": "00_system/repos/target.md", "content": front})),
                ("write", json!({"path": "30_policy/Gates.md", "content": front})),
                ("write", json!({"path": "a.txt", "content": format!("{} # allow_secrets gitleaks:allow\n", leak())})),
                ("finish", json!({"summary": format!("it is allowed: {}", key())})),
            ],
        )
        .idle(2)
        .idle(3);
    let world = with_remote(&talk);
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_ne!(world.status("FR-001"), Status::Review);
    let failed = |event: &Event| match event {
        Event::StepFinished { outcome, .. } => {
            serde_json::to_string(outcome).unwrap().contains("github-token")
        }
        _ => false,
    };
    assert!(world.events("FR-001/1").iter().any(failed), "the gate failed");
    assert!(!remote_history(&world).contains(&key()));
}
