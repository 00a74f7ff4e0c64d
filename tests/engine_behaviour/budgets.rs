//! Budgets: no call is made above one, the note says so, and raising it lets the work go on.

use ado_vault::domain::{Caps, Event, Spent, Status, Usd};
use ado_vault::note::PropertyValue;

use super::behaviour::*;

/// Holds every reservation of a run against a cap in dollars.
fn assert_never_above(world: &World, run: &str, cap: f64) {
    let caps = Caps { usd: Some(Usd::from_dollars(cap)), ..Caps::default() };
    let mut spent = Spent::default();
    for event in world.events(run) {
        match event {
            Event::ModelCallStarted { reserved, .. } => assert_eq!(caps.exceeded_by(spent, reserved), None),
            Event::ModelCallFinished { cost, .. } => spent += Spent::of_call(cost, 0),
            _ => {}
        }
    }
}

#[test]
fn the_budget_of_a_run_is_never_passed_and_raising_it_lets_the_run_go_on() {
    let world = World::new(&Talk::greeting());
    // A call may cost up to 12 cents for its answer alone.
    world.set("30_policy/Routing.md", "trivial_budget_usd", PropertyValue::Number(0.05));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 0);
    assert_eq!(world.waiting_on("FR-001"), "budget");
    let why = world.block("FR-001", "why");
    assert!(why.contains("raise the budget") && why.contains("of $0.05 spent"), "{why}");

    // Approving alone does not help: the budget still holds.
    world.approve("FR-001");
    world.work();
    assert_eq!((world.calls("FR-001/1"), world.waiting_on("FR-001")), (0, "budget".to_owned()));

    world.set("30_policy/Routing.md", "trivial_budget_usd", PropertyValue::Number(0.5));
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_never_above(&world, "FR-001/1", 0.5);
    assert_eq!(world.calls("FR-001/1"), 2);
}

#[test]
fn the_last_call_of_a_run_leaves_what_was_done_and_waits() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "run_max_calls", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 1);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1"]);
    assert_eq!(world.waiting_on("FR-001"), "budget");
    assert!(world.block("FR-001", "why").contains("1 of 1 model calls made"));
    world.set("00_system/Settings.md", "run_max_calls", PropertyValue::Integer(2));
    world.approve("FR-001");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "review/1"]);
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn the_budget_of_a_feature_holds_over_all_its_runs() {
    let world = World::new(&Talk::greeting());
    world.request_with(Status::Planned, "FR-001", "budget_usd: 0.02\n", "");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 0);
    assert_eq!(world.waiting_on("FR-001"), "budget");
    let raise = |dollars: f64| {
        world.set(&world.path("FR-001"), "budget_usd", PropertyValue::Number(dollars));
        world.approve("FR-001");
        world.work();
    };
    raise(0.2);
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_never_above(&world, "FR-001/1", 0.2);

    // A second run starts with what the first one left of the feature's budget.
    world.drag("FR-001", Status::New);
    world.work();
    world.set(&world.path("FR-001"), "budget_usd", PropertyValue::Number(0.009));
    world.drag("FR-001", Status::Planned);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Planned);
    assert_eq!(world.waiting_on("FR-001"), "budget");
    assert!(world.block("FR-001", "why").contains("raise `budget_usd`"));
}

#[test]
fn the_budget_of_the_day_stops_everything_and_lifts_by_itself() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "day_budget_usd", PropertyValue::Number(0.02));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 0);
    let wait = world.wait("FR-001").unwrap();
    assert_eq!((wait.on.as_str(), wait.needs_human), ("budget", false));
    assert!(wait.unblock.contains("raise `day_budget_usd`"), "{wait:?}");
    assert_eq!(world.steps("FR-001/1"), ["code/1"]);
    // No further attempt is made today.
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1"]);
}

#[test]
fn raising_the_budget_of_the_day_is_enough() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "day_budget_usd", PropertyValue::Number(0.02));
    world.request(Status::Planned, "FR-001");
    world.work();
    world.set("00_system/Settings.md", "day_budget_usd", PropertyValue::Number(5.0));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn the_budget_of_a_night_stops_everything_within_its_hours() {
    let world = World::new(&Talk::greeting());
    let settings = "00_system/Settings.md";
    // From midnight to midnight, so that it is always night.
    world.set(settings, "overnight", PropertyValue::Text("00:00-00:00".into()));
    world.set(settings, "overnight_budget_usd", PropertyValue::Number(0.02));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.calls("FR-001/1"), 0);
    let wait = world.wait("FR-001").unwrap();
    assert_eq!((wait.on.as_str(), wait.needs_human), ("budget", false));
    assert!(wait.why.starts_with("tonight's budget is used up until"), "{wait:?}");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1"], "no further attempt is made tonight");
    world.set(settings, "overnight_budget_usd", PropertyValue::Number(5.0));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn sessions_are_capped_over_the_life_of_a_feature() {
    let world = World::new(&Talk::greeting());
    let settings = "00_system/Settings.md";
    world.set(settings, "feature_max_sessions", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1"]);
    assert_eq!(world.waiting_on("FR-001"), "budget");
    let why = world.block("FR-001", "why");
    assert!(why.contains("budget of the feature: 1 of 1 agent sessions begun"), "{why}");
    world.set(settings, "feature_max_sessions", PropertyValue::Integer(2));
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}
