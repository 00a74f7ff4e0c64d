//! A scripted world: performs what `decide` says as journal records, one feature and its runs. No files, no clock, no
//! processes; what the engine does for real is not known here.

use std::collections::BTreeMap;

use ado_vault::decide::decide;
use ado_vault::domain::*;
use jiff::{SignedDuration, Timestamp};

/// A vault with one feature and the journal of its run.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) records: BTreeMap<RunId, Vec<Record>>,
    /// What steps give, in order; a step without a scripted result does what it is for.
    pub(crate) script: Vec<(StepKey, StepResult)>,
    /// Effects performed, in short words.
    pub(crate) told: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
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
                agent("writer", "spec_writer"),
            ]
            .into(),
            ..Config::default()
        };
        let snapshot = Snapshot {
            now,
            config,
            features: vec![note("FR-001", Status::Planned)],
            spent_today: Spent::default(),
            spent_tonight: Spent::default(),
            unwell: vec![],
            no_sandbox: None,
            unusable_repos: BTreeMap::new(),
            only: None,
        };
        Self { snapshot, records: BTreeMap::new(), script: vec![], told: vec![] }
    }

    pub(crate) fn view(&mut self) -> &mut FeatureView {
        &mut self.snapshot.features[0]
    }

    pub(crate) fn run(&self) -> &RunState {
        self.snapshot.features[0].run().unwrap()
    }

    /// What `decide` says about the feature now.
    pub(crate) fn decision(&self) -> Decision {
        decide(&self.snapshot).decisions.into_iter().next().unwrap()
    }

    pub(crate) fn wait(&self) -> Wait {
        match self.decision().verdict {
            DecisionKind::Wait { wait } => wait,
            other => panic!("expected a wait, found {other:?}"),
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        match self.decision().verdict {
            DecisionKind::Do { effect } => *effect,
            other => panic!("expected an effect, found {other:?}"),
        }
    }

    /// Performs what is decided until nothing is, and gives the last decision.
    pub(crate) fn settle(&mut self) -> Decision {
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

    pub(crate) fn move_to(&mut self, status: Status) {
        let path = NotePath::new(format!("10_features/{status}/FR-001 Greeting.md")).unwrap();
        let view = self.view();
        view.feature.path = path;
        view.feature.folder = Some(status);
        view.feature.properties.status = Some(status);
        view.committed = Some(Committed { folder: Some(status), status: Some(status) });
    }

    pub(crate) fn append(&mut self, run: &RunId, event: Event) {
        self.snapshot.now = self.snapshot.now.saturating_add(SignedDuration::from_secs(1)).unwrap();
        let records = self.records.entry(run.clone()).or_default();
        let seq = records.len() as u64 + 1;
        records.push(Record { v: JOURNAL_VERSION, seq, at: self.snapshot.now, prev: None, event });
        self.snapshot.features[0].runs =
            self.records.values().map(|records| RunState::fold(records).unwrap().into()).collect();
    }

    pub(crate) fn go(&mut self, run: &RunId, to: Status) {
        let effect = move_effect(self.run().status, to);
        self.append(run, Event::Intended { effect: effect.clone(), detail: String::new() });
        self.move_to(to);
        self.append(run, Event::Completed { effect, detail: String::new() });
    }

    pub(crate) fn perform(&mut self, effect: Effect) {
        self.told.push(short(&effect));
        match effect {
            Effect::Start { run, repo, kind, from, .. } => {
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
                    from: Some(from),
                    proposed: None,
                };
                self.append(&run, started);
                self.view().feature.properties.approved = None;
                if from == Status::New {
                    self.view().feature.properties.specify = None;
                } else {
                    self.go(&run, Status::InProgress);
                }
            }
            Effect::AdoptSpec { .. } => {
                let feature = &mut self.view().feature;
                feature.blocks.remove("spec");
                feature.brief.push_str("\n\n- [ ] greets by name");
                feature.sections.criteria =
                    vec![Criterion { text: "greets by name".into(), done: false, line: 9 }];
            }
            Effect::Show { .. } => self.view().owed = false,
            Effect::Triage { run, triage } => self.append(&run, Event::Triaged { triage }),
            Effect::Step { run, key, attempt, .. } => {
                self.append(&run, Event::StepStarted { key, attempt });
                let scripted = self.script.iter().position(|(each, _)| *each == key);
                let result = match scripted {
                    Some(index) => self.script.remove(index).1,
                    None => usual(key),
                };
                if let StepResult::Specified { .. } = result {
                    self.view().feature.blocks.insert("spec".into(), ContentHash::of("draft"));
                }
                let outcome = StepOutcome { result, agent: None, millis: 1 };
                self.append(&run, Event::StepFinished { key, attempt, outcome });
            }
            Effect::NoteMove { run, from, to } => self.append(&run, Event::Moved { from, to }),
            Effect::AskApproval { run, gate, plan, base, refused } => {
                self.append(&run, Event::ApprovalAsked { gate, plan, base, refused })
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
                self.append(&run, Event::Resumed { by, words });
            }
            Effect::AskReview { run, by, words } => {
                self.view().feature.properties.approved = None;
                self.append(&run, Event::ReviewAsked { by, words });
            }
            Effect::Rework { run, feedback } => self.append(&run, Event::Reworked { feedback }),
            Effect::Update { run } => {
                let from = self.run().head().unwrap().clone();
                let StepResult::Changed { change } = changed(&format!("{from}-updated")) else {
                    unreachable!()
                };
                let change = ChangeSet { base: GitId("new-base".into()), ..change };
                self.view().pull_request.as_mut().unwrap().standing = Standing::Mergeable;
                self.append(&run, Event::BranchUpdated { from, change, conflicts: vec![] });
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
                self.view().pull_request = Some(PullRequestView::of(PullRequestState::Open));
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

    pub(crate) fn script(&mut self, step: Step, round: u32, result: StepResult) {
        self.script.push((StepKey::new(step, round), result));
    }
}

/// A note that scores as `simple`: pipeline without plan approval.
pub(crate) fn note(id: &str, status: Status) -> FeatureView {
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
            sections: Sections { summary: brief.clone(), ..Sections::default() }.into(),
            brief: brief.into(),
            blocks: BTreeMap::new(),
            marks: vec![].into(),
            diagnostics: vec![],
        }
        .into(),
        committed: Some(Committed { folder: Some(status), status: Some(status) }),
        settling: false,
        held: None,
        owed: false,
        runs: vec![],
        in_flight: None,
        pull_request: None,
        waiting_since: None,
        asked: false,
        edited_plan: None,
        last_author: "Ann <ann@example.org>".into(),
        tick: Tick::default(),
        claimed_by: None,
    }
}

pub(crate) fn short(effect: &Effect) -> String {
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
pub(crate) fn usual(key: StepKey) -> StepResult {
    match key.step {
        Step::Specify => StepResult::Specified {
            draft: SpecDraft {
                summary: "greet".into(),
                criteria: vec!["greets by name".into()],
                questions: vec![],
            },
        },
        Step::Plan => planned(vec![]),
        Step::Code => changed(&format!("code-{}", key.round)),
        Step::Test => changed(&format!("test-{}", key.round)),
        Step::Gates => StepResult::Gated { gates: vec![gate(None)] },
        Step::Review => reviewed(vec![]),
        other => panic!("no such step: {other}"),
    }
}

pub(crate) fn planned(sub_features: Vec<SubFeature>) -> StepResult {
    let plan = WorkPlan { summary: "greet".into(), sub_features, ..WorkPlan::default() };
    StepResult::Planned { plan, base: GitId("base".into()) }
}

pub(crate) fn change(tree: &str, paths: &[&str], findings: Vec<Finding>) -> StepResult {
    let file = |path: &&str| ChangedFile { path: (*path).to_owned(), added: 5, removed: 0 };
    StepResult::Changed {
        change: ChangeSet {
            commit: GitId(format!("c-{tree}")),
            tree: GitId(tree.into()),
            base: GitId("base".into()),
            files: paths.iter().map(file).collect(),
            summary: String::new(),
            formatting: false,
            only_versions: false,
            findings,
        },
    }
}

pub(crate) fn changed(tree: &str) -> StepResult {
    change(tree, &["src/greet.rs"], vec![])
}

/// A test gate that failed with this message, or passed.
pub(crate) fn gate(error: Option<&str>) -> GateResult {
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

pub(crate) fn gated(error: &str) -> StepResult {
    StepResult::Gated { gates: vec![gate(Some(error))] }
}

pub(crate) fn finding(severity: Severity, message: &str) -> Finding {
    Finding {
        severity,
        file: "src/greet.rs".into(),
        line: None,
        rule: "correctness".into(),
        message: message.into(),
        suggestion: String::new(),
    }
}

pub(crate) fn reviewed(findings: Vec<Finding>) -> StepResult {
    let verdict = if findings.is_empty() { Verdict::Approve } else { Verdict::RequestChanges };
    StepResult::Reviewed {
        review: Review { verdict, summary: String::new(), findings, criteria: vec![], template: false },
    }
}

pub(crate) fn instruction(effect: &Effect) -> &Instruction {
    match effect {
        Effect::Step { instruction, .. } => instruction,
        other => panic!("expected a step, found {other:?}"),
    }
}
