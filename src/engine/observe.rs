//! Looks at the vault, its history, the journals and the repositories, and makes one `Snapshot` of it all.
//!
//! Changes nothing. What is expensive is remembered by content, never by time alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::book::{date_of, run_folder};
use super::committed::{Before, FeatureNote, Matched, Matcher};
use super::{ConfigReader, EngineError, RunBook};
use crate::domain::{
    ApprovalAuthority, Config, Diagnostic, Feature, FeatureId, FeatureView, Hold, HoldReason, NotePath,
    PullRequestView, RepoName, Repository, RunId, RunState, Shared, Snapshot, Status, StepKey, Tick,
};
use crate::models::Health;
use crate::note;
use crate::vault::{Folders, History, Question, Scan, ScannedNote, Scanner, TextId, Vault, machine};
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
    /// Whether an engine at work looks, which leaves a note alone for a moment after each write.
    pub is_paced: bool,
    /// Notes whose move would write into one that is being typed.
    pub held: BTreeMap<NotePath, Hold>,
    /// Runs that did more than their notes show.
    pub owed: BTreeSet<RunId>,
}

/// One look.
pub struct Observation {
    pub snapshot: Snapshot,
    pub scan: Scan,
    pub folders: Folders,
    /// Why nothing can be written or committed now; `None` when it can.
    pub paused: Option<String>,
    by_id: OnceLock<HashMap<FeatureId, usize>>,
    matched: Arc<Matched>,
}

impl Observation {
    /// The view of the feature whose note lies at `path`.
    pub fn at(&self, path: &NotePath) -> Option<&FeatureView> {
        let features = &self.snapshot.features;
        features.binary_search_by(|view| view.feature.path.cmp(path)).ok().map(|at| &features[at])
    }

    /// The view of the feature with this id, the first by path where several have it.
    pub fn feature(&self, id: &FeatureId) -> Option<&FeatureView> {
        let by_id = self.by_id.get_or_init(|| {
            let features = self.snapshot.features.iter().enumerate().rev();
            features.filter_map(|(at, view)| Some((view.feature.id.clone()?, at))).collect()
        });
        by_id.get(id).map(|at| &self.snapshot.features[*at])
    }

    /// Where the last commit has notes of this id that are gone from there on disk: moved or deleted by a human.
    pub fn left_behind(&self, id: &FeatureId) -> &[NotePath] {
        self.matched.left_behind.get(id).map_or(&[], Vec::as_slice)
    }

    /// What the journals said of a run.
    pub(super) fn state_of(&self, run: &RunId) -> Option<&RunState> {
        let runs = &self.feature(&run.feature)?.runs;
        runs.iter().find(|state| state.id == *run).map(|state| &**state)
    }

    /// Puts fresh views of pull requests in the place of those that the look began with.
    pub(super) fn put_pull_requests(&mut self, seen: &BTreeMap<RunId, PullRequestView>) {
        for view in &mut self.snapshot.features {
            view.pull_request = view.runs.last().and_then(|run| seen.get(&run.id)).cloned();
        }
    }
}

/// How long a repository's state is believed.
const REPOSITORY_FRESH: Duration = Duration::from_secs(5);

/// Looks again and again, reading only what changed.
pub struct Observer {
    vault: Vault,
    scanner: Scanner,
    config: ConfigReader,
    matcher: Matcher,
    repositories: HashMap<RepoName, (Repository, Instant, Option<String>)>,
}

impl Observer {
    pub fn new(vault: &Vault) -> Self {
        Self {
            vault: vault.clone(),
            scanner: Scanner::new(vault),
            config: ConfigReader::default(),
            matcher: Matcher::default(),
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
        let scan = self.scanner.scan()?;
        self.observe(scan, book, history, circumstances)
    }

    /// Looks only at these files and folders of the vault, and takes all others for what they were.
    pub fn look_at(
        &mut self,
        paths: &[NotePath],
        book: &RunBook,
        history: &History,
        circumstances: &Circumstances,
    ) -> Result<Observation, EngineError> {
        let scan = self.scanner.scan_at(paths)?;
        self.observe(scan, book, history, circumstances)
    }

    fn observe(
        &mut self,
        scan: Scan,
        book: &RunBook,
        history: &History,
        circumstances: &Circumstances,
    ) -> Result<Observation, EngineError> {
        let now = Timestamp::now();
        let folders = self.vault.folders()?;
        let mut config = self.config.read(&scan, &folders);
        config.problems.extend(scan.problems.iter().cloned());
        if let Some(authority) = history.approval_authority()? {
            // A word that nobody knows must not weaken it.
            config.settings.approval_authority = authority.parse().unwrap_or(ApprovalAuthority::Signed);
        }
        let notes: Vec<FeatureNote<'_>> = scan
            .below(folders.features())
            .iter()
            .filter_map(|note| Some((&**note, note.feature.as_ref()?)))
            .collect();
        let committed = history.committed_features()?;
        let matched = self.matcher.of(&notes, &scan, &committed, history)?;
        let runs = book.by_feature();
        let mut features = Vec::with_capacity(notes.len());
        for ((scanned, feature), before) in notes.iter().zip(&matched.befores) {
            let runs = feature.id.as_ref().and_then(|id| runs.get(id)).cloned().unwrap_or_default();
            let before = before.clone();
            let mut view = view(feature, scanned, before, runs, history, circumstances, &config, now)?;
            self.weigh_tick(&mut view, scanned, history, &config)?;
            features.push(view);
        }
        self.note_claims(&mut features, &config, history)?;
        let unusable_repos = self.unusable(&config, &features);
        let night = config.settings.overnight.and_then(|hours| hours.holding(now));
        let health = Health::with_clock(Arc::new(move || now));
        health.recall(&config.models, book.call_ends());
        let snapshot = Snapshot {
            now,
            config,
            features,
            spent_today: book.spent_on(date_of(now)),
            spent_tonight: night.map(|(begin, _)| book.spent_since(begin)).unwrap_or_default(),
            unwell: health.unwell(),
            no_sandbox: circumstances.no_sandbox.clone(),
            unusable_repos,
            only: circumstances.only_asked.then(|| circumstances.asked.clone()),
        };
        let paused = self.vault.unwritable().or_else(|| history.blocked());
        Ok(Observation { snapshot, scan, folders, paused, by_id: OnceLock::new(), matched })
    }

    /// Which of the runs that are live, or may begin, other machines have.
    fn note_claims(
        &self,
        features: &mut [FeatureView],
        config: &Config,
        history: &History,
    ) -> Result<(), EngineError> {
        if !config.settings.sync_remote {
            return Ok(());
        }
        let at_work = |view: &&FeatureView| {
            view.live_run().is_some() || matches!(view.feature.folder, Some(Status::New | Status::Planned))
        };
        let runs: Vec<RunId> = features.iter().filter(at_work).filter_map(FeatureView::current_run).collect();
        let here = machine(&self.vault);
        let mut claims = history.claims(&runs)?;
        claims.retain(|_, machine| *machine != here);
        if !claims.is_empty() {
            for view in features {
                view.claimed_by = view.current_run().and_then(|run| claims.get(&run)).cloned();
            }
        }
        Ok(())
    }

    /// What a tick of `approved` is worth where a gate asks for it and approvals must be signed; whoever signed it is the
    /// one who approves.
    fn weigh_tick(
        &self,
        view: &mut FeatureView,
        scanned: &ScannedNote,
        history: &History,
        config: &Config,
    ) -> Result<(), EngineError> {
        let must_be_signed = config.settings.approval_authority == ApprovalAuthority::Signed;
        let ticked = view.feature.properties.approved == Some(true);
        let Some(run) = view.live_run().filter(|_| must_be_signed && ticked) else { return Ok(()) };
        let Some(asked) = run.asked.as_ref().filter(|_| run.brake.is_none()) else { return Ok(()) };
        if history.committed_text(&scanned.path)?.map(|text| TextId::of(&text)) != Some(scanned.blob) {
            view.tick = Tick::Unsigned;
            return Ok(());
        }
        let journal = NotePath::new(format!("{}/journal.jsonl", run_folder(&self.vault, &run.id)?))?;
        let question = Question { note: &scanned.path, journal: &journal, asked: asked.seq };
        match history.signed_tick(&question)? {
            Ok(signer) => view.last_author = signer,
            Err(why) => view.tick = Tick::Refused(why),
        }
        Ok(())
    }

    /// Why the repositories that waiting or running features name cannot be used.
    fn unusable(&mut self, config: &Config, features: &[FeatureView]) -> BTreeMap<RepoName, String> {
        let at_work = features.iter().filter(|view| {
            matches!(
                view.feature.folder,
                Some(Status::New | Status::Planned | Status::InProgress | Status::Review)
            )
        });
        let wanted: BTreeMap<&RepoName, &Repository> = at_work
            .filter_map(|view| repository_of(&view.feature, config))
            .map(|repository| (&repository.name, repository))
            .collect();
        let mut unusable = BTreeMap::new();
        for repository in wanted.into_values() {
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

/// Versions of a note that are looked back through.
const MOST_VERSIONS: usize = 50;

/// Where a note's folder and `status` were committed apart: the status that it had when they agreed last, in this folder.
/// With it a `status` that was set and committed elsewhere counts as set.
fn agreed_before(feature: &Feature, history: &History) -> Result<Option<Status>, EngineError> {
    let (Some(folder), Some(status)) = (feature.folder, feature.properties.status) else { return Ok(None) };
    if folder == status {
        return Ok(None);
    }
    let earlier = history.earlier_texts(&feature.path, MOST_VERSIONS)?;
    let said = |text: &String| note::parse_feature(&feature.path, text, Some(folder)).properties.status;
    Ok(earlier.iter().filter_map(said).find(|status| *status == folder))
}

#[expect(clippy::too_many_arguments, reason = "one row of facts, gathered in one place")]
fn view(
    feature: &Shared<Feature>,
    scanned: &ScannedNote,
    mut before: Before,
    runs: Vec<Shared<RunState>>,
    history: &History,
    circumstances: &Circumstances,
    config: &Config,
    now: Timestamp,
) -> Result<FeatureView, EngineError> {
    if let Some(committed) = before.committed.as_mut()
        && before.unchanged
        && committed.folder == feature.folder
    {
        committed.status = agreed_before(feature, history)?.or(committed.status);
    }
    let run = runs.last();
    let reworked = feature.folder == Some(Status::InProgress) && run.is_some_and(|run| run.pr.is_some());
    let last_author = if feature.properties.approved == Some(true) || reworked {
        history.last_person(&scanned.path, !before.unchanged)?
    } else {
        String::new()
    };
    Ok(FeatureView {
        committed: before.committed,
        settling: !before.unchanged
            && fresh_until(scanned.modified, config.settings.quiet_seconds, now).is_some(),
        held: held(&scanned.path, scanned.modified, circumstances, config, now),
        owed: run.is_some_and(|run| circumstances.owed.contains(&run.id)),
        in_flight: run.and_then(|run| circumstances.in_flight.get(&run.id)).copied(),
        pull_request: run.and_then(|run| circumstances.pull_requests.get(&run.id)).cloned(),
        waiting_since: (feature.folder == Some(Status::Planned)).then_some(scanned.modified),
        asked: feature.id.as_ref().is_some_and(|id| circumstances.asked.contains(id)),
        edited_plan: run.and_then(|run| edited_plan(feature, run, scanned)),
        last_author,
        tick: Tick::default(),
        claimed_by: None,
        runs,
        feature: feature.clone(),
    })
}

/// Why a note is left alone now.
fn held(
    path: &NotePath,
    modified: Timestamp,
    circumstances: &Circumstances,
    config: &Config,
    now: Timestamp,
) -> Option<Hold> {
    let fresh = fresh_until(modified, config.settings.write_pause_seconds, now);
    match fresh.filter(|_| circumstances.is_paced) {
        Some(until) => Some(Hold { until, why: HoldReason::JustWritten }),
        None => circumstances.held.get(path).cloned(),
    }
}

/// When a file that was written less than so many seconds ago is that old; `None` for older ones. A time in the future
/// says nothing: another machine's clock made it.
pub(super) fn fresh_until(modified: Timestamp, seconds: u64, now: Timestamp) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let is_fresh = (0..seconds).contains(&now.duration_since(modified).as_secs());
    is_fresh.then(|| modified.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX))
}

/// The plan block's text where it differs from what ado wrote.
fn edited_plan(feature: &Feature, run: &RunState, scanned: &ScannedNote) -> Option<String> {
    let present = feature.blocks.get("plan")?;
    if run.plan.is_none() || run.written.contains(&("plan".to_owned(), present.clone())) {
        return None;
    }
    let block = note::blocks(&scanned.text()).ok()?.into_iter().find(|block| block.name == "plan")?;
    (run.plan_text.as_deref() != Some(block.content.trim())).then(|| block.content.trim().to_owned())
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
