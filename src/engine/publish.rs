//! From a reviewed branch to a merged one: push, pull request, merge. Each part looks before it acts, so that a second try
//! makes no second branch, pull request or merge; what takes a network is an errand beside the loop.

use std::sync::Arc;

use super::errand::Errand;
use super::event_loop::Engine;
use super::observe::{Observation, repository_of, worktrees_folder};
use super::transition::NoteChange;
use super::{EngineError, RunBook, redact};
use crate::domain::{
    BranchName, Event, FeatureView, Feedback, ForgeKind, GitId, MergeMethod, NotePath, PullRequestDraft,
    PullRequestRef, Repository, RunId, RunState, Standing, Status, answer_effect, queue_effect,
};
use crate::forge::{Answer, Forge, MergeOrder, Merging};
use crate::report::render;
use crate::workspace::{Updated, Workspace};

/// Bytes of diff shown in a pull request note.
const DIFF_BYTES: usize = 100_000;

impl Engine {
    /// Pushes the branch, opens or updates the pull request, moves the note to `review`.
    pub(super) async fn publish(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let head = state.head().cloned().ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        if let Some(end) = self.errand_end(run, &Errand::Publish(head.clone())) {
            end?;
            return self.published(look, run);
        }
        let view = self.view(look, &run.feature)?;
        let forge = self.forge_of_new(look, view, &state)?;
        let workspace = self.workspace(look, view, &state)?;
        let Some(head) = self.clear_for_push(look, view, &state, &workspace, head).await? else {
            return Ok(());
        };
        let state = self.state(run)?;
        let draft = self.draft(look, view, &state, &workspace, head.clone())?;
        let answers = answers(&state, &head);
        let queued = state.pr.clone().filter(|_| state.was_queued());
        let (book, id, space) = (self.book.clone(), run.clone(), Workspace::clone(&workspace));
        self.begin_errand(run, Errand::Publish(head), |stop| async move {
            if let Some(pr) = queued {
                forge.unqueue(&pr).await?;
            }
            push(&book, &id, &*forge, space, &draft).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            let pr = offer(&book, &id, &*forge, &draft).await?;
            for each in answers {
                answer(&book, &id, &*forge, &pr, answer_effect(&each.id), &each).await?;
            }
            Ok(())
        });
        Ok(())
    }

    /// The pull request is as it should be: the note says so.
    fn published(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        self.abroad.forget(run);
        let state = self.state(run)?;
        let also = state.pr.iter().flat_map(|pr| self.note_of(pr)).collect();
        let proven = proven_criteria(&state);
        let change = NoteChange { proven, ..NoteChange::default() }.unwaiting().with(also);
        self.go(look, run, Status::Review, change)
    }

    fn draft(
        &self,
        look: &Observation,
        view: &FeatureView,
        state: &RunState,
        workspace: &Workspace,
        head: GitId,
    ) -> Result<PullRequestDraft, EngineError> {
        let diff = match &state.base {
            Some(base) => workspace.diff(base, &head, DIFF_BYTES)?,
            None => String::new(),
        };
        let repo = repository_of(&view.feature, &look.snapshot.config).map(|repo| repo.name.clone());
        Ok(PullRequestDraft {
            run: state.id.clone(),
            repo: repo.unwrap_or_else(|| state.repo.clone()),
            title: redact::text(&render::pull_request_title(&view.feature)),
            body: redact::text(&render::pull_request_body(&view.feature, state)),
            source: state.branch.clone(),
            target: state.target_branch.clone(),
            head,
            diff: redact::text(&diff),
        })
    }

    /// Merges the pull request; a merge that happened already is found, not repeated.
    pub(super) async fn merge(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let head = state.pr_head.clone().or(state.head().cloned());
        let head = head.ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        if let Some(end) = self.errand_end(run, &Errand::Merge(head.clone())) {
            end?;
            return self.merged(look, run).await;
        }
        let view = self.view(look, &run.feature)?;
        let forge = match &state.pr {
            Some(pr) => Some((self.forge_of(look, &state, pr)?, pr.clone())),
            None => None,
        };
        let message = format!(
            "{}\n\nAdo-Feature: {}\nAdo-Run: {run}\n",
            redact::text(&render::pull_request_title(&view.feature)),
            run.feature
        );
        let landing = Landing {
            book: self.book.clone(),
            run: run.clone(),
            forge,
            space: Workspace::clone(&*self.workspace(look, view, &state)?),
            source: state.branch.clone(),
            target: state.target_branch.clone(),
            head: head.clone(),
            method: look.snapshot.config.settings.merge_method,
            message,
        };
        self.begin_errand(run, Errand::Merge(head), |_| landing.merge());
        Ok(())
    }

    /// The merge is made: forge and notes are told.
    async fn merged(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        self.abroad.forget(run);
        let state = self.state(run)?;
        let Some(commit) = &state.merged else {
            let what = "queued at the forge for its merge".to_owned();
            self.book.append(run, Event::Completed { effect: "merge".into(), detail: what.clone() })?;
            return self.project(look, run, NoteChange::default().unwaiting(), &what, "queued");
        };
        let mut also = vec![];
        if let Some(pr) = &state.pr {
            self.forge_of(look, &state, pr)?.merged(pr, commit).await?;
            also = self.note_of(pr);
        }
        self.book.append(run, Event::Completed { effect: "merge".into(), detail: commit.to_string() })?;
        let what = format!("merged into {} as {}", state.target_branch, commit.short());
        self.project(look, run, NoteChange::default().unwaiting().with(also), &what, "merged")
    }

    /// Merges the target branch into the run's; what comes of it is judged like any other change.
    pub(super) fn update_branch(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let head = state.head().cloned().ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        if let Some(end) = self.errand_end(run, &Errand::Update(head.clone())) {
            // Nothing was to be brought in: the forge will say so.
            if let Some(seen) = self.abroad.seen.get_mut(run) {
                seen.standing = Standing::Unknown;
            }
            return end;
        }
        let view = self.view(look, &run.feature)?;
        let repository = repository_of_run(look, view, &state)?;
        let forge = self.forges.of(repository.forge, repository)?;
        let space = Workspace::clone(&*self.workspace(look, view, &state)?);
        let target = state.target_branch.clone();
        let message =
            format!("{}: merge `{target}`\n\nAdo-Feature: {}\nAdo-Run: {run}\n", run.feature, run.feature);
        let (book, id, from) = (self.book.clone(), run.clone(), head.clone());
        self.begin_errand(run, Errand::Update(head), |_| async move {
            let space = space.with_credential(forge.credential().await?);
            let head = from.clone();
            let updated = tokio::task::spawn_blocking(move || space.update(&head, &target, &message));
            match updated.await?? {
                Some(Updated { change, conflicts }) => {
                    book.append(&id, Event::BranchUpdated { from, change, conflicts })
                }
                None => Ok(()),
            }
        });
        Ok(())
    }

    /// Closes the pull request of a run that ends without a merge. Says whether that is done.
    pub(super) async fn close_pull_request(
        &mut self,
        look: &Observation,
        run: &RunId,
        why: &str,
    ) -> Result<bool, EngineError> {
        let state = self.state(run)?;
        let Some(pr) = state.pr.clone() else { return Ok(true) };
        let forge = self.forge_of(look, &state, &pr)?;
        match self.errand_end(run, &Errand::Close) {
            Some(end) => end?,
            None if pr.forge == ForgeKind::Local => forge.close(&pr, why).await?,
            None => {
                let why = why.to_owned();
                self.begin_errand(run, Errand::Close, |_| async move { Ok(forge.close(&pr, &why).await?) });
                return Ok(false);
            }
        }
        let change = NoteChange::default().with(self.note_of(&pr));
        self.project(look, run, change, "pull request closed", "closed")?;
        Ok(true)
    }

    /// Removes at the forge what was made for a merged pull request alone. Says whether that is done.
    pub(super) async fn tidy(&mut self, look: &Observation, run: &RunId) -> Result<bool, EngineError> {
        let state = self.state(run)?;
        let Some(pr) = state.pr.clone().filter(|pr| pr.forge != ForgeKind::Local) else { return Ok(true) };
        if let Some(end) = self.errand_end(run, &Errand::Tidy) {
            return end.map(|()| true);
        }
        let forge = self.forge_of(look, &state, &pr)?;
        self.begin_errand(run, Errand::Tidy, |_| async move { Ok(forge.landed(&pr).await?) });
        Ok(false)
    }

    /// The forge that a run's pull request lives at.
    pub(super) fn forge_of(
        &self,
        look: &Observation,
        state: &RunState,
        pr: &PullRequestRef,
    ) -> Result<Box<dyn Forge>, EngineError> {
        if pr.forge == ForgeKind::Local {
            return Ok(Box::new(self.forges.local()));
        }
        let view = self.view(look, &state.id.feature)?;
        Ok(self.forges.of(pr.forge, repository_of_run(look, view, state)?)?)
    }

    /// The forge that a run's next pull request goes to: where it has one already, there.
    fn forge_of_new(
        &self,
        look: &Observation,
        view: &FeatureView,
        state: &RunState,
    ) -> Result<Box<dyn Forge>, EngineError> {
        let repository = repository_of_run(look, view, state)?;
        let kind = state.pr.as_ref().map_or(repository.forge, |pr| pr.forge);
        Ok(self.forges.of(kind, repository)?)
    }

    /// The notes of the vault that a pull request lives in.
    pub(super) fn note_of(&self, pr: &PullRequestRef) -> Vec<NotePath> {
        match pr.forge {
            ForgeKind::Local => self.forges.local().note_of(pr).into_iter().collect(),
            ForgeKind::Github => vec![],
        }
    }

    pub(super) fn workspace(
        &self,
        look: &Observation,
        view: &FeatureView,
        state: &RunState,
    ) -> Result<Arc<Workspace>, EngineError> {
        self.open_workspace(look, repository_of_run(look, view, state)?)
    }

    pub(super) fn open_workspace(
        &self,
        look: &Observation,
        repository: &Repository,
    ) -> Result<Arc<Workspace>, EngineError> {
        let root = worktrees_folder(&self.vault, &look.snapshot.config);
        Ok(Arc::new(Workspace::open(repository, self.vault.root(), &root)?))
    }
}

fn repository_of_run<'a>(
    look: &'a Observation,
    view: &FeatureView,
    state: &RunState,
) -> Result<&'a Repository, EngineError> {
    let config = &look.snapshot.config;
    let named = config.repositories.get(&state.repo).or_else(|| repository_of(&view.feature, config));
    named.ok_or_else(|| EngineError::NoSuchRepository(state.repo.to_string()))
}

/// Brings the branch to the remote, unless that was done already.
async fn push(
    book: &RunBook,
    run: &RunId,
    forge: &dyn Forge,
    space: Workspace,
    draft: &PullRequestDraft,
) -> Result<(), EngineError> {
    let effect = push_effect(&draft.head);
    if book.state(run).is_some_and(|state| state.completed.contains(&effect)) {
        return Ok(());
    }
    book.append(run, Event::Intended { effect: effect.clone(), detail: draft.source.to_string() })?;
    let space = space.with_credential(forge.credential().await?);
    let (branch, head) = (draft.source.clone(), draft.head.clone());
    let outcome = tokio::task::spawn_blocking(move || space.push(&branch, &head)).await??;
    book.append(run, Event::Completed { effect, detail: outcome.in_words().to_owned() })
}

/// Opens the pull request or brings it up to date.
async fn offer(
    book: &RunBook,
    run: &RunId,
    forge: &dyn Forge,
    draft: &PullRequestDraft,
) -> Result<PullRequestRef, EngineError> {
    let effect = "pull-request".to_owned();
    book.append(run, Event::Intended { effect: effect.clone(), detail: draft.source.to_string() })?;
    let pr = forge.ensure(draft).await?;
    book.append(run, Event::PullRequestOpened { pr: pr.clone(), head: draft.head.clone() })?;
    book.append(run, Event::Completed { effect, detail: pr.key.clone() })?;
    Ok(pr)
}

/// What is said to those whose feedback this head takes up.
fn answers(state: &RunState, head: &GitId) -> Vec<Answer> {
    let summary = state.change.as_ref().map(|change| change.summary.trim()).unwrap_or_default();
    let text = redact::text(format!("Changed in {}.\n\n{summary}", head.short()).trim());
    let answer = |feedback: &Feedback| {
        let place = feedback.place.clone()?;
        Some(Answer { id: feedback.id(), place, text: text.clone() })
    };
    state.unanswered.iter().filter_map(answer).collect()
}

/// Says something at a pull request as an effect of the run, once however often it is tried: the forge is asked for it
/// before.
pub(super) async fn answer(
    book: &RunBook,
    run: &RunId,
    forge: &dyn Forge,
    pr: &PullRequestRef,
    effect: String,
    answer: &Answer,
) -> Result<(), EngineError> {
    book.append(run, Event::Intended { effect: effect.clone(), detail: answer.place.clone() })?;
    forge.answer(pr, answer).await?;
    book.append(run, Event::Completed { effect, detail: answer.place.clone() })
}

/// A merge with all that it needs.
struct Landing {
    book: Arc<RunBook>,
    run: RunId,
    forge: Option<(Box<dyn Forge>, PullRequestRef)>,
    space: Workspace,
    source: BranchName,
    target: BranchName,
    head: GitId,
    method: MergeMethod,
    message: String,
}

impl Landing {
    async fn merge(self) -> Result<(), EngineError> {
        let Self { book, run, forge, space, source, target, head, method, message } = self;
        if book.state(&run).is_some_and(|state| state.merged.is_some()) {
            return Ok(());
        }
        book.append(&run, Event::Intended { effect: "merge".into(), detail: target.to_string() })?;
        let mut merging = Merging::ByCaller;
        if let Some((forge, pr)) = &forge {
            let (title, message) = split_message(&message);
            merging = forge.merge(pr, &MergeOrder { head: head.clone(), method, title, message }).await?;
        }
        let commit = match merging {
            Merging::Done(commit) => commit.unwrap_or(head),
            Merging::Queued => {
                let detail = "the forge merges it as soon as its rules let it".to_owned();
                return book.append(&run, Event::Completed { effect: queue_effect(&head), detail });
            }
            Merging::ByCaller => {
                let credential = match &forge {
                    Some((forge, _)) => forge.credential().await?,
                    None => None,
                };
                let space = space.with_credential(credential);
                let merged =
                    tokio::task::spawn_blocking(move || space.merge(&source, &target, method, &message));
                merged.await??.commit
            }
        };
        book.append(&run, Event::Merged { commit })
    }
}

/// First line and the rest.
fn split_message(message: &str) -> (String, String) {
    let (title, rest) = message.split_once('\n').unwrap_or((message, ""));
    (title.to_owned(), rest.trim().to_owned())
}

fn push_effect(head: &GitId) -> String {
    format!("push:{head}")
}

/// The head of a push's effect key.
pub(super) fn pushed_head(effect: &str) -> Option<GitId> {
    effect.strip_prefix("push:").map(|head| GitId(head.to_owned()))
}

/// The acceptance criteria and rows of phases that the last review found met.
pub(super) fn proven_criteria(state: &RunState) -> Vec<String> {
    let review = state.review.iter().flat_map(|review| review.criteria.iter());
    review.filter(|criterion| criterion.met).map(|criterion| criterion.text.clone()).collect()
}
