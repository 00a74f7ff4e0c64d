//! A vault, the repository `tally` with its origin, and a request, in a scratch folder; what a human does there; an
//! engine run to its rest in this process. Does not judge what comes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ado_vault::domain::{FeatureId, FeatureView, NotePath, Status};
use ado_vault::engine::{Engine, Listener, Options, Outcome, see};
use ado_vault::note::{self, PropertyValue};
use ado_vault::vault::{Vault, VaultLock, edit, init};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::tally;

pub const FEATURE: &str = "FR-007";

pub struct World {
    _folder: TempDir,
    pub root: PathBuf,
}

impl World {
    /// `model` is the text of the model note that every agent uses.
    pub fn new(model: &str) -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        folder.disable_cleanup(std::env::var_os("KEEP").is_some());
        let root = folder.path().canonicalize().unwrap();
        let world = Self { _folder: folder, root };
        world.make_repository();
        init(&world.vault_root()).unwrap();
        name_committer(&world.vault_root());
        let vault = world.vault();
        let put = |path: &str, text: &str| fs::write(vault.root().join(path), text).unwrap();
        put("00_system/repos/tally.md", tally::NOTE);
        put("00_system/models/scripted.md", model);
        put("00_system/models/scripted.jsonl", &tally::recording());
        put(&format!("10_features/02_new/{}", tally::REQUEST_NAME), tally::REQUEST);
        let text = |text: &str| Some(PropertyValue::Text(text.to_owned()));
        world.set(
            "00_system/Settings.md",
            &[
                ("default_model", text("scripted")),
                ("merge_method", text("squash")),
                // A note is taken as it is at once, so that nothing here waits for the clock.
                ("quiet_seconds", Some(PropertyValue::Integer(0))),
                ("write_pause_seconds", Some(PropertyValue::Integer(0))),
            ],
        );
        world.set(
            "30_policy/Routing.md",
            &[("trivial_strategy", text("pipeline")), ("plan_approval_from", text("trivial"))],
        );
        git(vault.root(), &["add", "."]);
        git(vault.root(), &["commit", "-q", "-m", "begin"]);
        world
    }

    /// A world whose model replays the conversation.
    pub fn recorded() -> Self {
        Self::new(
            "---\nprovider: recorded\nmodel: recorded\nrecording: 00_system/models/scripted.jsonl\n\
             edit_format: tools\nprice_input: 3\nprice_output: 15\n---\nA scripted conversation.\n",
        )
    }

    fn make_repository(&self) {
        let clone = self.clone_root();
        for (path, text) in tally::FILES {
            let path = clone.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        git(&self.root, &["init", "-q", "--bare", "-b", "main", "tally.git"]);
        git(&clone, &["init", "-q", "-b", "main"]);
        name_committer(&clone);
        git(&clone, &["add", "."]);
        git(&clone, &["commit", "-q", "-m", "count lines"]);
        git(&clone, &["remote", "add", "origin", "../tally.git"]);
        git(&clone, &["push", "-q", "-u", "origin", "main"]);
    }

    pub fn vault_root(&self) -> PathBuf {
        self.root.join("vault")
    }

    pub fn clone_root(&self) -> PathBuf {
        self.root.join("tally")
    }

    pub fn origin_root(&self) -> PathBuf {
        self.root.join("tally.git")
    }

    pub fn vault(&self) -> Vault {
        Vault::open(&self.vault_root()).unwrap()
    }

    fn set(&self, path: &str, sets: &[(&str, Option<PropertyValue>)]) {
        let vault = self.vault();
        let lock = VaultLock::acquire(&vault).unwrap();
        let path = NotePath::new(path).unwrap();
        edit(&lock, &vault, &path, |text| note::set_properties(text, sets)).unwrap();
    }

    /// The feature as a fresh look sees it.
    pub fn feature(&self) -> FeatureView {
        let seen = see(&self.vault(), &[]).unwrap();
        let id: FeatureId = FEATURE.parse().unwrap();
        seen.observation.snapshot.feature(&id).unwrap().clone()
    }

    /// The request's note on disk.
    pub fn note(&self) -> PathBuf {
        self.vault_root().join(self.feature().feature.path.as_str())
    }

    /// What the story waits for a human to do: drag the note to `planned`, tick the plan's approval, tick the merge.
    pub fn next_act(&self) -> Option<&'static str> {
        let seen = see(&self.vault(), &[]).unwrap();
        let view = seen.observation.snapshot.feature(&FEATURE.parse().unwrap())?;
        let waits = view.feature.properties.waiting_on.clone().unwrap_or_default();
        match (view.feature.folder?, waits.as_str()) {
            (Status::New, _) => Some("plan"),
            (Status::InProgress, "approval: plan") => Some("approve"),
            (Status::Review, "merge") => Some("merge"),
            _ => None,
        }
    }

    /// Does what a human does next. Says whether there was something; `acts` is what was done, each thing once.
    pub fn act(&self, acts: &mut Vec<&'static str>) -> bool {
        let Some(next) = self.next_act() else { return false };
        assert!(!acts.contains(&next), "asked twice to {next}");
        acts.push(next);
        let tick = Some(PropertyValue::Bool(true));
        let path = self.feature().feature.path.clone();
        match next {
            "plan" => {
                let to = self.vault_root().join("10_features/03_planned").join(path.file_name());
                fs::rename(self.vault_root().join(path.as_str()), to).unwrap();
            }
            "approve" => self.set(path.as_str(), &[("approved", tick)]),
            _ => self.set(self.pull_requests()[0].as_str(), &[("merge", tick)]),
        }
        true
    }

    /// The notes of pull requests.
    pub fn pull_requests(&self) -> Vec<String> {
        let folder = fs::read_dir(self.vault_root().join("80_pull_requests")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".md")).map(|name| format!("80_pull_requests/{name}")).collect()
    }

    /// Runs engines and does what a human does until the request is done or stands still.
    pub fn run_to_the_end(&self, listener: Arc<dyn Listener>) -> Vec<&'static str> {
        let mut acts = vec![];
        while self.act(&mut acts) {
            run_engine(&self.vault_root(), listener.clone());
        }
        acts
    }
}

/// One engine from start to rest.
pub fn run_engine(vault: &Path, listener: Arc<dyn Listener>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let vault = Vault::open(vault).unwrap();
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")),
        no_sandbox: false,
        only: vec![],
        listener,
        what: "run",
    };
    runtime.block_on(async {
        let mut engine = Engine::open(&vault, options).await.unwrap();
        engine.run(&CancellationToken::new()).await.unwrap()
    })
}

/// Subjects of the vault's commits since the beginning, oldest first.
pub fn story(vault: &Path) -> Vec<String> {
    git(vault, &["log", "--reverse", "--format=%s"]).lines().map(str::to_owned).collect()
}

fn name_committer(repository: &Path) {
    git(repository, &["config", "user.name", "Tess"]);
    git(repository, &["config", "user.email", "tess@example.org"]);
}

/// Git's output without the last line's end; its failure is the test's.
pub fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(at).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?} in {}: {}{}",
        at.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
