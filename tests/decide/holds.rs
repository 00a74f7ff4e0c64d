//! A note is not written again right after a write, and not moved while a human types in one that links to it.

use ado_vault::decide::decide;
use ado_vault::domain::*;
use jiff::SignedDuration;

use super::world::*;

fn just_written(world: &mut World) -> jiff::Timestamp {
    let until = world.snapshot.now + SignedDuration::from_secs(5);
    world.view().held = Some(Hold { until, why: HoldReason::JustWritten });
    until
}

fn pass_on(world: &mut World) {
    world.snapshot.now += SignedDuration::from_secs(5);
}

fn turn(world: &mut World) {
    let effect = world.effect();
    world.perform(effect);
}

/// A world whose run is at this step, which works.
fn at_work(step: Step) -> World {
    let mut world = World::new();
    while !matches!(world.effect(), Effect::Step { key, .. } if key.step == step) {
        turn(&mut world);
    }
    let Effect::Step { key, .. } = world.effect() else { panic!("it just was one") };
    world.view().in_flight = Some(key);
    world
}

#[test]
fn what_needs_a_write_of_a_note_just_written_waits_for_the_moment_to_pass() {
    let mut world = World::new();
    let until = just_written(&mut world);
    let wait = world.wait();
    assert_eq!(wait.on, "moment: the note was written just now");
    assert_eq!(
        wait.why,
        "the note was written just now; ado-vault will start run FR-001/1 on app in a moment"
    );
    assert!(!wait.needs_human);
    assert_eq!(decide(&world.snapshot).wake, Some(until));
    pass_on(&mut world);
    assert_eq!(short(&world.effect()), "start FR-001/1");
    assert_eq!(decide(&world.snapshot).wake, None);
}

#[test]
fn triage_and_steps_go_on_and_the_note_shows_them_later() {
    let mut world = World::new();
    turn(&mut world);
    let until = just_written(&mut world);
    assert_eq!(short(&world.effect()), "triage");
    turn(&mut world);
    assert_eq!(short(&world.effect()), "plan/1");
    world.view().owed = true;
    world.view().in_flight = Some(StepKey::new(Step::Plan, 1));
    assert_eq!(world.decision().verdict, DecisionKind::Rest);
    assert_eq!(decide(&world.snapshot).wake, Some(until));
    pass_on(&mut world);
    assert_eq!(short(&world.effect()), "show");
    world.view().owed = false;
    assert_eq!(world.decision().verdict, DecisionKind::Rest);
}

#[test]
fn what_writes_the_note_anyway_shows_everything_at_once() {
    let mut world = at_work(Step::Review);
    world.view().in_flight = None;
    turn(&mut world);
    world.view().owed = true;
    assert_eq!(short(&world.effect()), "publish");
}

#[test]
fn a_human_s_stop_is_not_delayed() {
    let mut world = at_work(Step::Code);
    let run = world.run().id.clone();
    just_written(&mut world);
    world.view().feature.folder = Some(Status::Dropped);
    // The note's `status` has to follow, which waits; the work does not go on meanwhile.
    assert_eq!(world.effect(), Effect::Cancel { run: run.clone() });
    world.view().in_flight = None;
    assert!(world.wait().on.starts_with("moment: "));
    world.view().feature.properties.status = Some(Status::Dropped);
    world.view().committed = Some(Committed { folder: Some(Status::Dropped), status: Some(Status::Dropped) });
    assert_eq!(short(&world.effect()), "moved: in_progress → dropped");
    turn(&mut world);
    assert_eq!(short(&world.effect()), "end: Dropped");
}

#[test]
fn a_move_waits_while_a_note_that_links_to_it_is_being_typed() {
    let mut world = World::new();
    let until = world.snapshot.now + SignedDuration::from_secs(3);
    let linking = NotePath::new("50_memory/Daily.md").unwrap();
    world.view().held = Some(Hold { until, why: HoldReason::LinkTyped(linking) });
    let wait = world.wait();
    assert_eq!(wait.on, "moment: `Daily` is being edited");
    assert!(wait.why.contains("`50_memory/Daily.md`") && wait.why.contains("start run FR-001/1"), "{wait:?}");
    assert_eq!(decide(&world.snapshot).wake, Some(until));
    // What moves no note goes on.
    world.view().held = None;
    turn(&mut world);
    world.view().held =
        Some(Hold { until, why: HoldReason::LinkTyped(NotePath::new("50_memory/Daily.md").unwrap()) });
    assert_eq!(short(&world.effect()), "triage");
}
