//! What keeping the books would write into notes, as texts before and after; writes nothing itself.

use super::observe::Observation;
use super::reader::Seen;
use super::transition::{NoteChange, text_after};
use super::{EngineError, RunBook};
use crate::domain::{Effect, FeatureView, NotePath, RunId};
use crate::report::render;
use crate::vault::Vault;

/// A note as it is and as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    pub path: NotePath,
    /// Where it would lie.
    pub to: NotePath,
    pub before: String,
    pub after: String,
}

impl Seen {
    /// The notes that keeping the books once would write, by path.
    pub fn rewrites(&self, vault: &Vault) -> Result<Vec<Rewrite>, EngineError> {
        let look = &self.observation;
        let mut rewrites = vec![];
        for (decision, effect) in self.plan.effects() {
            let (change, to) = match effect {
                Effect::Align { path, status } => {
                    (NoteChange::default().go(*status), path.moved_to(&look.folders.status(*status))?)
                }
                Effect::AssignId { path, id } => (NoteChange::with_id(id), path.clone()),
                _ => continue,
            };
            let rewritten = look.at(&decision.path).and_then(|view| rewrite(look, view, None, &change));
            rewrites.extend(rewritten.map(|rewritten| Rewrite { to, ..rewritten }));
        }
        for run in stale(look, &self.book, vault)? {
            let Some(view) = look.snapshot.feature(&run.feature) else { continue };
            rewrites.extend(rewrite(look, view, Some(&run), &NoteChange::default()));
            let (path, before, after) = run_note(&self.book, vault, view, &run)?;
            if before != after {
                rewrites.push(Rewrite { to: path.clone(), path, before, after });
            }
        }
        rewrites.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(rewrites)
    }
}

/// Runs whose note or blocks are not what their journal says: edited or deleted by accident, or written by an older
/// version. Only the last run of a feature is shown in its note.
pub(super) fn stale(look: &Observation, book: &RunBook, vault: &Vault) -> Result<Vec<RunId>, EngineError> {
    let mut stale = vec![];
    for view in look.snapshot.features.iter().filter(|view| !view.settling && view.in_flight.is_none()) {
        let Some(state) = view.run() else { continue };
        let (_, before, after) = run_note(book, vault, view, &state.id)?;
        if before != after || rewrite(look, view, Some(&state.id), &NoteChange::default()).is_some() {
            stale.push(state.id.clone());
        }
    }
    Ok(stale)
}

/// The feature's note before and after a change; `None` where it would stay as it is or cannot be edited.
fn rewrite(
    look: &Observation,
    view: &FeatureView,
    run: Option<&RunId>,
    change: &NoteChange,
) -> Option<Rewrite> {
    let path = &view.feature.path;
    let before = look.scan.note(path)?.text().to_string();
    let state = run.and_then(|run| view.runs.iter().find(|state| state.id == *run)).map(|state| &**state);
    let after = text_after(&before, &view.feature, state, &view.runs, look.folders.runs(), change).ok()?;
    let moves = change.to.is_some_and(|to| look.folders.status_of(path) != Some(to));
    (before != after || moves).then(|| Rewrite { path: path.clone(), to: path.clone(), before, after })
}

/// Path of `run.md`, what it says and what it should say.
fn run_note(
    book: &RunBook,
    vault: &Vault,
    view: &FeatureView,
    run: &RunId,
) -> Result<(NotePath, String, String), EngineError> {
    let path = NotePath::new(format!("{}/{run}/run.md", vault.folders()?.runs()))?;
    let state = book.state(run).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
    let after = render::run_note(&state, &book.records(run)?, &view.feature.title);
    let before = vault.read(&path).unwrap_or_default();
    Ok((path, before, after))
}
