//! What happened in each fix round of a run, read out of its histories.
//!
//! Does not judge it; `brakes` does.

use std::collections::BTreeSet;

use crate::domain::{
    ChangeSet, Finding, GateResult, GateStatus, Progress, Review, RunState, Severity, Step, StepKey,
};

/// The round the run is in: the highest one that a coder was called for, 1 before that.
pub(super) fn current(run: &RunState) -> u32 {
    run.tries.iter().filter(|step| step.key.step == Step::Code).map(|step| step.key.round).max().unwrap_or(1)
}

/// Fix rounds begun since a human last let the run go on; the first round of a run fixes nothing.
pub(super) fn fixes(run: &RunState) -> usize {
    let recent = run.tries.iter().skip(run.since_resume.tries);
    let rounds: BTreeSet<u32> = recent
        .filter(|step| step.key.step == Step::Code && step.key.round > 1)
        .map(|step| step.key.round)
        .collect();
    rounds.len()
}

/// Results of a round's gates, the latest if they ran more than once.
pub(super) fn gates(run: &RunState, round: u32) -> Option<&[GateResult]> {
    run.gate_history.iter().rev().find(|(each, _)| *each == round).map(|(_, gates)| gates.as_slice())
}

pub(super) fn review(run: &RunState, round: u32) -> Option<&Review> {
    run.review_history.iter().rev().find(|(each, _)| *each == round).map(|(_, review)| review)
}

/// The change as of the end of a round.
pub(super) fn change(run: &RunState, round: u32) -> Option<&ChangeSet> {
    run.changes.iter().rev().find(|(key, _)| key.round <= round).map(|(_, change)| change)
}

/// What rules found in a round's changes and what must be mended: refused files, weakened tests.
pub(super) fn rule_errors(run: &RunState, round: u32) -> Vec<&Finding> {
    let mut seen = BTreeSet::new();
    run.changes
        .iter()
        .filter(|(key, _)| key.round == round)
        .flat_map(|(_, change)| &change.findings)
        .filter(|finding| finding.severity == Severity::Error && seen.insert(finding.fingerprint()))
        .collect()
}

pub(super) fn failed(gate: &GateResult) -> bool {
    matches!(gate.status, GateStatus::Failed | GateStatus::TimedOut)
}

/// Whether the coder of this round left everything as it was.
pub(super) fn coder_idled(run: &RunState, round: u32) -> bool {
    let key = StepKey::new(Step::Code, round);
    let index = run.changes.iter().rposition(|(each, _)| *each == key);
    index.is_some_and(|index| is_idle(run, index))
}

/// Whether the change at this place of the history left the tree as it was.
pub(super) fn is_idle(run: &RunState, index: usize) -> bool {
    let Some((_, change)) = run.changes.get(index) else { return false };
    match index.checked_sub(1).and_then(|before| run.changes.get(before)) {
        Some((_, before)) => before.tree == change.tree,
        None => change.files.is_empty(),
    }
}

/// Rounds whose gates ran since a human last let the run go on, in order, each once.
pub(super) fn judged(run: &RunState) -> Vec<u32> {
    let rounds = run.gate_history.iter().skip(run.since_resume.gates).map(|(round, _)| *round);
    rounds.collect::<BTreeSet<u32>>().into_iter().collect()
}

/// Progress as it stood at the end of a round.
pub(super) fn progress(run: &RunState, round: u32) -> Progress {
    let reviews = || review(run, round).into_iter();
    Progress {
        tree: change(run, round).map(|change| change.tree.clone()),
        failing: gates(run, round).into_iter().flatten().flat_map(GateResult::fingerprints).collect(),
        findings: reviews()
            .flat_map(|review| &review.findings)
            .chain(rule_errors(run, round))
            .map(Finding::fingerprint)
            .collect(),
        met: reviews()
            .flat_map(|review| &review.criteria)
            .filter(|criterion| criterion.met)
            .map(|criterion| criterion.text.clone())
            .collect(),
    }
}
