//! An engine killed at any word on a request's way through GitHub, and started again: one branch, one pull request.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use ado_vault::domain::Status;
use ado_vault::engine::{Engine, Options};
use ado_vault::vault::Vault;
use tokio_util::sync::CancellationToken;

use super::behaviour::{GREETING, Talk, World};
use super::fake::FakeGithub;
use super::killer::Killer;
use super::story::github_world;

const VAULT: &str = "ADO_KILL_VAULT";
const WORDS: &str = "ADO_KILL_WORDS";
const AT: &str = "ADO_KILL_AT";
/// Every how many words from the push on the default run kills.
const SAMPLE: usize = 5;

/// Not a test by itself: the engine that is killed, in a process of its own.
#[test]
fn worker() {
    let Some(vault) = std::env::var_os(VAULT) else { return };
    let words = PathBuf::from(std::env::var_os(WORDS).unwrap());
    let at = std::env::var(AT).unwrap().parse().unwrap();
    let vault = Vault::open(Path::new(&vault)).unwrap();
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")),
        no_sandbox: false,
        only: vec![],
        listener: Arc::new(Killer::at(words, at)),
        what: "run",
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut engine = Engine::open(&vault, options).await.unwrap();
        engine.run(&CancellationToken::new()).await.unwrap();
    });
}

fn start(world: &World, at: usize) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::worker", "--exact", "--nocapture"])
        .env(VAULT, world.root())
        .env(WORDS, words_file(world))
        .env(AT, at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
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

/// The whole way, killed once at word `at` (0: never): a person merges as soon as there is something to merge.
fn whole_way(at: usize) -> (World, FakeGithub) {
    let (world, github) = github_world(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    let mut killed = at == 0;
    for part in ["to the pull request", "to the end"] {
        if !start(&world, at).success() {
            assert!(!killed, "{part}: an engine failed after word {:?}", words(&world).last());
            killed = true;
            assert_eq!(words(&world).len(), at, "it was killed there");
            assert!(start(&world, at).success(), "{part}: killed at {:?}", words(&world).get(at - 1));
        }
        if github.state().pulls.first().is_some_and(|pull| pull.merged.is_none()) {
            github.merge(1, false);
        }
    }
    assert!(killed, "the kill at word {at} happened");
    (world, github)
}

fn judge(world: &World, github: &FakeGithub, at: &str) {
    assert_eq!(world.status("FR-001"), Status::Done, "{at}");
    github.assert_in_contract();
    let asked = |wanted: &str| github.requests().iter().filter(|each| *each == wanted).count();
    assert_eq!(asked("POST /pulls"), 1, "{at}");
    let state = github.state();
    assert_eq!(state.pulls.len(), 1, "{at}");
    assert_eq!(state.git(&["show", "main:greeting.txt"]).unwrap(), GREETING.trim(), "{at}");
    let branches = state.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]).unwrap();
    assert_eq!(branches, "refs/heads/main", "{at}");
    assert_eq!(state.comments.len(), 0, "{at}");
}

#[test]
fn killed_at_any_word_there_is_one_pull_request() {
    let (world, github) = whole_way(0);
    judge(&world, &github, "never killed");
    let all = words(&world);
    let first = all.iter().position(|word| word.contains("push:")).unwrap() + 1;
    let every = std::env::var_os("ADO_KILL_EVERY").is_some();
    // Between the word of the pull request and its completion it is looked for again.
    let sampled = |at: &usize| {
        *at >= first && ((at - first).is_multiple_of(SAMPLE) || all[at - 1].contains("PullRequestOpened"))
    };
    let places = (1..=all.len()).filter(|at| every || sampled(at));
    for at in places {
        let (world, github) = whole_way(at);
        judge(&world, &github, &format!("killed at word {at}, {}", all[at - 1]));
    }
}
