//! Commands in comments: heard in a round of a repository's forge, obeyed within the loop, answered in the next round.
//! Which comments were seen stands in the note, so that none counts twice, also after a restart.

use super::EngineError;
use super::event_loop::Engine;
use super::observe::{Observation, repository_of};
use super::transition::NoteChange;
use crate::decide::{self, Obedience};
use crate::domain::{
    Command, Commanded, Comment, Decision, DecisionKind, FeatureId, FeatureView, ForgeKind, Repository,
};
use crate::forge::{ForgeError, Issues, Reply, ReplyKind};
use crate::note::{self, PropertyValue};

/// Where commands for a feature may stand.
pub(super) struct Thread {
    feature: FeatureId,
    url: String,
    /// The last comment that was answered.
    seen: u64,
}

/// A command that was found.
#[derive(Clone)]
pub(super) struct Heard {
    feature: FeatureId,
    thread: String,
    command: Command,
    comment: Comment,
}

/// What came of a command.
pub(super) enum Obeyed {
    /// It is passed over.
    Not,
    Done,
    /// Something was done for it, and it means something again.
    Again,
    /// It means something when what is under way has been done.
    Later,
}

/// The commands that were not answered yet, oldest first.
pub(super) async fn listen(issues: &dyn Issues, threads: Vec<Thread>) -> Result<Vec<Heard>, ForgeError> {
    let mut heard = vec![];
    for thread in threads {
        for comment in issues.comments(&thread.url).await? {
            if comment.id > thread.seen
                && let Some(command) = note::command(&comment.body)
            {
                let (feature, thread) = (thread.feature.clone(), thread.url.clone());
                heard.push(Heard { feature, thread, command, comment });
            }
        }
    }
    heard.sort_by_key(|each| each.comment.id);
    Ok(heard)
}

impl Engine {
    /// The issues and pull requests of a repository whose features are not over.
    pub(super) fn threads(&self, look: &Observation, repository: &Repository) -> Vec<Thread> {
        if !decide::takes_commands(&repository.forge_settings) {
            return vec![];
        }
        let mut threads = vec![];
        for view in &look.snapshot.features {
            let over = view.feature.folder.is_none_or(|status| status.is_terminal());
            let Some(id) = view.feature.id.as_ref().filter(|_| !over) else { continue };
            if repository_of(&view.feature, &look.snapshot.config).map(|of| &of.name)
                != Some(&repository.name)
            {
                continue;
            }
            let pr = view.live_run().and_then(|run| run.pr.as_ref());
            let pr = pr.filter(|pr| pr.forge != ForgeKind::Local).map(|pr| &pr.link);
            for url in view.feature.properties.issue.iter().chain(pr) {
                let seen = view.feature.properties.commands_seen.unwrap_or_default();
                threads.push(Thread { feature: id.clone(), url: url.clone(), seen });
            }
        }
        threads
    }

    /// Does what a command says.
    pub(super) async fn obey(
        &mut self,
        look: &Observation,
        repository: &Repository,
        heard: Heard,
    ) -> Result<Obeyed, EngineError> {
        let Heard { feature, thread, command, comment } = heard;
        let Some(view) = look.feature(&feature).filter(|view| !view.settling) else { return Ok(Obeyed::Not) };
        if view.feature.properties.commands_seen.is_some_and(|seen| seen >= comment.id) {
            return Ok(Obeyed::Not);
        }
        let asked = Commanded { gate_asked: self.gate_asked(view)?, command, comment };
        let Commanded { command, comment, .. } = &asked;
        let what = format!("{feature}: /{} by {}", command.word.name(), note::plain(&comment.author));
        let (mut change, mut kind) = (NoteChange::default(), ReplyKind::Accepted);
        match decide::obey(&look.snapshot, view, &repository.forge_settings, &asked) {
            Obedience::Stale => return Ok(Obeyed::Not),
            Obedience::Stranger => {
                if repository.forge_settings.command_refusals && self.issues.refused.insert(comment.id) {
                    self.issues.answer(repository, &thread, comment, ReplyKind::Stranger);
                }
                return Ok(Obeyed::Not);
            }
            Obedience::Refuse(why) => kind = ReplyKind::Refused(why),
            Obedience::Move(to) => change = change.go(to),
            Obedience::First(to) => {
                self.write_plain(look, view, change.go(to), what, view.feature.label(), "commanded")?;
                return Ok(Obeyed::Again);
            }
            Obedience::Later => return Ok(Obeyed::Later),
            Obedience::Do(effect) => {
                let verdict = DecisionKind::Do { effect: effect.clone() };
                let (label, path) = (view.feature.label().to_owned(), view.feature.path.clone());
                let decision = Decision { feature: label, path, verdict, reason: what.clone() };
                self.perform(look, &decision, &effect).await?;
            }
        }
        let number = i64::try_from(comment.id).unwrap_or(i64::MAX);
        let change = change.set("commands_seen", PropertyValue::Integer(number));
        self.write_plain(look, view, change, what, view.feature.label(), "commanded")?;
        self.issues.answer(repository, &thread, comment, kind);
        Ok(Obeyed::Done)
    }

    fn gate_asked(&self, view: &FeatureView) -> Result<Option<jiff::Timestamp>, EngineError> {
        let Some(run) = view.live_run() else { return Ok(None) };
        let Some(asked) = &run.asked else { return Ok(None) };
        let records = self.book.records(&run.id)?;
        Ok(records.into_iter().find(|record| record.seq == asked.seq).map(|record| record.at))
    }
}

impl super::issues::IssueDesk {
    pub(super) fn answer(
        &mut self,
        repository: &Repository,
        thread: &str,
        comment: &Comment,
        kind: ReplyKind,
    ) {
        let (thread, author) = (thread.to_owned(), comment.author.clone());
        self.replies.push((repository.name.clone(), Reply { thread, to: comment.id, author, kind }));
    }
}
