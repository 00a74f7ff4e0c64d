//! What a start does before the first decision: finishes moves that a crash cut off, and commits what was written but
//! not committed. Everything else resumes from the journals by itself.

use super::EngineError;
use super::book::run_folder;
use super::event_loop::Engine;
use super::observe::Observation;
use super::publish::proven_criteria;
use super::transition::NoteChange;
use crate::domain::{Event, NotePath, RunState, Status, parse_move};
use crate::note::PropertyValue;

impl Engine {
    /// Brings every run that a crash left between intent and commit to a clean state.
    pub(super) fn recover(&mut self, look: &Observation) -> Result<(), EngineError> {
        for run in self.book.all() {
            // A run of another machine is recovered there.
            if look.feature(&run.id.feature).is_none_or(|view| view.claimed_by.is_some()) {
                continue;
            }
            let uncommitted = self.uncommitted(&run)?;
            let change = self.left_over(&run, &uncommitted);
            if let Some(to) = self.unfinished_move(&run) {
                self.go(look, &run.id, to, change)?;
            } else if uncommitted.iter().any(is_shown) {
                let what = "finished what a crash cut off";
                self.project(look, &run.id, change, what, "recovered")?;
            }
        }
        Ok(())
    }

    /// A move that was intended and not completed; a run whose note never left `planned` counts.
    fn unfinished_move(&self, run: &RunState) -> Option<Status> {
        let pending = run.pending.keys().filter_map(|effect| parse_move(effect)).map(|(_, to)| to).next();
        let never_began = run.status == Status::Planned && run.tries.is_empty() && run.ended.is_none();
        pending.or(never_began.then_some(Status::InProgress))
    }

    /// The end of the journal that the last commit does not have.
    fn uncommitted(&self, run: &RunState) -> Result<Vec<Event>, EngineError> {
        let journal = NotePath::new(format!("{}/journal.jsonl", run_folder(&self.vault, &run.id)?))?;
        let committed = self.history.committed_text(&journal)?.unwrap_or_default();
        let known = committed.lines().count();
        // Records count from 1 without gaps.
        if u64::try_from(known).is_ok_and(|known| known >= run.last_seq) {
            return Ok(vec![]);
        }
        let records = self.book.records(&run.id)?;
        Ok(records.iter().skip(known).map(|record| record.event.clone()).collect())
    }

    /// What these events meant for the notes besides what the run's state says.
    fn left_over(&self, run: &RunState, events: &[Event]) -> NoteChange {
        let mut change = NoteChange::default();
        for event in events {
            change = match event {
                Event::ApprovalAsked { .. } => change.set("approved", PropertyValue::Bool(false)),
                // A tick from before the brake does not take it off.
                Event::Braked { .. } => change.untick(),
                Event::Started { .. }
                | Event::Approved { .. }
                | Event::Resumed { .. }
                | Event::Ended { .. } => change.untick().unwaiting(),
                Event::PullRequestOpened { pr, .. } => {
                    NoteChange { proven: proven_criteria(run), ..change }.unwaiting().with(self.note_of(pr))
                }
                Event::Merged { .. } => {
                    change.unwaiting().with(run.pr.iter().flat_map(|pr| self.note_of(pr)).collect())
                }
                _ => change,
            };
        }
        change
    }
}

/// Whether an event shows in the notes, or belongs to one that does.
fn is_shown(event: &Event) -> bool {
    matches!(
        event,
        Event::Completed { .. }
            | Event::BlockWritten { .. }
            | Event::StepFinished { .. }
            | Event::Triaged { .. }
            | Event::PlanEdited { .. }
            | Event::ApprovalAsked { .. }
            | Event::Approved { .. }
            | Event::Resumed { .. }
            | Event::Braked { .. }
            | Event::PullRequestOpened { .. }
            | Event::Merged { .. }
            | Event::SplitInto { .. }
            | Event::Ended { .. }
    )
}
