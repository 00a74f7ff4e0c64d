//! Reviews, comments of people, merges.

use ado_vault::domain::{Event, RunEnd, Status};
use ado_vault::engine::Outcome;
use ado_vault::note::PropertyValue;

use super::behaviour::*;

fn merged_file(world: &World) -> String {
    git(&world.target(), &["show", "main:greeting.txt"])
}

#[test]
fn what_the_reviewer_finds_goes_back_to_the_coder() {
    let talk = Talk::default()
        .code(1, "greeting.txt", "helo\n")
        .object(1, &[fault("the word is misspelt")])
        .code(2, "greeting.txt", GREETING)
        .approve(2);
    let world = World::new(&talk);
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let steps = ["code/1", "gates/1", "review/1", "code/2", "gates/2", "review/2"];
    assert_eq!(world.steps("FR-001/1"), steps);
    assert!(world.prompts("FR-001/1", "code/2")[0].contains("the word is misspelt"));
    assert!(world.note("FR-001").contains("- [x] it greets"));
}

#[test]
fn comments_in_the_pull_request_reach_the_coder_when_the_note_is_moved_back() {
    let world = World::new(&Talk::greeting().code(2, "greeting.txt", "hello, you\n").approve(2));
    world.request(Status::Planned, "FR-001");
    world.work();
    let pr = world.pull_request();
    let text = world.read(&pr).replace("## Comments\n", "## Comments\n\nSay whom you greet.\n");
    world.put(&pr, &text);
    world.drag("FR-001", Status::InProgress);
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert!(world.prompts("FR-001/1", "code/2")[0].contains("Say whom you greet."));
    assert_eq!(world.state("FR-001/1").changes.len(), 2);
    assert_eq!(world.pull_request(), pr, "the same pull request");
    assert!(world.read(&pr).contains("hello, you"));
    assert_eq!(world.waiting_on("FR-001"), "merge");
}

#[test]
fn a_note_moved_back_without_a_word_asks_what_to_change() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    world.drag("FR-001", Status::InProgress);
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "human: what to change");
    assert!(world.block("FR-001", "why").contains("as a comment in"));
    world.drag("FR-001", Status::Review);
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "merge");
}

#[test]
fn a_closed_pull_request_waits_for_the_person() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let pr = world.pull_request();
    world.set(&pr, "state", PropertyValue::Text("closed".into()));
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "human: pull request closed");
    assert!(world.block("FR-001", "why").contains("open it again"));
    world.set(&pr, "state", PropertyValue::Text("open".into()));
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "merge");
}

#[test]
fn ticking_merge_merges_and_cleans_up() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    world.set(&world.pull_request(), "merge", PropertyValue::Bool(true));
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.status("FR-001"), Status::Done);
    assert_eq!(merged_file(&world), GREETING);
    assert_eq!(git(&world.target(), &["log", "-1", "--format=%P", "main"]).split_whitespace().count(), 2);
    assert_eq!(git(&world.target(), &["worktree", "list"]).lines().count(), 1);
    assert_eq!(git(&world.target(), &["branch", "--list", "agent/*"]), "");
    assert_eq!(world.state("FR-001/1").ended.unwrap().0, RunEnd::Merged);
    assert!(world.read(&world.pull_request()).contains("state: merged"));
    assert_eq!(world.waiting_on("FR-001"), "");
    // Once more: nothing is merged twice.
    world.work();
    let merges = world.events("FR-001/1").into_iter().filter(|event| matches!(event, Event::Merged { .. }));
    assert_eq!(merges.count(), 1);
}

#[test]
fn moving_the_note_to_done_merges_and_squash_makes_one_commit() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "merge_method", PropertyValue::Text("squash".into()));
    world.request(Status::Planned, "FR-001");
    world.work();
    world.drag("FR-001", Status::Done);
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(merged_file(&world), GREETING);
    assert_eq!(git(&world.target(), &["rev-list", "--count", "main"]).trim(), "2");
    assert_eq!(world.state("FR-001/1").ended.unwrap().0, RunEnd::Merged);
    assert_eq!(git(&world.target(), &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn a_merge_conflict_waits_for_the_person_and_others_go_on() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    let target = world.target();
    std::fs::write(target.join("greeting.txt"), "good day\n").unwrap();
    commit_all(&target, "another greeting");
    world.set(&world.pull_request(), "merge", PropertyValue::Bool(true));
    world.repository("other");
    world.request_with(Status::Planned, "FR-002", "repo: other\n", "");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let why = world.block("FR-001", "why");
    assert!(why.contains("greeting.txt") && why.contains("conflict"), "{why}");
    assert_eq!(merged_file(&world), "good day\n");
    assert_eq!(world.status("FR-002"), Status::Review);

    // The person solves it on the branch and lets it go on.
    git(&target, &["rm", "-q", "greeting.txt"]);
    commit_all(&target, "make room");
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Done);
}
