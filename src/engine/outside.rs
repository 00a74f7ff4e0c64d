//! `/review` below pull requests that ado-vault did not write: heard in a round of a repository's forge, reviewed beside the
//! loop, answered when what was found stands there. Which commands were answered stands in the journals of the reviews.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::EngineError;
use super::event_loop::Engine;
use super::failure::Failure;
use super::observe::Observation;
use super::proposals::{ANOTHER_MACHINE, Begun, Found};
use super::review_report::is_posted;
use crate::decide::{self, Outside};
use crate::domain::{
    Command, Comment, Event, ForgeKind, ForgeSettings, Proposal, PullRequestRef, REVIEW_PREFIX, RepoName,
    Repository, RunId, StepResult,
};
use crate::forge::{Forge, ForgeError, Issues, ReplyKind};
use crate::note;

/// Pull requests that did not change for longer are not looked through: a command in them is not meant for now.
const WORTH_A_LOOK: SignedDuration = SignedDuration::from_hours(24);

/// Tries of one review before the person who asked is told that it fails.
const MOST_TRIES: usize = 3;

/// What is known of others' pull requests between two looks.
#[derive(Default)]
pub(super) struct OutsideDesk {
    /// When each pull request had changed last when its comments were read.
    read: BTreeMap<RepoName, HashMap<String, Timestamp>>,
    wishes: Vec<Wish>,
}

/// A command that a review is being made for.
struct Wish {
    repo: RepoName,
    pr: PullRequestRef,
    comment: Comment,
    run: RunId,
}

/// A command that was found, with the pull request as it is now where that is to be reviewed.
pub(super) struct HeardOutside {
    pr: PullRequestRef,
    command: Command,
    comment: Comment,
    proposal: Option<Proposal>,
}

/// What a round looks through.
pub(super) struct Search {
    forge: Box<dyn Forge>,
    settings: ForgeSettings,
    /// Keys of ado-vault's own pull requests.
    own: BTreeSet<String>,
    read: HashMap<String, Timestamp>,
    now: Timestamp,
}

/// What it brought.
#[derive(Default)]
pub(super) struct FoundOutside {
    heard: Vec<HeardOutside>,
    read: HashMap<String, Timestamp>,
}

impl Search {
    /// Reads the comments of pull requests that changed since they were read.
    pub(super) async fn carry_out(self, issues: &dyn Issues) -> Result<FoundOutside, ForgeError> {
        let mut found = FoundOutside::default();
        let since = self.now.checked_sub(WORTH_A_LOOK).unwrap_or(Timestamp::MIN);
        for (pr, changed) in self.forge.changed_since(since).await? {
            if self.own.contains(&pr.key) || self.read.get(&pr.key) == Some(&changed) {
                continue;
            }
            for comment in issues.comments(&pr.link).await? {
                let Some(command) = note::command(&comment.body) else { continue };
                let wants = decide::obey_outside(self.now, &self.settings, &command, &comment);
                let proposal = match wants {
                    Outside::Review => Some(self.forge.proposal(&pr.key).await?),
                    _ => None,
                };
                found.heard.push(HeardOutside { pr: pr.clone(), command, comment, proposal });
            }
            found.read.insert(pr.key, changed);
        }
        Ok(found)
    }
}

impl OutsideDesk {
    pub(super) fn is_busy(&self) -> bool {
        !self.wishes.is_empty()
    }

    /// The next look reads the comments of a pull request again.
    fn forget(&mut self, repo: &RepoName, pr: &PullRequestRef) {
        if let Some(read) = self.read.get_mut(repo) {
            read.remove(&pr.key);
        }
    }
}

impl Engine {
    /// What a round looks through, where the repository's note lets commands be given below others' pull requests.
    pub(super) fn search(&self, repository: &Repository) -> Result<Option<Search>, ForgeError> {
        let settings = &repository.forge_settings;
        let wanted = settings.review_others && repository.forge != ForgeKind::Local;
        if !wanted || settings.instructors.is_empty() || !self.only.is_empty() || self.books_only {
            return Ok(None);
        }
        let own = self.book.all().into_iter().filter_map(|run| run.pr.as_ref().map(|pr| pr.key.clone()));
        Ok(Some(Search {
            forge: self.forges.of(repository.forge, repository)?,
            settings: settings.clone(),
            own: own.collect(),
            read: self.outside.read.get(&repository.name).cloned().unwrap_or_default(),
            now: Timestamp::now(),
        }))
    }

    /// Begins the reviews that a round's commands ask for.
    pub(super) async fn take_outside(
        &mut self,
        look: &Observation,
        repository: &Repository,
        found: FoundOutside,
    ) -> Result<(), EngineError> {
        self.outside.read.entry(repository.name.clone()).or_default().extend(found.read);
        for heard in found.heard {
            let HeardOutside { pr, command, comment, proposal } = heard;
            if self.is_answered(&pr, &comment) {
                continue;
            }
            let wants =
                decide::obey_outside(look.snapshot.now, &repository.forge_settings, &command, &comment);
            match (wants, proposal) {
                (Outside::Review, Some(proposal)) => {
                    let found = Found { repository: repository.clone(), proposal };
                    self.wish(look, found, comment).await?;
                }
                (Outside::Refuse(why), _) if self.issues.refused.insert(comment.id) => {
                    self.issues.answer(repository, &pr.link, &comment, ReplyKind::Refused(why));
                }
                (Outside::Stranger, _)
                    if repository.forge_settings.command_refusals
                        && self.issues.refused.insert(comment.id) =>
                {
                    self.issues.answer(repository, &pr.link, &comment, ReplyKind::Stranger);
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn wish(&mut self, look: &Observation, found: Found, comment: Comment) -> Result<(), EngineError> {
        let (repo, pr) = (found.repository.name.clone(), found.proposal.pr.clone());
        let reason = format!("/review by {} ({})", note::plain(&comment.author), comment.url);
        let at_work = self.in_flight.keys().filter(|run| run.feature.prefix() == REVIEW_PREFIX).count();
        if at_work >= look.snapshot.config.settings.max_parallel as usize {
            self.outside.forget(&repo, &pr);
            return Ok(());
        }
        match self.begin_review(look, &found, false, &reason).await {
            Ok(Begun::AtWork(run) | Begun::Known(run)) => {
                self.say_did(&run.feature, reason);
                self.outside.wishes.push(Wish { repo, pr, comment, run });
            }
            // It answers.
            Ok(Begun::Waits(wait)) if wait.on == ANOTHER_MACHINE => {}
            Ok(Begun::Waits(wait)) => {
                self.refuse_outside(&found, &comment, format!("{}; {}", wait.why, wait.unblock));
            }
            Err(error @ EngineError::NotReviewed { .. }) => {
                self.refuse_outside(&found, &comment, error.to_string());
            }
            Err(error) => {
                self.outside.forget(&repo, &pr);
                return Err(error);
            }
        }
        Ok(())
    }

    fn refuse_outside(&mut self, found: &Found, comment: &Comment, why: String) {
        if self.issues.refused.insert(comment.id) {
            let kind = ReplyKind::Refused(why);
            self.issues.answer(&found.repository, &found.proposal.pr.link, comment, kind);
        }
    }

    /// Goes on with what reviews by comments are owed. Says whether anything was done.
    pub(super) fn tend_outside(&mut self, look: &Observation) -> bool {
        let mut changed = false;
        for wish in std::mem::take(&mut self.outside.wishes) {
            let name = wish.run.to_string();
            let rests = self.failures.get(&name).is_some_and(Failure::rests);
            if rests || self.in_flight.contains_key(&wish.run) {
                self.outside.wishes.push(wish);
                continue;
            }
            match self.tend(look, &wish) {
                Ok(true) => {
                    self.failures.remove(&name);
                    changed = true;
                }
                Ok(false) => self.outside.wishes.push(wish),
                Err(error) => {
                    let may_pass = error.may_pass();
                    self.complain(&name, &error, may_pass);
                    if self.failures.get(&name).is_some_and(Failure::is_tried_again) {
                        self.outside.wishes.push(wish);
                    }
                }
            }
        }
        changed
    }

    /// Says whether the wish is over.
    fn tend(&mut self, look: &Observation, wish: &Wish) -> Result<bool, EngineError> {
        self.posted(&wish.run)?;
        let state = self.state(&wish.run)?;
        let Some(review) = &state.review else { return self.unreviewed(look, wish) };
        if !is_posted(&state) && !review.template {
            self.begin_post(look, &wish.run)?;
            return Ok(false);
        }
        let kind = match review.template {
            true => ReplyKind::Refused("no model could review it".to_owned()),
            false => ReplyKind::Accepted,
        };
        self.answer_outside(look, wish, kind)
    }

    /// A review that came to no verdict: asked for again with the head as it is then, unless that would not help.
    fn unreviewed(&mut self, look: &Observation, wish: &Wish) -> Result<bool, EngineError> {
        let state = self.state(&wish.run)?;
        let refused = |why: String| Some(ReplyKind::Refused(why));
        let kind = match state.last_try().and_then(|step| step.result.clone()) {
            Some(StepResult::Failed { error, remedy, retry })
                if !retry || state.tries.len() >= MOST_TRIES =>
            {
                refused(format!("{error}; {remedy}"))
            }
            Some(StepResult::OutOfBudget { reason }) => {
                refused(format!("{reason}; ask again when there is room"))
            }
            Some(StepResult::Parked { until, reason }) => {
                refused(format!("{reason}; ask again after {until:.0}"))
            }
            _ => None,
        };
        match kind {
            Some(kind) => self.answer_outside(look, wish, kind),
            None => {
                self.outside.forget(&wish.repo, &wish.pr);
                Ok(true)
            }
        }
    }

    fn answer_outside(
        &mut self,
        look: &Observation,
        wish: &Wish,
        kind: ReplyKind,
    ) -> Result<bool, EngineError> {
        let effect = answered(&wish.comment);
        self.book.append(&wish.run, Event::Completed { effect, detail: wish.comment.url.clone() })?;
        self.commit_review(&wish.run, "the command was answered", "commanded")?;
        if let Some(repository) = look.snapshot.config.repositories.get(&wish.repo) {
            self.issues.answer(repository, &wish.pr.link, &wish.comment, kind);
        }
        Ok(true)
    }

    fn is_answered(&self, pr: &PullRequestRef, comment: &Comment) -> bool {
        let is_wished = self.outside.wishes.iter().any(|wish| wish.comment.id == comment.id);
        let effect = answered(comment);
        is_wished || self.reviews_of(pr).iter().any(|review| review.completed.contains(&effect))
    }
}

/// Key of the effect that a command was answered.
fn answered(comment: &Comment) -> String {
    format!("command:{}", comment.id)
}
