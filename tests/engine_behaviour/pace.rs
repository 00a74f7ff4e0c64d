//! How often notes are written: seldom in a row, and never under a human's hands. Time passes by what files say of
//! their last save.

use ado_vault::domain::{DecisionKind, Status, Wait};
use ado_vault::engine::{Outcome, Said};
use ado_vault::note::PropertyValue;

use super::behaviour::*;

const SETTINGS: &str = "00_system/Settings.md";
const HOUR: i64 = 3_600;

fn wait(plan: &ado_vault::domain::Plan) -> Wait {
    match &plan.decisions[0].verdict {
        DecisionKind::Wait { wait } => wait.clone(),
        other => panic!("expected a wait, found {other:?}"),
    }
}

/// Subjects of the commits that wrote into feature notes since the vault was made, oldest first.
fn writes(world: &World) -> Vec<String> {
    let log = git(world.root(), &["log", "--reverse", "--format=%s", "--", "10_features"]);
    log.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_note_is_written_once_for_all_that_happens_within_the_pause() {
    let world = World::new(&Talk::greeting());
    world.set(SETTINGS, "write_pause_seconds", PropertyValue::Integer(HOUR));
    world.request(Status::Planned, "FR-001");
    world.save("a request");
    let plan = world.settle();
    assert_eq!(wait(&plan).on, "moment: the note was written just now");
    assert!(plan.wake.is_some());

    let hand = world.hand();
    hand.let_lie(&hand.find("FR-001"));
    let lies = hand.clone();
    world.react(move |said| {
        let meant = matches!(said, Said::StepFinished { key, .. } if key.to_string() == "review/1");
        if meant {
            // Nothing that happened since the start is in the note, all of it in the journal.
            let text = std::fs::read_to_string(lies.find("FR-001")).unwrap();
            assert!(text.contains("status: in_progress") && !text.contains("ado:begin triage"), "{text}");
            lies.let_lie(&lies.find("FR-001"));
        }
        meant
    });
    let lies = hand.clone();
    world.react(move |said| {
        let meant = matches!(said, Said::Did { what, .. } if what == "in_progress → review");
        if meant {
            lies.let_lie(&lies.find("FR-001"));
        }
        meant
    });
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(
        writes(&world),
        [
            "a request",
            "FR-001: planned → in_progress",
            "FR-001: in_progress → review",
            "FR-001: waits for merge"
        ]
    );
    for block in ["triage", "progress", "review", "pull-request", "why"] {
        assert_ne!(world.block("FR-001", block), "", "{block}");
    }
    assert!(
        world.log().iter().any(|subject| subject.contains("FR-001: code/1 changed")),
        "{:?}",
        world.log()
    );
}

#[test]
fn what_a_note_does_not_show_yet_when_the_program_ends_is_shown_by_the_next_one() {
    let world = World::new(&Talk::greeting());
    world.set(SETTINGS, "write_pause_seconds", PropertyValue::Integer(HOUR));
    world.request(Status::Planned, "FR-001");
    world.save("a request");
    let hand = world.hand();
    hand.let_lie(&hand.find("FR-001"));
    world.settle();
    assert_eq!(world.block("FR-001", "triage"), "", "written with the start");
    hand.let_lie(&hand.find("FR-001"));
    world.settle();
    assert_ne!(world.block("FR-001", "triage"), "");
}

#[test]
fn a_move_waits_while_a_note_whose_link_it_mends_is_being_typed() {
    let world = World::new(&Talk::greeting());
    world.set(SETTINGS, "quiet_seconds", PropertyValue::Integer(HOUR));
    world.request(Status::New, "FR-001");
    world.put("Other.md", "[[10_features/02_new/FR-001 Greet]]\n");
    world.put("Mine.md", "[[10_features/02_new/FR-001 Greet]]\n");
    world.save("a request");
    let typed = "[[10_features/02_new/FR-001 Greet]] and more\n";
    world.put("Mine.md", typed);
    world.drag("FR-001", Status::Dropped);
    let plan = world.settle();
    assert_eq!(wait(&plan).on, "moment: `Mine` is being edited");
    assert_eq!((&*world.read("Mine.md"), plan.wake.is_some()), (typed, true));
    assert!(world.read("Other.md").contains("02_new"), "all links are mended in one commit");

    world.hand().let_lie("Mine.md".as_ref());
    world.settle();
    for note in ["Mine.md", "Other.md"] {
        assert!(world.read(note).contains("[[10_features/07_dropped/FR-001 Greet]]"), "{note}");
    }
    assert!(world.read("Mine.md").contains("and more"));
}
