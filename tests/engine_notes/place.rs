//! A vault with one rough note, a small repository, and agents whose words are given: the engine itself is real, and
//! so are git, the worktrees and the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ado_vault::demo::lay_out;
use ado_vault::domain::{Event, FeatureView, RunState};
use ado_vault::engine::{Engine, Options, Outcome, Quiet, RunBook, see};
use ado_vault::vault::Vault;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub const NOTE: &str = "FR-001 Greet.md";
const MODEL: &str = "00_system/models/recorded-demo.md";
const RECORDING: &str = "00_system/models/recorded-demo.jsonl";

pub struct Place {
    folder: tempfile::TempDir,
    pub vault: Vault,
}

impl Place {
    /// The note lies in `02_new` with this text. One agent codes, no gates run, nothing waits for typing to end.
    pub fn new(note: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo = lay_out(folder.path(), None).unwrap();
        let place = Self { vault: Vault::open(&demo.vault).unwrap(), folder };
        std::fs::remove_file(place.at("10_features/02_new/FR-001 Show the longest line of a file.md"))
            .unwrap();
        place.write(&format!("10_features/02_new/{NOTE}"), note);
        place.replace("00_system/Settings.md", "quiet_seconds: 3", "quiet_seconds: 0");
        place.replace("30_policy/Gates.md", "detect: true", "detect: false");
        for tier in ["simple", "moderate", "complex"] {
            let line = format!("{tier}_strategy:");
            place.replace("30_policy/Routing.md", &format!("{line} pipeline"), &format!("{line} single"));
        }
        place.replace("30_policy/Routing.md", "plan_approval_from: complex", "plan_approval_from: epic");
        place
    }

    pub fn root(&self) -> &Path {
        self.vault.root()
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("textstat")
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).unwrap();
    }

    /// As a human would: the text must stand there.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "`{old}` in {path}:\n{text}");
        self.write(path, &text.replacen(old, new, 1));
    }

    /// Drags the note from folder to folder.
    pub fn drag(&self, from: &str, to: &str) {
        let file = |folder: &str| self.at(&format!("10_features/{folder}/{NOTE}"));
        std::fs::rename(file(from), file(to)).unwrap();
    }

    /// The answers of the agents, as a recording.
    pub fn answers(&self, turns: &[Value]) {
        let lines: Vec<String> = turns.iter().map(Value::to_string).collect();
        self.write(RECORDING, &format!("{}\n", lines.join("\n")));
    }

    /// Puts another front matter into the model's note.
    pub fn model(&self, front: &str) {
        self.write(MODEL, &format!("---\n{front}\n---\n# The model of this test\n"));
    }

    /// Works until nothing is left to do without a human.
    pub fn work(&self) -> Outcome {
        tokio::runtime::Runtime::new().unwrap().block_on(self.work_within())
    }

    /// [`Place::work`] where async code runs already.
    pub async fn work_within(&self) -> Outcome {
        let options = Options {
            binary: env!("CARGO_BIN_EXE_ado-vault").into(),
            no_sandbox: true,
            only: vec![],
            listener: Arc::new(Quiet),
            what: "test",
        };
        let mut engine = Engine::open(&self.vault, options).await.unwrap();
        engine.run(&CancellationToken::new()).await.unwrap()
    }

    /// What a look shows of the note. Not to be called where async code runs.
    pub fn view(&self) -> FeatureView {
        let seen = see(&self.vault, &[]).unwrap();
        seen.observation.snapshot.feature(&"FR-001".parse().unwrap()).unwrap().clone()
    }

    pub fn book(&self) -> RunBook {
        RunBook::load(&self.vault, Arc::new(Quiet)).unwrap().0
    }

    pub fn run(&self, number: u32) -> RunState {
        let runs = self.book().runs_of(&"FR-001".parse().unwrap());
        let run = runs.into_iter().find(|run| run.id.number == number);
        RunState::clone(&run.unwrap())
    }

    /// Steps begun in a run, in order.
    pub fn steps(&self, number: u32) -> Vec<String> {
        let records = self.book().records(&self.run(number).id).unwrap();
        let begun = records.iter().filter_map(|record| match &record.event {
            Event::StepStarted { key, .. } => Some(key.to_string()),
            _ => None,
        });
        begun.collect()
    }

    /// What the model was sent in the first call of a run.
    pub fn prompt(&self, number: u32) -> String {
        let text = self.read(&format!("60_runs/FR-001/{number}/transcript/call-0001.jsonl"));
        let call: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        call["request"]["messages"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The text of the only pull request.
    pub fn pull_request(&self) -> String {
        let notes = std::fs::read_dir(self.at("80_pull_requests")).unwrap().map(|entry| entry.unwrap());
        let mut names = notes.map(|entry| entry.file_name().into_string().unwrap());
        let name = names.find(|name| name.starts_with("PR-")).unwrap();
        self.read(&format!("80_pull_requests/{name}"))
    }

    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ado-vault"))
            .args(arguments)
            .arg("--vault")
            .arg(self.root())
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

/// A turn in which an agent calls one tool.
pub fn turn(key: &str, agent: &str, turn: u32, tool: &str, arguments: &Value) -> Value {
    let call = json!({"id": format!("{key}-{turn}"), "name": tool, "arguments": arguments});
    let tokens = json!({"input": 1000, "cached": 0, "output": 100, "reasoning": 0});
    let reply = json!({"text": "", "tool_calls": [call], "tokens": tokens, "ended": "tool_calls"});
    json!({"v": 1, "key": key, "agent": agent, "turn": turn, "reply": reply})
}

/// A coder that writes one file, and a reviewer that finds these criteria met.
pub fn work(criteria: &[&str]) -> Vec<Value> {
    let met: Vec<Value> =
        criteria.iter().map(|text| json!({"text": text, "met": true, "evidence": "GREETING.md:1"})).collect();
    vec![
        turn("code/1", "Coder", 1, "write", &json!({"path": "GREETING.md", "content": "Hello, Ann\n"})),
        turn("code/1", "Coder", 2, "finish", &json!({"summary": "Wrote the greeting."})),
        turn(
            "review/1",
            "Reviewer",
            1,
            "finish",
            &json!({"verdict": "approve", "summary": "Good.", "findings": [], "criteria": met}),
        ),
    ]
}
