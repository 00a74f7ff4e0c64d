//! A GitHub that takes its time delays nothing but what is asked of it.

use ado_vault::domain::{Event, RunEnd, Status};
use ado_vault::engine::{Outcome, Said};

use super::behaviour::*;
use super::fake::Fault;
use super::story::github_world;

/// FR-001 waits at GitHub, FR-002 is begun in a repository of the built-in forge while an answer is held back; the answer
/// goes only when FR-002 has its pull request.
#[test]
fn a_held_look_keeps_no_other_feature_waiting() {
    let (world, github) = github_world(&Talk::greeting());
    world.repository("other");
    world.save("another repository");
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    github.misbehave([Fault::Held]);
    release_when_offered(&world, github.release());
    world.request_with(Status::Planned, "FR-002", "repo: other\n", "");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.problems(), Vec::<String>::new(), "the look was answered, not given up");
    assert_eq!(world.status("FR-002"), Status::Review);
    assert_eq!(world.waiting_on("FR-001"), "merge");
}

/// The same while a pull request is being opened, merged and tidied up.
#[test]
fn a_held_push_or_merge_keeps_no_other_feature_waiting() {
    for (asked, calls) in [("the opening", 0), ("the merge", 6)] {
        let (world, github) = github_world(&Talk::greeting());
        world.repository("other");
        world.save("another repository");
        world.request(Status::Planned, "FR-001");
        if calls > 0 {
            world.work();
            world.drag("FR-001", Status::Done);
        }
        // The look comes before the merge: the pull request, its reviews, comments and checks.
        github.state().faults.extend(std::iter::repeat_n(None, calls));
        github.misbehave([Fault::Held]);
        release_when_offered(&world, github.release());
        world.request_with(Status::Planned, "FR-002", "repo: other\n", "");
        world.work();
        assert_eq!(world.problems(), Vec::<String>::new(), "{asked} was answered, not given up");
        assert_eq!(world.status("FR-002"), Status::Review, "{asked}");
        if calls > 0 {
            assert_eq!(world.status("FR-001"), Status::Done);
            assert_eq!(world.state("FR-001/1").ended.unwrap().0, RunEnd::Merged);
        }
        let events = world.events("FR-001/1");
        let opened = events.iter().filter(|event| matches!(event, Event::PullRequestOpened { .. }));
        assert_eq!(opened.count(), 1, "{asked}");
        github.assert_in_contract();
    }
}

fn release_when_offered(world: &World, release: impl Fn() + Send + 'static) {
    world.react(move |said| {
        let offered =
            matches!(said, Said::Did { feature, what } if feature == "FR-002" && what.ends_with("→ review"));
        if offered {
            release();
        }
        offered
    });
}
