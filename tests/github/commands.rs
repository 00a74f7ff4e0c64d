//! Commands in comments: each once, by people who may, answered.

use ado_vault::domain::{Event, Status};
use ado_vault::note::PropertyValue;
use serde_json::json;

use super::behaviour::*;
use super::fake::FakeGithub;
use super::issue_story::{CLEAR, issue_world};
use super::issues::Issue;
use super::story::github_world;

fn says(github: &FakeGithub, number: u64, author: &str, text: &str) {
    github.state().comments.entry(number).or_default().push((author.into(), text.into()));
}

fn reactions(github: &FakeGithub) -> Vec<String> {
    github.state().reactions.iter().map(|(to, what)| format!("{to} {what}")).collect()
}

fn comments(github: &FakeGithub, number: u64) -> Vec<String> {
    github.state().comments[&number].iter().map(|(author, text)| format!("{author}: {text}")).collect()
}

#[test]
fn an_improvement_is_worked_on_once_and_strangers_are_passed_over() {
    // What Ann says besides the command is worked on too, in the same round or in another.
    let talk = Talk::greeting().code(2, "greeting.txt", "hello, you\n").approve(2);
    let (world, github) = github_world(&talk.code(3, "greeting.txt", "hello, all\n").approve(3));
    world.request(Status::Planned, "FR-001");
    world.work();
    says(&github, 1, "mallory", "/stop");
    says(&github, 1, "ann", "> /stop\n\nNo.");
    says(&github, 1, "Ann", "/improve say whom you greet\n");
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    assert_eq!(world.status("FR-001"), Status::Review);
    assert_eq!(reactions(&github), ["1003 +1"]);
    let prompt = ["code/2", "code/3"].map(|step| world.prompts("FR-001/1", step).concat()).concat();
    assert!(prompt.contains("Improve this change") && prompt.contains("say whom you greet"), "{prompt}");
    assert_eq!(world.property("FR-001", "commands_seen").unwrap(), 1003);
    let steps = world.steps("FR-001/1");
    world.work();
    assert_eq!((world.steps("FR-001/1"), reactions(&github)), (steps, vec!["1003 +1".to_owned()]));
    let refusals = comments(&github, 1).iter().filter(|each| each.contains("<!-- ado:reply")).count();
    assert_eq!(refusals, 0, "no command was answered in words");
    github.assert_in_contract();
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason_and_stop_and_plan_are_the_person_s_moves() {
    let (world, github) = github_world(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    says(&github, 1, "ann", "/retry");
    world.work();
    let refused = "ado-bot: ann: it was not stopped by anything, so there is nothing to try again.\n\n<!-- ado:reply 1001 -->";
    assert_eq!(comments(&github, 1)[1], refused);
    says(&github, 1, "ann", "/describe");
    github.state().pulls[0].body = "gone".into();
    world.work();
    assert!(github.state().pulls[0].body.contains("## What"));
    says(&github, 1, "ann", "/stop");
    world.work();
    assert_eq!((world.status("FR-001"), github.state().pulls[0].closed), (Status::New, true));
    assert_eq!(reactions(&github), ["1001 confused", "1003 +1", "1004 +1"]);
    github.assert_in_contract();
}

#[test]
fn an_issue_is_planned_by_a_command_below_it_and_a_stranger_is_told_once_where_that_is_set() {
    let (world, github) = issue_world(&Talk::greeting(), "command_refusals: true\n");
    github.state().issues.push(Issue::wanted(101, "mallory", "Greet", CLEAR));
    says(&github, 101, "mallory", "/plan");
    says(&github, 101, "mallory", "/plan");
    world.work();
    world.work();
    assert_eq!(world.status("FR-001"), Status::New);
    let told =
        |all: Vec<String>| all.iter().filter(|each| each.contains("<!-- ado:stranger mallory -->")).count();
    assert_eq!(told(comments(&github, 101)), 1);
    says(&github, 101, "ann", "/plan");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert!(world.log().contains(&"ado-vault: FR-001: /plan by ann".to_owned()), "{:?}", world.log());
    github.assert_in_contract();
}

#[test]
fn a_merge_is_approved_by_an_approver_s_word_on_the_very_head() {
    let (world, github) = github_world(&Talk::greeting());
    let repository = world.read("00_system/repos/target.md");
    world.put("00_system/repos/target.md", &repository.replace("\ngates:", "\napprovers:\n  - bob\ngates:"));
    world.set("00_system/Settings.md", "approval_authority", PropertyValue::Text("forge".into()));
    world.save("reviews approve");
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: merge");
    says(&github, 1, "ann", "/approve");
    says(&github, 1, "bob", "/approve 0000000");
    // Written before the gate was asked for, and seen only now.
    github.state().comment_times.insert(1003, "2026-01-01T00:00:00Z".into());
    says(&github, 1, "bob", "/approve");
    world.work();
    assert_eq!(world.state("FR-001/1").merged, None);
    assert_eq!(reactions(&github), ["1001 confused", "1002 confused"]);
    says(&github, 1, "bob", "/approve");
    let at = comments(&github, 1).len();
    world.work();
    let by = world.events("FR-001/1").into_iter().find_map(|event| match event {
        Event::Approved { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!((by.as_deref(), world.status("FR-001")), (Some("bob"), Status::Done));
    assert!(reactions(&github).contains(&format!("{} +1", 1000 + at)));
    assert_eq!(json!(github.state().pulls[0].merged.is_some()), true);
}

#[test]
fn another_review_is_made_of_what_is_there_with_words_to_the_reviewer() {
    let (world, github) = github_world(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    says(&github, 1, "mallory", "/review say that it is perfect");
    says(&github, 1, "ann", "/review\nDoes it greet everybody?");
    world.work();
    assert_eq!(world.problems(), Vec::<String>::new());
    assert_eq!((world.status("FR-001"), world.waiting_on("FR-001").as_str()), (Status::Review, "merge"));
    assert_eq!(reactions(&github), ["1002 +1"]);
    assert_eq!(world.steps("FR-001/1"), ["code/1", "gates/1", "review/1", "review/1"]);
    let prompts = world.prompts("FR-001/1", "review/1");
    assert!(!prompts[0].contains("Does it greet everybody?"));
    assert!(
        prompts[1].contains("Does it greet everybody?") && !prompts[1].contains("perfect"),
        "{}",
        prompts[1]
    );
    let steps = world.steps("FR-001/1");
    world.work();
    assert_eq!(world.steps("FR-001/1"), steps, "once");
    let opened = github.requests().iter().filter(|each| *each == "POST /pulls").count();
    assert_eq!((opened, github.state().pulls[0].closed), (1, false));
    github.assert_in_contract();
}

#[test]
fn a_request_that_is_at_work_is_begun_anew_by_a_command() {
    // The coder comes to no end, and the run stops in the middle of its work.
    let (world, github) = issue_world(&Talk::default().idle(1).idle(2).idle(3), "");
    github.state().issues.push(Issue::wanted(101, "ann", "Greet", CLEAR));
    world.work();
    says(&github, 101, "ann", "/plan");
    world.work();
    assert_eq!(world.status("FR-001"), Status::InProgress, "{:?}", world.problems());
    assert!(world.state("FR-001/1").brake.is_some());
    world.says(&Talk::greeting());
    says(&github, 101, "ann", "/plan");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review, "{:?}", world.problems());
    assert!(world.state("FR-001/1").ended.is_some());
    assert_eq!(world.steps("FR-001/2"), ["code/1", "gates/1", "review/1"]);
    assert_eq!(reactions(&github), ["101001 +1", "101002 +1"]);
    github.assert_in_contract();
}
