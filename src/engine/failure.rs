//! What could not be done: said once, tried again later, and handed to a human when that does not help.

use std::time::{Duration, Instant};

use super::event_loop::Engine;
use super::observe::Observation;
use super::transition::NoteChange;
use super::{EngineError, Said};
use crate::domain::{Brake, Effect, Event};

/// Tries of a push or merge that may pass, before a human is asked.
const MOST_TRIES: u32 = 5;

/// Something that could not be done for a feature.
pub(super) struct Failure {
    what: String,
    tries: u32,
    may_pass: bool,
    not_before: Instant,
}

impl Failure {
    pub(super) fn rests(&self) -> bool {
        Instant::now() < self.not_before
    }

    pub(super) fn is_tried_again(&self) -> bool {
        self.may_pass && self.tries < MOST_TRIES
    }
}

impl Engine {
    /// An effect that failed is tried again later; one that cannot succeed stops the run with its reason.
    pub(super) fn failed(
        &mut self,
        look: &Observation,
        feature: &str,
        effect: &Effect,
        error: &EngineError,
    ) -> Result<bool, EngineError> {
        self.complain(feature, error, error.may_pass());
        let (Effect::Publish { run } | Effect::Merge { run } | Effect::Update { run }) = effect else {
            return Ok(false);
        };
        if self.failures.get(feature).is_some_and(Failure::is_tried_again) {
            return Ok(false);
        }
        self.failures.remove(feature);
        let detail = format!("cannot {}: {}", effect.in_words(), error.with_remedy());
        self.book.append(run, Event::Braked { brake: Brake::StepFailed, detail })?;
        let what = format!("stopped: {}", Brake::StepFailed);
        self.project(look, run, NoteChange::default().untick(), &what, "braked")?;
        Ok(true)
    }

    /// Says an error once, not at every look, and remembers when the effect may be tried again.
    pub(super) fn complain(&mut self, feature: &str, error: &EngineError, may_pass: bool) {
        let what = format!("{feature}: {}", error.with_remedy());
        let before = self.failures.remove(feature);
        if before.as_ref().is_none_or(|before| before.what != what) {
            self.say(&Said::Problem { what: what.clone() });
        }
        let named = error.not_before().map(|at| at.duration_since(jiff::Timestamp::now()));
        // Being told to come later is no failed try.
        let tries = before.map_or(0, |before| before.tries) + u32::from(named.is_none());
        let pause = match named {
            Some(wait) => Duration::try_from(wait).unwrap_or_default(),
            None => Duration::from_secs(1 << tries.min(6)),
        };
        let failure = Failure { what, tries, may_pass, not_before: Instant::now() + pause };
        self.failures.insert(feature.to_owned(), failure);
    }
}
