//! An engine killed at any word on a request's way through GitHub, and started again: one branch, one pull request, one
//! merge, one answer to each feedback.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use ado_vault::domain::{Event, Status};
use ado_vault::engine::{Engine, Options};
use ado_vault::vault::Vault;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::answers;
use super::behaviour::{GREETING, Talk, World, git};
use super::ci::Thread;
use super::fake::FakeGithub;
use super::killer;
use super::story::github_world;

/// Every how many words from the push on the default run kills.
const SAMPLE: usize = 7;

/// Not a test by itself: the engine that is killed, in a process of its own.
#[test]
fn worker() {
    let Some((vault, options)) = victim("run") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut engine = Engine::open(&vault, options).await.unwrap();
        engine.run(&CancellationToken::new()).await.unwrap();
    });
}

/// The vault of a process that is to be killed, and how its engine is opened; nothing where the tests themselves run.
pub fn victim(what: &'static str) -> Option<(Vault, Options)> {
    let (vault, killer) = killer::victim()?;
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")),
        no_sandbox: false,
        only: vec![],
        listener: Arc::new(killer),
        what,
    };
    Some((Vault::open(&vault).unwrap(), options))
}

fn start(world: &World, at: usize) -> ExitStatus {
    killer::engine("kill::worker", world.root(), &words_file(world), u32::try_from(at).unwrap())
        .status()
        .unwrap()
}

fn words_file(world: &World) -> PathBuf {
    world.root().parent().unwrap().join("words")
}

fn words(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(words_file(world)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// What happens after the pull request was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// A person merges it.
    Merged,
    /// Somebody comments on a line and a check fails; then a person merges it.
    Reworked,
    /// The note is moved to `done`: ado merges it.
    Done,
    /// The note is dropped.
    Dropped,
}

impl Story {
    /// What people do once the engine rests for the first, second, … time.
    fn go_on(self, world: &World, github: &FakeGithub, rest: usize) {
        match (self, rest) {
            (Self::Merged, 0) | (Self::Reworked, 1) => github.merge(1, false),
            (Self::Reworked, 0) => {
                let head = world.state("FR-001/1").pr_head.unwrap();
                let mut state = github.state();
                state.ci.ended(head.as_str(), 71, "unit", "failure");
                state.line_comments.push(json!({
                    "id": 5, "user": answers::user("ann"), "body": "Say whom you greet.", "path": "greeting.txt",
                    "original_line": 1, "html_url": "https://github.com/acme/app/pull/1#discussion_r5",
                }));
                state.ci.threads.push(Thread { first: 5, resolved: false });
            }
            (Self::Done, 0) => world.drag("FR-001", Status::Done),
            (Self::Dropped, 0) => world.drag("FR-001", Status::Dropped),
            _ => {}
        }
    }

    fn rests(self) -> usize {
        if self == Self::Reworked { 3 } else { 2 }
    }
}

/// The whole way over git's own protocol, killed once at word `at` (0: never).
fn whole_way(story: Story, at: usize) -> (World, FakeGithub) {
    let talk = Talk::greeting().code(2, "greeting.txt", "hello, you\n").approve(2);
    let (world, github) = github_world(&talk);
    let address = format!("{}/git/origin.git", github.url);
    git(&world.target(), &["remote", "set-url", "origin", &address]);
    world.request(Status::Planned, "FR-001");
    let mut killed = at == 0;
    for rest in 0..story.rests() {
        if !start(&world, at).success() {
            assert!(!killed, "{story:?}, {rest}: an engine failed after word {:?}", words(&world).last());
            killed = true;
            assert_eq!(words(&world).len(), at, "it was killed there");
            assert!(
                start(&world, at).success(),
                "{story:?}, {rest}: killed at {:?}",
                words(&world).get(at - 1)
            );
        }
        story.go_on(&world, &github, rest);
    }
    assert!(killed, "{story:?}: the kill at word {at} happened");
    (world, github)
}

fn judge(story: Story, world: &World, github: &FakeGithub, at: &str) {
    github.assert_in_contract();
    let asked = |wanted: &str| github.requests().iter().filter(|each| *each == wanted).count();
    assert_eq!(asked("POST /pulls"), 1, "{at}");
    let events = world.events("FR-001/1");
    let reworks = events.iter().filter(|event| matches!(event, Event::Reworked { .. })).count();
    let dropped = story == Story::Dropped;
    assert_eq!(reworks, usize::from(story == Story::Reworked), "{at}");
    assert_eq!(world.status("FR-001"), if dropped { Status::Dropped } else { Status::Done }, "{at}");
    let state = github.state();
    assert_eq!((state.pulls.len(), state.pulls[0].closed), (1, dropped), "{at}");
    assert_eq!(state.comments.values().flatten().count(), usize::from(dropped), "{at}");
    let replies = state.line_comments.iter().filter(|each| !each["in_reply_to_id"].is_null()).count();
    assert_eq!(replies, reworks, "{at}");
    assert!(state.ci.threads.iter().all(|thread| thread.resolved), "{at}");
    let branches = state.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]).unwrap();
    let merges = state.git(&["rev-list", "--count", "--merges", "main"]).unwrap();
    if dropped {
        assert_eq!((branches.lines().count(), merges.as_str()), (2, "0"), "{at}");
        return;
    }
    assert_eq!((branches.as_str(), merges.as_str()), ("main", "1"), "{at}");
    let greeting = if reworks > 0 { "hello, you" } else { GREETING.trim() };
    assert_eq!(state.git(&["show", "main:greeting.txt"]).unwrap(), greeting, "{at}");
}

fn killed_everywhere(story: Story) {
    let (world, github) = whole_way(story, 0);
    judge(story, &world, &github, &format!("{story:?}, never killed"));
    let all = words(&world);
    // What comes before is the same in every story.
    let begin = match story {
        Story::Merged => "push:",
        Story::Reworked => "Reworked",
        Story::Done => "\"merge\"",
        Story::Dropped => "Ended",
    };
    let first = all.iter().position(|word| word.contains(begin)).map_or(1, |first| first.max(1));
    let every = std::env::var_os("ADO_KILL_EVERY").is_some();
    // Between the word of the pull request and its completion it is looked for again.
    let is_sampled = |at: &usize| {
        let is_told =
            ["PullRequestOpened", "answer:", "\"merge\""].iter().any(|word| all[at - 1].contains(word));
        *at >= first && ((at - first).is_multiple_of(SAMPLE) || is_told)
    };
    for at in (1..=all.len()).filter(|at| every || is_sampled(at)) {
        let (world, github) = whole_way(story, at);
        judge(story, &world, &github, &format!("{story:?} killed at word {at}, {}", all[at - 1]));
    }
}

#[test]
fn killed_at_any_word_there_is_one_pull_request() {
    killed_everywhere(Story::Merged);
}

#[test]
fn killed_at_any_word_feedback_is_worked_on_and_answered_once() {
    killed_everywhere(Story::Reworked);
}

#[test]
fn killed_at_any_word_there_is_one_merge() {
    killed_everywhere(Story::Done);
}

#[test]
fn killed_at_any_word_it_is_closed_with_one_comment() {
    killed_everywhere(Story::Dropped);
}
