//! One look: every feature judged by the rules in their order, then the free places given to the queue.
//!
//! Does not contain rules itself.

use super::dependencies::Dependencies;
use super::eligibility::{self, Gatekeeper};
use super::intake::{self, FreeIds};
use super::next::{Next, plain};
use super::queue::{self, Slots};
use super::{claims, drift, holds, moves};
use crate::domain::{Decision, DecisionKind, Feature, FeatureView, Plan, Snapshot, Status};

/// What should happen next: at most one effect per feature, in the order of ids, notes without one last.
pub fn decide(snapshot: &Snapshot) -> Plan {
    let mut ordered: Vec<(Order<'_>, &FeatureView)> =
        snapshot.features.iter().map(|view| (order(&view.feature), view)).collect();
    ordered.sort_by_key(|(order, _)| *order);

    let mut ids = FreeIds::of(snapshot);
    let dependencies = Dependencies::of(snapshot);
    let gatekeeper = Gatekeeper::of(snapshot, &dependencies);
    let mut judged: Vec<(&FeatureView, Next)> = ordered
        .iter()
        .enumerate()
        .map(|(at, (_, view))| {
            let next = intake::obstacle(view, twin(&ordered, at))
                .or_else(|| drift::settle(view))
                .or_else(|| ids.assign(view))
                .unwrap_or_else(|| holds::show(snapshot, view, judge(snapshot, &gatekeeper, view)));
            (*view, next)
        })
        .collect();
    queue::admit(snapshot, Slots::of(snapshot), &mut judged);

    let judged: Vec<(&FeatureView, Next)> =
        judged.into_iter().map(|(view, next)| (view, holds::hold(snapshot, view, next))).collect();

    Plan {
        wake: holds::wake(snapshot, &judged),
        decisions: judged.into_iter().map(|(view, next)| decision(view, next)).collect(),
        problems: snapshot.config.problems.clone(),
    }
}

/// The rules for a note that is readable, settled and has its id.
fn judge(snapshot: &Snapshot, gatekeeper: &Gatekeeper, view: &FeatureView) -> Next {
    if let Some(next) = claims::held(view).or_else(|| moves::follow(snapshot, view)) {
        return next;
    }
    match view.feature.folder {
        Some(Status::Planned) => gatekeeper.admit(view),
        Some(Status::New) => gatekeeper.specify(view).unwrap_or_else(|| eligibility::advance(snapshot, view)),
        Some(Status::Ideas) | None => Next::rest("an idea; move it to `planned` to have it done"),
        Some(Status::Done) => Next::rest("done"),
        Some(Status::Dropped) => Next::rest("dropped"),
        Some(Status::InProgress | Status::Review) => {
            Next::rest("moved by hand; ado did not start it; move it to `planned` to have it done")
        }
    }
}

/// Notes without an id last, then prefix, number and path.
type Order<'a> = (bool, &'a str, u64, &'a str);

fn order(feature: &Feature) -> Order<'_> {
    let (prefix, number) = feature.id.as_ref().map_or(("", 0), |id| (id.prefix(), id.number()));
    (feature.id.is_none(), prefix, number, feature.path.as_str())
}

/// Another note with the same id: such stand beside each other in this order.
fn twin<'a>(ordered: &[(Order<'a>, &'a FeatureView)], at: usize) -> Option<&'a FeatureView> {
    let (order, view) = &ordered[at];
    let id = view.feature.id.as_ref()?;
    let is_near = |other: &Order<'_>| (other.0, other.1, other.2) == (order.0, order.1, order.2);
    let before = ordered[..at].iter().rev().take_while(|(other, _)| is_near(other));
    let behind = ordered[at + 1..].iter().take_while(|(other, _)| is_near(other));
    before.chain(behind).map(|(_, other)| *other).find(|other| other.feature.id.as_ref() == Some(id))
}

fn decision(view: &FeatureView, next: Next) -> Decision {
    let (verdict, reason) = match next {
        Next::Do { effect, reason } => (DecisionKind::Do { effect }, reason),
        Next::Wait(wait) => {
            let reason = wait.why.clone();
            (DecisionKind::Wait { wait }, reason)
        }
        Next::Rest { reason } | Next::Ready { reason, .. } => (DecisionKind::Rest, reason),
    };
    Decision { feature: plain(view.feature.label()), path: view.feature.path.clone(), verdict, reason }
}
