//! How often notes are written: not again right after a write, and not while a human types in one that a move would mend.
//!
//! Does not know what is decided about it; `decide` holds what must wait.

use std::sync::PoisonError;
use std::time::SystemTime;

use jiff::Timestamp;

use super::EngineError;
use super::event_loop::Engine;
use super::observe::{Observation, fresh_until};
use super::recover::is_shown;
use super::transition::{NoteChange, text_after};
use crate::domain::{Effect, FeatureView, Hold, HoldReason, NotePath, RunId, RunState, Shared, is_below};
use crate::vault::{ScannedNote, canvases_and_bookmarks, mended_among};

impl Engine {
    /// Why this effect has to wait: its move would mend a link in a note that is being typed.
    pub(super) fn link_being_typed(
        &mut self,
        look: &Observation,
        path: &NotePath,
        effect: &Effect,
    ) -> Result<Option<Hold>, EngineError> {
        self.held.retain(|_, hold| hold.until > look.snapshot.now);
        let (Some(to), Some(view)) = (effect.destination(), look.at(path)) else { return Ok(None) };
        if self.books_only {
            return Ok(None);
        }
        let mut moves: Vec<(NotePath, NotePath)> =
            self.left(look, view)?.into_iter().map(|from| (from, path.clone())).collect();
        if look.folders.status_of(path) != Some(to) {
            moves.push((path.clone(), path.moved_to(&look.folders.status(to))?));
        }
        let typed = if moves.is_empty() { vec![] } else { self.being_typed(look)? };
        let typed: Vec<&(NotePath, Timestamp)> = typed.iter().filter(|(typed, _)| typed != path).collect();
        if typed.is_empty() {
            return Ok(None);
        }
        let held = moves.iter().find_map(|a_move| {
            let among = typed.iter().map(|(path, _)| path);
            let mended = mended_among(&self.vault, a_move, &look.scan, among)?;
            let (note, until) = typed.iter().find(|(path, _)| *path == mended)?;
            Some(Hold { until: *until, why: HoldReason::LinkTyped(note.clone()) })
        });
        Ok(held)
    }

    /// Where a human moved a note from, as far as its links are not mended yet.
    fn left(&self, look: &Observation, view: &FeatureView) -> Result<Vec<NotePath>, EngineError> {
        let path = &view.feature.path;
        let Some(id) = view.feature.id.as_ref().filter(|id| !look.left_behind(id).is_empty()) else {
            return Ok(vec![]);
        };
        if self.history.committed_text(path)?.is_some() {
            return Ok(vec![]);
        }
        Ok(look.left_behind(id).iter().filter(|at| look.scan.note(at).is_none()).cloned().collect())
    }

    /// Files that hold links and changed within the quiet period, but for what is committed as it is; each with the time
    /// when it is left alone.
    fn being_typed(&self, look: &Observation) -> Result<Vec<(NotePath, Timestamp)>, EngineError> {
        let now = look.snapshot.now;
        let quiet = look.snapshot.config.settings.quiet_seconds;
        let fresh = |modified: Timestamp| fresh_until(modified, quiet, now);
        let runs = look.folders.runs();
        let committed = self.history.committed_features()?;
        let is_committed = |note: &ScannedNote| committed.text_at(&note.path) == Some(note.blob);
        let notes = look.scan.notes.iter().filter(|note| !is_below(note.path.as_str(), runs));
        let fresh_notes = notes.filter_map(|note| Some((note, fresh(note.modified)?)));
        let mut typed: Vec<(NotePath, Timestamp)> = fresh_notes
            .filter(|(note, _)| !is_committed(note))
            .map(|(note, until)| (note.path.clone(), until))
            .collect();
        for path in canvases_and_bookmarks(&self.vault, &look.scan) {
            let modified = std::fs::metadata(self.vault.root().join(path.as_str()))
                .and_then(|metadata| metadata.modified())
                .unwrap_or(SystemTime::UNIX_EPOCH);
            let until = Timestamp::try_from(modified).ok().and_then(fresh);
            typed.extend(until.map(|until| (path, until)));
        }
        let mut of_human = vec![];
        for (path, until) in typed {
            let text = self.vault.read(&path).ok();
            if text.is_some() && text != self.history.committed_text(&path)? {
                of_human.push((path, until));
            }
        }
        Ok(of_human)
    }

    /// Whether what a run did is shown in its note later: the note was written just now.
    pub(super) fn shows_later(&self, look: &Observation, view: &FeatureView) -> bool {
        let hold = view.held_at(look.snapshot.now);
        hold.is_some_and(|hold| hold.why == HoldReason::JustWritten)
    }

    /// Notes down that a run's note does not show all, or that it does.
    pub(super) fn set_owed(&self, run: &RunId, owed: bool) {
        let mut all = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        if owed {
            all.insert(run.clone());
        } else {
            all.remove(run);
        }
    }

    /// Finds the live runs whose notes a crash left behind their journals. What happened since something was last to be
    /// shown, such as a step that only began, is shown with the next thing.
    pub(super) fn find_owed(&mut self) -> Result<(), EngineError> {
        if self.book.all().iter().all(|run| run.ended.is_some()) {
            return Ok(());
        }
        let look = self.look()?;
        for view in &look.snapshot.features {
            let Some(run) = view.live_run().filter(|_| view.claimed_by.is_none()) else { continue };
            let records = self.book.records(&run.id)?;
            let last = records.iter().rposition(|record| is_shown(&record.event));
            let Some(shown) = last.and_then(|last| RunState::fold(&records[..=last])) else { continue };
            let mut runs = view.runs.clone();
            runs.pop();
            runs.push(shown.into());
            if is_stale(&look, view, &runs) {
                self.set_owed(&run.id, true);
            }
        }
        Ok(())
    }
}

/// Whether the note says other things than its runs.
fn is_stale(look: &Observation, view: &FeatureView, runs: &[Shared<RunState>]) -> bool {
    let Some(note) = look.scan.note(&view.feature.path) else { return false };
    let (text, state) = (note.text(), runs.last().map(|run| &**run));
    let change = NoteChange::default();
    text_after(&text, &view.feature, state, runs, look.folders.runs(), &change)
        .is_ok_and(|after| *after != *text)
}
