//! Merges by policy at GitHub: what may merge by itself does so when the checks pass, and by GitHub's own queue where the
//! branch has rules.

use ado_vault::domain::*;
use ado_vault::note::PropertyValue;
use serde_json::json;

use super::answers;
use super::behaviour::*;
use super::fake::FakeGithub;
use super::rules;
use super::story::github_world;

/// A run whose change is small, where such changes merge by themselves.
fn small_change(talk: &Talk, prepare: impl FnOnce(&FakeGithub)) -> (World, FakeGithub) {
    let (world, github) = github_world(talk);
    world.set("30_policy/Approvals.md", "auto_merge", PropertyValue::List(vec!["small".into()]));
    prepare(&github);
    world.request(Status::Planned, "FR-001");
    world.work();
    (world, github)
}

fn is_merged(github: &FakeGithub) -> bool {
    github.state().pulls[0].merged.is_some()
}

#[test]
fn a_small_change_waits_for_the_checks_and_merges_when_they_pass() {
    let (world, github) = github_world(&Talk::greeting());
    world.set("30_policy/Approvals.md", "auto_merge", PropertyValue::List(vec!["small".into()]));
    world.request(Status::Planned, "FR-001");
    // GitHub queues a check for every head.
    github.state().ci.always = Some("queued".into());
    world.work();
    assert_eq!((world.status("FR-001"), is_merged(&github)), (Status::Review, false));
    assert_eq!(world.waiting_on("FR-001"), "", "nothing for a human");
    github.state().ci.always = Some("success".into());
    world.work();
    assert_eq!((world.status("FR-001"), world.problems()), (Status::Done, vec![]));
    assert!(is_merged(&github));
    github.assert_in_contract();
}

#[test]
fn a_check_that_a_person_stopped_leaves_the_merge_to_a_person() {
    let (world, github) = small_change(&Talk::greeting(), |github| {
        github.state().ci.always = Some("cancelled".into());
    });
    assert_eq!((world.waiting_on("FR-001").as_str(), is_merged(&github)), ("merge", false));
}

#[test]
fn a_merge_queue_is_used_where_the_branch_has_one() {
    let (world, github) = small_change(&Talk::greeting(), |github| {
        let mut state = github.state();
        (state.rules.wants_more, state.rules.has_queue) = (true, true);
    });
    assert_eq!(world.problems(), Vec::<String>::new());
    assert!(github.state().rules.queued.is_some() && !is_merged(&github));
    // Another start asks for nothing again.
    world.work();
    assert_eq!((world.status("FR-001"), world.waiting_on("FR-001").as_str()), (Status::Review, ""));
    rules::satisfy(&mut github.state());
    world.work();
    assert_eq!((world.status("FR-001"), world.problems()), (Status::Done, vec![]));
    github.assert_in_contract();
}

#[test]
fn auto_merge_is_used_where_rules_want_more_and_a_person_moved_the_note_to_done() {
    let (world, github) = github_world(&Talk::greeting());
    {
        let mut state = github.state();
        (state.rules.wants_more, state.rules.allows_auto_merge) = (true, true);
    }
    world.request(Status::Planned, "FR-001");
    world.work();
    world.drag("FR-001", Status::Done);
    world.work();
    assert!(github.state().rules.auto.is_some());
    rules::satisfy(&mut github.state());
    world.work();
    assert_eq!((world.status("FR-001"), world.problems()), (Status::Done, vec![]));
    assert_eq!(world.state("FR-001/1").ended.unwrap().0, RunEnd::Merged);
    github.assert_in_contract();
}

#[test]
fn what_the_rules_refuse_stops_the_run_with_their_reason() {
    let (world, github) = small_change(&Talk::greeting(), |github| github.state().rules.wants_more = true);
    let waiting = world.waiting_on("FR-001");
    assert!(waiting.contains("At least 1 approving review is required"), "{waiting}");
    assert!(!is_merged(&github));
}

#[test]
fn one_that_left_the_queue_waits_for_a_person() {
    let (world, github) = small_change(&Talk::greeting(), |github| {
        let mut state = github.state();
        (state.rules.wants_more, state.rules.has_queue) = (true, true);
    });
    github.state().rules.queued = None;
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "merge");
    assert!(world.block("FR-001", "why").contains("out of its queue"));
    assert_eq!(github.state().rules.queued, None, "it is not put in again");
}

#[test]
fn feedback_on_one_in_the_queue_takes_it_out_before_the_next_push() {
    let talk = Talk::greeting().code(2, "greeting.txt", "hello, you\n").approve(2);
    let (world, github) = small_change(&talk, |github| {
        let mut state = github.state();
        (state.rules.wants_more, state.rules.allows_auto_merge) = (true, true);
    });
    let first = github.state().rules.auto.clone().unwrap();
    github.state().line_comments.push(json!({
        "id": 5, "user": answers::user("ann"), "body": "Say whom you greet.", "path": "greeting.txt",
        "original_line": 1, "html_url": "https://github.com/acme/app/pull/1#discussion_r5",
    }));
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    let state = github.state();
    assert_eq!(state.rules.took_out, 1);
    assert_ne!(state.rules.auto.as_ref(), Some(&first), "the new head is asked for anew");
    assert!(state.rules.auto.is_some());
    drop(state);
    github.assert_in_contract();
}
