//! What was said of a pull request, and what becomes of it: each thing once, within a number of rounds, as an instruction
//! with its evidence.
//!
//! Does not know a forge, nor who may instruct.

use super::brakes;
use super::next::{Next, plain};
use crate::domain::{
    Brake, Effect, Feedback, FeedbackKind, Finding, GitId, Instruction, PullRequestView, RunState, Severity,
    Snapshot, Standing, UpdateBranch,
};

/// The work that feedback makes; `None` where there is nothing new.
pub(super) fn take_up(snapshot: &Snapshot, run: &RunState, seen: &PullRequestView) -> Option<Next> {
    let first = fresh(run, seen).into_iter().next()?;
    Some(used_up(snapshot, run, &first.in_words()).unwrap_or_else(|| rework(run, seen)))
}

/// The same where a human asked for it.
pub(super) fn rework(run: &RunState, seen: &PullRequestView) -> Next {
    let feedback = fresh(run, seen);
    let reason = match feedback.as_slice() {
        [one] => format!("feedback is worked on: {}", plain(&one.in_words())),
        more => format!("{} points of feedback are worked on", more.len()),
    };
    Next::act(Effect::Rework { run: run.id.clone(), feedback }, reason)
}

/// What was not taken up yet. A check of another head than the pushed one says nothing of what is there now.
pub(super) fn fresh(run: &RunState, seen: &PullRequestView) -> Vec<Feedback> {
    let is_now = |head: &GitId| run.pr_head.as_ref() == Some(head);
    let is_fresh =
        |each: &&Feedback| each.head.as_ref().is_none_or(is_now) && !run.heard.contains(&each.key());
    seen.feedback.iter().filter(is_fresh).cloned().collect()
}

/// Brings the target branch in where the policy says so; `None` where that is not needed or not ado's.
pub(super) fn update(snapshot: &Snapshot, run: &RunState, seen: &PullRequestView) -> Option<Next> {
    let policy = snapshot.config.approvals.update_branch;
    let target = run.target_branch.as_str();
    let why = match (seen.standing, policy) {
        (Standing::Conflicting, UpdateBranch::Conflicts | UpdateBranch::Behind) => {
            format!("the branch is in conflict with `{target}`")
        }
        (Standing::Behind, UpdateBranch::Behind) => format!("the branch is behind `{target}`"),
        _ => return None,
    };
    if seen.head.is_some() && seen.head != run.pr_head {
        return None;
    }
    let next = || Next::act(Effect::Update { run: run.id.clone() }, format!("{why}; it is merged in"));
    Some(used_up(snapshot, run, &why).unwrap_or_else(next))
}

/// What a human does where the branch cannot be merged as it is; `None` where nothing is known against it.
pub(super) fn obstacle(run: &RunState, seen: &PullRequestView) -> Option<Next> {
    let target = run.target_branch.as_str();
    if let (Some(there), Some(pushed)) = (&seen.head, &run.pr_head)
        && there != pushed
    {
        let is_own = run.changes.iter().any(|(_, change)| change.commit == *there);
        return Some(if is_own {
            Next::pause(
                "forge",
                format!("the forge does not show the push of {} yet", pushed.short()),
                "wait a moment",
            )
        } else {
            Next::ask(
                "others pushed to the branch",
                format!(
                    "the branch is at {}, which is not what was pushed ({})",
                    there.short(),
                    pushed.short()
                ),
                "merge the pull request as it is, or take those commits away",
            )
        });
    }
    match seen.standing {
        Standing::Conflicting => Some(Next::ask(
            "conflict with the target branch",
            format!("the branch is in conflict with `{target}`"),
            format!(
                "set `update_branch: conflicts` in `30_policy/Approvals.md`, or merge `{target}` into the branch yourself"
            ),
        )),
        _ => None,
    }
}

/// Resuming takes brakes off, so the rounds themselves are counted.
fn used_up(snapshot: &Snapshot, run: &RunState, what: &str) -> Option<Next> {
    let limit = snapshot.config.settings.max_feedback_rounds;
    (run.reworks >= limit).then(|| {
        let detail =
            format!("{} of {limit} rounds were worked on, and there is more: {}", run.reworks, plain(what));
        brakes::pull(run, Brake::Feedback, detail)
    })
}

/// Lays what was taken up into the coder's instruction: words of people apart from what tools said.
pub(super) fn tell(run: &RunState, instruction: &mut Instruction) {
    for each in &run.feedback {
        match each.kind {
            FeedbackKind::Words => instruction.human.push(each.text.clone()),
            FeedbackKind::Check => {
                instruction.tails.push((format!("{} (run by the forge)", each.text), each.evidence.clone()));
            }
            FeedbackKind::Conflict => {
                instruction.findings.extend(each.evidence.lines().map(|file| conflict(&each.text, file)));
            }
        }
    }
}

fn conflict(target: &str, file: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        file: file.to_owned(),
        line: None,
        rule: "merge-conflict".to_owned(),
        message: format!("`{target}` was merged into this branch and both changed this file"),
        suggestion: "keep what both sides meant, and leave no conflict marker".to_owned(),
    }
}
