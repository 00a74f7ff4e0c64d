//! Why nothing happens, written where the human looks: `waiting_on` and the `why` block. Written only when it differs
//! from what stands there.

use super::event_loop::Engine;
use super::observe::Observation;
use super::transition::NoteChange;
use super::{EngineError, Said};
use crate::domain::{Decision, DecisionKind, FeatureView, Wait};
use crate::note;
use crate::report::render;

/// Notes with these errors are never written to: their text cannot be trusted to be what it seems.
const NEVER_WRITE: [&str; 4] = ["conflict-markers", "note-too-large", "marker-damage", "duplicate-id"];

impl Engine {
    /// Writes or clears the wait of one feature. Says whether the note changed.
    pub(super) fn explain(&mut self, look: &Observation, decision: &Decision) -> Result<bool, EngineError> {
        let Some(view) = look.at(&decision.path) else { return Ok(false) };
        let untouchable = |diagnostic: &crate::domain::Diagnostic| {
            diagnostic.is_error() && NEVER_WRITE.contains(&diagnostic.code.as_str())
        };
        // What another machine's run waits for, that machine says.
        if view.claimed_by.is_some() && !view.asked {
            return Ok(false);
        }
        if view.settling || view.feature.diagnostics.iter().any(untouchable) {
            return Ok(false);
        }
        // What is being done there, or seen for the first time, decides what it waits for.
        if view.live_run().is_some_and(|run| self.is_abroad(&run.id)) {
            return Ok(false);
        }
        let wait = match &decision.verdict {
            DecisionKind::Wait { wait } if wait.needs_human => Some(wait.clone()),
            _ => None,
        };
        let says_it = self.stands(look, view, wait.as_ref());
        if says_it && !(view.owed && wait.is_some()) {
            return Ok(false);
        }
        if view.held_at(look.snapshot.now).is_some() {
            self.unsaid = true;
            return Ok(false);
        }
        let label = view.feature.label().to_owned();
        let subject = match &wait {
            Some(wait) => format!("{label}: waits for {}", short(&wait.on)),
            None => format!("{label}: waits no longer"),
        };
        let change = NoteChange { wait: Some(wait.clone()), ..NoteChange::default() };
        let run = view.live_run().map(|run| run.id.clone());
        let message = super::transition::message(subject, &label, view.live_run(), "explained");
        self.scribe().write(look, &view.feature, run.as_ref(), &change, message)?;
        if let Some(run) = &run {
            self.set_owed(run, false);
        }
        if let Some(wait) = wait.filter(|_| !says_it) {
            self.say(&Said::Waits { feature: label, on: wait.on, unblock: wait.unblock });
        }
        Ok(true)
    }

    fn stands(&self, look: &Observation, view: &FeatureView, wait: Option<&Wait>) -> bool {
        let present = view.feature.blocks.get("why");
        match wait {
            None => present.is_none() && view.feature.properties.waiting_on.is_none(),
            Some(wait) => {
                let wanted = render::why_block(wait, &view.feature.diagnostics);
                let text = look.scan.note(&view.feature.path);
                let standing = text
                    .and_then(|scanned| note::blocks(&scanned.text()).ok())
                    .and_then(|blocks| blocks.into_iter().find(|block| block.name == "why"));
                standing.is_some_and(|block| block.content.trim() == wanted.trim())
            }
        }
    }
}

/// The first line, at most 60 characters: commit subjects stay readable.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 60 {
        format!("{}…", line.chars().take(59).collect::<String>())
    } else {
        line.to_owned()
    }
}
