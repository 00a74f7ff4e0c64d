//! The end of steps and of runs: results into journal and note, worktrees cleaned up.

use super::event_loop::Engine;
use super::flight::Finished;
use super::observe::Observation;
use super::transition::NoteChange;
use super::{EngineError, Said};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::{Event, RunEnd, RunId, Status};
use crate::workspace::{Removed, run_hook};

impl Engine {
    /// Journals a step's end and shows it in the notes.
    pub(super) fn step_finished(
        &mut self,
        look: &Observation,
        finished: &Finished,
    ) -> Result<(), EngineError> {
        let Finished { run, key, attempt, outcome } = finished.clone();
        let what = format!("{key} {}", outcome.result.in_words());
        self.book.append(&run, Event::StepFinished { key, attempt, outcome: outcome.clone() })?;
        self.in_flight.remove(&run);
        let spent = self.state(&run)?.last_try().map(|step| step.spent).unwrap_or_default();
        self.say(&Said::StepFinished { run: run.clone(), key, outcome: Box::new(outcome), spent });
        if self.state(&run)?.proposed.is_some() {
            return self.review_ended(&run, &what);
        }
        if look.feature(&run.feature).is_some() {
            self.write_run(look, &run, NoteChange::default(), &what, "step-finished")?;
        }
        Ok(())
    }

    /// Ends the run of a merged or split feature, moves its note to `done`, cleans up.
    pub(super) async fn finish(
        &mut self,
        look: &Observation,
        run: &RunId,
        result: RunEnd,
        detail: &str,
    ) -> Result<(), EngineError> {
        if self.state(run)?.ended.is_none() {
            if result == RunEnd::Merged && !self.tidy(look, run).await? {
                return Ok(());
            }
            self.book.append(run, Event::Ended { result, detail: detail.to_owned() })?;
        }
        let mut change = NoteChange::default().unwaiting();
        let state = self.state(run)?;
        if let (Some(pr), Some(commit)) = (&state.pr, &state.merged) {
            // Said already, unless the merge was cut off before.
            self.forge_of(look, &state, pr)?.merged(pr, commit).await?;
            change = change.with(self.note_of(pr));
        }
        self.go(look, run, Status::Done, change)?;
        self.remove_worktree(look, run).await;
        Ok(())
    }

    /// Removes the worktree of an ended run, unless it holds work that is nowhere else. Failures only warn.
    pub(super) async fn remove_worktree(&self, look: &Observation, run: &RunId) {
        let removed = self.try_remove_worktree(look, run).await;
        self.say_removal(run, removed);
    }

    fn say_removal(&self, run: &RunId, removed: Result<Option<Removed>, EngineError>) {
        match removed {
            Ok(Some(Removed::Kept { why })) => {
                self.say(&Said::Problem { what: format!("{run}: worktree kept: {why}") });
            }
            Ok(_) => {}
            Err(error) => {
                self.say(&Said::Problem { what: format!("{run}: cannot remove the worktree: {error}") });
            }
        }
    }

    async fn try_remove_worktree(
        &self,
        look: &Observation,
        run: &RunId,
    ) -> Result<Option<Removed>, EngineError> {
        let state = self.state(run)?;
        let view = self.view(look, &run.feature)?;
        let workspace = self.workspace(look, view, &state)?;
        let Some(worktree) = workspace.find(run) else { return Ok(None) };
        let repository = look.snapshot.config.repositories.get(&state.repo);
        let hook = repository.and_then(|repository| Some((repository, repository.before_remove.as_ref()?)));
        if let Some((repository, command)) = hook {
            let limit = Duration::from_secs(repository.hook_timeout_seconds);
            let policy = workspace.protected_paths(&worktree).policy(limit);
            let cancel = CancellationToken::new();
            run_hook(&self.sandbox, &worktree, &policy, "before_remove", command, &cancel).await?;
        }
        let removed = workspace.remove(&worktree, &state.branch)?;
        super::setup::remove_layers(&worktree);
        Ok(Some(removed))
    }

    /// Worktrees of runs that ended, and of reviews, left by a crash. One that is kept was reported when its run ended.
    pub(super) async fn sweep_worktrees(&self, look: &Observation) {
        for run in self.book.all() {
            if run.proposed.is_some() && run.ended.is_none() {
                self.remove_proposal(look, &run.id);
            }
            if run.ended.is_some() && look.feature(&run.id.feature).is_some() {
                let removed = self.try_remove_worktree(look, &run.id).await;
                self.say_removal(&run.id, removed.map(|_| None));
            }
        }
    }
}
