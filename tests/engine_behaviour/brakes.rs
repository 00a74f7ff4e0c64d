//! What stops a run by itself, what it says then, and that only a person lets it go on.

use ado_vault::domain::{Brake, Event, Status};
use ado_vault::engine::Outcome;
use ado_vault::note::PropertyValue;

use super::behaviour::*;

fn brakes(world: &World) -> Vec<Brake> {
    let brake = |event| match event {
        Event::Braked { brake, .. } => Some(brake),
        _ => None,
    };
    world.events("FR-001/1").into_iter().filter_map(brake).collect()
}

/// Works until the brake is on; looks again to see that nothing but a person takes it off.
fn work_until_braked(world: &World) -> String {
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    let (steps, commits) = (world.steps("FR-001/1"), world.log().len());
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!((world.steps("FR-001/1"), world.log().len()), (steps, commits));
    assert_eq!(world.status("FR-001"), Status::InProgress);
    let why = world.block("FR-001", "why");
    assert!(why.contains("tick `approved`") && why.contains("ado-vault approve FR-001"), "{why}");
    why
}

#[test]
fn the_same_error_three_times_stops_the_run_and_a_persons_words_let_it_go_on() {
    let talk = (1..=3).fold(Talk::default(), |talk, round| {
        talk.code(round, "broken", &format!("greeting.txt:{round}: the word is missing\n"))
    });
    let fixed = serde_json::json!({"argv": ["rm", "broken"]});
    let write = serde_json::json!({"path": "greeting.txt", "content": GREETING});
    let done = serde_json::json!({"summary": "done"});
    let empty = serde_json::json!({"path": "broken", "content": "still there\n"});
    let world = World::new(&talk.turn("code/4", "Coder", 1, &[("write", empty), ("finish", done.clone())]));
    world.request(Status::Planned, "FR-001");
    let why = work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::SameError]);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "code/2", "gates/2", "code/3", "gates/3"]);
    assert!(why.contains("the word is missing"), "{why}");

    world.hand().replace("FR-001", "## Notes\n", "## Notes\n\nUse another file.\n");
    world.approve("FR-001");
    let talk = Talk::default()
        .turn("code/4", "Coder", 1, &[("run", fixed), ("write", write), ("finish", done)])
        .approve(4);
    world.says(&talk);
    let coder = world.read("20_agents/Coder.md");
    world.put("20_agents/Coder.md", &coder.replace("commands: [", "commands: [rm, "));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert!(world.prompts("FR-001/1", "code/4")[0].contains("Use another file."));
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn rounds_that_change_no_verdict_stop_the_run() {
    let words = ["alpha beta", "quite other words", "nothing alike in here"];
    let talk = (1..=3).fold(Talk::default(), |talk, round| {
        let file = format!("{}\n", words[round as usize - 1]);
        talk.code(round, "greeting.txt", &file).object(round, &[])
    });
    let world = World::new(&talk);
    world.request(Status::Planned, "FR-001");
    let why = work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::NoProgress]);
    assert!(why.contains("two rounds changed no check"), "{why}");
}

#[test]
fn a_coder_that_changes_nothing_twice_stops_the_run() {
    let world = World::new(&Talk::default().idle(1).idle(2));
    world.request(Status::Planned, "FR-001");
    work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::NoChange]);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "code/2"]);
    assert!(world.prompts("FR-001/1", "code/2")[0].contains("Take another approach"));
}

#[test]
fn a_review_that_never_ends_stops_at_the_last_round() {
    let faults = ["one thing is wrong", "now the ending is off", "spelling of the name"];
    let talk = (1..=3).fold(Talk::default(), |talk, round| {
        let at = round as usize - 1;
        talk.code(round, "greeting.txt", &format!("{}\n", faults[at])).object(round, &[fault(faults[at])])
    });
    let world = World::new(&talk);
    world.set("00_system/Settings.md", "max_rounds", PropertyValue::Integer(2));
    world.request(Status::Planned, "FR-001");
    let why = work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::MaxRounds]);
    assert!(why.contains("2 of 2 fix rounds used"), "{why}");
}

#[test]
fn a_change_that_is_too_large_stops_before_anything_else_is_spent_on_it() {
    let world = World::new(&Talk::default().code(1, "greeting.txt", &"hello\n".repeat(20)).approve(1));
    world.set("30_policy/Approvals.md", "max_diff_lines", PropertyValue::Integer(10));
    world.request(Status::Planned, "FR-001");
    let why = work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::DiffTooLarge]);
    assert!(why.contains("20 changed lines, at most 10"), "{why}");
    assert_eq!(world.steps("FR-001/1"), ["code/1"]);
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn a_required_gate_that_is_not_there_stops_until_a_person_adds_it() {
    let world = World::new(&Talk::greeting());
    world.put("30_policy/Gates.md", "---\ndetect: false\nrequired: [lint]\n---\n");
    world.request(Status::Planned, "FR-001");
    let why = work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::MissingGate]);
    assert!(why.contains("no lint gate passed"), "{why}");
    world.put(
        "00_system/repos/target.md",
        "---\npath: ../target\ngates:\n  - \"test: sh check.sh\"\n  - \"lint: sh check.sh\"\n---\n",
    );
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn a_secret_in_the_change_goes_back_to_the_coder() {
    let secret = format!("token = \"ghp_{}\"\n", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let talk = Talk::default().code(1, "greeting.txt", &secret).code(2, "greeting.txt", GREETING).approve(2);
    let world = World::new(&talk);
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "code/2", "gates/2", "review/2"]);
    let told = world.prompts("FR-001/1", "code/2");
    assert!(told[0].contains("what looks like a secret stands here"), "{told:?}");
    assert!(!told[0].contains("a1B2c3D4e5F6"), "the secret itself is not told again");
    assert!(
        world.prompts("FR-001/1", "review/2")[0]
            .contains("- secrets (`built-in scan of added lines`): passed")
    );
    assert!(world.prompts("FR-001/1", "review/2")[0].contains("- test (`sh check.sh`): passed"));
}

#[test]
fn a_tick_made_before_the_brake_does_not_take_it_off() {
    let world = World::new(&Talk::default().idle(1).idle(2));
    world.request(Status::Planned, "FR-001");
    let hand = world.hand();
    world.when_started("code/2", move || hand.replace("FR-001", "\n---\n", "\napproved: true\n---\n"));
    work_until_braked(&world);
    assert_eq!(brakes(&world), [Brake::NoChange]);
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn a_tick_from_before_a_crash_does_not_take_off_the_brake_that_the_crash_cut_off() {
    let world = World::new(&Talk::default().idle(1).idle(2));
    world.request(Status::Planned, "FR-001");
    work_until_braked(&world);
    // As if the program had died after the journal had the brake and before the note did.
    let braked = world.log().iter().position(|commit| commit.contains("stopped:")).unwrap();
    git(world.root(), &["reset", "-q", "--soft", &format!("HEAD~{}", braked + 1)]);
    world.approve("FR-001");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1", "code/2"]);
    assert!(!world.is_ticked("FR-001"));
}
