//! What a person approves: plans, sensitive paths; and how epics are split.

use ado_vault::domain::{Event, Gate, Status, Tier};
use ado_vault::engine::Outcome;
use serde_json::json;

use super::behaviour::*;

fn approvals(world: &World) -> Vec<(Gate, String)> {
    let approved = |event| match event {
        Event::Approved { gate, by, .. } => Some((gate, by)),
        _ => None,
    };
    world.events("FR-001/1").into_iter().filter_map(approved).collect()
}

#[test]
fn a_complex_request_waits_for_its_plan_and_an_edited_plan_is_the_one_carried_out() {
    let world = World::new(&Talk::greeting().planned().tested());
    world.tier(Tier::Complex);
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.steps("FR-001/1"), ["plan/1"]);
    assert_eq!(world.waiting_on("FR-001"), "approval: plan");
    assert!(world.block("FR-001", "why").contains("tick `approved`"));
    assert!(world.block("FR-001", "plan").contains("Write the greeting."));
    // Nothing happens without the tick, whatever is edited.
    world.hand().replace("FR-001", "Write the greeting.", "Write the greeting in one line.");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["plan/1"]);

    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let human = "Human <human@example.org>".to_owned();
    assert_eq!(approvals(&world), [(Gate::Plan, human)]);
    let edited = world.events("FR-001/1").into_iter().find_map(|event| match event {
        Event::PlanEdited { plan_text } => Some(plan_text),
        _ => None,
    });
    assert!(edited.unwrap().contains("in one line"));
    assert!(world.prompts("FR-001/1", "code/1")[0].contains("Write the greeting in one line."));
    assert!(world.block("FR-001", "plan").contains("in one line"), "the person's words stay");
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn a_tick_passes_one_gate_and_never_a_later_one() {
    let talk = Talk::default().planned().tested().code(1, ".github/workflows/x.yml", "on: push\n").approve(1);
    let world = World::new(&talk);
    world.tier(Tier::Complex);
    world.request(Status::Planned, "FR-001");
    // Ticked before anything asks for it.
    world.approve("FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: plan");
    assert!(!world.is_ticked("FR-001"));

    world.approve("FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    assert!(!world.is_ticked("FR-001"));
    assert_eq!(world.status("FR-001"), Status::InProgress);
    assert!(world.block("FR-001", "why").contains(".github/workflows/x.yml"));
    assert_eq!(approvals(&world).len(), 1);

    // A tick made while nothing asks, during the work, is not kept for the next gate either.
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let gates: Vec<Gate> = approvals(&world).into_iter().map(|(gate, _)| gate).collect();
    assert_eq!(gates, [Gate::Plan, Gate::Paths]);
}

#[test]
fn a_tick_made_while_the_coder_works_does_not_pass_the_gate_that_follows() {
    let talk = Talk::default().code(1, ".github/workflows/x.yml", "on: push\n").approve(1);
    let world = World::new(&talk);
    world.request(Status::Planned, "FR-001");
    let hand = world.hand();
    world.when_started("code/1", move || hand.replace("FR-001", "\n---\n", "\napproved: true\n---\n"));
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    assert_eq!(approvals(&world), []);
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn an_epic_becomes_notes_and_a_second_start_does_not_double_them() {
    let parts = json!([
        {"title": "Say hello", "summary": "The word.", "criteria": ["it says hello"]},
        {"title": "Say it louder", "summary": "With emphasis.", "criteria": ["it shouts"],
         "depends_on": ["Say hello"]},
    ]);
    let plan = json!({"summary": "Two parts.", "files": [], "steps": [], "sub_features": parts});
    let world = World::new(&Talk::default().plan(plan));
    world.tier(Tier::Epic);
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.path("FR-002"), "10_features/02_new/FR-002 Say hello.md");
    assert_eq!(world.path("FR-003"), "10_features/02_new/FR-003 Say it louder.md");
    assert_eq!(world.property("FR-003", "depends_on").unwrap(), json!(["FR-002"]));
    assert!(world.note("FR-002").contains("Part of [[FR-001 Greet]]"));
    assert_eq!(world.status("FR-001"), Status::InProgress);
    assert_eq!(world.waiting_on("FR-001"), "human: split into FR-002, FR-003");
    assert!(world.block("FR-001", "why").contains("move FR-002, FR-003 to `planned`"));
    assert_eq!(git(world.root(), &["status", "--short"]), "");

    // Again from the start: the person stops the epic and plans it anew.
    world.drag("FR-001", Status::New);
    world.work();
    world.drag("FR-001", Status::Planned);
    world.work();
    assert_eq!(
        world.state("FR-001/2").split.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["FR-002", "FR-003"]
    );
    let notes = std::fs::read_dir(world.root().join("10_features/02_new")).unwrap().flatten();
    assert_eq!(notes.filter(|note| note.file_name().to_string_lossy().ends_with(".md")).count(), 2);

    for part in ["FR-002", "FR-003"] {
        world.drag(part, Status::Dropped);
    }
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.status("FR-001"), Status::Done);
}
