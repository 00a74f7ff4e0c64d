//! Looks at pull requests: what the forge shows and whether the target branch has the work. What is asked over the network
//! goes on beside the loop; the last answer stands until the next one.

use std::time::{Duration, Instant};

use super::event_loop::Engine;
use super::failure::Failure;
use super::flight::Ended;
use super::observe::Observation;
use super::{EngineError, redact};
use crate::domain::{
    FeatureView, ForgeKind, PullRequestRef, PullRequestState, PullRequestView, RunId, RunState,
};
use crate::forge::{Forge, LocalForge};
use crate::workspace::Workspace;

/// How long the target branch is not asked again whether a pull request's head is in it: asking fetches.
const TARGET_FRESH: Duration = Duration::from_secs(20);

/// What a look showed, and what was asked for it.
pub(super) struct Sighting {
    seen: PullRequestView,
    asked_forge: bool,
    asked_target: bool,
}

impl Engine {
    /// Looks at the pull requests of all runs under review. A look that fails leaves the last one standing.
    pub(super) async fn look_at_pull_requests(&mut self, look: &Observation) {
        let waiting: Vec<RunId> = look
            .snapshot
            .features
            .iter()
            .filter_map(FeatureView::live_run)
            .filter(|run| run.pr.is_some())
            .map(|run| run.id.clone())
            .collect();
        self.abroad.retain(|run| waiting.contains(run));
        for run in waiting {
            let rests = self.failures.get(&run.to_string()).is_some_and(Failure::rests);
            // While something is done there, a look shows neither before nor after.
            let is_busy = self.in_flight.get(&run).is_some_and(|flight| flight.key.step.is_at_forge());
            if rests || is_busy || self.abroad.looking.contains_key(&run) {
                continue;
            }
            if let Err(error) = self.begin_look(look, &run).await {
                self.complain(&run.to_string(), &error, error.may_pass());
            }
        }
    }

    /// Begins what of a look is due. The built-in forge is read at once: what a human ticked there counts now.
    async fn begin_look(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let Some(pr) = state.pr.clone() else { return Ok(()) };
        let forge = self.forge_of(look, &state, &pr)?;
        let mut before = self.abroad.seen.get(run).cloned();
        if let (Some(known), ForgeKind::Local) = (&before, pr.forge) {
            let reachable = known.reachable;
            before = Some(PullRequestView { reachable, ..forge.look(&pr).await? });
        }
        if let Some(known) = &mut before {
            leave_out_heard(known, &state);
            self.abroad.seen.insert(run.clone(), known.clone());
        }
        let is_fresh = |asked: Option<&Instant>, holds| asked.is_some_and(|at| at.elapsed() < holds);
        let holds =
            pr.forge == ForgeKind::Local || is_fresh(self.abroad.forge_asked.get(run), forge.look_holds());
        let ask_target = !before.as_ref().is_some_and(|known| known.reachable)
            && !is_fresh(self.abroad.target_asked.get(run), TARGET_FRESH);
        let before = before.filter(|_| holds);
        if before.is_some() && !ask_target {
            return Ok(());
        }
        let workspace = self.workspace(look, self.view(look, &run.feature)?, &state)?;
        let (id, merged, head) = (run.clone(), state.merged.clone(), state.pr_head.clone());
        let (target, known) =
            (state.target_branch.clone(), before.as_ref().is_some_and(|seen| seen.reachable));
        let asks_queue = state.was_queued();
        let sight = async move {
            let asked_forge = before.is_none();
            let mut seen = match before {
                Some(seen) => seen,
                None => forge.look(&pr).await?,
            };
            seen.reachable |= known;
            if asked_forge && asks_queue && seen.state == PullRequestState::Open {
                seen.queued |= forge.is_queued(&pr).await?;
            }
            let head = merged.or_else(|| seen.merged_as.clone()).or(head);
            if let Some(head) = head.filter(|_| ask_target) {
                let workspace = Workspace::clone(&workspace).with_credential(forge.credential().await?);
                seen.reachable =
                    tokio::task::spawn_blocking(move || workspace.is_reachable(&id, &head, &target))
                        .await??;
            }
            Ok(Sighting { seen, asked_forge, asked_target: ask_target })
        };
        self.abroad.looks += 1;
        let number = self.abroad.looks;
        self.abroad.looking.insert(run.clone(), number);
        let (done, run) = (self.done_sender.clone(), run.clone());
        let sight = tokio::spawn(sight);
        tokio::spawn(async move {
            let sighting = sight.await.unwrap_or_else(|error| Err(error.into()));
            // The receiver lives in the engine; without one nobody waits for the answer.
            let _ = done.send(Ended::Look { run, number, sighting });
        });
        Ok(())
    }

    /// Takes the answer to a look, unless something was done since that makes it out of date.
    pub(super) fn look_ended(
        &mut self,
        run: RunId,
        number: u64,
        sighting: Result<Sighting, EngineError>,
    ) -> Result<(), EngineError> {
        if self.abroad.looking.get(&run) != Some(&number) {
            return Ok(());
        }
        self.abroad.looking.remove(&run);
        match sighting {
            Ok(Sighting { mut seen, asked_forge, asked_target }) => {
                self.failures.remove(&run.to_string());
                leave_out_heard(&mut seen, &*self.state(&run)?);
                if let Some(known) = self.abroad.seen.get(&run).filter(|_| !asked_forge) {
                    seen = PullRequestView { reachable: seen.reachable, ..known.clone() };
                }
                let now = Instant::now();
                if asked_forge {
                    self.abroad.forge_asked.insert(run.clone(), now);
                }
                if asked_target {
                    self.abroad.target_asked.insert(run.clone(), now);
                }
                self.abroad.seen.insert(run, seen);
            }
            Err(error) => self.complain(&run.to_string(), &error, error.may_pass()),
        }
        Ok(())
    }
}

/// What the local forge says of a run's pull request, without the feedback that the run took up already. Whether
/// its head is reachable is not asked here.
pub(super) async fn seen_here(
    forge: &LocalForge,
    state: &RunState,
    pr: &PullRequestRef,
) -> Result<PullRequestView, EngineError> {
    let mut seen = forge.look(pr).await?;
    leave_out_heard(&mut seen, state);
    Ok(seen)
}

/// Feedback is compared as the journal keeps it: without secrets.
fn leave_out_heard(seen: &mut PullRequestView, state: &RunState) {
    for each in &mut seen.feedback {
        each.text = redact::text(&each.text);
        each.evidence = redact::text(&each.evidence);
    }
    seen.feedback.retain(|each| !state.heard.contains(&each.key()));
}
