//! A note in `new` that asks for it gets a draft of its summary, acceptance criteria and questions; the draft becomes the
//! note's own text when a human moves it to `planned`.
//!
//! Does not write the draft or judge it; a human does.

use super::next::Next;
use super::{brakes, eligibility, issues, moves, steps};
use crate::domain::{Effect, FeatureView, Instruction, RunEnd, RunState, Snapshot, Status, Step, StepKey};

/// The managed block that holds a draft.
const BLOCK: &str = "spec";

/// Why a draft of this note in `new` is to be written; `None` where nobody asks for one, or it is there.
pub(super) fn wanted(snapshot: &Snapshot, view: &FeatureView) -> Option<&'static str> {
    let feature = &view.feature;
    if feature.properties.specify == Some(true) {
        return (!is_drafted(view)).then_some("`specify` is ticked");
    }
    // The summary of an issue's note is the issue's own text.
    let says_nothing = || feature.properties.issue.is_some() || feature.sections.summary.trim().is_empty();
    let is_vague = || feature.sections.criteria.is_empty() && says_nothing();
    // A note that had a run was seen by a human since.
    (snapshot.config.settings.auto_specify
        && view.runs.is_empty()
        && issues::goes_on_by_itself(feature)
        && is_vague())
    .then_some("it has neither a summary nor acceptance criteria, and `auto_specify` is set")
}

/// Whether the note shows a draft of its text as it is.
fn is_drafted(view: &FeatureView) -> bool {
    let request = view.feature.request_hash();
    has_block(view) && view.runs.iter().any(|run| run.draft.is_some() && run.request == request)
}

fn has_block(view: &FeatureView) -> bool {
    view.feature.blocks.contains_key(BLOCK)
}

/// A live run that drafts, with its note at `at`.
pub(super) fn follow(snapshot: &Snapshot, view: &FeatureView, run: &RunState, at: Status) -> Next {
    match at {
        Status::New => next(snapshot, view, run),
        Status::Dropped => moves::stop(view, run, RunEnd::Dropped, "a human dropped it"),
        Status::Done => moves::stop(view, run, RunEnd::Accepted, "a human moved the note to `done`"),
        _ => moves::stop(view, run, RunEnd::Stopped, &format!("a human moved the note to `{at}`")),
    }
}

fn next(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    if let Some(next) = moves::at_work(view, run).or_else(|| brakes::held(view, run)) {
        return next;
    }
    if run.draft.is_some() {
        let detail = "the draft waits for a human";
        let effect =
            Effect::End { run: run.id.clone(), result: RunEnd::Specified, detail: detail.to_owned() };
        return Next::act(effect, format!("the specification is drafted; {detail}"));
    }
    if !eligibility::is_chosen(snapshot, view) {
        return Next::rest("not among the features asked for");
    }
    let key = StepKey::new(Step::Specify, 1);
    steps::begin(snapshot, view, run, key, Instruction::default(), "the spec writer drafts it")
}

/// A draft that stands in a note of `new` and that no human took over yet.
pub(super) fn read_it(snapshot: &Snapshot, view: &FeatureView) -> Option<Next> {
    if !has_block(view) || wanted(snapshot, view).is_some() {
        return None;
    }
    if view.feature.properties.approved == Some(true) {
        let effect = Effect::Advance { path: view.feature.path.clone(), to: Status::Planned };
        return Some(Next::act(effect, "a human approved the draft"));
    }
    let why = if view.feature.sections.criteria.is_empty() {
        "a draft stands in the block `spec`; it becomes the note's own text when the note is moved to `planned`"
    } else {
        "a draft stands in the block `spec`; the note has acceptance criteria of its own, and those count"
    };
    Some(Next::ask(
        "read the draft",
        why,
        "change in it what is wrong, then move the note to `planned` or tick `approved`; for another draft delete the block or change \
         the text around it, and tick `specify`",
    ))
}

/// The draft of a planned note without acceptance criteria of its own is what a human accepted by moving it.
pub(super) fn accept(view: &FeatureView) -> Option<Next> {
    (has_block(view) && view.feature.sections.criteria.is_empty()).then(|| {
        Next::act(
            Effect::AdoptSpec { path: view.feature.path.clone() },
            "a human moved the drafted note to `planned`; the draft becomes its own text",
        )
    })
}
