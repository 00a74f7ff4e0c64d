//! Epics: the plan names smaller features, they become notes, and the epic waits for them.
//!
//! Does not write notes or judge the proposal.

use super::next::Next;
use super::{brakes, steps};
use crate::domain::{
    Brake, Effect, FeatureId, FeatureView, Instruction, RunEnd, RunState, Snapshot, Status, Step, StepKey,
};

/// A live run with the strategy `split`.
pub(super) fn next(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    if !run.split.is_empty() {
        let detail = format!("split into {}", names(&run.split));
        let reason = format!("{detail}; the epic's own run is over");
        return Next::act(Effect::End { run: run.id.clone(), result: RunEnd::Split, detail }, reason);
    }
    let plan_again = || {
        let key = StepKey::new(Step::Plan, 1);
        let reason = "an epic is split; the planner proposes smaller features";
        steps::begin(snapshot, view, run, key, Instruction::default(), reason)
    };
    let Some(plan) = &run.plan else { return plan_again() };
    if !plan.sub_features.is_empty() {
        let reason = format!("the plan proposes {} smaller features", plan.sub_features.len());
        let features = plan.sub_features.clone();
        return Next::act(Effect::Split { run: run.id.clone(), features }, reason);
    }
    if run.tries.len() <= run.since_resume.tries {
        return plan_again();
    }
    let detail = "the plan of this epic proposes no smaller features; make the request more precise or set \
                  another `epic_strategy` in `30_policy/Routing.md`";
    brakes::pull(run, Brake::StepFailed, detail.to_owned())
}

/// An epic whose run ended with its split: it is done when its parts are.
pub(super) fn wait(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    let status = |id: &FeatureId| snapshot.feature(id).and_then(|part| part.feature.folder);
    let open: Vec<FeatureId> =
        run.split.iter().filter(|id| !status(id).is_some_and(Status::is_terminal)).cloned().collect();
    if open.is_empty() {
        let detail = format!("all parts are done: {}", names(&run.split));
        let effect = Effect::Finish { run: run.id.clone(), result: RunEnd::Split, detail: detail.clone() };
        return Next::act(effect, detail);
    }
    let resting: Vec<FeatureId> = open
        .iter()
        .filter(|id| matches!(status(id), None | Some(Status::Ideas | Status::New)))
        .cloned()
        .collect();
    if resting.is_empty() {
        return Next::pause(
            format!("dependency: {}", names(&open)),
            format!("it was split; {} are not done yet", names(&open)),
            format!("finish {}", names(&open)),
        );
    }
    Next::ask(
        &format!("split into {}", names(&run.split)),
        format!("{} was split into {}", view.feature.label(), names(&run.split)),
        format!("move {} to `planned`, or to `dropped`; this note is done when they are", names(&resting)),
    )
}

fn names(ids: &[FeatureId]) -> String {
    ids.iter().map(FeatureId::as_str).collect::<Vec<_>>().join(", ")
}
