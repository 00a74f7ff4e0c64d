//! What a start does before the first decision: finishes moves that a crash cut off, and commits what was written but
//! not committed. Everything else resumes from the journals by itself.

use super::EngineError;
use super::event_loop::Engine;
use super::observe::Observation;
use super::transition::NoteChange;
use crate::domain::{Event, Record, RunState, Status, parse_move};

impl Engine {
    /// Brings every run that a crash left between intent and commit to a clean state.
    pub(super) fn recover(&mut self, look: &Observation) -> Result<(), EngineError> {
        for run in self.book.all() {
            if look.feature(&run.id.feature).is_none() {
                continue;
            }
            if let Some(to) = self.unfinished_move(&run) {
                self.go(look, &run.id, to, NoteChange::default())?;
            } else if self.wrote_uncommitted(&run)? {
                let what = "finished what a crash cut off";
                self.project(look, &run.id, NoteChange::default(), what, "recovered")?;
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

    /// Whether the journal tells of a write that the last commit does not have.
    fn wrote_uncommitted(&self, run: &RunState) -> Result<bool, EngineError> {
        let (run_note, _) = self.book.files(&run.id)?;
        let journal = crate::domain::NotePath::new(format!("{}/journal.jsonl", run_note.folder()))?;
        let committed = self.history.committed_text(&journal)?.unwrap_or_default();
        let known = committed.lines().count();
        // Records count from 1 without gaps.
        if u64::try_from(known).is_ok_and(|known| known >= run.last_seq) {
            return Ok(false);
        }
        let is_write = |record: &Record| {
            matches!(
                record.event,
                Event::Completed { .. }
                    | Event::BlockWritten { .. }
                    | Event::StepFinished { .. }
                    | Event::Ended { .. }
                    | Event::Braked { .. }
                    | Event::Approved { .. }
                    | Event::Resumed { .. }
                    | Event::Merged { .. }
                    | Event::SplitInto { .. }
            )
        };
        Ok(self.book.records(&run.id)?.iter().skip(known).any(is_write))
    }
}
