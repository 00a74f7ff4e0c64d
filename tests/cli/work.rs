//! `watch` and `run` as processes: what starts them, what stops them, and what they leave behind.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Ended, Place, ended, until};

/// A vault with a repository and the coder `Coder` on the model `test`, whose note and recording are given.
fn vault(model: &str, conversation: &str) -> Place {
    let place = Place::vault();
    let repository = place.home.join("repo");
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(repository.join("README.md"), "# repo\n").unwrap();
    place.git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    place.git(&repository, &["add", "."]);
    place.git(&repository, &["commit", "--quiet", "-m", "begin"]);
    place.write(
        "00_system/repos/repo.md",
        "---\npath: ../home/repo\ndefault_branch: main\nforge: local\n---\n# repo\n",
    );
    place.write("00_system/models/test.md", &format!("---\n{model}\nmodel: test\n---\n# test\n"));
    place.write("00_system/models/test.jsonl", conversation);
    let settings = ["default_repo=repo", "default_model=test", "poll_seconds=3600"];
    place.ok(&[&["set", "00_system/Settings.md"], &settings[..]].concat());
    place.ok(&["set", "20_agents/Coder.md", "commands=[sleep]"]);
    place.git(&place.vault, &["add", "."]);
    place.git(&place.vault, &["commit", "--quiet", "-m", "set up"]);
    place
}

/// A model server on loopback that takes every call and never answers.
fn silent_model() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    (listener, format!("provider: openai-compatible\nbase_url: {url}"))
}

fn recorded() -> &'static str {
    "provider: recorded\nrecording: 00_system/models/test.jsonl"
}

/// A turn of a recorded conversation that calls one tool.
fn turn(key: &str, agent: &str, turn: u32, tool: &str, arguments: serde_json::Value) -> String {
    let call = serde_json::json!({ "id": format!("{key}-{turn}"), "name": tool, "arguments": arguments });
    let reply = serde_json::json!({ "text": "", "tool_calls": [call], "ended": "tool_calls",
        "tokens": { "input": 1, "cached": 0, "output": 1, "reasoning": 0 } });
    let line = serde_json::json!({ "v": 1, "key": key, "agent": agent, "turn": turn, "reply": reply });
    format!("{line}\n")
}

fn plan() -> String {
    let plan = serde_json::json!({ "summary": "Say hello.", "files": [{ "path": "README.md", "change": "hello" }],
        "steps": ["write"], "validation": ["read it"], "rollback": "revert", "risks": [], "sub_features": [] });
    turn("plan/1", "Planner", 1, "finish", plan)
}

fn note(id: &str, folder: &str) -> (String, String) {
    let path = format!("10_features/{folder}/{id} Say hello.md");
    let text = format!(
        "---\nid: {id}\ntitle: Say hello\ntype: docs\nstatus: {}\n---\n# Say hello\n\n## Summary\n\nThe README says \
         hello.\n\n## Acceptance criteria\n\n- [ ] README.md says hello\n",
        &folder[3..]
    );
    (path, text)
}

fn journal(place: &Place, id: &str) -> String {
    std::fs::read_to_string(place.vault.join(format!("60_runs/{id}/1/journal.jsonl"))).unwrap_or_default()
}

/// A process that is killed with the test, not after it.
struct Running(Option<Child>);

impl Running {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.command(arguments);
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    fn pid(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn is_over(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    fn ended(mut self) -> Ended {
        ended(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn holder(place: &Place) -> Option<u64> {
    place.json(&["status"]).1["engine"]["pid"].as_u64()
}

/// Processes whose command line holds `word`.
fn processes(word: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let named = |path: &Path| {
        std::fs::read(path.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    };
    all.filter(|path| named(path)).collect()
}

#[test]
fn a_note_that_is_dragged_to_planned_is_worked_on_long_before_the_poll() {
    let (_server, model) = silent_model();
    let place = vault(&model, "");
    let (path, text) = note("FR-900", "02_new");
    place.write(&path, &text);
    let watch = Running::start(&place, &["watch", "--no-sandbox"]);
    until("watch holds the vault", || holder(&place) == Some(u64::from(watch.pid())));
    std::fs::rename(place.vault.join(&path), place.vault.join(path.replace("02_new", "03_planned"))).unwrap();
    until("a step begins", || journal(&place, "FR-900").contains("step_started"));
    let moved = place.vault.join(path.replace("02_new", "04_in_progress"));
    assert!(std::fs::read_to_string(moved).unwrap().contains("status: in_progress"));
}

#[test]
fn a_second_watch_is_refused_and_a_killed_one_leaves_nothing_in_the_way() {
    let (_server, model) = silent_model();
    let place = vault(&model, "");
    let mut first = Running::start(&place, &["watch", "--no-sandbox"]);
    until("watch holds the vault", || holder(&place).is_some());
    for command in ["watch", "run", "sync"] {
        let second = place.run(&[command]);
        assert_eq!(second.code, 1, "{command}: {second:?}");
        let refused = format!("held by process {} (watch)", first.pid());
        assert!(second.err.contains(&refused), "{command}: {second:?}");
    }
    first.signal("KILL");
    until("it is dead", || first.is_over());
    assert_eq!(holder(&place), None);
    let next = Running::start(&place, &["watch", "--no-sandbox"]);
    until("the next one holds the vault", || holder(&place) == Some(u64::from(next.pid())));
}

#[test]
fn a_signal_ends_a_step_that_waits_for_its_model() {
    let (_server, model) = silent_model();
    for signal in ["INT", "TERM"] {
        let place = vault(&model, "");
        let (path, text) = note("FR-900", "03_planned");
        place.write(&path, &text);
        let watch = Running::start(&place, &["watch", "--no-sandbox"]);
        until("the model is asked", || journal(&place, "FR-900").contains("model_call_started"));
        let begun = Instant::now();
        watch.signal(signal);
        let ended = watch.ended();
        assert!(begun.elapsed() < Duration::from_secs(5), "{signal}: {:?}", begun.elapsed());
        assert_eq!(ended.code, 0, "{signal}: {ended:?}");
        assert!(ended.err.contains("everything is saved"), "{ended:?}");
        assert!(journal(&place, "FR-900").contains(r#""result":"cancelled""#), "{signal}");
        assert_eq!(place.git(&place.vault, &["status", "--porcelain"]), "", "{signal}: all is committed");
        assert_eq!(holder(&place), None);
    }
}

#[test]
fn a_signal_ends_an_agents_command_with_everything_that_it_started() {
    // A time that no other process sleeps.
    let time = format!("61.{}", std::process::id());
    let code = turn("code/1", "Coder", 1, "run", serde_json::json!({ "argv": ["sleep", time] }));
    for boxed in [false, true] {
        let place = vault(recorded(), &format!("{}{code}", plan()));
        if boxed && !place.json(&["doctor"]).1["sandbox_problem"].is_null() {
            eprintln!("this machine has no sandbox: only the way without one is tested");
            continue;
        }
        let (path, text) = note("FR-900", "03_planned");
        place.write(&path, &text);
        let arguments: &[&str] = if boxed { &["run"] } else { &["run", "--no-sandbox"] };
        let mut run = Running::start(&place, arguments);
        until("the command runs", || run.is_over() || !processes(&time).is_empty());
        let begun = Instant::now();
        run.signal("TERM");
        let ended = run.ended();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}: {ended:?}", begun.elapsed());
        assert_eq!(ended.code, 3, "{ended:?}");
        until("no process is left", || processes(&time).is_empty());
        assert!(journal(&place, "FR-900").contains(r#""result":"cancelled""#), "{ended:?}");
    }
}

#[test]
fn run_works_on_what_it_was_asked_for_and_says_how_it_ended() {
    let place = vault(recorded(), "");
    let idle = place.run(&["run", "--no-sandbox"]);
    assert_eq!(idle.code, 0, "{idle:?}");
    for id in ["FR-900", "FR-901"] {
        let (path, text) = note(id, "03_planned");
        place.write(&path, &text);
    }
    let stopped = place.run(&["run", "FR-901", "--no-sandbox"]);
    assert_eq!(stopped.code, 3, "its model has no answer, so a human is asked: {stopped:?}");
    assert!(stopped.out.contains("FR-901") && !stopped.out.contains("FR-900"), "{stopped:?}");
    assert!(place.vault.join("60_runs/FR-901/1").is_dir());
    assert!(!place.vault.join("60_runs/FR-900").exists(), "nobody asked for it");
    let story = place.ok(&["audit", "FR-901"]);
    assert!(story.contains("\nrun FR-901/1\n") && story.contains("  ado  "), "{story}");
    let (code, sound) = place.json(&["audit", "--verify"]);
    assert_eq!((code, &sound["problems"]), (0, &serde_json::json!([])));
    let kept = journal(&place, "FR-901");
    place.write("60_runs/FR-901/1/journal.jsonl", &kept.replacen("FR-901", "FR-902", 1));
    let changed = place.run(&["audit", "FR-901", "--verify"]);
    assert_eq!(changed.code, 1, "{changed:?}");
    assert!(changed.out.contains("60_runs/FR-901/1/journal.jsonl:1:1: error[journal-chain]"), "{changed:?}");
    place.write("60_runs/FR-901/1/journal.jsonl", &kept);
    place.ok(&["set", "00_system/Settings.md", "max_rounds=many"]);
    let failed = place.run(&["run", "--no-sandbox"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("max_rounds"), "{failed:?}");
}
