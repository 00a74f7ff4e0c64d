//! A note in `new` is drafted where a human asks for it, and the draft counts once the human moved it on.

use ado_vault::domain::*;

use super::world::*;

/// A world whose note lies in `new` and is a title with a sentence.
fn vague() -> World {
    let mut world = World::new();
    world.move_to(Status::New);
    world.view().feature.sections = Sections::default().into();
    world
}

/// The same with the box ticked.
fn asked() -> World {
    let mut world = vague();
    world.view().feature.properties.specify = Some(true);
    world
}

fn fails(retry: bool) -> StepResult {
    StepResult::Failed { error: "no JSON".into(), remedy: "try another model".into(), retry }
}

#[test]
fn a_ticked_note_is_drafted_stays_in_new_and_its_draft_counts_when_it_is_moved_to_planned() {
    let mut world = asked();
    let wait = world.settle();
    assert_eq!(world.told, ["start FR-001/1", "specify/1", "end: Specified"]);
    assert_eq!(world.snapshot.features[0].feature.folder, Some(Status::New));
    assert!(world.run().only_specifies() && world.run().ended.is_some());
    assert!(matches!(wait.verdict, DecisionKind::Wait { .. }));
    assert_eq!(world.wait().on, "human: read the draft");
    assert!(world.wait().needs_human);
    assert!(world.wait().unblock.contains("move the note to `planned`"), "{}", world.wait().unblock);
    let mut approved = asked();
    approved.settle();
    approved.view().feature.properties.approved = Some(true);
    assert!(matches!(approved.effect(), Effect::Advance { to: Status::Planned, .. }), "a tick moves it too");

    world.told.clear();
    world.move_to(Status::Planned);
    world.settle();
    assert_eq!(world.told[..4], ["adopt_spec", "start FR-001/2", "triage", "plan/1"]);
    assert_eq!(world.snapshot.features[0].feature.folder, Some(Status::Review));
    assert!(!world.run().only_specifies());
}

#[test]
fn nobody_asked_nothing_is_drafted() {
    assert_eq!(vague().decision().verdict, DecisionKind::Rest);
    let mut unticked = vague();
    unticked.view().feature.properties.specify = Some(false);
    assert_eq!(unticked.decision().verdict, DecisionKind::Rest);
    let mut planned = asked();
    planned.move_to(Status::Planned);
    assert!(matches!(planned.effect(), Effect::Start { from: Status::Planned, .. }), "done without a draft");
}

#[test]
fn by_setting_only_notes_that_say_nothing_and_never_ran_are_drafted() {
    let mut world = vague();
    world.snapshot.config.settings.auto_specify = true;
    assert!(matches!(world.effect(), Effect::Start { from: Status::New, .. }));
    assert!(world.decision().reason.contains("`auto_specify` is set"), "{}", world.decision().reason);

    let mut described = vague();
    described.snapshot.config.settings.auto_specify = true;
    described.view().feature.sections.summary = "Greets.".into();
    assert_eq!(described.decision().verdict, DecisionKind::Rest);

    world.settle();
    world.view().feature.brief.push_str(" More.");
    assert_eq!(world.wait().on, "human: read the draft", "an edit does not draft it again");
}

#[test]
fn a_second_tick_drafts_again_only_when_there_is_something_new_to_draft() {
    let mut world = asked();
    world.settle();
    world.view().feature.properties.specify = Some(true);
    assert_eq!(world.wait().on, "human: read the draft");

    let mut edited = asked();
    edited.settle();
    edited.view().feature.properties.specify = Some(true);
    edited.view().feature.brief.push_str(" In colour.");
    assert!(matches!(edited.effect(), Effect::Start { run, from: Status::New, .. } if run.number == 2));

    world.view().feature.blocks.clear();
    assert!(matches!(world.effect(), Effect::Start { from: Status::New, .. }), "the human deleted the draft");
}

#[test]
fn own_criteria_stand_above_the_draft() {
    let mut world = asked();
    let own = Criterion { text: "waves".into(), done: false, line: 3 };
    world.view().feature.sections.criteria = vec![own];
    world.settle();
    assert!(world.wait().why.contains("criteria of its own, and those count"), "{}", world.wait().why);
    world.told.clear();
    world.move_to(Status::Planned);
    world.settle();
    assert_eq!(world.told[0], "start FR-001/2");
}

#[test]
fn a_move_while_it_is_drafted_stops_it_and_to_planned_means_do_it_without() {
    for (to, ended) in [
        (Status::Ideas, RunEnd::Stopped),
        (Status::Planned, RunEnd::Stopped),
        (Status::Dropped, RunEnd::Dropped),
        (Status::Done, RunEnd::Accepted),
    ] {
        let mut moved = asked();
        moved.script(Step::Specify, 1, fails(true));
        moved.perform(moved.effect());
        moved.perform(moved.effect());
        moved.move_to(to);
        moved.perform(moved.effect());
        moved.view().in_flight = Some(StepKey::new(Step::Specify, 1));
        assert!(matches!(moved.effect(), Effect::Cancel { .. }), "{to}");
        moved.view().in_flight = None;
        moved.perform(moved.effect());
        assert_eq!(moved.run().ended.as_ref().unwrap().0, ended, "{to}");
        match to {
            Status::Planned => {
                assert!(matches!(moved.effect(), Effect::Start { from: Status::Planned, .. }))
            }
            _ => assert_eq!(moved.decision().verdict, DecisionKind::Rest, "{to}"),
        }
    }
}

#[test]
fn a_draft_that_fails_is_braked_and_goes_on_when_a_human_says_so() {
    let mut world = asked();
    world.script(Step::Specify, 1, fails(false));
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: step failed");
    assert!(world.wait().unblock.contains("back to `ideas` to stop"), "{}", world.wait().unblock);
    world.view().feature.properties.approved = Some(true);
    world.settle();
    assert_eq!(world.wait().on, "human: read the draft");
}

#[test]
fn a_draft_needs_a_repository_an_agent_a_place_and_money() {
    let wait = |change: &dyn Fn(&mut World)| {
        let mut world = asked();
        change(&mut world);
        world.wait().on
    };
    assert!(wait(&|world| world.snapshot.config.settings.default_repo = None).contains("no repository"));
    assert!(
        wait(&|world| drop(world.snapshot.config.agents.remove(&"writer".parse().unwrap())))
            .contains("no agent has the role `spec_writer`")
    );
    assert_eq!(wait(&|world| world.snapshot.no_sandbox = Some("none".into())), "human: no sandbox");
    assert_eq!(wait(&|world| world.snapshot.config.settings.max_parallel = 0), "slot");
    assert_eq!(wait(&|world| world.view().feature.properties.budget_tokens = Some(0)), "budget");
}
