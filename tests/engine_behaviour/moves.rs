//! What a person's moves mean: start, stop, start again, drop.

use ado_vault::domain::{Event, RunEnd, Status};
use ado_vault::engine::Outcome;
use ado_vault::note::PropertyValue;

use super::behaviour::*;

const BRANCH: &str = "agent/ado/feature/FR-001-greet";

fn ends(world: &World, run: &str) -> Vec<RunEnd> {
    let end = |event| match event {
        Event::Ended { result, .. } => Some(result),
        _ => None,
    };
    world.events(run).into_iter().filter_map(end).collect()
}

#[test]
fn a_note_dragged_to_planned_becomes_a_pull_request() {
    let world = World::new(&Talk::greeting());
    world.request(Status::New, "FR-001");
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.status("FR-001"), Status::New);

    world.drag("FR-001", Status::Planned);
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "review/1"]);
    assert_eq!(world.waiting_on("FR-001"), "merge");
    assert_eq!(git(&world.target(), &["show", &format!("{BRANCH}:greeting.txt")]), GREETING);
    assert!(world.problems().is_empty(), "{:?}", world.problems());
}

#[test]
fn setting_the_status_alone_moves_the_note_and_starts_the_work() {
    let world = World::new(&Talk::greeting());
    let path = world.request(Status::New, "FR-001");
    world.save("a request");
    world.set(&path, "status", PropertyValue::Text("planned".into()));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.property("FR-001", "status").unwrap(), "review");
}

#[test]
fn a_status_set_and_committed_elsewhere_counts_as_set() {
    let world = World::new(&Talk::greeting());
    let path = world.request(Status::New, "FR-001");
    world.save("a request");
    // As on another machine, or by a plugin that commits by itself, while nothing ran here.
    world.set(&path, "status", PropertyValue::Text("planned".into()));
    world.save("planned on the phone");
    world.hand().replace("FR-001", "The program greets.", "The program greets kindly.");
    world.save("and one more word");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);

    world.drag("FR-001", Status::New);
    world.save("dragged on the phone");
    world.work();
    assert_eq!(
        (world.status("FR-001"), world.property("FR-001", "status").unwrap()),
        (Status::New, "new".into())
    );
}

#[test]
fn links_follow_a_note_that_was_moved_with_other_programs() {
    let world = World::new(&Talk::greeting());
    let path = world.request_with(Status::New, "FR-001", "", "See [b](beside.md).\n");
    let name = path.rsplit_once('/').unwrap().1.trim_end_matches(".md");
    let whole = |folder: &str| format!("[[10_features/{folder}/{name}#Summary|it]] and [[{name}]]\n");
    world.put("10_features/02_new/beside.md", "---\nid: FR-002\nstatus: new\n---\n");
    world.put("Mine.md", &whole("02_new"));
    world.save("a request");
    world.drag("FR-001", Status::Dropped);
    world.put("Mine.md", &format!("{}unsaved\n", whole("02_new")));
    world.work();
    assert_eq!(world.read("Mine.md"), format!("{}unsaved\n", whole("07_dropped")));
    assert!(world.note("FR-001").contains("See [b](../02_new/beside.md)."), "{}", world.note("FR-001"));
    assert_eq!(git(world.root(), &["status", "--porcelain", "--", "Mine.md", "10_features"]), "");

    // Moved on and written anew at once: the note's own links are the person's.
    world.hand().replace("FR-001", "(../02_new/beside.md)", "(beside.md)");
    world.drag("FR-001", Status::New);
    world.work();
    assert_eq!(world.read("Mine.md"), format!("{}unsaved\n", whole("02_new")));
    assert!(world.note("FR-001").contains("See [b](beside.md)."));
}

#[test]
fn folder_and_status_changed_apart_wait_for_the_person() {
    let world = World::new(&Talk::greeting());
    let path = world.request(Status::New, "FR-001");
    world.save("a request");
    world.set(&path, "status", PropertyValue::Text("planned".into()));
    world.drag("FR-001", Status::Dropped);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Dropped);
    assert_eq!(world.property("FR-001", "status").unwrap(), "planned");
    assert_eq!(world.waiting_on("FR-001"), "human: status and folder disagree");
    assert!(world.block("FR-001", "why").contains("move the note to the folder of"));

    let path = world.path("FR-001");
    world.set(&path, "status", PropertyValue::Text("dropped".into()));
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.waiting_on("FR-001"), "");
    assert_eq!(world.block("FR-001", "why"), "");
}

#[test]
fn a_note_moved_and_renamed_while_nothing_ran_keeps_its_run() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let from = world.root().join(world.path("FR-001"));
    let to = world.root().join(folder(Status::New)).join("FR-001 Say hello.md");
    std::fs::rename(from, to).unwrap();
    world.work();
    assert_eq!(world.path("FR-001"), "10_features/02_new/FR-001 Say hello.md");
    assert_eq!(world.property("FR-001", "status").unwrap(), "new");
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Stopped]);
    assert_eq!(git(world.root(), &["status", "--short"]), "");
}

/// A world in which the gates of the first run last until they are stopped, and the person drags the note to `to`
/// meanwhile.
fn stopped_at_the_gates(to: Status) -> World {
    let world = World::new(&Talk::greeting());
    let note = "---\npath: ../target\ngates:\n  - \"test: tail -f /dev/null\"\n---\n";
    world.put("00_system/repos/target.md", note);
    world.request(Status::Planned, "FR-001");
    let hand = world.hand();
    world.when_started("gates/1", move || hand.drag("FR-001", to));
    world.work();
    world.put("00_system/repos/target.md", &note.replace("tail -f /dev/null", "sh check.sh"));
    world
}

#[test]
fn moving_the_note_back_to_planned_stops_the_run_until_it_is_moved_out_and_in() {
    let world = stopped_at_the_gates(Status::Planned);
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Stopped]);
    assert_eq!(world.status("FR-001"), Status::Planned);
    assert_eq!(git(&world.target(), &["show", &format!("{BRANCH}:greeting.txt")]), GREETING);
    assert_eq!(git(&world.target(), &["worktree", "list"]).lines().count(), 1);
    assert_eq!(world.waiting_on("FR-001"), "human: stopped");
    assert!(world.block("FR-001", "why").contains("move the note out of `planned` and back"));

    // Looking again, also after a restart, changes nothing.
    let before = world.log().len();
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.log().len(), before);

    world.drag("FR-001", Status::New);
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "");
    world.drag("FR-001", Status::Planned);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.property("FR-001", "run").unwrap(), "FR-001/2");
    assert_eq!(world.property("FR-001", "branch").unwrap(), format!("{BRANCH}-2"));
}

#[test]
fn moving_the_note_back_to_new_stops_the_run_for_good() {
    let world = stopped_at_the_gates(Status::New);
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Stopped]);
    assert_eq!(world.status("FR-001"), Status::New);
    assert_eq!(world.waiting_on("FR-001"), "");
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.status("FR-001"), Status::New);
}

#[test]
fn a_stopped_note_in_planned_starts_again_when_the_person_approves() {
    let world = stopped_at_the_gates(Status::Planned);
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.property("FR-001", "run").unwrap(), "FR-001/2");
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn dropping_a_note_closes_its_pull_request_and_removes_the_worktree() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let worktrees = || git(&world.target(), &["worktree", "list"]).lines().count();
    assert_eq!(worktrees(), 2);
    world.drag("FR-001", Status::Dropped);
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Dropped]);
    assert_eq!(world.status("FR-001"), Status::Dropped);
    assert!(world.read(&world.pull_request()).contains("state: closed"));
    assert_eq!(worktrees(), 1);
    assert_eq!(git(world.root(), &["status", "--short"]), "");
}

#[test]
fn a_new_note_without_an_id_gets_one_and_an_idea_is_left_alone() {
    let world = World::new(&Talk::greeting());
    world.request(Status::New, "FR-007");
    world.put("10_features/02_new/Louder.md", "# Louder\n\nShout.\n");
    world.put("10_features/01_ideas/Someday.md", "no front matter at all\n");
    world.work();
    assert!(world.read("10_features/02_new/Louder.md").contains("id: FR-008"));
    assert_eq!(world.read("10_features/01_ideas/Someday.md"), "no front matter at all\n");
}

#[test]
fn a_reviewed_note_moved_to_planned_is_done_again_from_the_start() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let first = world.pull_request();
    world.drag("FR-001", Status::Planned);
    world.work();
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Stopped]);
    assert!(world.read(&first).contains("state: closed"));
    assert_eq!(world.property("FR-001", "run").unwrap(), "FR-001/2");
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.steps("FR-001/2"), ["code/1", "gates/1", "review/1"]);
    assert_eq!(git(&world.target(), &["show", &format!("{BRANCH}:greeting.txt")]), GREETING, "kept");
    assert_eq!(git(world.root(), &["status", "--short"]), "");
}

/// The move stands in HEAD and in the work tree alike; only the journal tells that it happened.
#[test]
fn a_move_committed_elsewhere_while_nothing_ran_stops_the_run() {
    for (to, end) in [(Status::Dropped, RunEnd::Dropped), (Status::New, RunEnd::Stopped)] {
        let world = World::new(&Talk::greeting());
        world.request(Status::Planned, "FR-001");
        world.work();
        world.drag("FR-001", to);
        world.set(&world.path("FR-001"), "status", PropertyValue::Text(to.slug().into()));
        world.save("moved on the phone");
        world.work();
        assert_eq!(ends(&world, "FR-001/1"), [end], "{to}");
        assert_eq!(world.status("FR-001"), to);
        assert!(world.read(&world.pull_request()).contains("state: closed"));
        assert_eq!(git(world.root(), &["status", "--short"]), "");
    }
}

#[test]
fn a_note_deleted_under_a_step_stops_the_step_and_restored_it_goes_on() {
    let world = World::new(&Talk::greeting());
    let note = "---\npath: ../target\ngates:\n  - \"test: tail -f /dev/null\"\n---\n";
    world.put("00_system/repos/target.md", note);
    world.request(Status::Planned, "FR-001");
    let hand = world.hand();
    world.when_started("gates/1", move || std::fs::remove_file(hand.find("FR-001")).unwrap());
    world.work();
    assert!(
        world.problems().iter().any(|problem| problem.contains("its note is gone")),
        "{:?}",
        world.problems()
    );
    assert_eq!(ends(&world, "FR-001/1"), [], "nothing was decided about it");
    assert!(
        !git(world.root(), &["log", "--format=%s"]).contains("delete"),
        "the deletion is the human's to commit"
    );
    let before = world.log().len();
    world.work();
    assert_eq!(world.log().len(), before, "it stays gone");

    world.put("00_system/repos/target.md", &note.replace("tail -f /dev/null", "sh check.sh"));
    git(world.root(), &["checkout", "-q", "--", "10_features"]);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.property("FR-001", "run").unwrap(), "FR-001/1");
}

#[test]
fn a_duplicated_note_stops_both_until_one_goes_and_touches_neither_text() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.request(Status::Planned, "FR-002");
    // As a file manager copies it, while nothing runs.
    let text = world.note("FR-001");
    world.put("10_features/01_ideas/FR-001 Greet copy.md", &text.replace("status: planned", "status: ideas"));
    world.work();
    assert_eq!(world.status("FR-002"), Status::Review, "everything else goes on");
    assert!(!world.root().join("60_runs/FR-001").exists());
    for path in ["10_features/03_planned/FR-001 Greet.md", "10_features/01_ideas/FR-001 Greet copy.md"] {
        let now = world.read(path);
        assert!(now.contains("id FR-001 is used twice") && now.contains("The program greets."), "{now}");
    }
    std::fs::remove_file(world.root().join("10_features/01_ideas/FR-001 Greet copy.md")).unwrap();
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(world.waiting_on("FR-001"), "merge", "the question about the id is gone");
}

/// The id is the identity: under another one it is another request, and under the old one the old run goes on.
#[test]
fn a_renamed_id_is_another_request_and_its_return_is_the_old_one() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let path = world.path("FR-001");
    world.set(&path, "id", PropertyValue::Text("FR-009".into()));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review, "the file keeps its name and place");
    assert_eq!(ends(&world, "FR-001/1"), []);
    assert!(!world.root().join("60_runs/FR-009").exists());
    assert_eq!(world.wait("FR-001"), None);

    world.set(&path, "id", PropertyValue::Text("FR-001".into()));
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "merge");
    world.drag("FR-001", Status::Done);
    world.work();
    assert_eq!(ends(&world, "FR-001/1"), [RunEnd::Merged]);
    assert_eq!(world.status("FR-001"), Status::Done);
}
