//! Several requests at once: side by side, one after the other, in the order they depend on each other.

use ado_vault::domain::Status;
use ado_vault::engine::Said;
use ado_vault::note::PropertyValue;

use super::behaviour::*;

/// What was said of the features, one word each: `FR-001 code/1` begun, `FR-001 review` reached.
fn story(world: &World) -> Vec<String> {
    let said = world.ears.said.lock().unwrap();
    let word = |said: &Said| match said {
        Said::StepStarted { run, key, .. } => Some(format!("{} {key}", run.feature)),
        Said::Did { feature, what } => {
            what.split_once("→ ").map(|(_, to)| format!("{feature} {to}")).filter(|_| !what.contains(','))
        }
        _ => None,
    };
    said.iter().filter_map(word).collect()
}

fn place(story: &[String], what: &str) -> usize {
    story.iter().position(|each| each == what).unwrap_or_else(|| panic!("`{what}` is not in {story:?}"))
}

#[test]
fn two_requests_for_one_repository_are_worked_on_at_the_same_time() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.request(Status::Planned, "FR-002");
    world.work();
    let story = story(&world);
    assert!(place(&story, "FR-002 code/1") < place(&story, "FR-001 review"), "{story:?}");
    for id in ["FR-001", "FR-002"] {
        assert_eq!(world.status(id), Status::Review);
        let branch = format!("agent/ado/feature/{id}-greet:greeting.txt");
        assert_eq!(git(&world.target(), &["show", &branch]), GREETING);
    }
    assert_eq!(git(&world.target(), &["worktree", "list"]).lines().count(), 3);
    assert!(world.problems().is_empty(), "{:?}", world.problems());
}

#[test]
fn one_place_is_given_to_one_request_and_a_pull_request_does_not_hold_it() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "max_parallel", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.request(Status::Planned, "FR-002");
    world.work();
    let story = story(&world);
    assert!(place(&story, "FR-001 review") < place(&story, "FR-002 in_progress"), "{story:?}");
    assert_eq!(world.status("FR-002"), Status::Review);
}

#[test]
fn a_run_that_waits_for_its_person_holds_its_place_and_the_queue_says_so() {
    let world = World::new(&Talk::default().idle(1).idle(2));
    world.set("00_system/Settings.md", "max_parallel", PropertyValue::Integer(1));
    world.request(Status::Planned, "FR-001");
    world.request(Status::Planned, "FR-002");
    world.work();
    assert_eq!(world.status("FR-002"), Status::Planned);
    let wait = world.wait("FR-002").unwrap();
    assert_eq!((wait.on.as_str(), wait.needs_human), ("slot", false));
    assert!(wait.why.contains("1 of 1 places") && wait.why.contains("number 1 in the queue"), "{wait:?}");
    world.says(&Talk::greeting());
    world.drag("FR-001", Status::New);
    world.work();
    assert_eq!(world.status("FR-002"), Status::Review);
}

#[test]
fn a_request_waits_until_what_it_depends_on_is_done() {
    let world = World::new(&Talk::greeting());
    world.request_with(Status::Planned, "FR-001", "depends_on: [\"[[FR-002 Greet]]\"]\n", "");
    world.request(Status::Planned, "FR-002");
    world.work();
    assert_eq!((world.status("FR-001"), world.status("FR-002")), (Status::Planned, Status::Review));
    let wait = world.wait("FR-001").unwrap();
    assert_eq!((wait.on.as_str(), wait.needs_human), ("dependency: FR-002", false));
    world.says(&Talk::default().code(1, "greeting.txt", "hello again\n").approve(1));
    world.drag("FR-002", Status::Done);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let text = git(&world.target(), &["diff", "main", "agent/ado/feature/FR-001-greet"]);
    assert!(text.contains("-hello\n+hello again"), "it starts from what was merged: {text}");
}

#[test]
fn a_bug_is_served_before_a_feature_and_priority_decides_within() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "max_parallel", PropertyValue::Integer(1));
    world.request_with(Status::Planned, "FR-001", "priority: 3\n", "");
    world.request_with(Status::Planned, "FR-002", "priority: 2\n", "");
    world.request_with(Status::Planned, "FR-003", "type: bug\npriority: 4\n", "");
    world.work();
    let story = story(&world);
    let order =
        ["FR-003 in_progress", "FR-002 in_progress", "FR-001 in_progress"].map(|each| place(&story, each));
    assert!(order.is_sorted(), "{story:?}");
}
