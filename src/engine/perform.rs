//! Performs one effect. Every effect may be performed again after a crash and then does only what is left of it.

use jiff::Timestamp;

use super::event_loop::Engine;
use super::observe::Observation;
use super::transition::{NoteChange, message};
use super::{EngineError, Said, request};
use crate::domain::{
    BranchName, Decision, Effect, Event, FeatureId, FeatureType, FeatureView, Gate, NotePath, RepoName,
    RunEnd, RunId, RunState, Shared, Status, SubFeature, Triage, move_effect,
};
use crate::note::{self, PropertyValue};
use crate::vault::{VaultLock, create};

impl Engine {
    /// Performs what was decided about one feature.
    pub(super) async fn perform(
        &mut self,
        look: &Observation,
        decision: &Decision,
        effect: &Effect,
    ) -> Result<(), EngineError> {
        if let Some(run) = effect.run()
            && self.is_claimed_elsewhere(look, run).await?
        {
            return Ok(());
        }
        match effect {
            Effect::AssignId { path, id } => self.assign_id(look, path, id),
            Effect::Align { path, status } => self.align(look, path, *status),
            Effect::Advance { path, to } => self.advance(look, path, *to, &decision.reason),
            Effect::NoteMove { run, from, to } => {
                self.book.append(run, Event::Moved { from: *from, to: *to })?;
                self.say_did(&run.feature, format!("moved {from} → {to} by a human"));
                Ok(())
            }
            Effect::Start { path, run, repo, kind, from } => {
                self.start(look, path, run, repo, *kind, *from, &decision.reason)
            }
            Effect::AdoptSpec { path } => self.adopt_spec(look, path),
            Effect::Triage { run, triage } => self.triage(look, run, triage),
            Effect::Show { run } => {
                let what = "shown in the note";
                self.write_run(look, run, NoteChange::default(), what, "shown")
            }
            Effect::Step { run, key, attempt, instruction } => {
                let view = self.view(look, &run.feature)?;
                self.begin_step(look, view, run, *key, *attempt, instruction.clone())
            }
            Effect::Cancel { run } => {
                self.cancel(run);
                Ok(())
            }
            Effect::AdoptPlan { run, text } => {
                self.book.append(run, Event::PlanEdited { plan_text: text.clone() })
            }
            Effect::AskApproval { run, gate, plan, base, refused } => {
                let (plan, base) = (plan.clone(), base.clone());
                let event = Event::ApprovalAsked { gate: *gate, plan, base, refused: refused.clone() };
                self.book.append(run, event)?;
                // A box to tick; a tick left over from before cannot pass this gate.
                let change = NoteChange::default().set("approved", PropertyValue::Bool(false));
                self.project(look, run, change, &format!("asks for the approval of {gate}"), "approval-asked")
            }
            Effect::Approve { run, gate, plan, base, by } => {
                let event =
                    Event::Approved { gate: *gate, plan: plan.clone(), base: base.clone(), by: by.clone() };
                self.approve(look, run, event, *gate, by)
            }
            Effect::Brake { run, brake, detail } => {
                self.book.append(run, Event::Braked { brake: *brake, detail: detail.clone() })?;
                // A tick left over from before cannot take the brake off.
                let change = NoteChange::default().set("approved", PropertyValue::Bool(false));
                self.project(look, run, change, &format!("stopped: {brake}"), "braked")
            }
            Effect::Resume { run, by, words } => {
                let words = words.clone();
                self.book.append(run, Event::Resumed { by: by.clone(), words })?;
                let change = NoteChange::default().untick().unwaiting();
                self.project(look, run, change, &format!("goes on, by {by}"), "resumed")
            }
            Effect::AskReview { run, by, words } => {
                let words = words.clone();
                self.book.append(run, Event::ReviewAsked { by: by.clone(), words })?;
                let change = NoteChange::default().untick().unwaiting();
                self.project(look, run, change, &format!("reviewed once more, by {by}"), "review-asked")
            }
            Effect::Rework { run, feedback } => {
                let points = feedback.len();
                self.book.append(run, Event::Reworked { feedback: feedback.clone() })?;
                let what = format!("goes on, by {points} points of feedback");
                self.project(look, run, NoteChange::default().unwaiting(), &what, "reworked")
            }
            Effect::Update { run } => self.update_branch(look, run),
            Effect::Split { run, features } => self.split(look, run, features),
            Effect::Publish { run } => self.publish(look, run).await,
            Effect::Merge { run } => self.merge(look, run).await,
            Effect::Finish { run, result, detail } => self.finish(look, run, *result, detail).await,
            Effect::End { run, result, detail } => self.end(look, run, *result, detail).await,
        }
    }

    fn assign_id(&self, look: &Observation, path: &NotePath, id: &FeatureId) -> Result<(), EngineError> {
        let view = self.view_at(look, path)?;
        let change = NoteChange::with_id(id);
        let subject = format!("{id}: id given to {}", view.feature.title);
        self.write_plain(look, view, change, subject, id.as_str(), "id-assigned")
    }

    fn align(&self, look: &Observation, path: &NotePath, status: Status) -> Result<(), EngineError> {
        let view = self.view_at(look, path)?;
        let label = view.feature.label().to_owned();
        let before = view.committed.as_ref().and_then(|committed| committed.folder.or(committed.status));
        let subject = match before {
            Some(before) if before != status => {
                format!("{label}: {before} → {status}, status and folder aligned")
            }
            _ => format!("{label}: status and folder aligned to {status}"),
        };
        self.write_plain(look, view, NoteChange::default().go(status), subject, &label, "aligned")
    }

    /// A move of ado's own: of a run's note, or of one that no run works on.
    fn advance(
        &self,
        look: &Observation,
        path: &NotePath,
        to: Status,
        reason: &str,
    ) -> Result<(), EngineError> {
        let view = self.view_at(look, path)?;
        if let Some(run) = view.live_run() {
            return self.go(look, &run.id, to, NoteChange::default().unwaiting());
        }
        let label = view.feature.label().to_owned();
        let from = view.feature.folder.map(|from| from.to_string()).unwrap_or_default();
        let subject = format!("{label}: {from} → {to}, {reason}");
        self.write_plain(look, view, NoteChange::default().go(to), subject, &label, "advanced")
    }

    /// A write that belongs to no run.
    pub(super) fn write_plain(
        &self,
        look: &Observation,
        view: &FeatureView,
        change: NoteChange,
        subject: String,
        label: &str,
        event: &str,
    ) -> Result<(), EngineError> {
        self.say(&Said::Did { feature: label.to_owned(), what: subject.clone() });
        let message = message(subject, label, None, event);
        self.scribe().write(look, &view.feature, None, &change, message)?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one effect")]
    fn start(
        &self,
        look: &Observation,
        path: &NotePath,
        run: &RunId,
        repo: &RepoName,
        kind: FeatureType,
        from: Status,
        reason: &str,
    ) -> Result<(), EngineError> {
        let view = self.view_at(look, path)?;
        let target = request::target_branch(view, &look.snapshot.config)?;
        let event = Event::Started {
            run: run.clone(),
            repo: repo.clone(),
            branch: BranchName::for_run(kind, run, &note::slug(&view.feature.title, 40)),
            target_branch: target,
            request: view.feature.request_hash(),
            reason: reason.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sandboxed: self.sandbox.is_enforcing(),
            from: Some(from),
            proposed: None,
        };
        self.book.begin(run, event)?;
        let change = NoteChange::default().unwaiting().untick();
        if self.state(run)?.only_specifies() {
            let change = change.remove("specify");
            return self.project(look, run, change, "a specification is being drafted", "started");
        }
        self.go(look, run, Status::InProgress, change)
    }

    /// The draft's text without the markers around it is the human's from now on.
    fn adopt_spec(&self, look: &Observation, path: &NotePath) -> Result<(), EngineError> {
        let view = self.view_at(look, path)?;
        let label = view.feature.label().to_owned();
        let change = NoteChange { released: vec!["spec"], ..NoteChange::default() }.unwaiting();
        let subject = format!("{label}: the draft is the request");
        self.write_plain(look, view, change, subject, &label, "draft-adopted")
    }

    /// Moves a run's note to `to`: intent, write, move, completion, commit.
    pub(super) fn go(
        &self,
        look: &Observation,
        run: &RunId,
        to: Status,
        change: NoteChange,
    ) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let effect = move_effect(state.status, to);
        if state.status != to {
            self.book.append(run, Event::Intended { effect, detail: String::new() })?;
        }
        let what = format!("{} → {to}", state.status);
        self.project(look, run, change.go(to), &what, "moved")
    }

    /// Brings note and run note to what the run's state says, with one commit `FR: what`.
    pub(super) fn project(
        &self,
        look: &Observation,
        run: &RunId,
        change: NoteChange,
        what: &str,
        event: &str,
    ) -> Result<(), EngineError> {
        self.write_run(look, run, change, what, event)?;
        self.say_did(&run.feature, what.to_owned());
        Ok(())
    }

    /// [`Engine::project`] without a word to the listener.
    pub(super) fn write_run(
        &self,
        look: &Observation,
        run: &RunId,
        change: NoteChange,
        what: &str,
        event: &str,
    ) -> Result<(), EngineError> {
        let state = self.state(run)?;
        let view = self.view(look, &run.feature)?;
        let subject = format!("{}: {what}", run.feature);
        let message = message(subject, run.feature.as_str(), Some(&state), event);
        let later = change.only_shows() && self.shows_later(look, view);
        if later {
            self.scribe().write_journal(run, &view.feature.title, message)?;
        } else {
            self.scribe().write(look, &view.feature, Some(run), &change, message)?;
        }
        self.set_owed(run, later);
        Ok(())
    }

    fn triage(&self, look: &Observation, run: &RunId, triage: &Triage) -> Result<(), EngineError> {
        self.book.append(run, Event::Triaged { triage: triage.clone() })?;
        let what = format!("triage: {}, complexity {} of 100", triage.tier, triage.complexity);
        self.project(look, run, NoteChange::default(), &what, "triaged")
    }

    fn approve(
        &self,
        look: &Observation,
        run: &RunId,
        event: Event,
        gate: Gate,
        by: &str,
    ) -> Result<(), EngineError> {
        self.book.append(run, event)?;
        let change = NoteChange::default().untick().unwaiting();
        self.project(look, run, change, &format!("{gate} approved by {by}"), "approved")
    }

    /// Writes the sub-features as notes in `new`; those that exist by title are left alone.
    fn split(&self, look: &Observation, run: &RunId, features: &[SubFeature]) -> Result<(), EngineError> {
        let view = self.view(look, &run.feature)?;
        let settings = &look.snapshot.config.settings;
        let mut next = look.snapshot.next_feature_number();
        let mut ids: Vec<(String, FeatureId)> = vec![];
        let mut paths = vec![];
        let folder = look.folders.status(Status::New);
        let lock = VaultLock::acquire(&self.vault)?;
        for sub in features {
            let there = look.snapshot.features.iter().find(|other| {
                other.feature.title == sub.title && other.feature.brief.contains(&parent_line(view))
            });
            if let Some((id, path)) =
                there.and_then(|other| Some((other.feature.id.clone()?, other.feature.path.clone())))
            {
                paths.push(path);
                ids.push((sub.title.clone(), id));
                continue;
            }
            let id = FeatureId::new(&settings.id_prefix, next)?;
            next += 1;
            let file = note::file_name(Some(&id), &sub.title, settings.note_name);
            let path = NotePath::new(format!("{folder}/{file}"))?;
            let text = sub_feature_note(&id, sub, view, &ids)?;
            create(&lock, &self.vault, &path, &text)?;
            paths.push(path);
            ids.push((sub.title.clone(), id));
        }
        drop(lock);
        let features: Vec<FeatureId> = ids.into_iter().map(|(_, id)| id).collect();
        let what = format!("split into {} features", features.len());
        self.book.append(run, Event::SplitInto { features })?;
        self.project(look, run, NoteChange::default().with(paths), &what, "split")
    }

    pub(super) fn state(&self, run: &RunId) -> Result<Shared<RunState>, EngineError> {
        self.book.state(run).ok_or_else(|| EngineError::NoSuchRun(run.to_string()))
    }

    pub(super) fn view<'a>(
        &self,
        look: &'a Observation,
        id: &FeatureId,
    ) -> Result<&'a FeatureView, EngineError> {
        look.feature(id).ok_or_else(|| EngineError::NoSuchFeature(id.to_string()))
    }

    fn view_at<'a>(&self, look: &'a Observation, path: &NotePath) -> Result<&'a FeatureView, EngineError> {
        look.at(path).ok_or_else(|| EngineError::NoSuchFeature(path.to_string()))
    }

    pub(super) fn say_did(&self, feature: &FeatureId, what: String) {
        self.say(&Said::Did { feature: feature.to_string(), what });
    }

    /// Ends a run: journal first, then the note, then what is left of the worktree.
    async fn end(
        &mut self,
        look: &Observation,
        run: &RunId,
        result: RunEnd,
        detail: &str,
    ) -> Result<(), EngineError> {
        self.cancel(run);
        let closes = matches!(result, RunEnd::Dropped | RunEnd::Stopped);
        if closes && !self.close_pull_request(look, run, detail).await? {
            return Ok(());
        }
        let ended = Event::Ended { result, detail: detail.to_owned() };
        self.book.append(run, ended)?;
        let mut change = NoteChange::default().untick().unwaiting();
        if self.state(run)?.only_specifies() {
            change = change.remove("specify");
        }
        let what = match result {
            RunEnd::Stopped => "stopped, branch kept",
            RunEnd::Dropped => "dropped",
            RunEnd::Accepted => "accepted as done by a human",
            RunEnd::Split => "split into smaller features",
            RunEnd::Specified => "specification drafted, waits for a human",
            RunEnd::Merged => "merged",
            RunEnd::Reviewed => "reviewed",
        };
        self.project(look, run, change, what, "ended")?;
        self.remove_worktree(look, run).await;
        Ok(())
    }
}

fn parent_line(view: &FeatureView) -> String {
    format!("Part of [[{}]]", view.feature.path.stem())
}

fn sub_feature_note(
    id: &FeatureId,
    sub: &SubFeature,
    parent: &FeatureView,
    before: &[(String, FeatureId)],
) -> Result<String, EngineError> {
    let mut sets = vec![
        ("id", Some(PropertyValue::Text(id.to_string()))),
        ("aliases", Some(PropertyValue::List(vec![id.to_string()]))),
        ("title", Some(PropertyValue::Text(note::plain(&sub.title)))),
        ("type", Some(PropertyValue::Text(parent.feature.kind().to_string()))),
        ("status", Some(PropertyValue::Text(Status::New.slug().to_owned()))),
    ];
    if let Some(repo) = &parent.feature.properties.repo {
        sets.push(("repo", Some(PropertyValue::Text(repo.clone()))));
    }
    let needs: Vec<String> = before
        .iter()
        .filter(|(title, _)| sub.depends_on.contains(title))
        .map(|(_, id)| id.to_string())
        .collect();
    if !needs.is_empty() {
        sets.push(("depends_on", Some(PropertyValue::List(needs))));
    }
    let mut body =
        format!("\n## Summary\n\n{}\n\n## Acceptance criteria\n\n", note::plain(&sub.summary).trim());
    for criterion in &sub.criteria {
        body.push_str(&format!("- [ ] {}\n", note::plain(criterion).replace('\n', " ")));
    }
    let day = Timestamp::now().strftime("%Y-%m-%d");
    body.push_str(&format!("\n## Notes\n\n{}, proposed on {day}.\n", parent_line(parent)));
    Ok(note::set_properties(&body, &sets)?)
}
