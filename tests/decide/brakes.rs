//! What stops a run, and what lets it go on.

use ado_vault::domain::*;
use jiff::SignedDuration;

use super::world::*;

#[test]
fn the_same_error_three_times_stops_and_only_a_human_lets_it_go_on() {
    let mut world = World::new();
    for round in 1..=3 {
        world.script(Step::Gates, round, gated(&format!("mismatched types on line {round}")));
    }
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: same error three times");
    assert!(world.wait().needs_human);
    assert!(world.wait().on.starts_with("human: same error three times"), "{:?}", world.wait());

    world.view().feature.properties.approved = Some(true);
    world.view().feature.sections.notes = "Use &str.".into();
    world.view().feature.brief.push_str("\nUse &str.");
    assert!(matches!(world.effect(), Effect::Resume { words, .. } if words == ["Use &str."]));
    let effect = world.effect();
    world.perform(effect);
    let next = world.effect();
    assert_eq!(short(&next), "code/4");
    assert_eq!(instruction(&next).human, ["Use &str."]);
    world.settle();
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn fix_rounds_are_counted_and_end_with_a_question() {
    let mut world = World::new();
    world.snapshot.config.settings.max_rounds = 2;
    for (round, error) in [(1, "no such function"), (2, "borrowed value"), (3, "unused import of module")] {
        world.script(Step::Gates, round, gated(error));
    }
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: fix rounds used up");
}

#[test]
fn a_coder_that_changes_nothing_is_asked_for_another_way_and_then_stopped() {
    let mut world = World::new();
    world.script(Step::Gates, 1, gated("mismatched types"));
    for round in [2, 3] {
        world.script(Step::Code, round, changed("test-1"));
    }
    while !matches!(world.effect(), Effect::Step { key, .. } if key.round == 3) {
        let effect = world.effect();
        world.perform(effect);
    }
    let again = world.effect();
    assert!(instruction(&again).try_differently);
    assert_eq!(instruction(&again).diagnostics.len(), 1, "the failed gate is told again");
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: agent changed nothing");
}

#[test]
fn edits_back_to_an_earlier_tree_stop_the_run() {
    let mut world = World::new();
    world.script(Step::Gates, 1, gated("no such function"));
    world.script(Step::Gates, 2, gated("borrowed value"));
    world.script(Step::Code, 3, changed("code-1"));
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: edits going back and forth");
}

#[test]
fn a_large_diff_asks_once_and_is_let_through_at_its_size() {
    let mut world = World::new();
    world.snapshot.config.approvals.max_diff_lines = 4;
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: diff too large");
    world.view().feature.properties.approved = Some(true);
    world.settle();
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn a_required_gate_that_is_missing_stops_and_runs_again_after_a_human_set_it_up() {
    let mut world = World::new();
    world.snapshot.config.gates.required = vec![GateKind::Test];
    world.script(Step::Gates, 1, StepResult::Gated { gates: vec![] });
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: required gate missing");
    world.view().feature.properties.approved = Some(true);
    world.told.clear();
    world.settle();
    assert_eq!(world.told, ["resume", "gates/1 again (2)", "review/1", "publish"]);
}

#[test]
fn an_interrupted_step_is_begun_again_and_the_fifth_time_a_human_is_asked() {
    let mut world = World::new();
    for _ in 0..3 {
        let effect = world.effect();
        world.perform(effect);
    }
    let run = world.run().id.clone();
    let key = StepKey::new(Step::Code, 1);
    for attempt in 1..=5 {
        assert!(
            matches!(world.effect(), Effect::Step { key: next, attempt: n, .. } if (next, n) == (key, attempt))
        );
        world.append(&run, Event::StepStarted { key, attempt });
    }
    assert!(matches!(world.effect(), Effect::Brake { brake: Brake::StepFailed, .. }));
}

#[test]
fn failures_back_off_three_times_and_parking_costs_no_attempt() {
    let mut world = World::new();
    let failed = || StepResult::Failed { error: "timeout".into(), remedy: "wait".into(), retry: true };
    let until = world.snapshot.now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    world.script(Step::Plan, 1, StepResult::Parked { until, reason: "rate limit".into() });
    for _ in 0..3 {
        world.script(Step::Plan, 1, failed());
    }
    world.settle();
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("quota", false));
    world.snapshot.now = until;
    world.settle();
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("retry", false));
    for _ in 0..2 {
        world.snapshot.now = world.snapshot.now.saturating_add(SignedDuration::from_secs(301)).unwrap();
        world.settle();
    }
    assert_eq!(world.told.last().unwrap(), "brake: step failed");
    assert_eq!(world.told[2..6], ["plan/1", "plan/1 again (2)", "plan/1 again (3)", "plan/1 again (4)"]);
}

#[test]
fn a_parked_step_goes_on_as_soon_as_its_agent_has_another_model() {
    let mut world = World::new();
    let named = |name: &str| -> (ModelName, ModelConfig) {
        let config = serde_json::json!({"provider": "recorded", "name": name});
        (name.parse().unwrap(), serde_json::from_value(config).unwrap())
    };
    world.snapshot.config.models.extend([named("m"), named("other")]);
    let until = world.snapshot.now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    let reason = "model `m` is over its limit: 429".into();
    world.script(Step::Plan, 1, StepResult::Parked { until, reason });
    world.settle();
    assert_eq!(world.wait().on, "quota");
    let planner = world.snapshot.config.agents.get_mut(&"planner".parse().unwrap()).unwrap();
    planner.models = vec!["m".parse().unwrap(), "other".parse().unwrap()];
    assert_eq!(short(&world.effect()), "plan/1 again (2)");
}

#[test]
fn what_a_nights_cap_stopped_goes_on_when_the_night_is_over_or_the_cap_is_raised() {
    let mut world = World::new();
    let settings = &mut world.snapshot.config.settings;
    settings.overnight = Some("06:00-09:00".parse().unwrap());
    settings.overnight_budget_usd = Some(Usd::from_dollars(2.0));
    let reason = "night: $1.99 of $2.00 spent, the next call may cost $0.10".into();
    world.script(Step::Plan, 1, StepResult::OutOfBudget { reason });
    world.settle();
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("budget", false));
    assert!(world.wait().why.starts_with("tonight's budget is used up until 2026-11-21T09:00:00Z"));
    let evening = world.snapshot.now;
    world.snapshot.now = "2026-11-21T09:00:00Z".parse().unwrap();
    assert_eq!(short(&world.effect()), "plan/1 again (2)");
    world.snapshot.now = evening;
    world.snapshot.config.settings.overnight_budget_usd = Some(Usd::from_dollars(5.0));
    assert_eq!(short(&world.effect()), "plan/1 again (2)");
}

#[test]
fn a_failure_that_cannot_be_retried_tells_error_and_remedy() {
    let mut world = World::new();
    let failed = StepResult::Failed { error: "wrong key".into(), remedy: "set KEY".into(), retry: false };
    world.script(Step::Plan, 1, failed);
    world.settle();
    assert_eq!(world.wait().why, "stopped by a brake: step failed: plan/1: wrong key; set KEY");
}

#[test]
fn a_used_up_budget_waits_for_a_human_and_a_used_up_day_for_tomorrow() {
    let mut world = World::new();
    world.script(Step::Code, 1, StepResult::OutOfBudget { reason: "day: $50.00 of $50.00 spent".into() });
    world.script(Step::Code, 1, StepResult::OutOfBudget { reason: "run: $3.00 of $3.00 spent".into() });
    world.settle();
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("budget", false));
    world.snapshot.now = "2026-11-22T00:00:00Z".parse().unwrap();
    world.settle();
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("budget", true));
    assert_eq!(world.told.last().unwrap(), "brake: budget");
}

#[test]
fn rounds_without_progress_ask_for_another_way_and_then_stop() {
    let mut world = World::new();
    let unmet = CriterionEvidence { text: "greets in French".into(), met: false, evidence: String::new() };
    for round in 1..=3 {
        let review = Review {
            verdict: Verdict::RequestChanges,
            summary: String::new(),
            findings: vec![],
            criteria: vec![unmet.clone()],
            template: false,
        };
        world.script(Step::Review, round, StepResult::Reviewed { review });
    }
    while !matches!(world.effect(), Effect::Step { key, .. } if key.round == 3) {
        let effect = world.effect();
        world.perform(effect);
    }
    let third = world.effect();
    assert!(instruction(&third).try_differently);
    assert_eq!(instruction(&third).unmet, ["greets in French"]);
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: no progress");
    world.view().feature.properties.approved = Some(true);
    world.settle();
    assert_eq!(world.wait().on, "merge", "what came before the resume is forgiven");
}

#[test]
fn a_step_may_take_what_is_left_of_the_runs_time() {
    let mut world = World::new();
    world.settle();
    let mut run = world.run().clone();
    let seconds = |world: &World, run: &RunState| {
        ado_vault::decide::step_seconds(&world.snapshot, &world.snapshot.features[0], run)
    };
    run.tries.clear();
    world.snapshot.config.settings.run_minutes = 600;
    assert_eq!(seconds(&world, &run), 3600);
    world.snapshot.config.settings.run_minutes = 30;
    assert_eq!(seconds(&world, &run), 1800);
    let at = |minutes: i64| -> Record {
        let at = run.last.saturating_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
        let event = Event::StepStarted { key: StepKey::new(Step::Code, 1), attempt: 1 };
        Record { v: 1, seq: 99, at, prev: None, event }
    };
    let said = |minutes| Record {
        event: Event::Moved { from: Status::Planned, to: Status::InProgress },
        ..at(minutes)
    };
    // Killed after 25 minutes, begun again an hour later: the 25 minutes count, the hour does not.
    let mut after = run.clone();
    [at(0), said(25), at(85)].iter().for_each(|record| after.apply(record));
    assert_eq!(seconds(&world, &after), 300);
    // Of the day, which other runs share, less is left.
    world.snapshot.config.settings.day_minutes = Some(10);
    world.snapshot.spent_today = Spent { seconds: 480, ..Spent::default() };
    assert_eq!(seconds(&world, &run), 120);
    assert_eq!(after.active_millis(), 25 * 60_000);
}

#[test]
fn work_beyond_the_time_limit_stops_before_the_next_step() {
    let mut world = World::new();
    world.snapshot.config.settings.run_minutes = 0;
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: wall time");
    assert!(world.wait().why.contains("0 of 0 minutes worked"), "{:?}", world.wait());
}

#[test]
fn a_finding_that_was_let_pass_and_comes_back_is_a_contradiction_for_a_human() {
    let mut world = World::new();
    let review = |message: &str| StepResult::Reviewed {
        review: Review {
            verdict: Verdict::RequestChanges,
            summary: String::new(),
            findings: vec![Finding {
                severity: Severity::Error,
                file: "src/lib.rs".into(),
                line: None,
                rule: "Simplicity".into(),
                message: message.into(),
                suggestion: String::new(),
            }],
            criteria: vec![],
            template: false,
        },
    };
    for (round, message) in
        [(1, "use a loop here"), (2, "recursion would be shorter"), (3, "use a loop here")]
    {
        world.script(Step::Review, round, review(message));
    }
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: contradictory verdicts");
    assert!(world.wait().on.contains("use a loop here"), "{:?}", world.wait());
}

#[test]
fn gates_that_none_of_could_run_are_no_reason_to_go_on() {
    let mut world = World::new();
    let mut absent = gate(None);
    absent.status = GateStatus::NotRun;
    absent.tail = "`cargo` is not installed".into();
    let mut secrets = gate(None);
    secrets.kind = GateKind::Secrets;
    world.script(Step::Gates, 1, StepResult::Gated { gates: vec![absent, secrets] });
    world.settle();
    assert_eq!(world.told.last().unwrap(), "brake: required gate missing");
    assert!(world.wait().on.contains("`cargo` is not installed"), "{:?}", world.wait());
}
