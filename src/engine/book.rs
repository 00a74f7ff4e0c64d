//! The journals of all runs, open for appending, each folded into its state; and the budgets held against them.
//! Records of ended runs are not kept in memory.
//!
//! Every append is durable before it is folded. Reservations of model calls are checked and written under one lock,
//! so that parallel runs cannot pass a shared cap between look and leap.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::days::Days;
use super::{EngineError, Listener, Said, redact};
use crate::domain::{
    AgentName, CallEnd, Caps, Diagnostic, Event, FeatureId, ModelName, NotePath, Record, RunId, RunState,
    ScopeCaps, ScopeSpent, Shared, Spent, StepKey,
};
use crate::models::ModelError;
use crate::vault::{Journal, Vault, all_runs, read_journal};

/// All runs of a vault.
pub struct RunBook {
    vault: Vault,
    listener: Arc<dyn Listener>,
    runs: Mutex<BTreeMap<RunId, OpenRun>>,
    clock: Clock,
    /// The last ends of calls of each model, oldest first.
    ends: Mutex<BTreeMap<ModelName, Vec<CallEnd>>>,
}

/// Where the book has the time from.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Ends of calls that are remembered for each model: more would not change what they say of its provider.
const MOST_ENDS: usize = 16;

struct OpenRun {
    journal: Option<Journal>,
    /// `None` once the run ended: they are in its journal.
    records: Option<Vec<Record>>,
    state: Shared<RunState>,
    days: Days,
    /// Whom the calls under way are asking.
    asked: BTreeMap<u64, ModelName>,
    /// Transcripts written since the last commit; `None` until the first commit of this process.
    transcripts: Option<Vec<NotePath>>,
}

impl RunBook {
    /// Reads every journal of the vault without changing any. `listener` hears of every record that is appended, when
    /// it is durable.
    pub fn load(vault: &Vault, listener: Arc<dyn Listener>) -> Result<(Self, Vec<Diagnostic>), EngineError> {
        Self::load_with_clock(vault, listener, Arc::new(Timestamp::now))
    }

    /// The same with the time from elsewhere, for tests.
    pub fn load_with_clock(
        vault: &Vault,
        listener: Arc<dyn Listener>,
        clock: Clock,
    ) -> Result<(Self, Vec<Diagnostic>), EngineError> {
        let mut runs = BTreeMap::new();
        let mut problems = vec![];
        let mut ends = BTreeMap::new();
        for run in all_runs(vault)? {
            let (records, damage) = read_journal(vault, &run)?;
            problems.extend(damage);
            of_calls(&records).into_iter().for_each(|end| remember(&mut ends, end));
            if let Some(open) = OpenRun::fold(None, records, clock()) {
                runs.insert(run, open);
            }
        }
        let book =
            Self { vault: vault.clone(), listener, runs: Mutex::new(runs), clock, ends: Mutex::new(ends) };
        Ok((book, problems))
    }

    /// Begins a run with its `started` event. A run that is there already is left as it is.
    pub fn begin(&self, run: &RunId, event: Event) -> Result<(), EngineError> {
        let mut runs = self.lock();
        if runs.contains_key(run) {
            return Ok(());
        }
        let (mut journal, mut records, _) = Journal::open(&self.vault, run)?;
        if records.is_empty() {
            let record = journal.append((self.clock)(), event)?;
            self.listener.hear(&Said::Recorded { run: run.clone(), record: Box::new(record.clone()) });
            records.push(record);
        }
        let open = OpenRun::fold(Some(journal), records, (self.clock)());
        runs.insert(run.clone(), open.ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?);
        Ok(())
    }

    /// Appends an event durably and folds it in.
    pub fn append(&self, run: &RunId, event: Event) -> Result<(), EngineError> {
        let mut runs = self.lock();
        let open = runs.get_mut(run).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        self.append_to(run, open, event)
    }

    fn append_to(&self, run: &RunId, open: &mut OpenRun, event: Event) -> Result<(), EngineError> {
        let journal = match &mut open.journal {
            Some(journal) => journal,
            closed => closed.insert(Journal::open(&self.vault, run)?.0),
        };
        let record = journal.append((self.clock)(), redact::event(event))?;
        open.state.apply(&record);
        open.days.apply(&record);
        open.days.forget(record.at);
        if let Event::ModelCallFinished { call, failure, .. } = &record.event
            && let Some(model) = open.asked.remove(call)
        {
            let end = CallEnd { model, at: record.at, failure: *failure };
            remember(&mut self.ends.lock().unwrap_or_else(PoisonError::into_inner), end);
        }
        self.listener.hear(&Said::Recorded { run: run.clone(), record: Box::new(record.clone()) });
        if let Some(records) = &mut open.records {
            records.push(record);
        }
        open.forget_if_ended();
        Ok(())
    }

    pub fn state(&self, run: &RunId) -> Option<Shared<RunState>> {
        self.lock().get(run).map(|open| open.state.clone())
    }

    /// The records of a run, oldest first; none of a run that is not there. Those of an ended run are read from disk.
    pub fn records(&self, run: &RunId) -> Result<Vec<Record>, EngineError> {
        let runs = self.lock();
        match runs.get(run) {
            None => Ok(vec![]),
            Some(OpenRun { records: Some(records), .. }) => Ok(records.clone()),
            Some(OpenRun { records: None, .. }) => Ok(read_journal(&self.vault, run)?.0),
        }
    }

    /// The runs of a feature, oldest first.
    pub fn runs_of(&self, feature: &FeatureId) -> Vec<Shared<RunState>> {
        let first = RunId { feature: feature.clone(), number: 0 };
        self.lock()
            .range(first..)
            .take_while(|(run, _)| run.feature == *feature)
            .map(|(_, open)| open.state.clone())
            .collect()
    }

    /// The runs of every feature that has some, oldest first; reviews of others' pull requests are of none.
    pub fn by_feature(&self) -> HashMap<FeatureId, Vec<Shared<RunState>>> {
        let mut runs: HashMap<FeatureId, Vec<Shared<RunState>>> = HashMap::new();
        for (run, open) in self.lock().iter().filter(|(_, open)| open.state.proposed.is_none()) {
            runs.entry(run.feature.clone()).or_default().push(open.state.clone());
        }
        runs
    }

    pub fn all(&self) -> Vec<Shared<RunState>> {
        self.lock().values().map(|open| open.state.clone()).collect()
    }

    /// Path of `run.md`, and of every other file of the run: journal and transcripts not yet named by an earlier call.
    pub fn files(&self, run: &RunId) -> Result<(NotePath, Vec<NotePath>), EngineError> {
        let mut runs = self.lock();
        let open = runs.get_mut(run).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        let folder = run_folder(&self.vault, run)?;
        let mut paths = vec![NotePath::new(format!("{folder}/journal.jsonl"))?];
        match &mut open.transcripts {
            Some(fresh) => paths.append(fresh),
            unknown => {
                paths.extend(transcripts_of(&self.vault, &folder)?);
                *unknown = Some(vec![]);
            }
        }
        Ok((NotePath::new(format!("{folder}/run.md"))?, paths))
    }

    /// Remembers a transcript for the next commit.
    pub fn transcript_written(&self, run: &RunId, path: NotePath) {
        if let Some(fresh) = self.lock().get_mut(run).and_then(|open| open.transcripts.as_mut()) {
            fresh.push(path);
        }
    }

    /// What all runs spent on a day (UTC), open reservations and what steps at work may take included.
    pub fn spent_on(&self, day: Date) -> Spent {
        self.lock().values().map(|open| open.days.spent_on(day) + open.days.granted_on(day)).sum()
    }

    /// What all runs spent from a moment of the last day on, open reservations and what steps at work may take included.
    pub fn spent_since(&self, begin: Timestamp) -> Spent {
        self.lock().values().map(|open| open.days.spent_since(begin) + open.days.granted_since(begin)).sum()
    }

    /// Begins a step of at most `seconds`: holds its session and its time against the caps, which runs side by side share,
    /// and writes its beginning. Gives the seconds that it may take, or the cap that leaves nothing for it; the next look
    /// then sees why.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn begin_step(
        &self,
        run: &RunId,
        key: StepKey,
        attempt: u32,
        (caps, seconds): (&ScopeCaps, u64),
    ) -> Result<Result<u64, String>, EngineError> {
        let mut runs = self.lock();
        let now = (self.clock)();
        let caps = caps.at(now);
        let mut spent = Self::spent_in_scopes(&runs, run, &caps, now);
        if key.step.role().is_some() {
            let of_sessions = |caps: Caps| Caps { sessions: caps.sessions, ..Caps::default() };
            let over = caps.against(spent).into_iter().find_map(|(scope, caps, spent)| {
                Some(format!("{scope}: {}", of_sessions(caps).exceeded_by(spent, Spent::of_session())?))
            });
            if let Some(over) = over {
                return Ok(Err(over));
            }
        }
        let night = caps.overnight.and_then(|hours| hours.holding(now));
        for open in runs.values() {
            spent.day += open.days.granted_on(date_of(now));
            spent.night += night.map(|(begin, _)| open.days.granted_since(begin)).unwrap_or_default();
            if open.state.id.feature == run.feature {
                spent.feature += open.days.granted_since(Timestamp::MIN);
            }
        }
        // A run's own minutes are forgiven when a person lets it go on; who asks here has counted them.
        let shared = caps.against(spent).into_iter().filter(|(scope, ..)| *scope != "run");
        let left = shared.filter_map(|(scope, caps, spent)| {
            Some((caps.minutes?.saturating_mul(60).saturating_sub(spent.seconds), scope))
        });
        let granted = match left.min_by_key(|(left, _)| *left) {
            Some((0, scope)) if key.step.role().is_some() => {
                return Ok(Err(format!("{scope}: its minutes are worked, or held by steps at work")));
            }
            Some((left, _)) => left.clamp(1, seconds.max(1)),
            None => seconds,
        };
        let open = runs.get_mut(run).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        self.append_to(run, open, Event::StepStarted { key, attempt })?;
        open.days.grant(granted);
        Ok(Ok(granted))
    }

    /// What counts against each scope of a run at this moment, but for the time of steps at work.
    fn spent_in_scopes(
        runs: &BTreeMap<RunId, OpenRun>,
        run: &RunId,
        caps: &ScopeCaps,
        now: Timestamp,
    ) -> ScopeSpent {
        let night = caps.overnight.and_then(|hours| hours.holding(now));
        let of_feature = runs.values().filter(|open| open.state.id.feature == run.feature);
        ScopeSpent {
            run: runs.get(run).map(|open| open.state.committed_spend()).unwrap_or_default(),
            feature: of_feature.map(|open| open.state.committed_spend()).sum(),
            day: runs.values().map(|open| open.days.spent_on(date_of(now))).sum(),
            night: night
                .map(|(begin, _)| runs.values().map(|open| open.days.spent_since(begin)).sum())
                .unwrap_or_default(),
        }
    }

    /// How the last calls of each model ended.
    pub fn call_ends(&self) -> Vec<CallEnd> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }

    /// Holds a call's greatest cost against the caps and writes the reservation.
    ///
    /// # Errors
    /// `OutOfBudget` when a cap would be passed, `Ledger` when the journal cannot be written.
    pub fn reserve(
        &self,
        run: &RunId,
        key: StepKey,
        agent: &AgentName,
        model: &ModelName,
        most: Spent,
        caps: &ScopeCaps,
    ) -> Result<u64, ModelError> {
        let mut runs = self.lock();
        let now = (self.clock)();
        let caps = caps.at(now);
        let spent = Self::spent_in_scopes(&runs, run, &caps, now);
        let open = runs
            .get_mut(run)
            .ok_or_else(|| ModelError::Ledger { detail: format!("run `{run}` is not in the journals") })?;
        if let Some((scope, over)) = caps.exceeded_by(spent, most) {
            return Err(ModelError::OutOfBudget { detail: format!("{scope}: {over}") });
        }
        let call = open.state.next_call;
        let event =
            Event::ModelCallStarted { call, key, agent: agent.clone(), model: model.clone(), reserved: most };
        self.append_to(run, open, event).map_err(|error| ModelError::Ledger { detail: error.to_string() })?;
        open.asked.insert(call, model.clone());
        Ok(call)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, OpenRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The day of a time in UTC.
pub fn date_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

impl OpenRun {
    fn fold(journal: Option<Journal>, records: Vec<Record>, now: Timestamp) -> Option<Self> {
        let state = RunState::fold(&records)?.into();
        let mut days = Days::default();
        records.iter().for_each(|record| days.apply(record));
        days.forget(now);
        let asked = BTreeMap::new();
        let mut open = Self { journal, records: Some(records), state, days, asked, transcripts: None };
        open.forget_if_ended();
        Some(open)
    }

    /// Lets go of what only a run at work needs. A later append opens the journal again.
    fn forget_if_ended(&mut self) {
        if self.state.ended.is_some() {
            self.records = None;
            self.journal = None;
        }
    }
}

/// How the calls of one journal ended.
fn of_calls(records: &[Record]) -> Vec<CallEnd> {
    let mut asked = BTreeMap::new();
    let mut ends = vec![];
    for record in records {
        match &record.event {
            Event::ModelCallStarted { call, model, .. } => {
                asked.insert(*call, model);
            }
            Event::ModelCallFinished { call, failure, .. } => {
                let model = asked.remove(call).cloned();
                ends.extend(model.map(|model| CallEnd { model, at: record.at, failure: *failure }));
            }
            _ => {}
        }
    }
    ends
}

/// Keeps an end in the order of time, and as many as are worth it.
fn remember(ends: &mut BTreeMap<ModelName, Vec<CallEnd>>, end: CallEnd) {
    let of_model = ends.entry(end.model.clone()).or_default();
    let at = of_model.partition_point(|earlier| earlier.at <= end.at);
    of_model.insert(at, end);
    if of_model.len() > MOST_ENDS {
        of_model.remove(0);
    }
}

/// The folder of a run below the vault: `60_runs/FR-056/1`.
pub fn run_folder(vault: &Vault, run: &RunId) -> Result<String, EngineError> {
    Ok(format!("{}/{}/{}", vault.folders()?.runs(), run.feature, run.number))
}

fn transcripts_of(vault: &Vault, folder: &str) -> Result<Vec<NotePath>, EngineError> {
    let folder = format!("{folder}/transcript");
    let Ok(entries) = std::fs::read_dir(vault.root().join(&folder)) else {
        return Ok(vec![]);
    };
    let mut paths: Vec<NotePath> = entries
        .flatten()
        .filter_map(|entry| NotePath::new(format!("{folder}/{}", entry.file_name().to_str()?)).ok())
        .collect();
    paths.sort();
    Ok(paths)
}
