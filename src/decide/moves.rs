//! What a human's move of a note means for its run (vault format, 4). A human's move is stronger than anything else.
//!
//! Does not know how a run goes on; `pipeline` and `shepherd` do.

use super::next::Next;
use super::{pipeline, shepherd, specifying, splitting};
use crate::domain::{Effect, FeatureView, RunEnd, RunState, Snapshot, Status, Step, StepKey, parse_move};

/// Follows the last run of a feature; `None` where there is nothing to follow: no run, or one that is over.
pub(super) fn follow(snapshot: &Snapshot, view: &FeatureView) -> Option<Next> {
    let run = view.run()?;
    let at = view.feature.folder?;
    match &run.ended {
        Some((result, detail)) => after_end(snapshot, view, run, at, *result, detail),
        None if run.status != at => Some(anew(view, run, at).unwrap_or_else(|| note_move(run, at))),
        None => Some(live(snapshot, view, run, at)),
    }
}

/// Moved to `planned` from anywhere but `in_progress`: it is done again from the start. The live run ends where it knows
/// its note to be, so that the queue begins the next one.
fn anew(view: &FeatureView, run: &RunState, at: Status) -> Option<Next> {
    let again = at == Status::Planned && run.status != Status::InProgress && !run.only_specifies();
    let why = "a human moved the note to `planned` to have it done anew";
    again.then(|| stop(view, run, RunEnd::Stopped, why))
}

fn note_move(run: &RunState, at: Status) -> Next {
    let own = run.pending.keys().any(|effect| parse_move(effect) == Some((run.status, at)));
    let reason = if own {
        format!("the move to `{at}` was made before ado-vault was interrupted")
    } else if (run.status, at) == (Status::Review, Status::InProgress) && run.has_words() {
        "the note was moved so that review comments are worked on".to_owned()
    } else {
        format!("a human moved the note from `{}` to `{at}`", run.status)
    };
    Next::act(Effect::NoteMove { run: run.id.clone(), from: run.status, to: at }, reason)
}

fn live(snapshot: &Snapshot, view: &FeatureView, run: &RunState, at: Status) -> Next {
    if run.only_specifies() {
        return specifying::follow(snapshot, view, run, at);
    }
    match at {
        Status::Planned if !has_begun(run) => Next::act(
            Effect::Start {
                path: view.feature.path.clone(),
                run: run.id.clone(),
                repo: run.repo.clone(),
                kind: view.feature.kind(),
                from: at,
            },
            "the start was interrupted; it is completed",
        ),
        Status::Ideas | Status::New | Status::Planned => {
            stop(view, run, RunEnd::Stopped, &format!("a human moved the note back to `{at}`"))
        }
        Status::Dropped => stop(view, run, RunEnd::Dropped, "a human dropped it"),
        Status::Done => accepted(snapshot, view, run),
        Status::InProgress => pipeline::next(snapshot, view, run),
        Status::Review => shepherd::next(snapshot, view, run),
    }
}

/// Whether the run ever got beyond its first move.
fn has_begun(run: &RunState) -> bool {
    run.triage.is_some()
        || !run.tries.is_empty()
        || run
            .completed
            .iter()
            .any(|effect| parse_move(effect).is_some_and(|(_, to)| to == Status::InProgress))
}

/// Ends the run where a human took its note away; a step at work is stopped first.
pub(super) fn stop(view: &FeatureView, run: &RunState, result: RunEnd, why: &str) -> Next {
    match view.in_flight {
        Some(key) if key.step == Step::Merge => being_done(key),
        Some(key) => Next::act(Effect::Cancel { run: run.id.clone() }, format!("{why}; {key} is at work")),
        None => Next::act(
            Effect::End { run: run.id.clone(), result, detail: why.to_owned() },
            format!("{why}; the branch `{}` is kept", run.branch.as_str()),
        ),
    }
}

/// A human moved the note to `done`: a pull request that is up to date is merged, anything else is taken as it is.
fn accepted(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    if view.in_flight.is_some() {
        // The merge itself is what the move asks for; `stop` leaves it alone.
        return stop(view, run, RunEnd::Accepted, "a human moved the note to `done`");
    }
    let offered = run.pr.as_ref().filter(|_| run.pr_head.as_ref() == run.head());
    match offered {
        Some(_) => shepherd::merge_for_human(snapshot, view, run, "a human moved the note to `done`"),
        None => stop(view, run, RunEnd::Accepted, "a human moved the note to `done`"),
    }
}

fn after_end(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    at: Status,
    result: RunEnd,
    detail: &str,
) -> Option<Next> {
    if run.status != at {
        // Moved to `planned` again: a new run, which the queue begins.
        return (at != Status::Planned).then(|| note_move(run, at));
    }
    match (at, result) {
        (Status::Planned, RunEnd::Merged | RunEnd::Accepted) => None,
        // Moved to `planned` while the draft was written: do it without.
        (Status::Planned, _) if run.only_specifies() => None,
        (Status::New, _) => specifying::read_it(snapshot, view),
        (Status::Planned, _) if view.feature.properties.approved == Some(true) => None,
        (Status::Planned, _) => Some(Next::ask(
            "stopped",
            format!("run {} was stopped: {}", run.id, super::next::plain(detail)),
            format!(
                "move the note out of `planned` and back, or run `ado-vault approve {}`",
                view.feature.label()
            ),
        )),
        (Status::InProgress | Status::Review, RunEnd::Split) => Some(splitting::wait(snapshot, view, run)),
        (Status::InProgress | Status::Review, RunEnd::Merged) if !was_finished(run) => Some(Next::act(
            Effect::Finish { run: run.id.clone(), result, detail: detail.to_owned() },
            "merged; the move to `done` is completed",
        )),
        _ => None,
    }
}

fn was_finished(run: &RunState) -> bool {
    run.completed.iter().any(|effect| parse_move(effect).is_some_and(|(_, to)| to == Status::Done))
}

/// A step of this run is at work; nothing else happens until it ends.
pub(super) fn at_work(view: &FeatureView, run: &RunState) -> Option<Next> {
    let key = view.in_flight?;
    if key.step.is_at_forge() {
        return Some(being_done(key));
    }
    let attempt = run.tries.iter().rev().find(|step| step.key == key);
    let since = attempt
        .map_or_else(String::new, |step| format!(" since {:.0} (attempt {})", step.started, step.attempt));
    Some(Next::rest(format!("{key} is at work{since}")))
}

/// What was decided is being done at the forge.
fn being_done(key: StepKey) -> Next {
    Next::rest(format!("{key} is being done at the forge"))
}
