//! A person's world for stories about the engine: a vault, target repositories with a cheap gate, a recorded
//! conversation, and the hands of the person who moves and edits notes. Knows nothing of what should happen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ado_vault::domain::*;
use ado_vault::engine::{Engine, EngineError, Listener, Options, Outcome, Said, Seen, see};
use ado_vault::note::{self, PropertyValue};
use ado_vault::vault::{Vault, init, read_journal};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use super::talk::Talk;

/// What the coder of the default conversation writes.
pub const GREETING: &str = "hello\n";

/// Acts when the engine says something; `true` means once is enough.
type Reaction = Box<dyn FnMut(&Said) -> bool + Send>;

/// Hears the engine and lets the person react.
#[derive(Default)]
pub struct Ears {
    pub said: Mutex<Vec<Said>>,
    reactions: Mutex<Vec<Reaction>>,
}

impl Listener for Ears {
    fn hear(&self, said: &Said) {
        self.said.lock().unwrap().push(said.clone());
        self.reactions.lock().unwrap().retain_mut(|reaction| !reaction(said));
    }
}

pub struct World {
    dir: Arc<tempfile::TempDir>,
    pub vault: Vault,
    pub ears: Arc<Ears>,
    pub no_sandbox: bool,
    /// How long work may take.
    pub patience: Duration,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// A vault whose agents say what `talk` holds, and one repository, `target`, whose only gate is `check.sh`.
    pub fn new(talk: &Talk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("vault");
        init(&root).unwrap();
        git(&root, &["config", "user.name", "Human"]);
        git(&root, &["config", "user.email", "human@example.org"]);
        let vault = Vault::open(&root).unwrap();
        let world =
            Self { vault, dir: Arc::new(dir), ears: Arc::default(), no_sandbox: false, patience: PATIENCE };
        world.repository("target");
        world.put(
            "00_system/models/recorded.md",
            "---\nprovider: recorded\nmodel: recorded\nrecording: 00_system/models/recorded.jsonl\nprice_input: 3\n\
             price_output: 15\n---\n",
        );
        world.says(talk);
        let settings = "00_system/Settings.md";
        world.set(settings, "default_repo", PropertyValue::Text("target".into()));
        world.set(settings, "default_model", PropertyValue::Text("recorded".into()));
        world.set(settings, "quiet_seconds", PropertyValue::Integer(0));
        world.set(settings, "write_pause_seconds", PropertyValue::Integer(0));
        world.set("30_policy/Gates.md", "detect", PropertyValue::Bool(false));
        world.save("set up");
        world
    }

    /// Another machine with a clone of the vault as it is committed, and a remote that both have.
    pub fn other_machine(&self) -> Self {
        let (origin, root) = (self.dir.path().join("origin.git"), self.dir.path().join("second"));
        let (from, to) = (self.root().to_str().unwrap(), origin.to_str().unwrap());
        git(self.dir.path(), &["clone", "-q", "--bare", from, to]);
        git(self.root(), &["remote", "add", "origin", to]);
        git(self.dir.path(), &["clone", "-q", to, root.to_str().unwrap()]);
        git(&root, &["config", "user.name", "Other"]);
        git(&root, &["config", "user.email", "other@example.org"]);
        let vault = Vault::open(&root).unwrap();
        Self { vault, dir: self.dir.clone(), ears: Arc::default(), no_sandbox: false, patience: PATIENCE }
    }

    /// Replaces the conversation.
    pub fn says(&self, talk: &Talk) {
        self.put("00_system/models/recorded.jsonl", &talk.lines());
    }

    /// A target repository of one commit with its note. `check.sh` fails while a file `broken` stands in it.
    pub fn repository(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "-q", "-b", "main"]);
        git(&path, &["config", "user.name", "Human"]);
        git(&path, &["config", "user.email", "human@example.org"]);
        fs::write(path.join("README.md"), "# target\n").unwrap();
        fs::write(path.join("check.sh"), "if [ -e broken ]; then cat broken; exit 1; fi\n").unwrap();
        commit_all(&path, "begin");
        self.put(
            &format!("00_system/repos/{name}.md"),
            &format!("---\npath: ../{name}\ngates:\n  - \"test: sh check.sh\"\n---\n"),
        );
        path
    }

    pub fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    pub fn root(&self) -> &Path {
        self.vault.root()
    }

    /// Writes a file of the vault as the person does.
    pub fn put(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Sets a property of a note as Obsidian's property editor does.
    pub fn set(&self, path: &str, key: &str, value: PropertyValue) {
        self.put(path, &note::set_property(&self.read(path), key, Some(&value)).unwrap());
    }

    /// Commits everything in the vault as the person.
    pub fn save(&self, message: &str) {
        commit_all(self.root(), message);
    }

    /// Makes every request one of this tier.
    pub fn tier(&self, tier: Tier) {
        for each in Tier::ALL.into_iter().skip(1) {
            let from = if each <= tier { 0 } else { 101 };
            self.set("30_policy/Routing.md", &format!("{each}_from"), PropertyValue::Integer(from));
        }
        self.save("routing");
    }

    /// A request with one criterion that the default conversation meets.
    pub fn request(&self, status: Status, id: &str) -> String {
        self.request_with(status, id, "", "")
    }

    /// The same with more lines of front matter and more body.
    pub fn request_with(&self, status: Status, id: &str, front: &str, body: &str) -> String {
        let path = format!("{}/{id} Greet.md", folder(status));
        self.put(
            &path,
            &format!(
                "---\nid: {id}\ntitle: Greet\nstatus: {status}\n{front}---\n\n## Summary\n\nThe program greets.\n{body}\n\
                 ## Acceptance criteria\n\n- [ ] it greets\n\n## Notes\n\n"
            ),
        );
        path
    }

    /// Where the note of a feature lies now, from the vault's root.
    pub fn path(&self, id: &str) -> String {
        let below = walkdir::WalkDir::new(self.root().join("10_features")).into_iter().flatten();
        let mut found = below.filter(|entry| entry.file_name().to_string_lossy().starts_with(id));
        let path = found.next().unwrap_or_else(|| panic!("{id} has no note")).into_path();
        path.strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned()
    }

    pub fn note(&self, id: &str) -> String {
        self.read(&self.path(id))
    }

    /// The folder that the note of a feature lies in.
    pub fn status(&self, id: &str) -> Status {
        self.path(id).split('/').nth(1).unwrap().parse().unwrap()
    }

    /// A property as it stands in the note of a feature.
    pub fn property(&self, id: &str, key: &str) -> Option<Value> {
        note::properties(&self.note(id)).unwrap().get(key).filter(|value| !value.is_null()).cloned()
    }

    pub fn waiting_on(&self, id: &str) -> String {
        self.property(id, "waiting_on").and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
    }

    /// A managed block of the note, empty when it is not there.
    pub fn block(&self, id: &str, name: &str) -> String {
        let blocks = note::blocks(&self.note(id)).unwrap();
        blocks.into_iter().find(|block| block.name == name).map(|block| block.content).unwrap_or_default()
    }

    /// Drags the note to another folder.
    pub fn drag(&self, id: &str, to: Status) {
        self.hand().drag(id, to);
    }

    /// Ticks `approved` in the note.
    pub fn approve(&self, id: &str) {
        self.set(&self.path(id), "approved", PropertyValue::Bool(true));
    }

    /// Whether the tick is in the note.
    pub fn is_ticked(&self, id: &str) -> bool {
        self.property(id, "approved") == Some(Value::Bool(true))
    }

    /// What the person's hand can do from within a reaction.
    pub fn hand(&self) -> Hand {
        Hand { root: self.root().to_owned() }
    }

    /// Lets the person react once to the start of a step.
    pub fn when_started(&self, step: &str, mut act: impl FnMut() + Send + 'static) {
        let step = step.to_owned();
        self.react(move |said| {
            let meant = matches!(said, Said::StepStarted { key, .. } if key.to_string() == step);
            if meant {
                act();
            }
            meant
        });
    }

    pub fn react(&self, reaction: impl FnMut(&Said) -> bool + Send + 'static) {
        self.ears.reactions.lock().unwrap().push(Box::new(reaction));
    }

    /// Starts the program and lets it work until nothing is left to do, then ends it.
    pub fn work(&self) -> Outcome {
        self.try_work(&CancellationToken::new()).unwrap()
    }

    /// The same as `run FR` does it: on this one alone.
    pub fn work_on(&self, id: &str) -> Outcome {
        self.work_with(self.options_for(&[id]), &CancellationToken::new()).unwrap()
    }

    pub fn try_work(&self, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        self.work_with(self.options(), stop)
    }

    /// Starts the program and lets it do what can be done now; what it decided last.
    pub fn settle(&self) -> Plan {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut engine = Engine::open(&self.vault, self.options()).await.unwrap();
            engine.settle(&CancellationToken::new()).await.unwrap()
        })
    }

    fn work_with(&self, options: Options, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let opened = Engine::open_when_writable(&self.vault, options, stop, None).await?;
            let Some(mut engine) = opened else { return Ok(Outcome::Stopped) };
            tokio::time::timeout(self.patience, engine.run(stop)).await.expect("it comes to an end")
        })
    }

    pub fn options(&self) -> Options {
        self.options_for(&[])
    }

    fn options_for(&self, only: &[&str]) -> Options {
        Options {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")),
            no_sandbox: self.no_sandbox,
            only: only.iter().map(|id| id.parse().unwrap()).collect(),
            listener: self.ears.clone(),
            what: "test",
        }
    }

    /// What a command that only shows would see.
    pub fn look(&self) -> Seen {
        see(&self.vault, &[]).unwrap()
    }

    /// The wait that the next look would decide for a feature, whether it is written or not.
    pub fn wait(&self, id: &str) -> Option<Wait> {
        let seen = self.look();
        let mut waits = seen.plan.waits();
        waits.find(|(decision, _)| decision.path.stem().starts_with(id)).map(|(_, wait)| wait.clone())
    }

    /// The journal of a run, such as `FR-001/1`.
    pub fn events(&self, run: &str) -> Vec<Event> {
        let (records, damage) = read_journal(&self.vault, &run.parse().unwrap()).unwrap();
        assert_eq!(damage, [], "the journal is whole");
        records.into_iter().map(|record| record.event).collect()
    }

    pub fn state(&self, run: &str) -> RunState {
        RunState::fold(&read_journal(&self.vault, &run.parse().unwrap()).unwrap().0).unwrap()
    }

    /// The steps of a run in the order in which they were begun: `code/1`.
    pub fn steps(&self, run: &str) -> Vec<String> {
        let begun = |event| match event {
            Event::StepStarted { key, .. } => Some(key.to_string()),
            _ => None,
        };
        self.events(run).into_iter().filter_map(begun).collect()
    }

    /// Model calls that were begun in a run.
    pub fn calls(&self, run: &str) -> usize {
        let is_call = |event: &&Event| matches!(event, Event::ModelCallStarted { .. });
        self.events(run).iter().filter(is_call).count()
    }

    /// What was sent to the model in the calls of one step of a run, as JSON text.
    pub fn prompts(&self, run: &str, step: &str) -> Vec<String> {
        let mut of_step = std::collections::BTreeSet::new();
        let mut files = vec![];
        for event in self.events(run) {
            match event {
                Event::ModelCallStarted { call, key, .. } if key.to_string() == step => {
                    of_step.insert(call);
                }
                Event::ModelCallFinished { call, transcript: Some(file), .. } if of_step.contains(&call) => {
                    files.push(file);
                }
                _ => {}
            }
        }
        files.iter().map(|file| self.read(&format!("60_runs/{run}/transcript/{file}"))).collect()
    }

    /// Everything that the engine called a problem.
    pub fn problems(&self) -> Vec<String> {
        let said = self.ears.said.lock().unwrap();
        let problem = |said: &Said| match said {
            Said::Problem { what } => Some(what.clone()),
            _ => None,
        };
        said.iter().filter_map(problem).collect()
    }

    /// The note of the first pull request.
    pub fn pull_request(&self) -> String {
        self.pull_requests().first().cloned().expect("a pull request is open")
    }

    /// The notes of all pull requests.
    pub fn pull_requests(&self) -> Vec<String> {
        let notes = fs::read_dir(self.root().join("80_pull_requests")).unwrap().flatten();
        let mut notes: Vec<String> = notes
            .map(|entry| format!("80_pull_requests/{}", entry.file_name().to_str().unwrap()))
            .filter(|path| path.contains("/PR-"))
            .collect();
        notes.sort();
        notes
    }

    /// Author and subject of the vault's commits, newest first.
    pub fn log(&self) -> Vec<String> {
        git(self.root(), &["log", "--format=%an: %s"]).lines().map(str::to_owned).collect()
    }
}

/// Moves and edits notes without the world, so that a reaction can own it.
#[derive(Clone)]
pub struct Hand {
    root: PathBuf,
}

impl Hand {
    pub fn find(&self, id: &str) -> PathBuf {
        let below = walkdir::WalkDir::new(self.root.join("10_features")).into_iter().flatten();
        let mut found = below.filter(|entry| entry.file_name().to_string_lossy().starts_with(id));
        found.next().unwrap_or_else(|| panic!("{id} has no note")).into_path()
    }

    pub fn drag(&self, id: &str, to: Status) {
        let from = self.find(id);
        let to = self.root.join(folder(to)).join(from.file_name().unwrap());
        fs::rename(from, to).unwrap();
    }

    /// Lets two hours pass since the last save of a file of the vault.
    pub fn let_lie(&self, path: &Path) {
        let file = fs::File::options().append(true).open(self.root.join(path)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7_200)).unwrap();
    }

    /// Replaces words in the note of a feature.
    pub fn replace(&self, id: &str, old: &str, new: &str) {
        let path = self.find(id);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "`{old}` is not in {text}");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }
}

/// The folder of a status in a fresh vault.
pub fn folder(status: Status) -> String {
    let number = Status::ALL.iter().position(|each| *each == status).unwrap() + 1;
    format!("10_features/{number:02}_{status}")
}

/// Runs git and gives what it says.
pub fn git(at: &Path, args: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(at).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "git {args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

pub fn commit_all(at: &Path, message: &str) {
    git(at, &["add", "-A"]);
    git(at, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A finding of a reviewer that must be mended.
pub fn fault(message: &str) -> Value {
    json!({"severity": "error", "file": "greeting.txt", "line": 1, "rule": "Correctness", "message": message})
}
