//! How a run in `in_progress` goes on: score, plan, approval, code, test, gates, review, publish, and back to code.
//!
//! Knows the order of steps; what stands in a step's way is `steps`' affair, what stops the loop `brakes`'.

use super::eligibility::is_chosen;
use super::next::Next;
use super::{approvals, brakes, complexity, instruction, moves, rounds, shepherd, splitting, steps};
use crate::domain::{
    Effect, FeatureView, GateResult, Instruction, Role, RunState, Snapshot, Status, Step, StepKey, Strategy,
    move_effect,
};

pub(super) fn next(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Next {
    if let Some(next) = moves::at_work(view, run).or_else(|| brakes::held(view, run)) {
        return next;
    }
    if !is_chosen(snapshot, view) {
        return Next::rest("not among the features asked for");
    }
    let Some(triage) = &run.triage else {
        let triage = complexity::triage(&view.feature, &snapshot.features, &snapshot.config, None);
        let reason = format!(
            "the run begins: complexity {} is {}, strategy {}, risk {}",
            triage.complexity, triage.tier, triage.strategy, triage.risk
        );
        return Next::act(Effect::Triage { run: run.id.clone(), triage }, reason);
    };
    if triage.strategy == Strategy::Split {
        return splitting::next(snapshot, view, run);
    }
    if triage.strategy == Strategy::Pipeline {
        if run.plan.is_none() {
            let key = StepKey::new(Step::Plan, 1);
            return steps::begin(
                snapshot,
                view,
                run,
                key,
                Instruction::default(),
                "scored; a plan comes next",
            );
        }
        if triage.plan_approval
            && let Some(next) = approvals::plan(snapshot, view, run)
        {
            return next;
        }
    }
    build(snapshot, view, run, triage.strategy)
}

/// One round from code to review.
fn build(snapshot: &Snapshot, view: &FeatureView, run: &RunState, strategy: Strategy) -> Next {
    let round = rounds::current(run);
    if !steps::is_finished(run, StepKey::new(Step::Code, round)) {
        let reason = if round == 1 { "the work begins" } else { "what was found is being fixed" };
        return code(snapshot, view, run, round, reason);
    }
    if run.has_words() {
        return code(snapshot, view, run, round.saturating_add(1), "feedback is worked on");
    }
    if let Some((brake, detail)) = brakes::after_change(snapshot, run) {
        return brakes::pull(run, brake, detail);
    }
    if rounds::coder_idled(run, round) && is_fresh(run) {
        return match brakes::idle(run) {
            Some((brake, detail)) => brakes::pull(run, brake, detail),
            None => fix(snapshot, view, run, round, "the coder changed nothing; it is asked for another way"),
        };
    }
    let test = StepKey::new(Step::Test, round);
    let tests = strategy == Strategy::Pipeline && round == 1;
    if tests && snapshot.config.agent(Role::Tester).is_some() && !steps::is_finished(run, test) {
        return steps::begin(
            snapshot,
            view,
            run,
            test,
            Instruction::default(),
            "code is written; tests follow",
        );
    }
    let gates_key = StepKey::new(Step::Gates, round);
    let Some(gates) = rounds::gates(run, round) else {
        let reason = "the change is committed; the gates judge it";
        return steps::begin(snapshot, view, run, gates_key, Instruction::default(), reason);
    };
    after_gates(snapshot, view, run, round, gates)
}

fn after_gates(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    round: u32,
    gates: &[GateResult],
) -> Next {
    let failed: Vec<&str> =
        gates.iter().filter(|gate| rounds::failed(gate)).map(|gate| gate.name.as_str()).collect();
    if !failed.is_empty() {
        return fix(snapshot, view, run, round, &format!("gates failed: {}", failed.join(", ")));
    }
    if let Some(missing) = brakes::missing_gates(snapshot, run, gates) {
        return missing_gate(snapshot, view, run, round, missing);
    }
    if !rounds::rule_errors(run, round).is_empty() {
        return fix(
            snapshot,
            view,
            run,
            round,
            "the change breaks a rule: a refused file or a weakened test",
        );
    }
    let asked = &run.review_asked;
    let Some(review) = rounds::review(run, round).filter(|_| asked.is_none()) else {
        let key = StepKey::new(Step::Review, round);
        let own = |gate: &&GateResult| gate.passed() && gate.kind != crate::domain::GateKind::Secrets;
        let passed = gates.iter().filter(own).count();
        let reason = if passed == 0 {
            "no gate of the project ran and none is required; the review follows".to_owned()
        } else {
            format!("{passed} gates passed; the review follows")
        };
        let instruction = Instruction { human: asked.clone().unwrap_or_default(), ..Instruction::default() };
        return steps::begin(snapshot, view, run, key, instruction, &reason);
    };
    if review.template {
        if run.review_history.len() > run.since_resume.reviews {
            return brakes::pull(run, crate::domain::Brake::Unreviewed, review.summary.clone());
        }
        // The person who let the run go on has looked.
    } else if !review.approves() {
        let errors =
            review.findings.iter().filter(|finding| finding.severity == crate::domain::Severity::Error);
        let unmet = review.criteria.iter().filter(|criterion| !criterion.met).count();
        let why = format!("the review found {} errors and {unmet} unmet criteria", errors.count());
        return fix(snapshot, view, run, round, &why);
    }
    approvals::paths(snapshot, view, run)
        .or_else(|| approvals::pull_request(snapshot, view, run))
        .unwrap_or_else(|| publish(view, run))
}

/// A required gate did not run: a human sets it up and lets the run go on, and the gates run again.
fn missing_gate(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    round: u32,
    missing: String,
) -> Next {
    if run.gate_history.len() <= run.since_resume.gates {
        let key = StepKey::new(Step::Gates, round);
        let reason = "a human let it go on; the gates run again for the missing one";
        return steps::begin(snapshot, view, run, key, Instruction::default(), reason);
    }
    brakes::pull(run, crate::domain::Brake::MissingGate, missing)
}

/// Another round of code, unless a brake stops the loop.
fn fix(snapshot: &Snapshot, view: &FeatureView, run: &RunState, round: u32, why: &str) -> Next {
    match brakes::before_fix(snapshot, run) {
        Some((brake, detail)) => brakes::pull(run, brake, detail),
        None => code(snapshot, view, run, round.saturating_add(1), why),
    }
}

fn code(snapshot: &Snapshot, view: &FeatureView, run: &RunState, round: u32, why: &str) -> Next {
    let key = StepKey::new(Step::Code, round);
    steps::begin(snapshot, view, run, key, instruction::for_coder(run, round), why)
}

/// Whether the last change came after the last resume; what came before it was seen by a human.
fn is_fresh(run: &RunState) -> bool {
    run.changes.len() > run.since_resume.changes
}

fn publish(view: &FeatureView, run: &RunState) -> Next {
    let to_review = move_effect(Status::InProgress, Status::Review);
    let is_up_to_date = run.pr.is_some() && run.pr_head.as_ref() == run.head();
    if is_up_to_date && run.offered && !run.pending.contains_key(&to_review) {
        return shepherd::rework(view, run);
    }
    Next::act(Effect::Publish { run: run.id.clone() }, "the review approves and every gate passes")
}
