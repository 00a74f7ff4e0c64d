//! A note that was written just now is left alone for a moment, so that Obsidian and sync programs do not meet it changing
//! again and again; so is a note whose move would write into one that a human is typing (vault format, 6).
//!
//! Does not know how long that is, nor what is decided besides.

use jiff::Timestamp;

use super::next::{Next, plain};
use crate::domain::{Effect, FeatureView, Hold, HoldReason, RunEnd, Snapshot, Status};

/// What a wait for the end of such a moment begins with.
pub(super) const MOMENT: &str = "moment: ";

/// What was decided about a feature, or a wait until its note may be written. A human's stop is never delayed.
pub(super) fn hold(snapshot: &Snapshot, view: &FeatureView, next: Next) -> Next {
    let Some(hold) = view.held_at(snapshot.now) else { return next };
    let Next::Do { effect, .. } = &next else { return next };
    let is_held = match hold.why {
        HoldReason::JustWritten => effect.needs_note() && !ends_for_human(effect),
        HoldReason::LinkTyped(_) => effect.destination().is_some(),
    };
    if !is_held {
        return next;
    }
    if let (Some(run), true) = (view.live_run(), takes_away(view, effect)) {
        let reason = "a human took the note away; the step at work is stopped first";
        return Next::act(Effect::Cancel { run: run.id.clone() }, reason);
    }
    wait(hold, effect)
}

/// When the first of the notes that are left alone may be written, if that makes a difference.
pub(super) fn wake(snapshot: &Snapshot, judged: &[(&FeatureView, Next)]) -> Option<Timestamp> {
    let waits = |(view, next): &(&FeatureView, Next)| {
        let hold = view.held_at(snapshot.now)?;
        let is_held = matches!(next, Next::Wait(wait) if wait.on.starts_with(MOMENT));
        (view.owed || is_held).then_some(hold.until)
    };
    judged.iter().filter_map(waits).min()
}

/// Brings the note to what its run's journal says, where nothing else that happens now does.
pub(super) fn show(snapshot: &Snapshot, view: &FeatureView, next: Next) -> Next {
    let is_idle = match &next {
        // The end of what is done at the forge shows it.
        Next::Rest { .. } if view.in_flight.is_some_and(|key| key.step.is_at_forge()) => false,
        Next::Rest { .. } => true,
        Next::Wait(wait) => !wait.needs_human,
        Next::Do { .. } | Next::Ready { .. } => false,
    };
    match view.live_run() {
        Some(run) if view.owed && is_idle && view.held_at(snapshot.now).is_none() => Next::act(
            Effect::Show { run: run.id.clone() },
            "the note was written too lately to show this at once",
        ),
        _ => next,
    }
}

fn ends_for_human(effect: &Effect) -> bool {
    let by_human = |result: &RunEnd| matches!(result, RunEnd::Stopped | RunEnd::Dropped | RunEnd::Accepted);
    matches!(effect, Effect::End { result, .. } if by_human(result))
}

/// Whether the note was moved where no step works on it, while one does.
fn takes_away(view: &FeatureView, effect: &Effect) -> bool {
    let works = |status: &Status| matches!(status, Status::InProgress | Status::Review);
    view.in_flight.is_some() && matches!(effect, Effect::Align { status, .. } if !works(status))
}

fn wait(hold: &Hold, effect: &Effect) -> Next {
    let then = effect.in_words();
    match &hold.why {
        HoldReason::JustWritten => Next::pause(
            format!("{MOMENT}the note was written just now"),
            format!("the note was written just now; ado-vault will {} in a moment", plain(&then)),
            "it goes on by itself; `write_pause_seconds` in `00_system/Settings.md` says how long it waits",
        ),
        HoldReason::LinkTyped(path) => Next::pause(
            format!("{MOMENT}`{}` is being edited", plain(path.stem())),
            format!(
                "`{}` is being edited and has a link to mend; ado-vault will {} when it is left alone",
                plain(path.as_str()),
                plain(&then)
            ),
            format!("leave `{}` alone for `quiet_seconds` of `00_system/Settings.md`", plain(path.stem())),
        ),
    }
}
