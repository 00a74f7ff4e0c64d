//! `/review` below pull requests that somebody else wrote: where the repository's note lets it, by people who may, once for
//! each head, answered, and at the cost of few requests.

use ado_vault::note::PropertyValue;

use super::behaviour::*;
use super::fake::{FakeGithub, Fault};
use super::reviews::{judge, propose};
use super::story::github_world;

fn says(github: &FakeGithub, author: &str, text: &str) {
    let mut state = github.state();
    state.comments.entry(1).or_default().push((author.into(), text.into()));
    state.touch(1);
}

fn reactions(github: &FakeGithub) -> Vec<String> {
    github.state().reactions.iter().map(|(to, what)| format!("{to} {what}")).collect()
}

/// What ado-vault said, without what people did.
fn said(github: &FakeGithub) -> Vec<String> {
    let state = github.state();
    let own = state.comments.values().flatten().filter(|(author, _)| author == "ado-bot");
    own.map(|(_, text)| text.clone()).collect()
}

/// A repository whose note lets others' pull requests be reviewed, with one of mallory's.
fn outside_world(talk: &Talk) -> (World, FakeGithub) {
    let (world, github) = github_world(talk);
    allow(&world);
    propose(&world, &github, "Please.", |fork| std::fs::write(fork.join("greeting.txt"), "hi\n").unwrap());
    (world, github)
}

fn allow(world: &World) {
    let repository = world.read("00_system/repos/target.md");
    world.put(
        "00_system/repos/target.md",
        &repository.replace("\ngates:", "\nreview_others: true\ncommand_refusals: true\ngates:"),
    );
    world.save("others are reviewed");
}

#[test]
fn an_instructor_s_word_has_a_head_reviewed_once_and_a_stranger_s_has_not() {
    let (world, github) = outside_world(&judge("request_changes", &[fault("it greets nobody")]));
    says(&github, "mallory", "/review");
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    assert!(!world.root().join("60_runs").join("REVIEW-001").exists());
    assert!(said(&github)[0].contains("<!-- ado:stranger mallory -->"));

    says(&github, "ann", "/review\nIs this right?");
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    let all = said(&github);
    assert!(all.len() == 2 && all[1].contains("it greets nobody"), "{all:?}");
    assert_eq!(reactions(&github), ["1001 confused", "1003 +1"]);
    assert_eq!(git(world.root(), &["status", "--porcelain"]), "");
    // Another process answers nothing again, and a second word about the same head costs nothing.
    world.work();
    says(&github, "Ann", "/review");
    world.work();
    assert_eq!((said(&github), world.calls("REVIEW-001/1")), (all, 1));
    assert_eq!(reactions(&github), ["1001 confused", "1003 +1", "1005 +1"]);
    // A new head is another matter.
    propose(&world, &github, "", |fork| std::fs::write(fork.join("more.txt"), "more\n").unwrap());
    says(&github, "ann", "/review");
    world.work();
    assert_eq!((said(&github).len(), world.calls("REVIEW-001/2")), (3, 1));
    github.assert_in_contract();
}

#[test]
fn without_the_setting_nothing_below_others_pull_requests_is_looked_at() {
    let (world, github) = github_world(&judge("approve", &[]));
    propose(&world, &github, "", |fork| std::fs::write(fork.join("greeting.txt"), "hi\n").unwrap());
    says(&github, "ann", "/review");
    world.work();
    assert!(!world.root().join("60_runs/REVIEW-001").exists());
    let about_pulls = github.requests().into_iter().filter(|each| each.contains("/pulls")).count();
    assert_eq!((about_pulls, reactions(&github).len()), (0, 0));
}

#[test]
fn what_did_not_change_is_asked_for_once_in_a_process_and_other_commands_are_refused() {
    let (world, github) = outside_world(&judge("approve", &[]));
    says(&github, "ann", "Looks good.");
    world.work();
    let first = github.requests();
    assert_eq!(first.iter().filter(|each| each.contains("/issues/1/comments")).count(), 1, "{first:?}");
    // Long untouched: not even its comments are read.
    github.state().pulls[0].updated = "2026-01-01T00:00:00Z".into();
    world.work();
    let second = github.requests()[first.len()..].to_vec();
    assert_eq!(second.iter().filter(|each| each.contains("/comments")).count(), 0, "{second:?}");
    says(&github, "ann", "/plan");
    world.work();
    assert!(said(&github)[0].contains("`/review` alone is taken here"), "{:?}", said(&github));
    assert!(!world.root().join("60_runs/REVIEW-001").exists());
    github.assert_in_contract();
}

#[test]
fn where_there_is_no_money_the_answer_says_so_and_a_lost_answer_makes_no_second_comment() {
    let (world, github) = outside_world(&judge("approve", &[]));
    world.set("00_system/Settings.md", "day_max_sessions", PropertyValue::Integer(0));
    world.save("no sessions");
    says(&github, "ann", "/review");
    world.work();
    assert!(said(&github)[0].contains("sessions"), "{:?}", said(&github));
    assert!(!world.root().join("60_runs/REVIEW-001").exists());
    world.set("00_system/Settings.md", "day_max_sessions", PropertyValue::Integer(9));
    world.save("sessions");
    says(&github, "ann", "/review");
    // The comment is made, and its answer lost.
    let mut lost = false;
    world.react({
        let faults = github.faults();
        move |said| {
            let is_intent = matches!(said, ado_vault::engine::Said::Recorded { record, .. }
                if matches!(&record.event, ado_vault::domain::Event::Intended { effect, .. } if effect.starts_with("comment:")));
            if is_intent && !lost {
                lost = true;
                faults([None, Some(Fault::DoneAndLost)]);
            }
            false
        }
    });
    world.work();
    let reviews = said(&github).iter().filter(|each| each.contains("**Review of")).count();
    assert_eq!(reviews, 1, "{:?}", said(&github));
    assert!(reactions(&github).iter().any(|each| each.ends_with("+1")), "{:?}", reactions(&github));
}
