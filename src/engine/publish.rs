//! From a reviewed branch to a merged one: push, pull request, looks at it, merge. Each part looks before it acts, so
//! that a second try makes no second branch, pull request or merge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event_loop::Engine;
use super::failure::Failure;
use super::observe::{Observation, repository_of, worktrees_folder};
use super::transition::NoteChange;
use super::{EngineError, redact};
use crate::domain::{
    Event, FeatureView, ForgeKind, GitId, NotePath, PullRequestDraft, PullRequestRef, PullRequestView,
    Repository, RunId, RunState, Status,
};
use crate::forge::{Forge, LocalForge, MergeOrder, Merging};
use crate::report::render;
use crate::workspace::Workspace;

/// How long the target branch is not asked again whether a pull request's head is in it: asking fetches.
const TARGET_FRESH: Duration = Duration::from_secs(20);
/// Bytes of diff shown in a pull request note.
const DIFF_BYTES: usize = 100_000;

impl Engine {
    /// Pushes the branch, opens or updates the pull request, moves the note to `review`.
    pub(super) async fn publish(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let view = self.view(look, &run.feature)?;
        let head = state.head().cloned().ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        let forge = self.forge_of_new(look, view, &state)?;
        let workspace = self.workspace(look, view, &state)?;
        let Some(head) = self.clear_for_push(look, view, &state, &workspace, head).await? else {
            return Ok(());
        };
        let state = self.state(run)?;
        if !state.completed.contains(&push_effect(&head)) {
            let intent = Event::Intended { effect: push_effect(&head), detail: state.branch.to_string() };
            self.book.append(run, intent)?;
            let space = Workspace::clone(&workspace).with_credential(forge.credential().await?);
            let (branch, pushed) = (state.branch.clone(), head.clone());
            let outcome = tokio::task::spawn_blocking(move || space.push(&branch, &pushed)).await??;
            let done = Event::Completed { effect: push_effect(&head), detail: outcome.in_words().to_owned() };
            self.book.append(run, done)?;
        }
        let draft = self.draft(look, view, &state, &workspace, head.clone())?;
        self.book.append(
            run,
            Event::Intended { effect: "pull-request".into(), detail: draft.source.to_string() },
        )?;
        let pr = forge.ensure(&draft).await?;
        self.forge_asked.remove(run);
        self.book.append(run, Event::PullRequestOpened { pr: pr.clone(), head })?;
        self.book.append(run, Event::Completed { effect: "pull-request".into(), detail: pr.key.clone() })?;
        let proven = proven_criteria(&state);
        let change = NoteChange { proven, ..NoteChange::default() }.unwaiting().with(self.note_of(&pr));
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
        let view = self.view(look, &run.feature)?;
        let workspace = self.workspace(look, view, &state)?;
        let method = look.snapshot.config.settings.merge_method;
        let message = format!(
            "{}\n\nAdo-Feature: {}\nAdo-Run: {run}\n",
            redact::text(&render::pull_request_title(&view.feature)),
            run.feature
        );
        self.book.append(
            run,
            Event::Intended { effect: "merge".into(), detail: state.target_branch.to_string() },
        )?;
        let forge = match &state.pr {
            Some(pr) => Some((self.forge_of(look, &state, pr)?, pr)),
            None => None,
        };
        let mut merging = Merging::ByCaller;
        if let (Some((forge, pr)), Some(head)) = (&forge, state.pr_head.clone().or(state.head().cloned())) {
            let (title, message) = split_message(&message);
            merging = forge.merge(pr, &MergeOrder { head, method, title, message }).await?;
        }
        let commit = match merging {
            Merging::Done(commit) => commit.or(state.pr_head.clone()),
            Merging::ByCaller => {
                let credential = match &forge {
                    Some((forge, _)) => forge.credential().await?,
                    None => None,
                };
                let space = Workspace::clone(&workspace).with_credential(credential);
                let (source, target) = (state.branch.clone(), state.target_branch.clone());
                let merged =
                    tokio::task::spawn_blocking(move || space.merge(&source, &target, method, &message));
                Some(merged.await??.commit)
            }
        };
        let commit = commit.ok_or_else(|| EngineError::NoSuchRun(run.to_string()))?;
        self.book.append(run, Event::Merged { commit: commit.clone() })?;
        self.book.append(run, Event::Completed { effect: "merge".into(), detail: commit.to_string() })?;
        let mut also = vec![];
        if let Some((forge, pr)) = &forge {
            forge.merged(pr, &commit).await?;
            also = self.note_of(pr);
        }
        let what = format!("merged into {} as {}", state.target_branch, commit.short());
        self.project(look, run, NoteChange::default().unwaiting().with(also), &what, "merged")?;
        self.target_asked.remove(run);
        self.forge_asked.remove(run);
        self.look_at_pull_request(look, run).await;
        Ok(())
    }

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
        self.pull_requests.retain(|run, _| waiting.contains(run));
        self.target_asked.retain(|run, _| waiting.contains(run));
        self.forge_asked.retain(|run, _| waiting.contains(run));
        for run in waiting {
            if !self.failures.get(&run.to_string()).is_some_and(Failure::rests) {
                self.look_at_pull_request(look, &run).await;
            }
        }
    }

    async fn look_at_pull_request(&mut self, look: &Observation, run: &RunId) {
        match self.try_look(look, run).await {
            Ok(()) => {
                self.failures.remove(&run.to_string());
            }
            Err(error) => self.complain(&run.to_string(), &error, error.may_pass()),
        }
    }

    async fn try_look(&mut self, look: &Observation, run: &RunId) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let Some(pr) = &state.pr else { return Ok(()) };
        let forge = self.forge_of(look, &state, pr)?;
        let before = self.pull_requests.get(run).cloned();
        let holds = self.forge_asked.get(run).is_some_and(|at| at.elapsed() < forge.look_holds());
        let mut seen = match &before {
            Some(before) if holds => before.clone(),
            _ => {
                let seen = forge.look(pr).await?;
                self.forge_asked.insert(run.clone(), Instant::now());
                seen
            }
        };
        leave_out_heard(&mut seen, &state);
        let known = before.is_some_and(|known| known.reachable);
        let fresh = self.target_asked.get(run).is_some_and(|at| at.elapsed() < TARGET_FRESH);
        let head = state.merged.clone().or_else(|| seen.merged_as.clone()).or_else(|| state.pr_head.clone());
        seen.reachable = known;
        if let Some(head) = head.filter(|_| !known && !fresh) {
            let workspace = self.workspace(look, self.view(look, &run.feature)?, &state)?;
            let workspace = Workspace::clone(&workspace).with_credential(forge.credential().await?);
            let (id, target) = (run.clone(), state.target_branch.clone());
            seen.reachable =
                tokio::task::spawn_blocking(move || workspace.is_reachable(&id, &head, &target)).await??;
            self.target_asked.insert(run.clone(), Instant::now());
        }
        self.pull_requests.insert(run.clone(), seen);
        Ok(())
    }

    pub(super) async fn close_pull_request(
        &mut self,
        look: &Observation,
        run: &RunId,
        why: &str,
    ) -> Result<(), EngineError> {
        let Some(pr) = self.state(run)?.pr.clone() else { return Ok(()) };
        let state = self.state(run)?;
        self.forge_of(look, &state, &pr)?.close(&pr, why).await?;
        let change = NoteChange::default().with(self.note_of(&pr));
        self.project(look, run, change, "pull request closed", "closed")
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

/// What the local forge says of a run's pull request, without the comments that the run was told of already. Whether
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

/// Comments are compared as the journal keeps them: without secrets.
fn leave_out_heard(seen: &mut PullRequestView, state: &RunState) {
    seen.comments.iter_mut().for_each(|comment| *comment = redact::text(comment));
    seen.comments.retain(|comment| !state.heard.contains(comment));
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
