//! The life of a feature as decisions, told as stories.

#[path = "decide/brakes.rs"]
mod brakes;
#[path = "decide/drift.rs"]
mod drift;
#[path = "decide/feedback.rs"]
mod feedback;
#[path = "decide/holds.rs"]
mod holds;
#[path = "decide/random.rs"]
mod random;
#[path = "decide/rules.rs"]
mod rules;
#[path = "decide/specifying.rs"]
mod specifying;
#[path = "decide/world.rs"]
mod world;

use ado_vault::domain::*;
use world::*;

#[test]
fn a_planned_feature_becomes_a_merged_pull_request_by_way_of_a_failed_gate_and_a_finding() {
    let mut world = World::new();
    world.script(Step::Gates, 1, gated("mismatched types"));
    world.script(Step::Review, 2, reviewed(vec![finding(Severity::Error, "the name is not escaped")]));

    assert_eq!(world.settle().verdict, DecisionKind::Wait { wait: world.wait() });
    assert_eq!(world.wait().on, "merge");
    assert_eq!(world.wait().unblock, "tick `merge` in [[PR-0001]] or move the note to `done`");
    world.view().pull_request.as_mut().unwrap().merge_requested = true;
    assert_eq!(world.settle().verdict, DecisionKind::Rest);

    assert_eq!(
        world.told,
        [
            "start FR-001/1",
            "triage",
            "plan/1",
            "code/1",
            "test/1",
            "gates/1",
            "code/2",
            "gates/2",
            "review/2",
            "code/3",
            "gates/3",
            "review/3",
            "publish",
            "merge",
            "finish: Merged"
        ]
    );
    assert_eq!(world.view().feature.folder, Some(Status::Done));
}

#[test]
fn the_coder_is_told_what_failed_and_what_must_stay() {
    let mut world = World::new();
    let lint = GateResult { name: "lint".into(), kind: GateKind::Lint, ..gate(None) };
    world.script(Step::Gates, 1, StepResult::Gated { gates: vec![gate(Some("mismatched types")), lint] });
    while !matches!(world.effect(), Effect::Step { key, .. } if key == StepKey::new(Step::Code, 2)) {
        let effect = world.effect();
        world.perform(effect);
    }
    let effect = world.effect();
    let told = instruction(&effect);
    assert_eq!(told.diagnostics.len(), 1);
    assert_eq!(told.diagnostics[0].message, "mismatched types");
    assert_eq!(told.passed, ["lint"]);
    assert!(!told.try_differently);
    assert_eq!(world.decision().reason, "gates failed: test");
}

#[test]
fn findings_reach_the_coder_errors_first_and_warnings_as_information() {
    let mut world = World::new();
    let found = vec![finding(Severity::Warning, "long name"), finding(Severity::Error, "wrong")];
    world.script(Step::Review, 1, reviewed(found));
    while !matches!(world.effect(), Effect::Step { key, .. } if key.round == 2) {
        let effect = world.effect();
        world.perform(effect);
    }
    let effect = world.effect();
    let told: Vec<(Severity, &str)> =
        instruction(&effect).findings.iter().map(|each| (each.severity, each.message.as_str())).collect();
    assert_eq!(told, [(Severity::Error, "wrong"), (Severity::Info, "long name")]);
}

#[test]
fn a_weakened_test_counts_like_a_finding() {
    let mut world = World::new();
    let weak = finding(Severity::Error, "an assertion was lost");
    world.script(Step::Test, 1, change("test-1", &["tests/greet.rs"], vec![weak]));
    world.settle();
    let order = ["test/1", "gates/1", "code/2", "gates/2", "review/2"];
    assert!(world.told.windows(5).any(|each| each == order), "{:?}", world.told);
}

#[test]
fn a_large_plan_waits_for_approval_and_a_rewritten_plan_is_the_one_approved() {
    let mut world = World::new();
    world.snapshot.config.routing.plan_approval_from = Tier::Trivial;
    let wait = match world.settle().verdict {
        DecisionKind::Wait { wait } => wait,
        other => panic!("{other:?}"),
    };
    assert_eq!((wait.on.as_str(), wait.needs_human), ("approval: plan", true));
    assert_eq!(world.told, ["start FR-001/1", "triage", "plan/1", "ask: plan"]);

    world.view().feature.properties.approved = Some(true);
    world.view().edited_plan = Some("greet in two languages".into());
    world.told.clear();
    world.settle();
    assert_eq!(world.told[..3], ["adopt_plan", "approve: plan", "code/1"]);
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn sensitive_paths_wait_for_a_human_before_anything_is_published() {
    let mut world = World::new();
    world.script(Step::Code, 1, change("code-1", &["src/auth/login.rs", ".github/workflows/ci.yml"], vec![]));
    world.script(Step::Test, 1, change("code-1", &["src/auth/login.rs", ".github/workflows/ci.yml"], vec![]));
    world.settle();
    assert_eq!(world.wait().on, "approval: paths");
    assert_eq!(world.wait().why, "sensitive paths were changed: .github/workflows/ci.yml, src/auth/login.rs");
    assert!(!world.told.contains(&"publish".to_owned()));
    world.view().feature.properties.approved = Some(true);
    world.settle();
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn gates_before_the_pull_request_wait_for_a_tick_also_where_reviews_at_the_forge_approve() {
    let mut world = World::new();
    world.snapshot.config.settings.approval_authority = ApprovalAuthority::Forge;
    world.snapshot.config.approvals.approve_pull_request = true;
    let workflow = || change("code-1", &[".github/workflows/ci.yml"], vec![]);
    world.script(Step::Code, 1, workflow());
    world.script(Step::Test, 1, workflow());
    for gate in ["paths", "pr"] {
        world.settle();
        assert_eq!(world.wait().on, format!("approval: {gate}"));
        assert!(world.wait().unblock.starts_with("tick `approved` in the note"), "{}", world.wait().unblock);
        assert!(
            !world.told.contains(&"publish".to_owned()),
            "nothing that could be reviewed is at the forge"
        );
        world.view().feature.properties.approved = Some(true);
    }
    world.settle();
    assert_eq!(world.wait().on, "approval: merge");
    assert!(world.wait().unblock.contains("has no reviews"), "{}", world.wait().unblock);
}

#[test]
fn a_project_without_gates_goes_on_to_the_review_and_says_so() {
    let mut world = World::new();
    world.script(Step::Gates, 1, StepResult::Gated { gates: vec![] });
    while short(&world.effect()) != "review/1" {
        let effect = world.effect();
        world.perform(effect);
    }
    assert_eq!(
        world.decision().reason,
        "no gate of the project ran and none is required; the review follows"
    );
}

#[test]
fn moving_the_note_back_cancels_and_stops_and_moving_it_again_begins_anew() {
    let mut world = World::new();
    for _ in 0..4 {
        let effect = world.effect();
        world.perform(effect);
    }
    let key = StepKey::new(Step::Test, 1);
    world.view().in_flight = Some(key);
    assert_eq!(world.decision().verdict, DecisionKind::Rest, "a step at work is left alone");
    world.move_to(Status::Planned);
    assert_eq!(short(&world.effect()), "moved: in_progress → planned");
    let effect = world.effect();
    world.perform(effect);
    assert_eq!(short(&world.effect()), "cancel");
    world.view().in_flight = None;
    world.settle();
    assert_eq!(world.wait().on, "human: stopped");

    world.move_to(Status::New);
    world.settle();
    world.move_to(Status::Planned);
    world.settle();
    assert!(world.told.contains(&"start FR-001/2".to_owned()), "{:?}", world.told);
}

#[test]
fn dropping_a_note_ends_its_run() {
    let mut world = World::new();
    world.settle();
    world.move_to(Status::Dropped);
    assert_eq!(world.settle().reason, "dropped");
    assert_eq!(world.told.last().unwrap(), "end: Dropped");
}

#[test]
fn moving_a_reviewed_note_to_done_merges_it() {
    let mut world = World::new();
    world.settle();
    world.told.clear();
    world.move_to(Status::Done);
    assert_eq!(world.settle().reason, "done");
    assert_eq!(world.told, ["moved: review → done", "merge", "finish: Merged"]);
}

#[test]
fn moving_unfinished_work_to_done_accepts_it_without_a_merge() {
    let mut world = World::new();
    for _ in 0..4 {
        let effect = world.effect();
        world.perform(effect);
    }
    world.move_to(Status::Done);
    world.settle();
    assert_eq!(world.told.last().unwrap(), "end: Accepted");
}

#[test]
fn moving_a_note_back_to_in_progress_makes_comments_the_next_instruction() {
    let mut world = World::new();
    world.settle();
    world.told.clear();
    world.move_to(Status::InProgress);
    world.settle();
    assert_eq!(world.wait().on, "human: what to change");
    world.view().pull_request.as_mut().unwrap().feedback = vec![Feedback::words("shorter, please")];
    let effect = world.effect();
    world.perform(effect);
    let next = world.effect();
    assert_eq!(instruction(&next).human, ["shorter, please"]);
    world.settle();
    assert_eq!(
        world.told,
        ["moved: review → in_progress", "rework", "code/2", "gates/2", "review/2", "publish"]
    );
}

#[test]
fn notes_written_since_the_start_say_what_to_rework() {
    let mut world = World::new();
    world.settle();
    world.move_to(Status::InProgress);
    world.view().feature.sections.notes = "In French.".into();
    world.view().feature.brief.push_str("\nIn French.");
    world.told.clear();
    world.settle();
    assert_eq!(
        world.told,
        ["moved: review → in_progress", "resume", "code/2", "gates/2", "review/2", "publish"]
    );
}

#[test]
fn comments_on_a_pull_request_bring_the_note_back_to_work() {
    let mut world = World::new();
    world.settle();
    world.told.clear();
    world.view().pull_request.as_mut().unwrap().feedback = vec![Feedback::words("shorter, please")];
    world.settle();
    assert_eq!(
        world.told,
        ["rework", "advance", "moved: review → in_progress", "code/2", "gates/2", "review/2", "publish"]
    );
    assert_eq!(world.wait().on, "merge");
}

#[test]
fn low_risk_changes_merge_by_themselves_where_the_policy_says_so() {
    let mut world = World::new();
    world.snapshot.config.approvals.merge = MergePolicy::LowRisk;
    assert_eq!(world.settle().reason, "done");
}

#[test]
fn a_small_feature_needs_neither_plan_nor_tester() {
    let mut world = World::new();
    world.view().feature.brief = "Say hello.".to_owned().into();
    world.settle();
    assert_eq!(world.told, ["start FR-001/1", "triage", "code/1", "gates/1", "review/1", "publish"]);
}

#[test]
fn an_epic_is_split_and_done_when_its_parts_are() {
    let mut world = World::new();
    world.snapshot.config.routing.simple_strategy = Strategy::Split;
    let part = |title: &str| SubFeature {
        title: title.into(),
        summary: String::new(),
        criteria: vec![],
        depends_on: vec![],
    };
    world.script(Step::Plan, 1, planned(vec![part("a"), part("b")]));
    world.settle();
    assert_eq!(world.told, ["start FR-001/1", "triage", "plan/1", "split", "end: Split"]);
    assert_eq!(
        (world.wait().on.as_str(), world.wait().needs_human),
        ("human: split into FR-002, FR-003", true)
    );
    for (index, status) in [(1, Status::Done), (2, Status::Review)] {
        world.snapshot.features[index].feature.folder = Some(status);
        world.snapshot.features[index].feature.properties.status = Some(status);
    }
    assert_eq!((world.wait().on.as_str(), world.wait().needs_human), ("dependency: FR-003", false));
    world.snapshot.features[2].feature.folder = Some(Status::Dropped);
    world.snapshot.features[2].feature.properties.status = Some(Status::Dropped);
    world.settle();
    assert_eq!(world.told.last().unwrap(), "finish: Split");
}

/// Killed between any two records, a run goes on and ends the same.
#[test]
fn a_run_cut_off_after_any_record_ends_in_the_same_place() {
    let mut whole = World::new();
    whole.script(Step::Gates, 1, gated("mismatched types"));
    whole.settle();
    let run = whole.run().id.clone();
    let records = whole.records[&run].clone();
    for cut in 1..records.len() {
        let mut world = World::new();
        world.records.insert(run.clone(), records[..cut].to_vec());
        let state = RunState::fold(&records[..cut]).unwrap();
        world.move_to(state.status);
        if state.pr.is_some() {
            world.view().pull_request = whole.snapshot.features[0].pull_request.clone();
        }
        world.view().runs = vec![state.into()];
        world.snapshot.now = records[cut - 1].at;
        world.script(Step::Gates, 1, gated("mismatched types"));
        let last = world.settle();
        assert!(
            matches!(&last.verdict, DecisionKind::Wait { wait } if wait.on == "merge"),
            "cut {cut}: {last:?}"
        );
        assert_eq!(world.records.len(), 1, "cut {cut}: one run");
    }
}
