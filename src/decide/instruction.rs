//! What the coder is told when it is called again: failed gates, findings, unmet criteria, a human's words.
//!
//! Built from the run's state alone, so that an interrupted step is given the same instruction again.

use super::{brakes, feedback, rounds};
use crate::domain::{Finding, GateDiagnostic, GateResult, Instruction, RunState, Severity};

/// Most diagnostics passed on; the first ones are usually the cause of the rest.
const MAX_DIAGNOSTICS: usize = 60;

/// The instruction for the coder of `round`.
pub(super) fn for_coder(run: &RunState, round: u32) -> Instruction {
    let mut instruction = Instruction { human: run.words.clone(), ..Instruction::default() };
    feedback::tell(run, &mut instruction);
    let before = round.saturating_sub(1);
    let judged = run.gate_history.last().map(|(judged, _)| *judged).filter(|judged| *judged < round);
    if let Some(judged) = judged {
        add_gates(&mut instruction, rounds::gates(run, judged).unwrap_or_default());
        if let Some(review) = rounds::review(run, judged) {
            instruction.findings.extend(review.findings.iter().map(softened));
            let unmet = review.criteria.iter().filter(|criterion| !criterion.met);
            instruction.unmet.extend(unmet.map(|criterion| criterion.text.clone()));
        }
    }
    if before > 0 {
        instruction.findings.extend(rounds::rule_errors(run, before).into_iter().cloned());
        instruction.try_differently = rounds::coder_idled(run, before) || brakes::is_stuck(run, before);
    }
    instruction.findings.sort_by_key(|finding| finding.severity);
    instruction
}

fn add_gates(instruction: &mut Instruction, gates: &[GateResult]) {
    for gate in gates {
        if gate.passed() {
            instruction.passed.push(gate.name.clone());
        } else if rounds::failed(gate) {
            let errors: Vec<&GateDiagnostic> =
                gate.diagnostics.iter().filter(|each| each.severity == Severity::Error).collect();
            if errors.is_empty() {
                instruction.tails.push((gate.name.clone(), gate.tail.clone()));
            }
            instruction.diagnostics.extend(errors.into_iter().cloned());
        }
    }
    instruction.diagnostics.truncate(MAX_DIAGNOSTICS);
}

/// A warning of the reviewer is worth knowing but need not be mended.
fn softened(finding: &Finding) -> Finding {
    let severity = match finding.severity {
        Severity::Warning => Severity::Info,
        severity => severity,
    };
    Finding { severity, ..finding.clone() }
}
