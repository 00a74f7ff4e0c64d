//! Writes what a transition means into the vault: properties, blocks, ticks, the move, the run's projection; one
//! commit for all of it. Writing the same thing twice changes nothing.
//!
//! Order, for crashes: the human's version is committed, the commit to come is noted down, block hashes are journalled,
//! the note is written, moved, the move journalled as completed, `run.md` written, everything committed. A restart redoes
//! what is not committed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::book::run_folder;
use super::observe::Observation;
use super::{EngineError, RunBook, redact};
use crate::domain::{
    ContentHash, Event, Feature, FeatureId, NotePath, RunId, RunState, Shared, Spent, Status, Step, Wait,
    move_effect,
};
use crate::note::{self, EditError, PropertyValue};
use crate::report::render;
use crate::vault::{
    CommitMessage, Foreseen, History, Intended, OwnTexts, StoreError, Vault, VaultLock, edit,
    write_projection,
};

/// What should stand in a note, apart from what its run says anyway.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoteChange {
    pub sets: Vec<(&'static str, Option<PropertyValue>)>,
    /// A name to add to the note's `aliases`.
    pub alias: Option<String>,
    /// Texts of acceptance criteria and rows of phases that were proven.
    pub proven: Vec<String>,
    /// `None` leaves `waiting_on` and the `why` block as they are; `Some(None)` clears them.
    pub wait: Option<Option<Wait>>,
    /// Blocks whose text becomes the human's own: the markers around it go.
    pub released: Vec<&'static str>,
    /// Clears the tick of `approved` where there is one: it was used, or is void.
    pub untick: bool,
    /// The move to make.
    pub to: Option<Status>,
    /// More paths that belong into the commit.
    pub also: Vec<NotePath>,
}

impl NoteChange {
    /// The change that gives a note its id.
    pub fn with_id(id: &FeatureId) -> Self {
        let id = id.to_string();
        Self { alias: Some(id.clone()), ..Self::default() }.set("id", PropertyValue::Text(id))
    }

    pub fn set(mut self, key: &'static str, value: PropertyValue) -> Self {
        self.sets.push((key, Some(value)));
        self
    }

    pub fn remove(mut self, key: &'static str) -> Self {
        self.sets.push((key, None));
        self
    }

    pub fn untick(mut self) -> Self {
        self.untick = true;
        self
    }

    pub fn go(mut self, to: Status) -> Self {
        self.to = Some(to);
        self.set("status", PropertyValue::Text(to.slug().to_owned()))
    }

    pub fn unwaiting(mut self) -> Self {
        self.wait = Some(None);
        self
    }

    pub fn with(mut self, paths: Vec<NotePath>) -> Self {
        self.also.extend(paths);
        self
    }

    /// Whether nothing is to stand in the note but what its run says, so that it may be written later.
    pub fn only_shows(&self) -> bool {
        *self == Self::default()
    }
}

/// Writes into the vault for the engine.
pub struct Scribe<'a> {
    pub vault: &'a Vault,
    pub history: &'a History,
    pub book: &'a RunBook,
    /// What a crash left uncommitted of ado's own writing.
    pub own: &'a OwnTexts,
}

impl Scribe<'_> {
    /// Brings a feature's note, its run note and the history to where `change` and the run's state say. Gives the
    /// note's path afterwards.
    pub fn write(
        &self,
        look: &Observation,
        feature: &Feature,
        run: Option<&RunId>,
        change: &NoteChange,
        message: CommitMessage,
    ) -> Result<NotePath, EngineError> {
        let lock = VaultLock::acquire(self.vault)?;
        if let Some(why) = self.history.blocked() {
            return Err(EngineError::HistoryBlocked(why));
        }
        let mut paths = vec![feature.path.clone()];
        // Where a human moved it from.
        let left = feature.id.iter().flat_map(|id| look.left_behind(id));
        paths.extend(left.clone().cloned());
        let is_new_here = self.history.committed_text(&feature.path)?.is_none();
        let left = left.filter(|at| is_new_here && look.scan.note(at).is_none());
        let left: Vec<(NotePath, NotePath)> = left.map(|at| (at.clone(), feature.path.clone())).collect();
        let unmended: Vec<Option<ContentHash>> = left
            .iter()
            .map(|(at, _)| Ok(self.history.committed_text(at)?.map(ContentHash::of)))
            .collect::<Result<_, EngineError>>()?;
        let target = match change.to {
            Some(to) if look.folders.status_of(&feature.path) != Some(to) => {
                Some((feature.path.clone(), feature.path.moved_to(&look.folders.status(to))?))
            }
            _ => None,
        };
        let foresee = |a_move| Foreseen::of(self.vault, a_move, &look.scan);
        let left_foreseen: Vec<Foreseen<'_>> = left.iter().map(foresee).collect();
        let foreseen = target.as_ref().map(foresee);
        let target = target.as_ref().map(|(_, target)| target.clone());
        let mended: Vec<NotePath> =
            left_foreseen.iter().chain(&foreseen).flat_map(|foreseen| foreseen.mends.clone()).collect();
        let mut of_human: Vec<NotePath> = paths.iter().chain(&mended).cloned().collect();
        of_human.retain(|path| !self.vault.read(path).is_ok_and(|text| self.own.contains(path, &text)));
        self.history.commit_human(&lock, &of_human)?;
        self.history.intend(&lock, self.intended(run, &paths, mended, target.clone(), change, &message)?)?;
        let nothing_mended = left.is_empty();
        for (foreseen, unmended) in left_foreseen.iter().zip(&unmended) {
            // A human's move broke them. Obsidian mends such links itself; a file manager does not.
            paths.extend(foreseen.mend_after(&lock, self.vault, &|_| unmended.clone())?.touched);
        }
        if let Some(run) = run {
            self.journal_blocks(run, look.folders.runs())?;
        }
        let state = run.and_then(|run| self.book.state(run));
        let ours = feature.id.as_ref().map(|id| Ours::of(&self.book.runs_of(id))).unwrap_or_default();
        let written = edit(&lock, self.vault, &feature.path, |text| {
            edited(text, feature, state.as_deref(), &ours, look.folders.runs(), change)
        });
        if nothing_mended && matches!(written, Err(StoreError::Edit(_))) {
            // Nothing was written that a restart would have to finish.
            self.history.fulfil(&lock)?;
        }
        written?;
        let mut path = feature.path.clone();
        if let Some(to) = change.to {
            if let (Some(foreseen), Some(target)) = (foreseen, target) {
                paths.extend(foreseen.carry_out(&lock, self.vault)?.touched);
                path = target;
            }
            if let (Some(run), Some(state)) = (run, &state)
                && state.status != to
            {
                let effect = move_effect(state.status, to);
                self.book.append(run, Event::Completed { effect, detail: path.to_string() })?;
            }
            paths.push(path.clone());
        }
        if let Some(run) = run {
            paths.extend(self.project_run(&lock, run, &feature.title)?);
        }
        paths.extend(change.also.iter().cloned());
        self.history.commit(&lock, &paths, &message)?;
        self.history.fulfil(&lock)?;
        Ok(path)
    }

    /// Brings only the run's own files and the history to where the run's state says; its note follows later.
    pub fn write_journal(&self, run: &RunId, title: &str, message: CommitMessage) -> Result<(), EngineError> {
        let lock = VaultLock::acquire(self.vault)?;
        if let Some(why) = self.history.blocked() {
            return Err(EngineError::HistoryBlocked(why));
        }
        let change = NoteChange::default();
        self.history.intend(&lock, self.intended(Some(run), &[], vec![], None, &change, &message)?)?;
        let paths = self.project_run(&lock, run, title)?;
        self.history.commit(&lock, &paths, &message)?;
        self.history.fulfil(&lock)?;
        Ok(())
    }

    /// The commit that a transition will end in.
    fn intended(
        &self,
        run: Option<&RunId>,
        paths: &[NotePath],
        mended: Vec<NotePath>,
        to: Option<NotePath>,
        change: &NoteChange,
        message: &CommitMessage,
    ) -> Result<Intended, EngineError> {
        let mut paths: Vec<NotePath> = paths.iter().chain(&change.also).chain(&to).cloned().collect();
        paths.extend(mended);
        if let Some(run) = run {
            let folder = run_folder(self.vault, run)?;
            for file in ["journal.jsonl", "run.md"] {
                paths.push(NotePath::new(format!("{folder}/{file}"))?);
            }
        }
        Ok(Intended { paths, to, message: message.clone() })
    }

    /// Journals the hashes of the blocks about to be written, so that a human's edit of one is noticed later.
    fn journal_blocks(&self, run: &RunId, runs: &str) -> Result<(), EngineError> {
        let Some(state) = self.book.state(run) else { return Ok(()) };
        for (block, content) in blocks_of(&state, runs) {
            let Some(hash) = content.map(|content| note::block_hash(&content)) else { continue };
            if state.blocks.get(block) != Some(&hash) {
                self.book.append(run, Event::BlockWritten { block: block.to_owned(), hash })?;
            }
        }
        Ok(())
    }

    /// Writes `run.md` and names every file of the run that belongs into a commit.
    fn project_run(&self, lock: &VaultLock, run: &RunId, title: &str) -> Result<Vec<NotePath>, EngineError> {
        let Some(state) = self.book.state(run) else { return Ok(vec![]) };
        let (run_note, mut paths) = self.book.files(run)?;
        let text = redact::text(&render::run_note(&state, &self.book.records(run)?, title));
        write_projection(lock, self.vault, &run_note, &text)?;
        paths.push(run_note);
        Ok(paths)
    }
}

/// The text that a note would have after `change`; `runs` are all runs of the feature.
pub(super) fn text_after(
    text: &str,
    feature: &Feature,
    state: Option<&RunState>,
    runs: &[Shared<RunState>],
    folder_of_runs: &str,
    change: &NoteChange,
) -> Result<String, EditError> {
    edited(text, feature, state, &Ours::of(runs), folder_of_runs, change)
}

/// The note's text with everything in its place.
fn edited(
    text: &str,
    feature: &Feature,
    state: Option<&RunState>,
    ours: &Ours,
    runs: &str,
    change: &NoteChange,
) -> Result<String, EditError> {
    let mut sets = change.sets.clone();
    if change.untick && feature.properties.approved.is_some() {
        sets.push(("approved", Some(PropertyValue::Bool(false))));
    }
    let mut blocks = vec![];
    if let Some(state) = state {
        sets.extend(properties_of(state, ours.spent, change.to));
        blocks.extend(blocks_of(state, runs));
    }
    if let Some(wait) = &change.wait {
        sets.push(("waiting_on", wait.as_ref().map(|wait| PropertyValue::Text(wait.on.clone()))));
        blocks.push(("why", wait.as_ref().map(|wait| render::why_block(wait, &feature.diagnostics))));
    }
    let mut now = match note::set_properties(text, &sets) {
        Ok(now) => now,
        // Front matter that cannot be edited: the reason still goes into the body.
        Err(_) if state.is_none() && change.to.is_none() => text.to_owned(),
        Err(error) => return Err(error),
    };
    if let Some(alias) = &change.alias {
        now = note::with_alias(&now, alias)?;
    }
    // To be written by nobody makes a block the human's own.
    let nobody = ContentHash::of("written by nobody");
    for name in &change.released {
        now = note::set_block(&now, name, None, Some(&nobody))?;
    }
    for (name, content) in blocks {
        now = put_block(now, name, content.as_deref(), ours)?;
    }
    if !change.proven.is_empty() {
        now = note::tick_criteria(&now, &change.proven)?;
        now = note::settle_rows(&now, &change.proven)?;
    }
    if now != text && state.is_some() {
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        now = note::set_property(&now, "updated", Some(&PropertyValue::Text(at)))?;
    }
    Ok(now)
}

/// What ado wrote and spent on a feature over all its runs.
#[derive(Default)]
struct Ours {
    written: BTreeSet<(String, ContentHash)>,
    spent: Spent,
}

impl Ours {
    fn of(runs: &[Shared<RunState>]) -> Self {
        Self {
            written: runs.iter().flat_map(|run| run.written.iter().cloned()).collect(),
            spent: runs.iter().map(|run| run.committed_spend()).sum(),
        }
    }
}

/// Sets one block. A plan that a human rewrote is theirs and is left as it is; of any other block that a human
/// edited the text is kept and a fresh block written below it.
fn put_block(
    text: String,
    name: &'static str,
    content: Option<&str>,
    ours: &Ours,
) -> Result<String, EditError> {
    let present = note::blocks(&text).map_err(EditError::Markers)?;
    let present = present.into_iter().find(|block| block.name == name).map(|block| block.hash);
    let is_ours =
        |hash: &ContentHash| name == "why" || ours.written.contains(&(name.to_owned(), hash.clone()));
    let edited_by_human = present.as_ref().is_some_and(|hash| !is_ours(hash));
    if edited_by_human && name == "plan" {
        return Ok(text);
    }
    let nobody = ContentHash::of("written by nobody");
    let known = if edited_by_human { Some(&nobody) } else { present.as_ref() };
    note::set_block(&text, name, content, known)
}

/// The properties that a run's state says.
fn properties_of(
    state: &RunState,
    spent: Spent,
    to: Option<Status>,
) -> Vec<(&'static str, Option<PropertyValue>)> {
    let text = |text: String| Some(PropertyValue::Text(text));
    let mut sets = vec![("run", text(state.id.to_string()))];
    if let Some(triage) = &state.triage {
        sets.push(("tier", text(triage.tier.to_string())));
        sets.push(("complexity", Some(PropertyValue::Integer(i64::from(triage.complexity)))));
    }
    let at_work = state.ended.is_none() && to != Some(Status::Done);
    let step = state.last_try().filter(|_| at_work).map(|step| step.key.to_string());
    sets.push(("step", step.map(PropertyValue::Text)));
    if state.base.is_some() {
        sets.push(("branch", text(state.branch.to_string())));
    }
    if let Some(pr) = &state.pr {
        sets.push(("pr", text(pr.link.clone())));
    }
    if spent.calls > 0 {
        sets.push(("cost_usd", Some(PropertyValue::Number(spent.usd.rounded()))));
        sets.push(("tokens", Some(PropertyValue::Integer(i64::try_from(spent.tokens).unwrap_or(i64::MAX)))));
    }
    sets
}

/// The blocks that a run's state says; `runs` is the folder of run notes.
fn blocks_of(state: &RunState, runs: &str) -> Vec<(&'static str, Option<String>)> {
    let mut blocks = vec![];
    if let Some(triage) = &state.triage {
        blocks.push(("triage", Some(render::triage_block(triage))));
    }
    if let Some(draft) = &state.draft {
        blocks.push(("spec", Some(render::spec_block(draft))));
    }
    if let Some(plan) = state.plan.as_ref().filter(|_| state.plan_text.is_none()) {
        blocks.push(("plan", Some(render::plan_block(plan, &state.id))));
    }
    if state.tries.iter().any(|step| step.key.step != Step::Triage) {
        blocks.push(("progress", Some(render::progress_block(&state.id, runs))));
    }
    if state.review.is_some() {
        blocks.push(("review", Some(render::review_block(state))));
    }
    if state.pr.is_some() {
        blocks.push(("pull-request", Some(render::pull_request_block(state))));
    }
    blocks
}

/// A commit message of a feature's transition with its trailers (vault format, section 7).
pub fn message(subject: String, feature: &str, run: Option<&RunState>, event: &str) -> CommitMessage {
    let mut trailers = vec![("Ado-Feature".to_owned(), feature.to_owned())];
    if let Some(run) = run {
        trailers.push(("Ado-Run".to_owned(), run.id.to_string()));
        if let Some(step) = run.last_try() {
            trailers.push(("Ado-Step".to_owned(), step.key.to_string()));
        }
    }
    trailers.push(("Ado-Event".to_owned(), event.to_owned()));
    if let Some(run) = run {
        trailers.push(("Ado-Cost-Usd".to_owned(), format!("{:.4}", run.spent.usd.dollars())));
    }
    CommitMessage { subject, body: String::new(), trailers }
}
