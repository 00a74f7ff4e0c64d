//! An engine killed at its n-th word, or `ado-vault watch` at a step, and started again: the end is the same.

use std::fs;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use ado_vault::domain::Status;

use crate::judge::{Ending, assert_whole, difference};
use crate::killer::{self, BEGINNING, victim};
use crate::world::{World, git, run_engine};

/// Starts of the engine that a request takes at most.
const MOST_STARTS: usize = 12;
/// Every how many words the default run kills. A prime, so that it meets records and effects of every kind.
const SAMPLE: u32 = 11;

/// Not a test by itself: the engine that is killed, in a process of its own.
#[test]
fn worker() {
    let Some((vault, killer)) = victim() else { return };
    run_engine(&vault, Arc::new(killer));
}

/// One engine in a process of its own, until it says so often a word that begins so (0: never).
pub fn start_until(world: &World, beginning: &str, count: usize) -> ExitStatus {
    let mut command = engine(world, u32::try_from(count).unwrap());
    command.env(BEGINNING, beginning).status().unwrap()
}

/// One engine in a process of its own, from start to rest or to its death.
fn start(world: &World, at: u32) -> ExitStatus {
    engine(world, at).status().unwrap()
}

fn engine(world: &World, at: u32) -> Command {
    killer::engine("kill::worker", &world.vault_root(), &world.root.join("words"), at)
}

/// The whole way, killed once at word `at` (0: never). Gives the words that were said until then, and the world.
fn whole_way(at: u32) -> (Vec<String>, World) {
    let world = World::recorded();
    let mut acts = vec![];
    let mut killed = false;
    let mut said = vec![];
    let mut starts = 0;
    while killed_now(&mut killed, &mut said, &world, at, &mut acts) {
        starts += 1;
        assert!(starts < MOST_STARTS, "killed at word {at}: no end; {acts:?}; {:?}", said.last());
    }
    (if at == 0 { words(&world) } else { said }, world)
}

/// One start, after what a human does; says whether another is needed.
fn killed_now(
    killed: &mut bool,
    said: &mut Vec<String>,
    world: &World,
    at: u32,
    acts: &mut Vec<&'static str>,
) -> bool {
    if !world.act(acts) {
        return false;
    }
    while !start(world, at).success() {
        assert!(!*killed, "word {at} is said once, yet an engine failed after it: {:?}", words(world).last());
        *killed = true;
        *said = words(world);
    }
    true
}

fn words(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.root.join("words")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn killed_at_any_word_the_end_is_the_same() {
    let (all, plain) = whole_way(0);
    let expected = Ending::of(&plain);
    assert_eq!(expected.status, Some(Status::Done), "{expected:?}");
    assert_whole(&plain);
    let count = u32::try_from(all.len()).unwrap();
    let every = if std::env::var_os("ADO_KILL_EVERY").is_some() { 1 } else { SAMPLE };
    let mut failed = vec![];
    for at in (1..=count).filter(|at| at % every == 0) {
        let judged = std::panic::catch_unwind(|| {
            let (said, world) = whole_way(at);
            assert_eq!(said.len(), at as usize, "the kill at word {at} did not happen");
            let difference = difference(&expected, &Ending::of(&world));
            assert!(difference.is_empty(), "killed at word {at}, {:?}:\n{difference}", said.last());
            assert_whole(&world);
            let head = git(&world.vault_root(), &["rev-parse", "HEAD"]);
            assert!(start(&world, 0).success());
            assert_eq!(git(&world.vault_root(), &["rev-parse", "HEAD"]), head, "killed at word {at}");
            assert_whole(&world);
        });
        if judged.is_err() {
            failed.push((at, all[at as usize - 1].clone()));
        }
    }
    assert!(failed.is_empty(), "of {count} words a kill at these changed the end: {failed:#?}");
}
