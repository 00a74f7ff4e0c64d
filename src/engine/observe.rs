//! Looks at the vault, its history, the journals and the repositories, and makes one `Snapshot` of it all.
//!
//! Changes nothing. What is expensive is remembered by content, never by time alone.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::book::date_of;
use super::{ConfigReader, EngineError, RunBook};
use crate::domain::{
    Committed, Config, ContentHash, Diagnostic, Feature, FeatureId, FeatureView, NotePath, PullRequestView,
    RepoName, Repository, RunId, RunState, Snapshot, Status, StepKey,
};
use crate::note;
use crate::vault::{Folders, History, Scan, ScannedNote, Scanner, Vault};
use crate::workspace::Workspace;

/// What this process knows beyond the vault.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    pub in_flight: BTreeMap<RunId, StepKey>,
    pub pull_requests: BTreeMap<RunId, PullRequestView>,
    /// Asked for by name on the command line.
    pub asked: Vec<FeatureId>,
    /// Work only on what was asked for.
    pub only_asked: bool,
    pub no_sandbox: Option<String>,
}

/// One look.
pub struct Observation {
    pub snapshot: Snapshot,
    pub scan: Scan,
    pub folders: Folders,
}

impl Observation {
    /// The view of the feature whose note lies at `path`.
    pub fn at(&self, path: &NotePath) -> Option<&FeatureView> {
        self.snapshot.features.iter().find(|view| view.feature.path == *path)
    }
}

/// How long a repository's state is believed.
const REPOSITORY_FRESH: Duration = Duration::from_secs(5);

/// Looks again and again, reading only what changed.
pub struct Observer {
    vault: Vault,
    scanner: Scanner,
    config: ConfigReader,
    parsed: HashMap<NotePath, (ContentHash, Option<Status>, Feature)>,
    repositories: HashMap<RepoName, (Repository, Instant, Option<String>)>,
}

impl Observer {
    pub fn new(vault: &Vault) -> Self {
        Self {
            vault: vault.clone(),
            scanner: Scanner::new(vault),
            config: ConfigReader::default(),
            parsed: HashMap::new(),
            repositories: HashMap::new(),
        }
    }

    /// Looks at everything once.
    pub fn look(
        &mut self,
        book: &RunBook,
        history: &History,
        circumstances: &Circumstances,
    ) -> Result<Observation, EngineError> {
        let now = Timestamp::now();
        let scan = self.scanner.scan()?;
        let folders = self.vault.folders()?;
        let mut config = self.config.read(&scan, &folders);
        config.problems.extend(scan.problems.iter().cloned());
        let committed = CommittedNotes::read(history)?;
        let mut features = vec![];
        let mut parsed = HashMap::new();
        for scanned in feature_notes(&scan, &folders) {
            let feature = self.parse(scanned, folders.status_of(&scanned.path));
            parsed.insert(scanned.path.clone(), (scanned.hash.clone(), feature.folder, feature.clone()));
            features.push(view(feature, scanned, &committed, book, history, circumstances, &config, now)?);
        }
        self.parsed = parsed;
        let unusable_repos = self.unusable(&config, &features);
        let snapshot = Snapshot {
            now,
            config,
            features,
            spent_today: book.spent_on(date_of(now)),
            no_sandbox: circumstances.no_sandbox.clone(),
            unusable_repos,
            only: circumstances.only_asked.then(|| circumstances.asked.clone()),
        };
        Ok(Observation { snapshot, scan, folders })
    }

    fn parse(&self, scanned: &ScannedNote, folder: Option<Status>) -> Feature {
        match self.parsed.get(&scanned.path) {
            Some((hash, at, feature)) if *hash == scanned.hash && *at == folder => feature.clone(),
            _ => note::parse_feature(&scanned.path, &scanned.text, folder),
        }
    }

    /// Why the repositories that waiting or running features name cannot be used.
    fn unusable(&mut self, config: &Config, features: &[FeatureView]) -> BTreeMap<RepoName, String> {
        let wanted = features
            .iter()
            .filter(|view| {
                matches!(
                    view.feature.folder,
                    Some(Status::New | Status::Planned | Status::InProgress | Status::Review)
                )
            })
            .filter_map(|view| repository_of(&view.feature, config));
        let mut unusable = BTreeMap::new();
        for repository in wanted {
            let fresh = self
                .repositories
                .get(&repository.name)
                .filter(|(known, at, _)| known == repository && at.elapsed() < REPOSITORY_FRESH);
            let problem = match fresh {
                Some((_, _, problem)) => problem.clone(),
                None => {
                    let problem = repository_problem(&self.vault, config, repository);
                    let entry = (repository.clone(), Instant::now(), problem.clone());
                    self.repositories.insert(repository.name.clone(), entry);
                    problem
                }
            };
            if let Some(problem) = problem {
                unusable.insert(repository.name.clone(), problem);
            }
        }
        unusable
    }
}

/// The repository that a feature names, or the default one.
pub fn repository_of<'a>(feature: &Feature, config: &'a Config) -> Option<&'a Repository> {
    match &feature.properties.repo {
        Some(name) => config.repositories.get(&name.parse::<RepoName>().ok()?),
        None => config.repositories.get(config.settings.default_repo.as_ref()?),
    }
}

/// Why agents cannot work on this repository as it is; `None` when they can.
pub fn repository_problem(vault: &Vault, config: &Config, repository: &Repository) -> Option<String> {
    let worktrees = worktrees_folder(vault, config);
    Workspace::open(repository, vault.root(), &worktrees).err().map(|error| error.to_string())
}

/// The absolute folder under which worktrees are made.
pub fn worktrees_folder(vault: &Vault, config: &Config) -> std::path::PathBuf {
    let set = config.settings.worktrees.trim();
    vault.root().join(if set.is_empty() { ".ado/worktrees" } else { set })
}

fn feature_notes<'a>(scan: &'a Scan, folders: &Folders) -> impl Iterator<Item = &'a ScannedNote> {
    let below = format!("{}/", folders.features());
    let statuses = folders.clone();
    scan.notes.iter().filter(move |note| {
        note.path.as_str().starts_with(&below) && statuses.status_of(&note.path).is_some()
    })
}

#[expect(clippy::too_many_arguments, reason = "one row of facts, gathered in one place")]
fn view(
    feature: Feature,
    scanned: &ScannedNote,
    committed: &CommittedNotes,
    book: &RunBook,
    history: &History,
    circumstances: &Circumstances,
    config: &Config,
    now: Timestamp,
) -> Result<FeatureView, EngineError> {
    let runs = feature.id.as_ref().map(|id| book.runs_of(id)).unwrap_or_default();
    let (before, unchanged) = committed.of(&feature, scanned);
    let age = now.duration_since(scanned.modified).as_secs();
    let quiet = i64::try_from(config.settings.quiet_seconds).unwrap_or(i64::MAX);
    let run = runs.last();
    let reworked = feature.folder == Some(Status::InProgress) && run.is_some_and(|run| run.pr.is_some());
    let last_author = if feature.properties.approved == Some(true) || reworked {
        history.last_person(&scanned.path, !unchanged)?
    } else {
        String::new()
    };
    Ok(FeatureView {
        committed: before,
        settling: !unchanged && (0..quiet).contains(&age),
        in_flight: run.and_then(|run| circumstances.in_flight.get(&run.id)).copied(),
        pull_request: run.and_then(|run| circumstances.pull_requests.get(&run.id)).cloned(),
        waiting_since: (feature.folder == Some(Status::Planned)).then_some(scanned.modified),
        asked: feature.id.as_ref().is_some_and(|id| circumstances.asked.contains(id)),
        edited_plan: run.and_then(|run| edited_plan(&feature, run, &scanned.text)),
        last_author,
        runs,
        feature,
    })
}

/// The plan block's text where it differs from what ado wrote.
fn edited_plan(feature: &Feature, run: &RunState, text: &str) -> Option<String> {
    let present = feature.blocks.get("plan")?;
    if run.plan.is_none() || run.written.contains(&("plan".to_owned(), present.clone())) {
        return None;
    }
    let block = note::blocks(text).ok()?.into_iter().find(|block| block.name == "plan")?;
    (run.plan_text.as_deref() != Some(block.content.trim())).then(|| block.content.trim().to_owned())
}

/// The feature notes of the last commit, by path and by id.
struct CommittedNotes {
    by_path: HashMap<NotePath, (Option<FeatureId>, String)>,
    by_id: HashMap<FeatureId, NotePath>,
}

impl CommittedNotes {
    fn read(history: &History) -> Result<Self, EngineError> {
        let mut by_path = HashMap::new();
        let mut by_id = HashMap::new();
        for (path, id, text) in history.committed_features()? {
            if let Some(id) = &id {
                by_id.insert(id.clone(), path.clone());
            }
            by_path.insert(path, (id, text));
        }
        Ok(Self { by_path, by_id })
    }

    /// What the last commit says of this feature, and whether the note's text is as committed.
    fn of(&self, feature: &Feature, scanned: &ScannedNote) -> (Option<Committed>, bool) {
        let same_path = self
            .by_path
            .get_key_value(&feature.path)
            .filter(|(_, (id, _))| feature.id.is_none() || *id == feature.id || id.is_none());
        let found = same_path.or_else(|| {
            let path = self.by_id.get(feature.id.as_ref()?)?;
            self.by_path.get_key_value(path)
        });
        let Some((path, (_, text))) = found else {
            return (None, false);
        };
        let folder = status_folder(path);
        if text.as_str() == &*scanned.text {
            let status = feature.properties.status;
            return (Some(Committed { folder, status }), true);
        }
        let before = note::parse_feature(path, text, folder);
        (Some(Committed { folder, status: before.properties.status }), false)
    }
}

/// The status of the folders above a note, nearest first.
fn status_folder(path: &NotePath) -> Option<Status> {
    path.folder().rsplit('/').find_map(|part| part.parse().ok())
}

/// All error diagnostics of the configuration, those that must stop a start.
pub fn fatal_problems(config: &Config, folders: &Folders) -> Vec<Diagnostic> {
    let central = [
        format!("{}/Settings.md", folders.system()),
        format!("{}/Routing.md", folders.policy()),
        format!("{}/Approvals.md", folders.policy()),
        format!("{}/Gates.md", folders.policy()),
    ];
    config
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .filter(|problem| {
            problem.path.as_ref().is_some_and(|path| central.iter().any(|c| c == path.as_str()))
        })
        .cloned()
        .collect()
}
