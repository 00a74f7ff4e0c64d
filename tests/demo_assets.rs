//! The demo's recorded conversation tells the truth: its edits, applied to the demo's repository, really fail and pass
//! where the story says so. It uses a plain interpreter of its own and nothing of the engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ado_vault::decide::triage;
use ado_vault::domain::{Config, Level, NotePath, Review, Status, Strategy, Verdict, WorkPlan};
use ado_vault::models::{ChatReply, ToolCall};
use ado_vault::note::parse_feature;
use serde_json::Value;

#[derive(serde::Deserialize)]
struct Line {
    v: u32,
    key: String,
    agent: String,
    turn: u32,
    reply: ChatReply,
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/assets")
}

fn conversation() -> Vec<Line> {
    let text = std::fs::read_to_string(assets().join("conversation.jsonl")).unwrap();
    let mut lines = text.lines();
    let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(head["v"], 1);
    assert!(head["about"].as_str().unwrap().contains("FR-001"));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The demo's repository in a folder that is removed at the end.
struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = assets().join("repo");
        for entry in walkdir::WalkDir::new(&source).into_iter().map(Result::unwrap) {
            let relative = entry.path().strip_prefix(&source).unwrap().to_str().unwrap();
            let target = match relative.strip_suffix(".in") {
                Some("gitignore") => ".gitignore",
                Some(name) => name,
                None => relative,
            };
            let target = folder.path().join(target);
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(target).unwrap();
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
        Self { folder }
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap()
    }

    fn passes(&self, arguments: &[&str]) -> bool {
        self.cargo(arguments).status.success()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    /// Format, build and tests, as the gates run them.
    fn gates(&self) -> [bool; 3] {
        [
            self.passes(&["fmt", "--check"]),
            self.passes(&["build", "--locked", "--offline"]),
            self.passes(&["test", "--locked", "--offline"]),
        ]
    }

    fn apply(&self, call: &ToolCall) {
        let text = |name: &str| call.arguments[name].as_str().unwrap_or_else(|| panic!("{call:?}: `{name}`"));
        let path = || self.folder.path().join(text("path"));
        match call.name.as_str() {
            "list" | "search" | "finish" => {}
            "read" => assert!(path().is_file(), "{call:?}"),
            "run" => assert_eq!(call.arguments["argv"][0], "cargo", "{call:?}"),
            "edit" => {
                let before = std::fs::read_to_string(path()).unwrap();
                assert_eq!(before.matches(text("old")).count(), 1, "{call:?} must match once");
                std::fs::write(path(), before.replacen(text("old"), text("new"), 1)).unwrap();
            }
            "write" => std::fs::write(path(), text("content")).unwrap(),
            other => panic!("unknown tool `{other}`"),
        }
    }

    /// Applies all of a step and gives the arguments of its `finish`.
    fn step(&self, conversation: &[Line], key: &str) -> Value {
        let mut end = None;
        for line in conversation.iter().filter(|line| line.key == key) {
            for call in &line.reply.tool_calls {
                assert!(end.is_none(), "{key} goes on after its end");
                self.apply(call);
                if call.name == "finish" {
                    end = Some(call.arguments.clone());
                }
            }
        }
        end.unwrap_or_else(|| panic!("{key} never finishes"))
    }
}

#[test]
fn the_story_is_true() {
    let conversation = conversation();
    let repo = Repo::new();
    assert_eq!(repo.gates(), [true; 3], "the repository is sound before the change");

    let plan: WorkPlan = serde_json::from_value(repo.step(&conversation, "plan/1")).unwrap();
    repo.step(&conversation, "code/1");
    repo.step(&conversation, "test/1");
    assert_eq!(repo.gates(), [true, true, false], "round 1: a test fails, for real");

    repo.step(&conversation, "code/2");
    assert_eq!(repo.gates(), [true; 3], "round 2: fixed");

    let review: Review = serde_json::from_value(repo.step(&conversation, "review/2")).unwrap();
    assert_eq!(review.verdict, Verdict::RequestChanges);
    let accents = repo.folder.path().join("accents.txt");
    std::fs::write(&accents, format!("a{}\n", "é".repeat(30))).unwrap();
    let longest = ["run", "-q", "--offline", "--", "--longest", "accents.txt"];
    let output = repo.cargo(&longest);
    assert!(String::from_utf8_lossy(&output.stderr).contains("panicked"), "the reviewer's fault is real");
    let error = &review.findings[0];
    let source = repo.read(&error.file);
    let line = source.lines().nth(error.line.unwrap() as usize - 1).unwrap();
    assert!(line.contains("&line[..PREVIEW]"), "the finding names the line: {line}");

    repo.step(&conversation, "code/3");
    assert_eq!(repo.gates(), [true; 3], "round 3: fixed");
    assert!(repo.passes(&longest));
    let review: Review = serde_json::from_value(repo.step(&conversation, "review/3")).unwrap();
    assert!(review.approves());

    let note = std::fs::read_to_string(assets().join("feature.md")).unwrap();
    let criteria: Vec<&str> = note.lines().filter_map(|line| line.strip_prefix("- [ ] ")).collect();
    assert_eq!(criteria.len(), 4);
    let path = NotePath::new("10_features/02_new/FR-001 Show the longest line of a file.md").unwrap();
    let rows: Vec<String> = parse_feature(&path, &note, None).sections.rows_of_agents().collect();
    assert_eq!(rows.len(), 4);
    let judged: Vec<&str> = review.criteria.iter().map(|criterion| criterion.text.as_str()).collect();
    assert_eq!(judged, criteria.into_iter().chain(rows.iter().map(String::as_str)).collect::<Vec<_>>());
    let tests = repo.read("tests/longest.rs");
    for criterion in &review.criteria {
        let Some((_, names)) = criterion.evidence.split_once(": ") else {
            assert!(!repo.read(&criterion.evidence).is_empty());
            continue;
        };
        for name in names.split(", ") {
            assert!(tests.contains(&format!("fn {name}()")), "evidence `{name}` exists");
        }
    }

    let planned: BTreeSet<&str> = plan.files.iter().map(|file| file.path.as_str()).collect();
    let changed: BTreeSet<&str> = conversation
        .iter()
        .flat_map(|line| &line.reply.tool_calls)
        .filter(|call| ["edit", "write"].contains(&call.name.as_str()))
        .map(|call| call.arguments["path"].as_str().unwrap())
        .collect();
    assert_eq!(changed, planned, "what changes is what was planned");
}

#[test]
fn steps_come_in_order_with_turns_counted_from_one_by_agents_of_the_template() {
    let conversation = conversation();
    let mut keys: Vec<&str> = conversation.iter().map(|line| line.key.as_str()).collect();
    keys.dedup();
    assert_eq!(keys, ["plan/1", "code/1", "test/1", "code/2", "review/2", "code/3", "review/3"]);
    for key in keys {
        let turns: Vec<u32> =
            conversation.iter().filter(|line| line.key == key).map(|line| line.turn).collect();
        assert_eq!(turns, (1..=turns.len() as u32).collect::<Vec<_>>(), "{key}");
    }
    for line in &conversation {
        assert_eq!(line.v, 1);
        let note = format!("vault-template/20_agents/{}.md", line.agent);
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&note).is_file(), "{note}");
        assert!(line.reply.tokens.cached <= line.reply.tokens.input);
        assert!(line.reply.tokens.output > 0);
    }
}

#[test]
fn the_feature_is_read_in_full_and_takes_the_whole_pipeline_without_asking() {
    let text = std::fs::read_to_string(assets().join("feature.md")).unwrap();
    let path = NotePath::new("10_features/02_new/FR-001 Show the longest line of a file.md").unwrap();
    let feature = parse_feature(&path, &text, Some(Status::New));
    assert_eq!(feature.diagnostics, []);
    assert_eq!(feature.sections.criteria.len(), 4);
    assert_eq!(feature.sections.phases.len(), 2);
    let triage = triage(&feature, &[], &Config::default(), None);
    assert_eq!(triage.strategy, Strategy::Pipeline, "{triage:?}");
    assert_eq!(triage.risk, Level::Low, "{triage:?}");
    assert!(!triage.plan_approval, "{triage:?}");
}
