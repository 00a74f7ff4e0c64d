//! The life of a feature as decisions: a scripted world performs each effect as journal records, `decide` says the
//! next. No files, no clock, no processes: what the engine does with them is not known here.

use std::collections::BTreeMap;

use ado_vault::decide::decide;
use ado_vault::domain::*;
use jiff::{SignedDuration, Timestamp};

/// A vault with one feature and the journal of its run.
struct World {
    snapshot: Snapshot,
    records: BTreeMap<RunId, Vec<Record>>,
    /// What steps give, in order; a step without a scripted result does what it is for.
    script: Vec<(StepKey, StepResult)>,
    /// Effects performed, in short words.
    told: Vec<String>,
}

impl World {
    fn new() -> Self {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let agent = |name: &str, role: &str| -> (AgentName, AgentConfig) {
            let config = serde_json::json!({"name": name, "role": role, "models": ["m"]});
            (name.parse().unwrap(), serde_json::from_value(config).unwrap())
        };
        let repository: Repository = serde_json::from_value(serde_json::json!({"path": "/r"})).unwrap();
        let model: ModelConfig = serde_json::from_value(serde_json::json!({"provider": "recorded"})).unwrap();
        let name: RepoName = "app".parse().unwrap();
        let config = Config {
            settings: Settings { default_repo: Some(name.clone()), ..Settings::default() },
            repositories: [(name.clone(), Repository { name, ..repository })].into(),
            models: [("m".parse().unwrap(), model)].into(),
            agents: [
                agent("planner", "planner"),
                agent("coder", "coder"),
                agent("tester", "tester"),
                agent("reviewer", "reviewer"),
            ]
            .into(),
            ..Config::default()
        };
        let snapshot = Snapshot {
            now,
            config,
            features: vec![note("FR-001", Status::Planned)],
            spent_today: Spent::default(),
            no_sandbox: None,
            unusable_repos: BTreeMap::new(),
            only: None,
        };
        Self { snapshot, records: BTreeMap::new(), script: vec![], told: vec![] }
    }

    fn view(&mut self) -> &mut FeatureView {
        &mut self.snapshot.features[0]
    }

    fn run(&self) -> &RunState {
        self.snapshot.features[0].run().unwrap()
    }

    /// What `decide` says about the feature now.
    fn decision(&self) -> Decision {
        decide(&self.snapshot).decisions.into_iter().next().unwrap()
    }

    fn wait(&self) -> Wait {
        match self.decision().verdict {
            DecisionKind::Wait { wait } => wait,
            other => panic!("expected a wait, found {other:?}"),
        }
    }

    fn effect(&self) -> Effect {
        match self.decision().verdict {
            DecisionKind::Do { effect } => *effect,
            other => panic!("expected an effect, found {other:?}"),
        }
    }

    /// Performs what is decided until nothing is, and gives the last decision.
    fn settle(&mut self) -> Decision {
        for _ in 0..100 {
            let decision = self.decision();
            assert!(!decision.reason.is_empty(), "{decision:?}");
            match decision.verdict {
                DecisionKind::Do { effect } => self.perform(*effect),
                _ => return decision,
            }
        }
        panic!("never came to rest: {:#?}", self.told);
    }

    fn move_to(&mut self, status: Status) {
        let path = NotePath::new(format!("10_features/{status}/FR-001 Greeting.md")).unwrap();
        let view = self.view();
        view.feature.path = path;
        view.feature.folder = Some(status);
        view.feature.properties.status = Some(status);
        view.committed = Some(Committed { folder: Some(status), status: Some(status) });
    }

    fn append(&mut self, run: &RunId, event: Event) {
        self.snapshot.now = self.snapshot.now.saturating_add(SignedDuration::from_secs(1)).unwrap();
        let records = self.records.entry(run.clone()).or_default();
        let seq = records.len() as u64 + 1;
        records.push(Record { v: JOURNAL_VERSION, seq, at: self.snapshot.now, event });
        self.snapshot.features[0].runs =
            self.records.values().map(|records| RunState::fold(records).unwrap()).collect();
    }

    fn go(&mut self, run: &RunId, to: Status) {
        let effect = move_effect(self.run().status, to);
        self.append(run, Event::Intended { effect: effect.clone(), detail: String::new() });
        self.move_to(to);
        self.append(run, Event::Completed { effect, detail: String::new() });
    }

    fn perform(&mut self, effect: Effect) {
        self.told.push(short(&effect));
        match effect {
            Effect::Start { run, repo, kind, .. } => {
                let request = self.view().feature.request_hash();
                let started = Event::Started {
                    branch: BranchName::for_run(kind, &run, "greeting"),
                    run: run.clone(),
                    repo,
                    target_branch: "main".parse().unwrap(),
                    request,
                    reason: String::new(),
                    version: "0".into(),
                    sandboxed: true,
                };
                self.append(&run, started);
                self.view().feature.properties.approved = None;
                self.go(&run, Status::InProgress);
            }
            Effect::Triage { run, triage } => self.append(&run, Event::Triaged { triage }),
            Effect::Step { run, key, attempt, .. } => {
                self.append(&run, Event::StepStarted { key, attempt });
                let scripted = self.script.iter().position(|(each, _)| *each == key);
                let result = match scripted {
                    Some(index) => self.script.remove(index).1,
                    None => usual(key),
                };
                let outcome = StepOutcome { result, agent: None, millis: 1 };
                self.append(&run, Event::StepFinished { key, attempt, outcome });
            }
            Effect::NoteMove { run, from, to } => self.append(&run, Event::Moved { from, to }),
            Effect::AskApproval { run, gate, plan, base } => {
                self.append(&run, Event::ApprovalAsked { gate, plan, base })
            }
            Effect::Approve { run, gate, plan, base, by } => {
                self.view().feature.properties.approved = None;
                self.append(&run, Event::Approved { gate, plan, base, by });
            }
            Effect::AdoptPlan { run, text } => {
                self.view().edited_plan = None;
                self.append(&run, Event::PlanEdited { plan_text: text });
            }
            Effect::Brake { run, brake, detail } => self.append(&run, Event::Braked { brake, detail }),
            Effect::Resume { run, by, words } => {
                self.view().feature.properties.approved = None;
                if let Some(seen) = &mut self.view().pull_request {
                    seen.comments.clear();
                }
                self.append(&run, Event::Resumed { by, words });
            }
            Effect::Split { run, features } => {
                let ids: Vec<FeatureId> =
                    (2..).take(features.len()).map(|n| FeatureId::new("FR", n).unwrap()).collect();
                for id in &ids {
                    self.snapshot.features.push(note(id.as_str(), Status::New));
                }
                self.append(&run, Event::SplitInto { features: ids });
            }
            Effect::Publish { run } => {
                let head = self.run().head().unwrap().clone();
                let pr = PullRequestRef {
                    forge: ForgeKind::Local,
                    key: "PR-0001".into(),
                    link: "[[PR-0001]]".into(),
                };
                self.append(&run, Event::PullRequestOpened { pr, head });
                self.view().pull_request = Some(PullRequestView {
                    state: PullRequestState::Open,
                    merge_requested: false,
                    reachable: false,
                    comments: vec![],
                });
                self.go(&run, Status::Review);
            }
            Effect::Merge { run } => {
                self.append(&run, Event::Merged { commit: GitId("merge".into()) });
                self.view().pull_request.as_mut().unwrap().reachable = true;
            }
            Effect::Finish { run, result, detail } => {
                if self.view().feature.folder != Some(Status::Done) {
                    self.go(&run, Status::Done);
                }
                self.append(&run, Event::Ended { result, detail });
            }
            Effect::End { run, result, detail } => self.append(&run, Event::Ended { result, detail }),
            Effect::Advance { to, .. } => self.move_to(to),
            other @ (Effect::AssignId { .. } | Effect::Align { .. } | Effect::Cancel { .. }) => {
                panic!("not in this story: {other:?}")
            }
        }
    }

    fn script(&mut self, step: Step, round: u32, result: StepResult) {
        self.script.push((StepKey::new(step, round), result));
    }
}

/// A note that scores as `simple`: pipeline without plan approval.
fn note(id: &str, status: Status) -> FeatureView {
    let id: FeatureId = id.parse().unwrap();
    let brief = "Create `src/greet.rs` and call it in `src/main.rs`, tests in `tests/greet.rs`.".to_owned();
    FeatureView {
        feature: Feature {
            path: NotePath::new(format!("10_features/{status}/{id} Greeting.md")).unwrap(),
            folder: Some(status),
            title: "Greeting".into(),
            properties: FeatureProperties {
                id: Some(id.clone()),
                status: Some(status),
                ..FeatureProperties::default()
            },
            id: Some(id),
            sections: Sections { summary: brief.clone(), ..Sections::default() },
            hash: ContentHash::of(&brief),
            brief,
            blocks: BTreeMap::new(),
            diagnostics: vec![],
        },
        committed: Some(Committed { folder: Some(status), status: Some(status) }),
        settling: false,
        runs: vec![],
        in_flight: None,
        pull_request: None,
        waiting_since: None,
        asked: false,
        edited_plan: None,
        last_author: "Ann <ann@example.org>".into(),
    }
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Step { key, attempt: 1, .. } => key.to_string(),
        Effect::Step { key, attempt, .. } => format!("{key} again ({attempt})"),
        Effect::Brake { brake, .. } => format!("brake: {brake}"),
        Effect::AskApproval { gate, .. } => format!("ask: {gate}"),
        Effect::Approve { gate, .. } => format!("approve: {gate}"),
        Effect::Finish { result, .. } => format!("finish: {result:?}"),
        Effect::End { result, .. } => format!("end: {result:?}"),
        Effect::NoteMove { from, to, .. } => format!("moved: {from} → {to}"),
        Effect::Start { run, .. } => format!("start {run}"),
        other => serde_json::to_value(other).unwrap()["effect"].as_str().unwrap().to_owned(),
    }
}

/// What a step gives when all goes well.
fn usual(key: StepKey) -> StepResult {
    match key.step {
        Step::Plan => planned(vec![]),
        Step::Code => changed(&format!("code-{}", key.round)),
        Step::Test => changed(&format!("test-{}", key.round)),
        Step::Gates => StepResult::Gated { gates: vec![gate(None)] },
        Step::Review => reviewed(vec![]),
        other => panic!("no such step: {other}"),
    }
}

fn planned(sub_features: Vec<SubFeature>) -> StepResult {
    let plan = WorkPlan { summary: "greet".into(), sub_features, ..WorkPlan::default() };
    StepResult::Planned { plan, base: GitId("base".into()) }
}

fn change(tree: &str, paths: &[&str], findings: Vec<Finding>) -> StepResult {
    let file = |path: &&str| ChangedFile { path: (*path).to_owned(), added: 5, removed: 0 };
    StepResult::Changed {
        change: ChangeSet {
            commit: GitId(format!("c-{tree}")),
            tree: GitId(tree.into()),
            base: GitId("base".into()),
            files: paths.iter().map(file).collect(),
            summary: String::new(),
            findings,
        },
    }
}

fn changed(tree: &str) -> StepResult {
    change(tree, &["src/greet.rs"], vec![])
}

/// A test gate that failed with this message, or passed.
fn gate(error: Option<&str>) -> GateResult {
    let diagnostics = error.map(|message| GateDiagnostic {
        tool: "rustc".into(),
        severity: Severity::Error,
        file: Some("src/greet.rs".into()),
        line: Some(3),
        column: None,
        code: Some("E0308".into()),
        message: message.into(),
        context: String::new(),
    });
    GateResult {
        name: "test".into(),
        kind: GateKind::Test,
        command: "cargo test".into(),
        status: if error.is_some() { GateStatus::Failed } else { GateStatus::Passed },
        exit_code: Some(i32::from(error.is_some())),
        millis: 1,
        diagnostics: diagnostics.into_iter().collect(),
        tail: String::new(),
    }
}

fn gated(error: &str) -> StepResult {
    StepResult::Gated { gates: vec![gate(Some(error))] }
}

fn finding(severity: Severity, message: &str) -> Finding {
    Finding {
        severity,
        file: "src/greet.rs".into(),
        line: None,
        rule: "correctness".into(),
        message: message.into(),
        suggestion: String::new(),
    }
}

fn reviewed(findings: Vec<Finding>) -> StepResult {
    let verdict = if findings.is_empty() { Verdict::Approve } else { Verdict::RequestChanges };
    StepResult::Reviewed { review: Review { verdict, summary: String::new(), findings, criteria: vec![] } }
}

fn instruction(effect: &Effect) -> &Instruction {
    match effect {
        Effect::Step { instruction, .. } => instruction,
        other => panic!("expected a step, found {other:?}"),
    }
}

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
fn a_project_without_gates_goes_on_to_the_review_and_says_so() {
    let mut world = World::new();
    world.script(Step::Gates, 1, StepResult::Gated { gates: vec![] });
    while short(&world.effect()) != "review/1" {
        let effect = world.effect();
        world.perform(effect);
    }
    assert_eq!(world.decision().reason, "no gate ran and none is required; the review follows");
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
    world.view().pull_request.as_mut().unwrap().comments = vec!["shorter, please".into()];
    let effect = world.effect();
    world.perform(effect);
    let next = world.effect();
    assert_eq!(instruction(&next).human, ["shorter, please"]);
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
    world.view().pull_request.as_mut().unwrap().comments = vec!["shorter, please".into()];
    world.settle();
    assert_eq!(
        world.told,
        ["resume", "advance", "moved: review → in_progress", "code/2", "gates/2", "review/2", "publish"]
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
    world.view().feature.brief = "Say hello.".into();
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
        world.view().runs = vec![state];
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
