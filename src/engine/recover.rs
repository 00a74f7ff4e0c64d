//! What a start does before the first decision: finishes moves that a crash cut off, and commits what was written but
//! not committed. Everything else resumes from the journals by itself.

use super::EngineError;
use super::book::run_folder;
use super::event_loop::Engine;
use super::observe::Observation;
use super::publish::proven_criteria;
use super::transition::NoteChange;
use crate::domain::{Event, NotePath, RunState, Status, is_below, parse_move};
use crate::note::PropertyValue;
use crate::vault::{Intended, VaultError, VaultLock, finish_move, sweep_kept, sweep_temporaries};

impl Engine {
    /// Finishes what a crash cut off in the middle of writing: locks, a move whose links were not all mended, files put
    /// aside. Gives the commits that were intended and not made, and whether notes are others than before.
    pub(super) fn finish_writing(
        &mut self,
        look: &Observation,
    ) -> Result<(Vec<Intended>, bool), EngineError> {
        let lock = VaultLock::acquire(&self.vault)?;
        self.history.repair(&lock)?;
        let moved = finish_move(&lock, &self.vault, &look.scan)?;
        let (mut cut_off, own) = self.history.cut_off(&lock)?;
        self.own = own;
        let mut wrote = moved.is_some();
        if let (Some(moved), Some(last)) = (moved, cut_off.last_mut()) {
            last.paths.extend(moved.touched);
        }
        wrote |= !sweep_kept(&lock, &self.vault)?.is_empty();
        sweep_temporaries(&lock, &self.vault)?;
        Ok((cut_off, wrote))
    }

    /// Brings every run that a crash left between intent and commit to a clean state, then makes the commits that are
    /// still owed.
    pub(super) fn recover(&mut self, look: &Observation, cut_off: &[Intended]) -> Result<(), EngineError> {
        self.recover_runs(look, cut_off)?;
        if cut_off.is_empty() {
            return Ok(());
        }
        let lock = VaultLock::acquire(&self.vault)?;
        for commit in cut_off {
            // A move that was not made is decided anew.
            if commit.to.as_ref().is_none_or(|to| self.vault.absolute(to).is_ok_and(|to| to.exists())) {
                self.commit_cut_off(&lock, look, commit)?;
            }
        }
        self.history.all_fulfilled(&lock)?;
        Ok(())
    }

    /// Makes one commit that a crash kept from being made, what a human wrote since under the human's name.
    fn commit_cut_off(
        &self,
        lock: &VaultLock,
        look: &Observation,
        commit: &Intended,
    ) -> Result<(), EngineError> {
        let runs = look.folders.runs();
        let (mut ours, mut theirs) = (vec![], vec![]);
        for path in &commit.paths {
            let text = match self.vault.read(path) {
                Ok(text) => text,
                Err(VaultError::Missing { .. }) => {
                    ours.push(path.clone());
                    continue;
                }
                Err(_) => continue,
            };
            let is_new = self.history.committed_text(path)?.is_none();
            let is_ours = is_below(path.as_str(), runs) || self.own.contains(path, &text);
            if is_ours || (is_new && commit.to.as_ref() != Some(path)) {
                ours.push(path.clone());
            } else if is_new {
                theirs.push(path.clone());
            }
        }
        if let Some(to) = theirs.first()
            && !self.is_moved_as_it_was(commit, to)?
        {
            theirs.extend(ours.iter().filter(|path| self.vault.read(path).is_err()).cloned());
            self.history.commit_human(lock, &theirs)?;
        }
        ours.extend(theirs);
        self.history.commit(lock, &ours, &commit.message)?;
        Ok(())
    }

    /// Whether a moved note holds the text that the last commit has at its old place.
    fn is_moved_as_it_was(&self, commit: &Intended, to: &NotePath) -> Result<bool, EngineError> {
        let now = self.vault.read(to)?;
        for path in commit.paths.iter().filter(|path| *path != to && path.file_name() == to.file_name()) {
            if self.history.committed_text(path)?.is_some_and(|before| before == now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn recover_runs(&mut self, look: &Observation, cut_off: &[Intended]) -> Result<(), EngineError> {
        for run in self.book.all() {
            if run.proposed.is_some() {
                if !self.uncommitted(&run)?.is_empty() {
                    self.review_ended(&run.id, "finished what a crash cut off")?;
                }
                continue;
            }
            // A run of another machine is recovered there.
            if look.feature(&run.id.feature).is_none_or(|view| view.claimed_by.is_some()) {
                continue;
            }
            let uncommitted = self.uncommitted(&run)?;
            let intended = || cut_off.iter().filter(|commit| commit.message.is_of(&run.id.feature));
            let also = intended().flat_map(|commit| commit.paths.clone()).collect();
            let change = self.left_over(&run, &uncommitted).with(also);
            if let Some(to) = self.unfinished_move(&run) {
                self.go(look, &run.id, to, change)?;
            } else if uncommitted.iter().any(is_shown) {
                match intended().next_back() {
                    Some(commit) => {
                        let view = self.view(look, &run.id.feature)?;
                        let message = commit.message.clone();
                        self.scribe().write(look, &view.feature, Some(&run.id), &change, message)?;
                    }
                    None => {
                        let what = "finished what a crash cut off";
                        self.project(look, &run.id, change, what, "recovered")?;
                    }
                }
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
                | Event::ReviewAsked { .. }
                | Event::Reworked { .. }
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
pub(super) fn is_shown(event: &Event) -> bool {
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
            | Event::ReviewAsked { .. }
            | Event::Reworked { .. }
            | Event::BranchUpdated { .. }
            | Event::Braked { .. }
            | Event::PullRequestOpened { .. }
            | Event::Merged { .. }
            | Event::SplitInto { .. }
            | Event::Ended { .. }
    )
}
