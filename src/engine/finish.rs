//! The end of steps and of runs: results into journal and note, worktrees cleaned up.

use super::engine::{Engine, Finished};
use super::observe::Observation;
use super::transition::NoteChange;
use super::{EngineError, Said};
use crate::domain::{Event, Repository, RunEnd, RunId, Status};
use crate::workspace::Removed;

impl Engine {
    /// Journals a step's end and shows it in the notes.
    pub(super) fn step_finished(
        &mut self,
        look: &Observation,
        finished: Finished,
    ) -> Result<(), EngineError> {
        let Finished { run, key, attempt, outcome } = finished;
        self.in_flight.remove(&run);
        let what = format!("{key} {}", outcome.result.in_words());
        self.book.append(&run, Event::StepFinished { key, attempt, outcome: outcome.clone() })?;
        let spent = self.state(&run)?.last_try().map(|step| step.spent).unwrap_or_default();
        self.say(&Said::StepFinished { run: run.clone(), key, outcome: Box::new(outcome), spent });
        if look.snapshot.feature(&run.feature).is_some() {
            self.project(look, &run, NoteChange::default(), &what, "step-finished")?;
        }
        Ok(())
    }

    /// Moves a merged feature to `done`, ends its run, cleans up.
    pub(super) fn finish(
        &mut self,
        look: &Observation,
        run: &RunId,
        result: RunEnd,
        detail: &str,
    ) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let view = self.view(look, &run.feature)?;
        let workspace = self.workspace(look, view, &state)?;
        self.book.append(run, Event::Ended { result, detail: detail.to_owned() })?;
        self.go(look, run, Status::Done, NoteChange::default().unwaiting())?;
        if let Some(worktree) = workspace.find(run)
            && let Removed::Kept { why } = workspace.remove(&worktree, &state.branch)?
        {
            self.say(&Said::Problem { what: format!("{run}: worktree kept: {why}") });
        }
        Ok(())
    }

    /// Removes the worktree of an ended run, unless it holds work that is nowhere else.
    pub(super) fn remove_worktree(&self, look: &Observation, run: &RunId, repository: &Repository) {
        let removed = self.open_workspace(look, repository).and_then(|workspace| {
            let branch = self.state(run)?.branch;
            match workspace.find(run) {
                Some(worktree) => Ok(Some(workspace.remove(&worktree, &branch)?)),
                None => Ok(None),
            }
        });
        match removed {
            Ok(Some(Removed::Kept { why })) => tracing::info!(%run, %why, "worktree kept"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%run, %error, "cannot remove the worktree"),
        }
    }
}
