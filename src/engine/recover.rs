//! What a start does before the first decision: finishes moves that a crash cut off, and commits what was written but
//! not committed. Everything else resumes from the journals by itself.

use super::EngineError;
use super::event_loop::Engine;
use super::observe::Observation;
use super::transition::NoteChange;
use crate::domain::{Event, RunState, Status, parse_move};

impl Engine {
    /// Brings every run that a crash left between intent and commit to a clean state.
    pub(super) fn recover(&mut self, look: &Observation) -> Result<(), EngineError> {
        for run in self.book.all() {
            if look.feature(&run.id.feature).is_none() {
                continue;
            }
            let uncommitted = self.uncommitted(&run)?;
            // A tick that stood there before the question is no answer to it.
            let asks = |event: &Event| matches!(event, Event::Braked { .. } | Event::ApprovalAsked { .. });
            let change = NoteChange { untick: uncommitted.iter().any(asks), ..NoteChange::default() };
            if let Some(to) = self.unfinished_move(&run) {
                self.go(look, &run.id, to, change)?;
            } else if uncommitted.iter().any(is_write) {
                self.project(look, &run.id, change, "finished what a crash cut off", "recovered")?;
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

    /// What the journal tells and the last commit does not have.
    fn uncommitted(&self, run: &RunState) -> Result<Vec<Event>, EngineError> {
        let (run_note, _) = self.book.files(&run.id)?;
        let journal = crate::domain::NotePath::new(format!("{}/journal.jsonl", run_note.folder()))?;
        let committed = self.history.committed_text(&journal)?.unwrap_or_default();
        let known = committed.lines().count();
        // Records count from 1 without gaps.
        if u64::try_from(known).is_ok_and(|known| known >= run.last_seq) {
            return Ok(vec![]);
        }
        Ok(self.book.records(&run.id)?.into_iter().skip(known).map(|record| record.event).collect())
    }
}

/// Whether an event is followed by a write into the notes.
fn is_write(event: &Event) -> bool {
    matches!(
        event,
        Event::Completed { .. }
            | Event::BlockWritten { .. }
            | Event::StepFinished { .. }
            | Event::Ended { .. }
            | Event::Braked { .. }
            | Event::ApprovalAsked { .. }
            | Event::Approved { .. }
            | Event::Resumed { .. }
            | Event::Merged { .. }
            | Event::SplitInto { .. }
    )
}
