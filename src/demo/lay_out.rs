//! Writes the demo's folder. What is there already is left alone, so that a demo that was cut off goes on.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions, Signature};
use include_dir::{Dir, include_dir};

use crate::domain::{InvalidId, ModelName, NotePath, Status};
use crate::note::{self, EditError, PropertyValue};
use crate::vault::{History, StoreError, Vault, VaultError, VaultLock, create, edit, init};

static ASSETS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/demo/assets");

/// Name of the demo's repository, of its note, and of the folder beside the vault.
const REPOSITORY: &str = "textstat";
/// Name of the model note that replays the recorded conversation.
const RECORDED: &str = "recorded-demo";

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Name(#[from] InvalidId),
    #[error("cannot make the demo's repository")]
    Git(#[from] git2::Error),
    #[error("cannot write `{}`", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("model `{name}` has no note; there are {known}")]
    NoModel { name: String, known: String },
    #[error("the demo's files are incomplete: `{0}` is missing from this build")]
    Incomplete(&'static str),
}

impl From<StoreError<EditError>> for DemoError {
    fn from(error: StoreError<EditError>) -> Self {
        match error {
            StoreError::Vault(error) => error.into(),
            StoreError::Edit(error) => error.into(),
        }
    }
}

/// What lies where.
#[derive(Debug, Clone)]
pub struct Demo {
    pub vault: PathBuf,
    pub repository: PathBuf,
    pub origin: PathBuf,
    /// The model that will answer.
    pub model: ModelName,
    /// Whether that is the recorded conversation.
    pub recorded: bool,
}

/// Makes the demo's folder or completes it. `model` is the name of a model note of the vault template; without one
/// the recorded conversation answers.
pub fn lay_out(dir: &Path, model: Option<&str>) -> Result<Demo, DemoError> {
    fs::create_dir_all(dir).map_err(|source| DemoError::Io { path: dir.to_owned(), source })?;
    let demo = Demo {
        vault: dir.join("vault"),
        repository: dir.join(REPOSITORY),
        origin: dir.join(format!("{REPOSITORY}.git")),
        model: model.unwrap_or(RECORDED).parse()?,
        recorded: model.is_none(),
    };
    make_repository(&demo)?;
    init(&demo.vault)?;
    make_notes(&demo)?;
    Ok(demo)
}

/// The target repository: a clone with one commit, pushed to a bare origin. Made aside and renamed when complete.
fn make_repository(demo: &Demo) -> Result<(), DemoError> {
    if demo.repository.exists() {
        return Ok(());
    }
    let fresh = demo.repository.with_extension("new");
    for leftover in [&fresh, &demo.origin] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(|source| io(leftover, source))?;
        }
    }
    write_files(&fresh)?;
    let mut options = RepositoryInitOptions::new();
    let bare = Repository::init_opts(&demo.origin, options.bare(true).initial_head("main"))?;
    let mut options = RepositoryInitOptions::new();
    let repository = Repository::init_opts(&fresh, options.initial_head("main"))?;
    identify(&repository)?;
    let mut index = repository.index()?;
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("Demo", "demo@example.org")?;
    repository.commit(
        Some("HEAD"),
        &author,
        &author,
        "textstat: count lines, words and characters",
        &tree,
        &[],
    )?;
    let origin = demo.origin.to_string_lossy();
    let mut remote = repository.remote("origin", &origin)?;
    remote.push(&["refs/heads/main:refs/heads/main"], None)?;
    remote.fetch(&["main"], None, None)?;
    bare.set_head("refs/heads/main")?;
    fs::rename(&fresh, &demo.repository).map_err(|source| io(&demo.repository, source))
}

/// A name for commits where the machine has none set.
fn identify(repository: &Repository) -> Result<(), DemoError> {
    let config = repository.config()?;
    for (key, value) in [("user.name", "Demo"), ("user.email", "demo@example.org")] {
        if config.get_string(key).is_err() {
            config.open_level(git2::ConfigLevel::Local)?.set_str(key, value)?;
        }
    }
    Ok(())
}

/// Files whose own name would be special here carry the ending `.in`.
fn write_files(to: &Path) -> Result<(), DemoError> {
    let source = ASSETS.get_dir("repo").ok_or(DemoError::Incomplete("repo"))?;
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let inner =
                file.path().strip_prefix("repo").unwrap_or(file.path()).to_string_lossy().into_owned();
            let name = match inner.strip_suffix(".in") {
                Some("gitignore") => ".gitignore".to_owned(),
                Some(name) => name.to_owned(),
                None => inner,
            };
            let path = to.join(name);
            let parent = path.parent().unwrap_or(to);
            fs::create_dir_all(parent).map_err(|source| io(parent, source))?;
            fs::write(&path, file.contents()).map_err(|source| io(&path, source))?;
        }
    }
    Ok(())
}

/// Repository note, model note, recording, settings, and the feature in `new`.
fn make_notes(demo: &Demo) -> Result<(), DemoError> {
    identify(&Repository::discover(&demo.vault)?)?;
    let vault = Vault::open(&demo.vault)?;
    let folders = vault.folders()?;
    let lock = VaultLock::acquire(&vault)?;
    let recording = format!("{}/{RECORDED}.jsonl", folders.models());
    let mut written = vec![];
    let mut put = |path: String, text: &str| -> Result<(), DemoError> {
        let path = NotePath::new(path)?;
        create(&lock, &vault, &path, text)?;
        written.push(path);
        Ok(())
    };
    put(format!("{}/{REPOSITORY}.md", folders.repositories()), &repository_note())?;
    put(recording.clone(), asset("conversation.jsonl")?)?;
    put(format!("{}/{RECORDED}.md", folders.models()), &model_note(&recording))?;
    let models = vault.root().join(folders.models());
    if !models.join(format!("{}.md", demo.model)).is_file() {
        return Err(DemoError::NoModel { name: demo.model.to_string(), known: names_in(&models) });
    }
    let settings = NotePath::new(format!("{}/Settings.md", folders.system()))?;
    let sets = [
        ("default_repo", Some(PropertyValue::Text(REPOSITORY.to_owned()))),
        ("default_model", Some(PropertyValue::Text(demo.model.to_string()))),
        // Nobody types in these notes: what takes minutes elsewhere is watched here in seconds.
        ("write_pause_seconds", Some(PropertyValue::Integer(0))),
    ];
    edit(&lock, &vault, &settings, |text| note::set_properties(text, &sets))?;
    let feature = asset("feature.md")?;
    let name = "FR-001 Show the longest line of a file.md";
    let there =
        Status::ALL.into_iter().any(|status| vault.root().join(folders.status(status)).join(name).is_file());
    if !there {
        put(format!("{}/{name}", folders.status(Status::New)), feature)?;
    }
    written.push(settings);
    History::open(&vault)?.commit_human(&lock, &written)?;
    Ok(())
}

fn asset(name: &'static str) -> Result<&'static str, DemoError> {
    ASSETS.get_file(name).and_then(|file| file.contents_utf8()).ok_or(DemoError::Incomplete(name))
}

fn repository_note() -> String {
    format!(
        "---\npath: ../{REPOSITORY}\ndefault_branch: main\nremote: origin\nforge: local\n---\n\
         # {REPOSITORY}\n\nA small command-line program without dependencies. Messages are short and in lower case; \
         every behaviour has a test.\n"
    )
}

fn model_note(recording: &str) -> String {
    format!(
        "---\nprovider: recorded\nmodel: recorded\nrecording: {recording}\nedit_format: tools\nprice_input: 3\n\
         price_cached: 0.3\nprice_output: 15\n---\n# A recorded conversation\n\nReplays what was answered once. \
         Everything around it is real: the edits, the checks, the commits, the merge.\n"
    )
}

fn names_in(folder: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".md")?.to_owned()))
        .collect();
    names.sort();
    names.join(", ")
}

fn io(path: &Path, source: std::io::Error) -> DemoError {
    DemoError::Io { path: path.to_owned(), source }
}
