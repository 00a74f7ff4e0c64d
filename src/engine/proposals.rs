//! Reviews of pull requests that somebody else wrote: found at their forge, read by the reviewer beside the loop, and said
//! there once for each head. A review is a run without a note (ADR 19): its journal is what the day's caps and `audit` see.
//!
//! Merges, approves and closes nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::earlier::Earlier;
use super::errand::Errand;
use super::event_loop::Engine;
use super::flight::Launch;
use super::observe::{Observation, worktrees_folder};
use super::publish::answer;
use super::review_report::{Reviewed, found_in, is_posted, not_reviewed, report};
use super::transition::message;
use super::{EngineError, Said, redact};
use crate::decide;
use crate::domain::{
    AgentConfig, Backend, BranchName, Diagnostic, Event, FeatureBrief, FeatureId, FeatureType, ForgeKind,
    Instruction, Proposal, PullRequestRef, PullRequestState, REVIEW_PREFIX, RepoName, Repository, Role,
    RunEnd, RunId, RunState, Shared, Status, Step, StepKey, StepRequest, StepResult, Wait,
};
use crate::forge::Answer;
use crate::report::render;
use crate::workspace::Workspace;

/// The only step of a review.
const KEY: StepKey = StepKey { step: Step::Review, round: 1 };
/// What a review waits for that another machine makes.
pub(super) const ANOTHER_MACHINE: &str = "another machine";
/// Before an end that could not be written down is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewOrder {
    /// Number or address.
    pub name: String,
    /// Where a number alone does not say which repository is meant.
    pub repo: Option<RepoName>,
    /// Say at the forge what was found.
    pub post: bool,
    /// Review a head anew that was reviewed before.
    pub again: bool,
}

/// A pull request with the repository that it is proposed to.
pub(super) struct Found {
    pub repository: Repository,
    pub proposal: Proposal,
}

/// What came of the wish for a review.
pub(super) enum Begun {
    AtWork(RunId),
    /// This head was reviewed before.
    Known(RunId),
    Waits(Wait),
}

impl Engine {
    /// Reviews one pull request and comes to an end.
    ///
    /// # Errors
    /// `NotReviewed` where it is not there, not open, ado-vault's own or could not be read; what a forge or the vault say.
    pub async fn review(
        &mut self,
        order: &ReviewOrder,
        stop: &CancellationToken,
    ) -> Result<Reviewed, EngineError> {
        let look = self.look()?;
        if let Some(why) = &look.paused {
            return Err(EngineError::Unwritable(why.clone()));
        }
        self.hear_of_claims().await?;
        let found = self.find_proposal(&look, order).await?;
        let reason = format!("{} at {}", found.proposal.pr, found.proposal.head.short());
        let (run, known) = match self.begin_review(&look, &found, order.again, &reason).await? {
            Begun::AtWork(run) => (run, false),
            Begun::Known(run) => (run, true),
            Begun::Waits(wait) => return Ok(Reviewed::Waits(wait)),
        };
        self.wait_for(&run, stop).await?;
        let state = self.state(&run)?;
        let Some(review) = state.review.clone() else { return not_reviewed(&state) };
        if order.post && !is_posted(&state) && !review.template {
            self.begin_post(&look, &run)?;
            self.wait_for(&run, stop).await?;
            self.posted(&run)?;
        }
        Ok(Reviewed::Done(Box::new(report(&*self.state(&run)?, review, known)?)))
    }

    /// The pull request that an order names.
    async fn find_proposal(&self, look: &Observation, order: &ReviewOrder) -> Result<Found, EngineError> {
        let repositories = &look.snapshot.config.repositories;
        if let Some(name) = order.repo.as_ref().filter(|name| !repositories.contains_key(name)) {
            return Err(EngineError::NoSuchRepository(name.to_string()));
        }
        let wanted = |each: &&Repository| {
            each.forge != ForgeKind::Local && order.repo.as_ref().is_none_or(|name| each.name == *name)
        };
        let (mut meant, mut closed) = (vec![], None);
        for repository in repositories.values().filter(wanted) {
            match self.forges.of(repository.forge, repository) {
                Ok(forge) => {
                    meant.extend(forge.key_of(&order.name).map(|key| (repository.clone(), forge, key)));
                }
                Err(error) => closed = Some(error),
            }
        }
        let is_default = |(each, ..): &(Repository, _, _)| {
            look.snapshot.config.settings.default_repo.as_ref() == Some(&each.name)
        };
        if meant.len() > 1 && meant.iter().any(is_default) {
            meant.retain(is_default);
        }
        let (repository, forge, key) = match (meant.len(), meant.pop(), closed) {
            (1, Some(one), _) => one,
            (0, _, Some(error)) => return Err(error.into()),
            (0, ..) => {
                let what = format!("`{}` is no pull request of a repository here", order.name);
                let remedy =
                    "give its address, or its number; the repository's note must name its forge and `slug`";
                return Err(EngineError::not_reviewed(what, remedy));
            }
            _ => {
                let what = format!("`{}` may be a pull request of several repositories", order.name);
                return Err(EngineError::not_reviewed(
                    what,
                    "name one with `--repo`, or give the whole address",
                ));
            }
        };
        let proposal = forge.proposal(&key).await?;
        Ok(Found { repository, proposal })
    }

    /// Begins the review of a head, unless it was reviewed or something stands in the way.
    pub(super) async fn begin_review(
        &mut self,
        look: &Observation,
        found: &Found,
        again: bool,
        reason: &str,
    ) -> Result<Begun, EngineError> {
        let Found { repository, proposal } = found;
        self.check_reviewable(proposal)?;
        let reviews = self.reviews_of(&proposal.pr);
        let is_of_head = |state: &&Shared<RunState>| {
            state.proposed.as_ref().is_some_and(|proposed| proposed.head == proposal.head)
                && state.request == proposal.request_hash()
        };
        let of_head = reviews.iter().rfind(is_of_head);
        if let Some(known) =
            of_head.filter(|state| !again && state.review.as_ref().is_some_and(|it| !it.template))
        {
            return Ok(Begun::Known(known.id.clone()));
        }
        let begun = of_head.filter(|state| state.ended.is_none());
        if let Some(begun) = begun.filter(|begun| self.in_flight.contains_key(&begun.id)) {
            return Ok(Begun::AtWork(begun.id.clone()));
        }
        if let Some(wait) = decide::review_obstacle(&look.snapshot, begun.map(|state| &**state)) {
            return Ok(Begun::Waits(wait));
        }
        let run = match begun {
            Some(begun) => begun.id.clone(),
            None => self.next_review(proposal)?,
        };
        if self.is_claimed_elsewhere(look, &run).await? {
            let why = format!("another machine reviews {} already", proposal.pr);
            let (on, unblock) = (ANOTHER_MACHINE.to_owned(), "wait for it".to_owned());
            return Ok(Begun::Waits(Wait { on, why, unblock, needs_human: false }));
        }
        for stale in reviews.iter().filter(|state| state.ended.is_none() && state.id != run) {
            self.end_stale(look, &stale.id)?;
        }
        let branch: BranchName = format!("agent/ado/review/{}", run.feature).parse()?;
        let event = Event::Started {
            run: run.clone(),
            repo: repository.name.clone(),
            branch: branch.clone(),
            target_branch: proposal.target.clone(),
            request: proposal.request_hash(),
            reason: reason.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sandboxed: self.sandbox.is_enforcing(),
            from: Some(Status::Review),
            proposed: Some(Box::new(proposal.proposed())),
        };
        self.book.begin(&run, event)?;
        let state = self.state(&run)?;
        let attempt = state.attempts(KEY) + 1;
        let launch = Launch {
            run: run.clone(),
            key: KEY,
            attempt,
            request: self.review_request(look, found, &state, attempt),
            earlier: Earlier::of(&self.vault, &state, &self.book.records(&run)?, KEY),
            caps: decide::review_caps(&look.snapshot.config),
            seconds: decide::review_seconds(&look.snapshot),
        };
        match self.launch(launch)? {
            Ok(()) => Ok(Begun::AtWork(run)),
            Err(over) => Ok(Begun::Waits(Wait {
                on: "budget".to_owned(),
                why: over,
                unblock: "wait, or raise the cap in `00_system/Settings.md`".to_owned(),
                needs_human: false,
            })),
        }
    }

    /// Only what is open and somebody else's is reviewed so.
    fn check_reviewable(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let pr = &proposal.pr;
        let state = match proposal.state {
            PullRequestState::Open => None,
            PullRequestState::Merged => Some("merged"),
            PullRequestState::Closed => Some("closed"),
        };
        if let Some(state) = state {
            let what = format!("{pr} is {state}: there is nothing to review");
            return Err(EngineError::not_reviewed(what, "open it again, or name another"));
        }
        let is_its = |run: &Shared<RunState>| run.pr.as_ref().is_some_and(|own| own.key == pr.key);
        match self.book.all().into_iter().find(is_its) {
            Some(own) => {
                let what =
                    format!("{pr} was written by ado-vault for {}, whose run reviews it", own.id.feature);
                let remedy = format!("see `ado-vault why {}`", own.id.feature);
                Err(EngineError::not_reviewed(what, &remedy))
            }
            None => Ok(()),
        }
    }

    /// All reviews of a pull request, oldest first.
    pub(super) fn reviews_of(&self, pr: &PullRequestRef) -> Vec<Shared<RunState>> {
        let is_of = |run: &Shared<RunState>| {
            run.proposed
                .as_ref()
                .is_some_and(|proposed| proposed.pr.forge == pr.forge && proposed.pr.key == pr.key)
        };
        self.book.all().into_iter().filter(is_of).collect()
    }

    /// The id of the next review under the pull request's number. Pull requests of several repositories may share it.
    fn next_review(&self, proposal: &Proposal) -> Result<RunId, EngineError> {
        let feature = FeatureId::new(REVIEW_PREFIX, proposal.number)?;
        let last = self.book.runs_of(&feature).last().map_or(0, |run| run.id.number);
        Ok(RunId { feature, number: last.saturating_add(1) })
    }

    /// The value that the step is given. The reviewer's note, the rules and the constitution are the vault's; nothing that
    /// would be run, passed on or shown besides the change is left in it.
    fn review_request(
        &self,
        look: &Observation,
        found: &Found,
        state: &RunState,
        attempt: u32,
    ) -> Result<StepRequest, Diagnostic> {
        let Found { repository, proposal } = found;
        let config = &look.snapshot.config;
        let agent = config.agent(Role::Reviewer).ok_or_else(|| {
            Diagnostic::error(
                "missing-part",
                "no agent has the role `reviewer`",
                "add a note to the agents folder",
            )
        })?;
        let models = decide::pick_models(config, agent, state.tier())?;
        // Another program would read the stranger's files as its own instructions, and may be given secrets of its own.
        let agent = AgentConfig {
            backend: Backend::BuiltIn,
            command: vec![],
            env: vec![],
            read_paths: vec![],
            sandbox: None,
            ..agent.clone()
        };
        Ok(StepRequest {
            run: state.id.clone(),
            key: KEY,
            attempt,
            feature: FeatureBrief {
                title: proposal.title.clone(),
                kind: FeatureType::Feature,
                body: proposal.body.clone(),
                criteria: vec![],
                rows: vec![],
                for_people: vec![],
                of_issue: None,
            },
            repository: Repository { setup: None, env: vec![], read_paths: vec![], ..repository.clone() },
            branch: state.branch.clone(),
            target_branch: state.target_branch.clone(),
            base: None,
            head: Some(proposal.head.clone()),
            worktrees: worktrees_folder(&self.vault, config).to_string_lossy().into_owned(),
            agent: Some(agent),
            models,
            vault: self.vault.root().to_string_lossy().into_owned(),
            plan: None,
            instruction: Instruction::default(),
            findings: vec![],
            constitution: config.constitution.clone(),
            review_rules: config.review_rules.clone(),
            gates: config.gates.clone(),
            gate_results: vec![],
            rounds_left: 0,
            budget_left: "what the caps of a run and of the day leave".to_owned(),
            sandbox: config.settings.sandbox,
            sensitive_paths: vec![],
            proposal: Some(proposal.clone()),
            timeout_seconds: decide::review_seconds(&look.snapshot),
        })
    }

    /// Journals the end of a review that came to a verdict, and commits what there is of it.
    pub(super) fn review_ended(&self, run: &RunId, what: &str) -> Result<(), EngineError> {
        let state = self.state(run)?;
        if let (Some(review), None) = (state.review.clone(), &state.ended)
            && !review.template
        {
            let detail = StepResult::Reviewed { review }.in_words();
            self.book.append(run, Event::Ended { result: RunEnd::Reviewed, detail })?;
        }
        self.commit_review(run, what, "reviewed")
    }

    /// Another head is proposed by now: what was begun for this one is left.
    fn end_stale(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        if self.in_flight.contains_key(run) {
            self.cancel(run);
            return Ok(());
        }
        let detail = "another head is proposed by now".to_owned();
        self.book.append(run, Event::Ended { result: RunEnd::Stopped, detail: detail.clone() })?;
        self.remove_proposal(look, run);
        self.commit_review(run, &detail, "ended")
    }

    pub(super) fn commit_review(&self, run: &RunId, what: &str, event: &str) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let subject = format!("{}: {what}", run.feature);
        let message = message(subject, run.feature.as_str(), Some(&state), event);
        self.scribe().write_journal(run, run.feature.as_str(), message)
    }

    /// What a review that was cut off left on disk; failures only warn, since it is in nobody's way.
    pub(super) fn remove_proposal(&self, look: &Observation, run: &RunId) {
        let removed = self.state(run).map(|state| {
            let repository = look.snapshot.config.repositories.get(&state.repo)?;
            let root = worktrees_folder(&self.vault, &look.snapshot.config);
            let workspace = Workspace::open(repository, self.vault.root(), &root);
            workspace.and_then(|workspace| workspace.remove_proposal(run)).err()
        });
        if let Ok(Some(error)) = removed {
            self.say(&Said::Problem { what: format!("{run}: cannot remove what was fetched: {error}") });
        }
    }

    /// Says at the forge what was found, beside the loop.
    pub(super) fn begin_post(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let (Some(proposed), Some(review)) = (state.proposed.clone(), &state.review) else {
            return Ok(());
        };
        let repository = look.snapshot.config.repositories.get(&state.repo);
        let repository = repository.ok_or_else(|| EngineError::NoSuchRepository(state.repo.to_string()))?;
        let forge = self.forges.of(proposed.pr.forge, repository)?;
        let text = redact::text(&render::proposal_comment(&proposed, review, &found_in(&state)));
        let (book, id) = (self.book.clone(), run.clone());
        self.begin_errand(run, Errand::Post(proposed.head.clone()), |_| async move {
            let effect = proposed.comment_effect();
            let said = Answer { id: format!("review {}", proposed.head), place: String::new(), text };
            answer(&book, &id, &*forge, &proposed.pr, effect, &said).await
        });
        Ok(())
    }

    /// Takes the end of [`Engine::begin_post`], if it came.
    pub(super) fn posted(&mut self, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let Some(proposed) = &state.proposed else { return Ok(()) };
        match self.errand_end(run, &Errand::Post(proposed.head.clone())) {
            None => Ok(()),
            Some(end) => {
                end?;
                let what = format!("said at {}", proposed.pr);
                self.say_did(&run.feature, what.clone());
                self.commit_review(run, &what, "commented")
            }
        }
    }

    /// Waits until nothing is at work for a run.
    async fn wait_for(&mut self, run: &RunId, stop: &CancellationToken) -> Result<(), EngineError> {
        while self.in_flight.contains_key(run) {
            if stop.is_cancelled() {
                self.stop().await?;
                return Ok(());
            }
            for finished in std::mem::take(&mut self.unrecorded) {
                tokio::time::sleep(AGAIN).await;
                self.take_finished(finished)?;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.done.recv() => self.take_ended(ended)?,
                () = tokio::time::sleep(AGAIN), if !self.unrecorded.is_empty() => {}
            }
        }
        Ok(())
    }
}
