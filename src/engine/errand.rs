//! What is done at a forge beside the loop: a push, a pull request, a merge, a look. A slow forge keeps no other feature
//! waiting. An errand journals what it does outside; when the same effect is performed again, its end is taken and shown in
//! the notes.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::event_loop::Engine;
use super::flight::{Ended, Flight};
use crate::domain::{GitId, PullRequestView, RunId, Step, StepKey};

/// What is done at a forge for one run; the commit is the head that it is done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Errand {
    Publish(GitId),
    Merge(GitId),
    /// The target branch into the run's.
    Update(GitId),
    Close,
    /// The end of what was made for the pull request alone.
    Tidy,
    /// What a review found in somebody else's pull request.
    Post(GitId),
}

impl Errand {
    fn step(&self) -> Step {
        match self {
            Self::Publish(_) | Self::Post(_) => Step::Publish,
            Self::Merge(_) | Self::Update(_) | Self::Close | Self::Tidy => Step::Merge,
        }
    }
}

/// What is known of pull requests, and what is being asked.
#[derive(Default)]
pub(super) struct Abroad {
    /// What the last looks showed.
    pub seen: BTreeMap<RunId, PullRequestView>,
    /// When the target branch was last asked whether it holds a run's work.
    pub target_asked: BTreeMap<RunId, Instant>,
    /// When the forge was last asked for a run's pull request.
    pub forge_asked: BTreeMap<RunId, Instant>,
    /// Looks under way, each with its number: an answer to an earlier one is out of date.
    pub looking: BTreeMap<RunId, u64>,
    pub looks: u64,
    ended: BTreeMap<RunId, (Errand, Result<(), EngineError>)>,
}

impl Abroad {
    /// What was seen of a run's pull request does not hold any more.
    pub fn forget(&mut self, run: &RunId) {
        self.seen.remove(run);
        self.target_asked.remove(run);
        self.forge_asked.remove(run);
        self.looking.remove(run);
    }

    pub fn retain(&mut self, is_wanted: impl Fn(&RunId) -> bool) {
        self.seen.retain(|run, _| is_wanted(run));
        self.target_asked.retain(|run, _| is_wanted(run));
        self.forge_asked.retain(|run, _| is_wanted(run));
        self.looking.retain(|run, _| is_wanted(run));
    }
}

impl Engine {
    /// How this errand ended, if it did; told once.
    pub(super) fn errand_end(&mut self, run: &RunId, errand: &Errand) -> Option<Result<(), EngineError>> {
        let (ended, result) = self.abroad.ended.remove(run)?;
        (ended == *errand).then_some(result)
    }

    /// Begins an errand; its run counts as being at work until it ends. `work` is given the sign to stop.
    pub(super) fn begin_errand<W>(
        &mut self,
        run: &RunId,
        errand: Errand,
        work: impl FnOnce(CancellationToken) -> W,
    ) where
        W: Future<Output = Result<(), EngineError>> + Send + 'static,
    {
        let round = self.state(run).ok().and_then(|state| state.last_try().map(|step| step.key.round));
        let key = StepKey::new(errand.step(), round.unwrap_or(1));
        let cancel = CancellationToken::new();
        // A look that is under way shows what was before.
        self.abroad.looking.remove(run);
        self.abroad.ended.remove(run);
        self.in_flight.insert(run.clone(), Flight { key, cancel: cancel.clone() });
        let (done, run) = (self.done_sender.clone(), run.clone());
        let work = tokio::spawn(work(cancel));
        tokio::spawn(async move {
            let result = work.await.unwrap_or_else(|error| Err(error.into()));
            // The receiver lives in the engine; without one nobody waits for the end.
            let _ = done.send(Ended::Errand { run, errand, result });
        });
    }

    /// Keeps the end of an errand for the effect that it belongs to. One that was told to stop has none.
    pub(super) fn errand_ended(&mut self, run: RunId, errand: Errand, result: Result<(), EngineError>) {
        let stopped = self.in_flight.remove(&run).is_some_and(|flight| flight.cancel.is_cancelled());
        if !stopped {
            self.abroad.ended.insert(run, (errand, result));
        }
    }

    /// Whether the forge is being asked something that decides what this run waits for.
    pub(super) fn is_abroad(&self, run: &RunId) -> bool {
        let at_forge = self.in_flight.get(run).is_some_and(|flight| flight.key.step.is_at_forge());
        let first_look = self.abroad.looking.contains_key(run) && !self.abroad.seen.contains_key(run);
        at_forge || first_look
    }

    /// Waits until every look and errand that was begun has ended.
    pub(super) async fn wait_for_forge(&mut self, stop: &CancellationToken) -> Result<(), EngineError> {
        while !(stop.is_cancelled() || self.is_still()) {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.done.recv() => self.take_ended(ended)?,
            }
        }
        Ok(())
    }
}
