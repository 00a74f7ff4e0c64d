//! `ado-vault watch` killed while each step is at work, and started again.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ado_vault::domain::{RunEnd, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::judge::{Ending, assert_whole};
use crate::tally;
use crate::world::{World, git};

/// How long one part of the story may take: a lost event costs one interval between looks, which is 60 s.
const PATIENCE: Duration = Duration::from_secs(180);

/// A watching process that ends with the test.
struct Watching(Child);

impl Watching {
    fn start(world: &World) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ado-vault"));
        command.arg("--vault").arg(world.vault_root()).arg("watch");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn end(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets the process work, and does what a human does, until `reached`.
fn until(world: &World, watching: &mut Watching, acts: &mut Vec<&'static str>, reached: impl Fn() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "no end in sight after {acts:?}: {}", journal(world));
        assert!(watching.0.try_wait().unwrap().is_none(), "it ended by itself: {}", journal(world));
        if world.next_act().is_some_and(|next| !acts.contains(&next)) {
            world.act(acts);
        }
    }
}

fn journal(world: &World) -> String {
    fs::read_to_string(world.vault_root().join("60_runs/FR-007/1/journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_watching_process_killed_in_each_step_comes_to_the_same_end() {
    let world = World::recorded();
    let mut acts = vec![];
    for (step, round) in
        [("plan", 1), ("code", 1), ("test", 1), ("gates", 1), ("code", 2), ("gates", 2), ("review", 2)]
    {
        let mut watching = Watching::start(&world);
        let begins = format!("\"type\":\"step_started\",\"key\":{{\"step\":\"{step}\",\"round\":{round}}}");
        until(&world, &mut watching, &mut acts, || journal(&world).contains(&begins));
        watching.end(Signal::KILL);
    }
    let mut watching = Watching::start(&world);
    until(&world, &mut watching, &mut acts, || journal(&world).contains("\"type\":\"ended\""));
    assert!(watching.end(Signal::TERM).success());

    let ending = Ending::of(&world);
    assert_eq!((ending.status, ending.ended), (Some(Status::Done), Some(RunEnd::Merged)), "{}", ending.note);
    assert_eq!(acts, ["plan", "approve", "merge"]);
    assert_eq!(ending.pull_requests.len(), 1);
    assert_eq!(ending.target, ["FR-007: Count words", "count lines"]);
    assert_eq!(git(&world.origin_root(), &["show", "main:tally.sh"]), tally::RIGHT.trim_end());
    assert_eq!(ending.worktrees, "");
    assert_whole(&world);
}
