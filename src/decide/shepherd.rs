//! A run whose pull request is open: merged by a human's word or by policy, reworked on feedback, finished when its
//! commits are reachable from the target branch.
//!
//! Does not talk to a forge.

use super::merging::ByItself;
use super::next::{Next, plain};
use super::{approvals, brakes, feedback, merging, moves};
use crate::domain::{
    Checks, Effect, FeatureView, ForgeKind, PullRequestState, PullRequestView, RunEnd, RunState, Snapshot,
    Status, queue_effect,
};

/// The note lies in `review` and its run is live.
pub(super) fn next(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    if let Some(next) = moves::at_work(view, run).or_else(|| brakes::held(view, run)) {
        return next;
    }
    let Some(pr) = &run.pr else {
        return Next::ask(
            "no pull request yet",
            "the note was moved to `review` before its run had a pull request",
            "move the note back to `in_progress` to go on, to `new` to stop, or to `planned` to begin anew",
        );
    };
    let Some(seen) = &view.pull_request else {
        return Next::rest("the pull request was not looked at yet");
    };
    if let Some(next) = landed(run, seen) {
        return next;
    }
    let goes_back = match (run.has_words(), run.updated, &run.review_asked) {
        (true, ..) => Some("feedback is worked on"),
        (_, true, _) => Some("the target branch was merged in; the gates judge it"),
        (.., Some(_)) => Some("another review was asked for"),
        _ => None,
    };
    if let Some(reason) = goes_back {
        return Next::act(
            Effect::Advance { path: view.feature.path.clone(), to: Status::InProgress },
            reason,
        );
    }
    let merge = |reason: &str| merge(snapshot, view, run, seen, reason);
    if seen.merge_requested {
        return merge("a human asked for the merge");
    }
    if seen.state == PullRequestState::Closed {
        return Next::ask(
            "pull request closed",
            format!("{pr} was closed without a merge"),
            "open it again, or move the note to `dropped`, or to `planned` to have it done anew",
        );
    }
    let taken_up = feedback::take_up(snapshot, run, seen).or_else(|| feedback::update(snapshot, run, seen));
    if let Some(next) = taken_up.or_else(|| feedback::obstacle(run, seen)) {
        return next;
    }
    if let Some(next) = queued(run, seen) {
        return next;
    }
    let approved = run.review.as_ref().is_some_and(|review| review.approves() && !review.template);
    if let Some(ByItself { why, needs_checks }) = merging::by_itself(snapshot, view, run).filter(|_| approved)
    {
        match seen.checks {
            Checks::Pending => {
                return Next::pause(
                    "ci",
                    format!("{why}, and the forge's checks have not ended"),
                    "wait until they end",
                );
            }
            Checks::None if needs_checks => {}
            Checks::Passed | Checks::None => {
                return merge(&format!("{why}, the review approves, and the policy merges such changes"));
            }
            Checks::Failed | Checks::Unknown => {}
        }
    }
    if approvals::guards_merge(snapshot) {
        return merge("a human approved the merge");
    }
    let how = match pr.forge {
        ForgeKind::Local => format!("tick `merge` in {}", plain(&pr.link)),
        _ => format!("merge {}", plain(&pr.link)),
    };
    Next::ask_on(
        "merge",
        format!("{pr} is ready and waits for a human"),
        format!("{how} or move the note to `done`"),
    )
}

/// The note lies in `in_progress` again although its pull request is up to date: a human wants it reworked.
pub(super) fn rework(view: &FeatureView, run: &RunState) -> Next {
    let Some(seen) = &view.pull_request else {
        return Next::rest("the pull request was not looked at yet");
    };
    if let Some(next) = reachable(run, seen) {
        return next;
    }
    if !feedback::fresh(run, seen).is_empty() {
        return feedback::rework(run, seen);
    }
    let words = brakes::answers(view, run);
    if !words.is_empty() {
        let effect = Effect::Resume { run: run.id.clone(), by: view.last_author.clone(), words };
        return Next::act(effect, "the note was moved back for rework and says under `Notes` what to change");
    }
    let link = run.pr.as_ref().map_or_else(String::new, |pr| plain(&pr.link));
    Next::ask(
        "what to change",
        "the note was moved back for rework, and neither its pull request nor its `Notes` say what to change",
        format!("write it under `Notes` or as a comment in {link}, or move the note to `review`"),
    )
}

/// A human moved the note to `done` while its pull request is open: that is the word to merge.
pub(super) fn merge_for_human(snapshot: &Snapshot, view: &FeatureView, run: &RunState, why: &str) -> Next {
    if let Some(next) = brakes::held(view, run) {
        return next;
    }
    let Some(seen) = &view.pull_request else {
        return Next::rest("the pull request was not looked at yet");
    };
    if let Some(next) = landed(run, seen) {
        return next;
    }
    match seen.state {
        PullRequestState::Closed => Next::act(
            Effect::End { run: run.id.clone(), result: RunEnd::Accepted, detail: why.to_owned() },
            format!("{why}; its pull request is closed"),
        ),
        _ => merge(snapshot, view, run, seen, why),
    }
}

/// The merge, once whoever must approve it did.
fn merge(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    seen: &PullRequestView,
    reason: &str,
) -> Next {
    approvals::merge(snapshot, view, run, seen)
        .or_else(|| queued(run, seen))
        .unwrap_or_else(|| Next::act(Effect::Merge { run: run.id.clone() }, reason))
}

/// The forge was asked to merge this head as soon as it may; `None` where it was not.
fn queued(run: &RunState, seen: &PullRequestView) -> Option<Next> {
    let head = run.pr_head.as_ref().filter(|head| run.completed.contains(&queue_effect(head)))?;
    Some(if seen.queued {
        Next::pause(
            "merge",
            format!("the forge merges {} as soon as its rules let it", head.short()),
            "wait, or give the reviews that its rules ask for",
        )
    } else {
        Next::ask_on(
            "merge",
            format!("the forge took {} out of its queue and did not merge it", head.short()),
            "see there why; merge it there, or move the note to `in_progress` with what is to be changed",
        )
    })
}

/// What follows from a merge that was begun or made; `None` where there was none.
fn landed(run: &RunState, seen: &PullRequestView) -> Option<Next> {
    if run.pending.contains_key("merge") {
        return Some(Next::act(
            Effect::Merge { run: run.id.clone() },
            "the merge was begun and not ended; what is left of it is done",
        ));
    }
    if let Some(next) = reachable(run, seen) {
        return Some(next);
    }
    (run.merged.is_some() || seen.state == PullRequestState::Merged).then(|| {
        Next::pause(
            "merge",
            format!("merged, but `{}` does not have the commits yet", run.target_branch.as_str()),
            "wait until the merge reaches the target branch",
        )
    })
}

/// Done is what the target branch has.
fn reachable(run: &RunState, seen: &PullRequestView) -> Option<Next> {
    let detail = format!("`{}` has the commits", run.target_branch.as_str());
    let reason = format!("merged: {detail}");
    let effect = Effect::Finish { run: run.id.clone(), result: RunEnd::Merged, detail };
    seen.reachable.then(|| Next::act(effect, reason))
}
