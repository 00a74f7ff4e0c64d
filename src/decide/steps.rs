//! Begins a step, or says why not now: limits, missing agents, failures, backoff, parking, interruptions.
//!
//! Does not know which step comes when.

use jiff::{SignedDuration, Timestamp};

use super::eligibility::{ask_for, employ, no_sandbox, usable};
use super::models::pick_models;
use super::next::{Next, plain};
use super::{brakes, spending};
use crate::domain::{
    Brake, Effect, FeatureView, Instruction, ModelConfig, RunState, Snapshot, StepKey, StepResult, StepTry,
};

/// Failures of one step that may be tried again before a human is asked.
const MAX_FAILURES: usize = 3;
/// Attempts of one step, interruptions included, before a human is asked.
const MAX_ATTEMPTS: usize = 5;

/// Whether the step ever ended with a result.
pub(super) fn is_finished(run: &RunState, key: StepKey) -> bool {
    run.tries.iter().any(|step| step.key == key && step.result.as_ref().is_some_and(is_success))
}

fn is_success(result: &StepResult) -> bool {
    matches!(
        result,
        StepResult::Specified { .. }
            | StepResult::Planned { .. }
            | StepResult::Changed { .. }
            | StepResult::Gated { .. }
            | StepResult::Reviewed { .. }
    )
}

/// The step as an effect, or what stands in its way.
pub(super) fn begin(
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    key: StepKey,
    instruction: Instruction,
    reason: &str,
) -> Next {
    if let Some(why) = &snapshot.no_sandbox {
        return no_sandbox(why);
    }
    if let Some(next) = usable(snapshot, &run.repo) {
        return next;
    }
    if let Some((brake, detail)) = brakes::wall_time(snapshot, run) {
        return brakes::pull(run, brake, detail);
    }
    if let Some(role) = key.step.role() {
        if let Err(missing) = employ(&snapshot.config, role, run.tier()) {
            return ask_for(&missing);
        }
        if let Some(why) = spending::of_run(snapshot, view, run) {
            return brakes::pull(run, Brake::Budget, why);
        }
        if let Some(next) = spending::of_all(snapshot) {
            return next;
        }
    }
    let mut reason = reason.to_owned();
    match after(snapshot, run, key) {
        Verdict::Go(None) => {}
        Verdict::Go(Some(why)) => reason = format!("{why}; {reason}"),
        Verdict::Not(next) => return next,
    }
    if run.request != view.feature.request_hash() {
        reason.push_str("; the request was edited since the run began, the step reads it as it is now");
    }
    let attempt = run.tries.iter().filter(|step| step.key == key).map(|step| step.attempt).max().unwrap_or(0);
    let effect = Effect::Step { run: run.id.clone(), key, attempt: attempt.saturating_add(1), instruction };
    Next::act(effect, reason)
}

enum Verdict {
    /// With words about the last attempt, if there was one.
    Go(Option<String>),
    Not(Next),
}

/// What the earlier tries of a step mean for the next one. A human's resume forgives all before it.
fn after(snapshot: &Snapshot, run: &RunState, key: StepKey) -> Verdict {
    let now = snapshot.now;
    let recent = run.tries.iter().skip(run.since_resume.tries).filter(|step| step.key == key);
    let tries: Vec<&StepTry> = recent.collect();
    let Some(last) = tries.last() else { return Verdict::Go(None) };
    let failures = tries.iter().filter(|step| matches!(step.result, Some(StepResult::Failed { .. }))).count();
    let broken = failures + tries.iter().filter(|step| step.result.is_none()).count();
    let give_up = |detail: String| Verdict::Not(brakes::pull(run, Brake::StepFailed, detail));
    match &last.result {
        None if broken >= MAX_ATTEMPTS => {
            give_up(format!("{key} was begun {broken} times and never ended; see the log of run {}", run.id))
        }
        None => Verdict::Go(Some(format!(
            "attempt {} of {key} was interrupted; goes on from the last completed step",
            last.attempt
        ))),
        Some(StepResult::Failed { error, remedy, retry }) => {
            let told = format!("{key}: {}; {}", plain(error), plain(remedy));
            if !retry || failures >= MAX_FAILURES || broken >= MAX_ATTEMPTS {
                return give_up(told);
            }
            let again = last.ended.unwrap_or(last.started).saturating_add(backoff(failures));
            match again {
                Ok(again) if now < again => Verdict::Not(Next::pause(
                    "retry",
                    format!("attempt {} of {told}; tried again at {again:.0}", last.attempt),
                    "wait, or mend the cause",
                )),
                _ => Verdict::Go(Some(format!("attempt {} failed: {}", last.attempt, plain(error)))),
            }
        }
        Some(StepResult::Parked { reason, .. }) if is_another_named(snapshot, run, key, reason) => {
            Verdict::Go(Some("another model was named since it was parked".to_owned()))
        }
        Some(StepResult::Parked { until, reason }) if now < *until => Verdict::Not(Next::pause(
            "quota",
            format!("{key} is parked until {until:.0}: {}", plain(reason)),
            "wait, or name another model for the agent",
        )),
        Some(StepResult::Parked { .. }) => Verdict::Go(Some("the provider's limit is over".to_owned())),
        Some(StepResult::OutOfBudget { reason }) => out_of_budget(snapshot, run, last, reason),
        Some(StepResult::Cancelled) => Verdict::Go(Some(format!("attempt {} was cancelled", last.attempt))),
        Some(_) => Verdict::Go(None),
    }
}

/// Whether the step's agent has a model now that was not among those for which it was parked: their errors name them.
fn is_another_named(snapshot: &Snapshot, run: &RunState, key: StepKey, reason: &str) -> bool {
    let config = &snapshot.config;
    let agent = key.step.role().and_then(|role| config.agent(role));
    let chain = agent.and_then(|agent| pick_models(config, agent, run.tier()).ok()).unwrap_or_default();
    let is_named = |model: &ModelConfig| reason.contains(&format!("model `{}`", model.name));
    // What parked it may have been something else, such as a forge.
    reason.contains("model `") && chain.iter().any(|model| !is_named(model))
}

/// The limits of a day and a night lift by themselves when it ends, or when they are changed; every other one asks a
/// human. The reason begins with the name of the limit that `ScopeCaps` gave.
fn out_of_budget(snapshot: &Snapshot, run: &RunState, last: &StepTry, reason: &str) -> Verdict {
    let config = &snapshot.config;
    let then = last.ended.unwrap_or(last.started);
    if reason.starts_with("night") {
        let night = config.settings.overnight.and_then(|hours| hours.holding(snapshot.now));
        return match night {
            Some((begin, end)) if begin <= then && config.night_caps().are_named_in(reason) => {
                Verdict::Not(spending::until_morning(&plain(reason), end))
            }
            _ => Verdict::Go(Some("the night is over, or its budget was changed".to_owned())),
        };
    }
    if !reason.starts_with("day") {
        return Verdict::Not(brakes::pull(run, Brake::Budget, plain(reason)));
    }
    let date = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    if !config.day_caps().are_named_in(reason) {
        Verdict::Go(Some("the day's budget was changed".to_owned()))
    } else if date(then) < date(snapshot.now) {
        Verdict::Go(Some("a new day's budget".to_owned()))
    } else {
        Verdict::Not(spending::until_tomorrow(&plain(reason)))
    }
}

/// 10 s after the first failure, doubled with each, at most 300 s.
fn backoff(failures: usize) -> SignedDuration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
    SignedDuration::from_secs((10_i64 << doublings).min(300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_after_failures_doubles_up_to_five_minutes() {
        let seconds: Vec<i64> = (1..8).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300]);
    }
}
