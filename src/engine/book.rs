//! The journals of all runs, open for appending, each folded into its state; and the budgets held against them.
//!
//! Every append is durable before it is folded. Reservations of model calls are checked and written under one lock,
//! so that parallel runs cannot pass a shared cap between look and leap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{EngineError, Listener, Said, redact};
use crate::domain::{
    AgentName, Caps, Diagnostic, Event, FeatureId, ModelName, NotePath, Record, RunId, RunState, Spent,
    StepKey,
};
use crate::models::ModelError;
use crate::vault::{Journal, Vault, all_runs, read_journal};

/// Upper limits of a model call's scopes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopeCaps {
    pub run: Caps,
    /// The feature's whole life.
    pub feature: Caps,
    pub day: Caps,
}

/// All runs of a vault.
pub struct RunBook {
    vault: Vault,
    listener: Arc<dyn Listener>,
    runs: Mutex<BTreeMap<RunId, OpenRun>>,
}

struct OpenRun {
    journal: Option<Journal>,
    records: Vec<Record>,
    state: RunState,
    /// Transcripts written since the last commit; `None` until the first commit of this process.
    transcripts: Option<Vec<NotePath>>,
}

impl RunBook {
    /// Reads every journal of the vault without changing any. `listener` hears of every record that is appended, when
    /// it is durable.
    pub fn load(vault: &Vault, listener: Arc<dyn Listener>) -> Result<(Self, Vec<Diagnostic>), EngineError> {
        let mut runs = BTreeMap::new();
        let mut problems = vec![];
        for run in all_runs(vault)? {
            let (records, damage) = read_journal(vault, &run)?;
            problems.extend(damage);
            if let Some(state) = RunState::fold(&records) {
                runs.insert(run, OpenRun { journal: None, records, state, transcripts: None });
            }
        }
        Ok((Self { vault: vault.clone(), listener, runs: Mutex::new(runs) }, problems))
    }

    /// Begins a run with its `started` event. A run that is there already is left as it is.
    pub fn begin(&self, run: &RunId, event: Event) -> Result<(), EngineError> {
        let mut runs = self.lock();
        if runs.contains_key(run) {
            return Ok(());
        }
        let (mut journal, mut records, _) = Journal::open(&self.vault, run)?;
        if records.is_empty() {
            let record = journal.append(Timestamp::now(), event)?;
            self.listener.hear(&Said::Recorded { run: run.clone(), record: Box::new(record.clone()) });
            records.push(record);
        }
        let state = RunState::fold(&records).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        runs.insert(run.clone(), OpenRun { journal: Some(journal), records, state, transcripts: None });
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
            closed => {
                let (journal, records, _) = Journal::open(&self.vault, run)?;
                open.records = records;
                closed.insert(journal)
            }
        };
        let record = journal.append(Timestamp::now(), redact::event(event))?;
        open.state.apply(&record);
        self.listener.hear(&Said::Recorded { run: run.clone(), record: Box::new(record.clone()) });
        open.records.push(record);
        Ok(())
    }

    pub fn state(&self, run: &RunId) -> Option<RunState> {
        self.lock().get(run).map(|open| open.state.clone())
    }

    pub fn records(&self, run: &RunId) -> Vec<Record> {
        self.lock().get(run).map(|open| open.records.clone()).unwrap_or_default()
    }

    /// The runs of a feature, oldest first.
    pub fn runs_of(&self, feature: &FeatureId) -> Vec<RunState> {
        self.lock()
            .values()
            .filter(|open| open.state.id.feature == *feature)
            .map(|open| open.state.clone())
            .collect()
    }

    pub fn all(&self) -> Vec<RunState> {
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

    /// What all runs spent on a day (UTC), open reservations included.
    pub fn spent_on(&self, day: Date) -> Spent {
        self.lock().values().map(|open| spent_on(open, day)).sum()
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
        let today = date_of(Timestamp::now());
        let spent_today: Spent = runs.values().map(|open| spent_on(open, today)).sum();
        let of_feature: Spent = runs
            .values()
            .filter(|open| open.state.id.feature == run.feature)
            .map(|open| open.state.committed_spend())
            .sum();
        let open = runs
            .get_mut(run)
            .ok_or_else(|| ModelError::Ledger { detail: format!("run `{run}` is not in the journals") })?;
        let scopes = [
            ("run", caps.run, open.state.committed_spend()),
            ("feature", caps.feature, of_feature),
            ("day", caps.day, spent_today),
        ];
        for (scope, cap, spent) in scopes {
            if let Some(over) = cap.exceeded_by(spent, most) {
                return Err(ModelError::OutOfBudget { detail: format!("{scope}: {over}") });
            }
        }
        let call = open.state.next_call;
        let event =
            Event::ModelCallStarted { call, key, agent: agent.clone(), model: model.clone(), reserved: most };
        self.append_to(run, open, event).map_err(|error| ModelError::Ledger { detail: error.to_string() })?;
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

/// Settled calls count on the day they ended, open ones on the day they were reserved.
fn spent_on(open: &OpenRun, day: Date) -> Spent {
    if date_of(open.state.last) < day {
        return Spent::default();
    }
    let mut reserved: BTreeMap<u64, Spent> = BTreeMap::new();
    let mut spent = Spent::default();
    for record in open.records.iter().filter(|record| date_of(record.at) == day) {
        match &record.event {
            Event::ModelCallStarted { call, reserved: most, .. } => {
                reserved.insert(*call, *most);
            }
            Event::ModelCallFinished { call, tokens, cost, .. } => {
                reserved.remove(call);
                spent += Spent { usd: *cost, tokens: tokens.total(), calls: 1 };
            }
            _ => {}
        }
    }
    spent + reserved.into_values().sum()
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
