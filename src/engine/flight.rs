//! Steps at work beside the loop: begun, stopped, and their ends taken, as those of errands and looks are.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::earlier::Earlier;
use super::errand::Errand;
use super::event_loop::{Engine, Outcome};
use super::ledger::RunLedger;
use super::observe::Observation;
use super::sighting::Sighting;
use super::{EngineError, Said, StepServices, request};
use crate::decide;
use crate::domain::{
    Diagnostic, FeatureView, Instruction, RunId, ScopeCaps, StepKey, StepOutcome, StepRequest, StepResult,
};

/// Time that steps get to stop by themselves at a signal.
const STOP_GRACE: Duration = Duration::from_secs(4);

/// The end of something that went on beside the loop, sent by its task.
pub(super) enum Ended {
    Step(Finished),
    Errand { run: RunId, errand: Errand, result: Result<(), EngineError> },
    Look { run: RunId, number: u64, sighting: Result<Sighting, EngineError> },
}

/// A step's end.
#[derive(Clone)]
pub(super) struct Finished {
    pub run: RunId,
    pub key: StepKey,
    pub attempt: u32,
    pub outcome: StepOutcome,
}

/// A step that is to begin.
pub(super) struct Launch {
    pub run: RunId,
    pub key: StepKey,
    pub attempt: u32,
    /// Everything that it needs, or what is missing for that.
    pub request: Result<StepRequest, Diagnostic>,
    pub earlier: Earlier,
    pub caps: ScopeCaps,
    /// The longest that it may take.
    pub seconds: u64,
}

pub(super) struct Flight {
    pub key: StepKey,
    pub cancel: CancellationToken,
}

impl Engine {
    pub(super) fn begin_step(
        &mut self,
        look: &Observation,
        view: &FeatureView,
        run: &RunId,
        key: StepKey,
        attempt: u32,
        instruction: Instruction,
    ) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let config = &look.snapshot.config;
        let request =
            request::step_request(&self.vault, &look.snapshot, view, &state, key, attempt, instruction);
        let launch = Launch {
            run: run.clone(),
            key,
            attempt,
            request,
            earlier: Earlier::of(&self.vault, &state, &self.book.records(run)?, key),
            caps: decide::caps_for(config, view, &state),
            seconds: decide::step_seconds(&look.snapshot, view, &state),
        };
        if let Err(over) = self.launch(launch)? {
            // Another run took it since the look; the next one sees that and waits.
            tracing::info!(%run, %key, %over, "the step is not begun");
        }
        Ok(())
    }

    /// Begins a step beside the loop, or gives the cap that leaves nothing for it.
    pub(super) fn launch(&mut self, launch: Launch) -> Result<Result<(), String>, EngineError> {
        let Launch { run, key, attempt, request, earlier, caps, seconds } = launch;
        let granted = match self.book.begin_step(&run, key, attempt, (&caps, seconds))? {
            Ok(granted) => granted,
            Err(over) => return Ok(Err(over)),
        };
        self.say(&Said::StepStarted { run: run.clone(), key, attempt });
        let cancel = CancellationToken::new();
        self.in_flight.insert(run.clone(), Flight { key, cancel: cancel.clone() });
        let done = self.done_sender.clone();
        let request = match request {
            Ok(request) => StepRequest { timeout_seconds: granted, ..request },
            Err(problem) => {
                let outcome = cannot_begin(&problem);
                // The receiver lives in this engine, so sending cannot fail.
                let _ = done.send(Ended::Step(Finished { run, key, attempt, outcome }));
                return Ok(Ok(()));
            }
        };
        let ledger = Arc::new(RunLedger {
            book: self.book.clone(),
            vault: self.vault.clone(),
            run: run.clone(),
            caps,
            earlier,
        });
        let services = StepServices { ledger: ledger.clone(), recorder: ledger.clone(), cancel };
        let executor = self.executor.clone();
        let step = tokio::spawn(async move {
            ledger.room().await;
            executor.execute(request, services).await
        });
        tokio::spawn(async move {
            let outcome = step.await.unwrap_or_else(|error| cannot_begin(&crashed(&error)));
            let _ = done.send(Ended::Step(Finished { run, key, attempt, outcome }));
        });
        Ok(Ok(()))
    }

    pub(super) fn take_ended(&mut self, ended: Option<Ended>) -> Result<(), EngineError> {
        match ended {
            None => Ok(()),
            Some(Ended::Step(finished)) => self.take_finished(finished),
            Some(Ended::Errand { run, errand, result }) => {
                self.errand_ended(run, errand, result);
                Ok(())
            }
            Some(Ended::Look { run, number, sighting }) => self.look_ended(run, number, sighting),
        }
    }

    pub(super) fn take_finished(&mut self, finished: Finished) -> Result<(), EngineError> {
        let look = self.look()?;
        let feature = finished.run.feature.clone();
        match self.step_finished(&look, &finished) {
            Err(error) if error.may_pass() => {
                self.cut_off = true;
                self.complain(feature.as_str(), &error, true);
                if self.in_flight.contains_key(&finished.run) {
                    self.unrecorded.push(finished);
                }
                Ok(())
            }
            taken => taken,
        }
    }

    /// Whether this run's step was told to stop already.
    pub(super) fn is_cancelled(&self, run: &RunId) -> bool {
        self.in_flight.get(run).is_some_and(|flight| flight.cancel.is_cancelled())
    }

    pub(super) fn cancel(&mut self, run: &RunId) {
        if let Some(flight) = self.in_flight.get(run) {
            flight.cancel.cancel();
        }
    }

    /// A step whose note is gone is stopped; reviews of others' pull requests have none.
    pub(super) fn cancel_orphans(&mut self, look: &Observation) {
        for (run, flight) in &self.in_flight {
            let has_none = self.book.state(run).is_some_and(|state| state.proposed.is_some());
            if look.feature(&run.feature).is_none() && !has_none && !flight.cancel.is_cancelled() {
                self.say(&Said::Problem { what: format!("{run}: its note is gone; the step is stopped") });
                flight.cancel.cancel();
            }
        }
    }

    /// Stops all steps and saves their ends.
    pub(super) async fn stop(&mut self) -> Result<Outcome, EngineError> {
        for flight in self.in_flight.values() {
            flight.cancel.cancel();
        }
        let all_stopped = async {
            while !self.in_flight.is_empty() {
                let ended = self.done.recv().await;
                self.take_ended(ended)?;
            }
            Ok::<(), EngineError>(())
        };
        match tokio::time::timeout(STOP_GRACE, all_stopped).await {
            Ok(result) => result?,
            Err(_) => tracing::warn!("some steps did not stop in time; they resume from the journal"),
        }
        Ok(Outcome::Stopped)
    }
}

/// A panic in a step is a bug; the run stops there instead of waiting for ever.
fn crashed(error: &tokio::task::JoinError) -> Diagnostic {
    Diagnostic::error("bug", format!("the step ended by a bug: {error}"), "please report it with the log")
}

fn cannot_begin(problem: &Diagnostic) -> StepOutcome {
    let result =
        StepResult::Failed { error: problem.message.clone(), remedy: problem.remedy.clone(), retry: false };
    StepOutcome { result, agent: None, millis: 0 }
}
