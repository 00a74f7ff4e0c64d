//! No commit with a secret leaves this machine: what a change adds is looked through after each step, and every commit
//! once more before the first push. It does not know what a secret looks like.

use std::sync::Arc;

use super::event_loop::Engine;
use super::observe::{Observation, repository_of};
use super::transition::NoteChange;
use super::{EngineError, publish, redact};
use crate::domain::{
    Brake, BranchName, Event, FeatureView, GateDiagnostic, GitId, RunId, RunState, SecretWaiver, secrets_in,
};
use crate::gates::SecretScan;
use crate::workspace::{BranchCommit, Content, Workspace, WorkspaceError};

/// Places that a brake names.
const MOST_NAMED: usize = 5;

/// What `to` adds to `from`, the files of `None` being none, and no human allowed.
pub(super) fn added(
    workspace: &Workspace,
    from: Option<&GitId>,
    to: &GitId,
    allowed: &[SecretWaiver],
) -> Result<Vec<GateDiagnostic>, WorkspaceError> {
    let mut scan = SecretScan::new(allowed);
    workspace.changed_contents(from, to, &mut |file| match file {
        Content::Read { path, old, new } => scan.file(path, old, new),
        Content::TooLarge { path, bytes } => scan.unread(path, bytes),
    })?;
    Ok(scan.found())
}

/// A branch on its way out.
struct Outgoing {
    workspace: Arc<Workspace>,
    branch: BranchName,
    base: GitId,
    head: GitId,
    /// Heads that were pushed before: what they hold is out.
    pushed: Vec<GitId>,
    allowed: Vec<SecretWaiver>,
}

/// What is to be done before a push.
enum Verdict {
    Clean,
    /// The files are clean, a commit before them is not.
    Replace {
        first: BranchCommit,
        commits: usize,
    },
    Held(Vec<GateDiagnostic>),
}

impl Outgoing {
    fn judge(&self) -> Result<Verdict, WorkspaceError> {
        let found = added(&self.workspace, Some(&self.base), &self.head, &self.allowed)?;
        if !found.is_empty() {
            return Ok(Verdict::Held(found));
        }
        let known: Vec<GitId> = self.pushed.iter().chain([&self.base]).cloned().collect();
        let commits = self.workspace.commits_since(&known, &self.head)?;
        for (at, commit) in commits.iter().enumerate() {
            let found = added(&self.workspace, commit.parent.as_ref(), &commit.id, &self.allowed)?;
            if found.is_empty() && secrets_in(&commit.message).is_empty() {
                continue;
            }
            let left = added(&self.workspace, commit.parent.as_ref(), &self.head, &self.allowed)?;
            return Ok(if left.is_empty() {
                Verdict::Replace { first: commit.clone(), commits: commits.len() - at }
            } else {
                Verdict::Held(left)
            });
        }
        Ok(Verdict::Clean)
    }
}

impl Engine {
    /// The head that may be pushed; `None` when a human was asked instead.
    pub(super) async fn clear_for_push(
        &self,
        look: &Observation,
        view: &FeatureView,
        state: &RunState,
        workspace: &Arc<Workspace>,
        head: GitId,
    ) -> Result<Option<GitId>, EngineError> {
        let config = &look.snapshot.config;
        let repository =
            config.repositories.get(&state.repo).or_else(|| repository_of(&view.feature, config));
        let outgoing = Outgoing {
            workspace: workspace.clone(),
            branch: state.branch.clone(),
            base: state.base.clone().unwrap_or_else(|| head.clone()),
            head: head.clone(),
            pushed: state.completed.iter().filter_map(|effect| publish::pushed_head(effect)).collect(),
            allowed: repository.map(|repository| repository.allow_secrets.clone()).unwrap_or_default(),
        };
        let (outgoing, verdict) = tokio::task::spawn_blocking(move || {
            let verdict = outgoing.judge();
            (outgoing, verdict)
        })
        .await?;
        match verdict? {
            Verdict::Clean => Ok(Some(head)),
            Verdict::Replace { first, commits } => {
                let effect = format!("replace:{head}");
                let detail =
                    format!("{commits} commits from {} on, one of which held a secret", first.id.short());
                self.book
                    .append(&state.id, Event::Intended { effect: effect.clone(), detail: detail.clone() })?;
                let made = tokio::task::spawn_blocking(move || {
                    let message = redact::text(&first.message);
                    outgoing.workspace.squash(&outgoing.branch, &first.id, &outgoing.head, &message)
                })
                .await??;
                self.book.append(&state.id, Event::BranchReplaced { from: head, to: made.clone() })?;
                self.book.append(&state.id, Event::Completed { effect, detail })?;
                Ok(Some(made))
            }
            Verdict::Held(found) => {
                self.hold(look, &state.id, &found)?;
                Ok(None)
            }
        }
    }

    fn hold(&self, look: &Observation, run: &RunId, found: &[GateDiagnostic]) -> Result<(), EngineError> {
        let place = |found: &GateDiagnostic| {
            let line = found.line.map_or_else(String::new, |line| format!(":{line}"));
            let (file, rule) =
                (found.file.as_deref().unwrap_or_default(), found.code.as_deref().unwrap_or_default());
            format!("{file}{line} ({rule}): {}", found.message)
        };
        let mut places: Vec<String> = found.iter().take(MOST_NAMED).map(place).collect();
        if found.len() > MOST_NAMED {
            places.push(format!("and {} more", found.len() - MOST_NAMED));
        }
        let brake = Brake::Secret;
        self.book.append(run, Event::Braked { brake, detail: places.join("; ") })?;
        let change = NoteChange::default().untick();
        self.project(look, run, change, &format!("stopped: {brake}, nothing was pushed"), "braked")
    }
}
