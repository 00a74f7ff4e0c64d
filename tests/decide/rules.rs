//! Rules about notes that have no run yet: what can be acted on, who wins, what may start, and in which order.

use ado_vault::decide::{caps_for, decide, pick_models, triage};
use ado_vault::domain::*;
use jiff::SignedDuration;

use super::world::*;

fn vault(features: Vec<FeatureView>) -> Snapshot {
    Snapshot { features, ..World::new().snapshot }
}

fn decided(snapshot: &Snapshot, index: usize) -> Decision {
    let path = &snapshot.features[index].feature.path;
    decide(snapshot).decisions.into_iter().find(|each| each.path == *path).unwrap()
}

fn waits(snapshot: &Snapshot, index: usize) -> Wait {
    match decided(snapshot, index).verdict {
        DecisionKind::Wait { wait } => wait,
        other => panic!("expected a wait, found {other:?}"),
    }
}

fn does(snapshot: &Snapshot, index: usize) -> Effect {
    match decided(snapshot, index).verdict {
        DecisionKind::Do { effect } => *effect,
        other => panic!("expected an effect, found {other:?}"),
    }
}

fn started(snapshot: &Snapshot) -> Vec<String> {
    let plan = decide(snapshot);
    let starts = plan.effects().filter_map(|(_, effect)| match effect {
        Effect::Start { run, .. } => Some(run.to_string()),
        _ => None,
    });
    starts.collect()
}

#[test]
fn a_note_with_an_error_waits_with_line_and_remedy_and_others_go_on() {
    let mut bad = note("FR-001", Status::Planned);
    bad.feature.diagnostics =
        vec![Diagnostic::error("unknown-status", "unknown status `doing`", "use planned").at(4, 1)];
    let snapshot = vault(vec![bad, note("FR-002", Status::Planned)]);
    let wait = waits(&snapshot, 0);
    assert_eq!(wait.on, "human: unknown status `doing`");
    assert_eq!(wait.why, "line 4: unknown status `doing` [unknown-status]");
    assert_eq!(wait.unblock, "use planned");
    assert_eq!(started(&snapshot), ["FR-002/1"]);
}

#[test]
fn a_second_note_with_the_id_is_not_complained_of_while_it_is_being_saved() {
    let mut copy = note("FR-001", Status::Planned);
    copy.feature.path = NotePath::new("10_features/planned/FR-001 copy.md").unwrap();
    copy.settling = true;
    let snapshot = vault(vec![note("FR-001", Status::Planned), copy]);
    let wait = waits(&snapshot, 0);
    assert_eq!((&*wait.on, wait.needs_human), ("moment: a note with its id is being saved", false));
    assert_eq!(decided(&snapshot, 1).verdict, DecisionKind::Rest);
}

#[test]
fn an_id_used_twice_stops_both_notes() {
    let mut copy = note("FR-001", Status::Planned);
    copy.feature.path = NotePath::new("10_features/planned/FR-001 copy.md").unwrap();
    let snapshot = vault(vec![note("FR-001", Status::Planned), copy]);
    for index in [0, 1] {
        assert_eq!(waits(&snapshot, index).on, "human: id FR-001 is used twice");
    }
}

#[test]
fn notes_without_an_id_get_distinct_free_ones_and_ideas_get_none() {
    let nameless = |name: &str, status: Status| {
        let mut view = note("FR-001", status);
        view.feature.id = None;
        view.feature.properties.id = None;
        view.feature.path = NotePath::new(format!("10_features/{status}/{name}.md")).unwrap();
        view
    };
    let snapshot = vault(vec![
        nameless("b", Status::New),
        note("FR-041", Status::Done),
        note("XX-900", Status::Done),
        nameless("a", Status::New),
        nameless("c", Status::Ideas),
    ]);
    assert!(matches!(does(&snapshot, 3), Effect::AssignId { id, .. } if id.as_str() == "FR-042"));
    assert!(matches!(does(&snapshot, 0), Effect::AssignId { id, .. } if id.as_str() == "FR-043"));
    assert_eq!(decided(&snapshot, 4).verdict, DecisionKind::Rest);
}

#[test]
fn a_note_that_is_being_typed_is_left_alone() {
    let mut view = note("FR-001", Status::Planned);
    view.settling = true;
    view.feature.properties.status = None;
    let decision = decided(&vault(vec![view]), 0);
    assert_eq!((decision.verdict, decision.reason.as_str()), (DecisionKind::Rest, "still being edited"));
}

#[test]
fn what_changed_since_the_commit_wins() {
    use Status::{InProgress, New, Planned, Review};
    let settled = |folder: Option<Status>, status, committed: Option<(Status, Status)>| {
        let mut view = note("FR-001", folder.unwrap_or(New));
        view.feature.folder = folder;
        view.feature.properties.status = status;
        view.committed =
            committed.map(|(folder, status)| Committed { folder: Some(folder), status: Some(status) });
        match decided(&vault(vec![view]), 0).verdict {
            DecisionKind::Do { effect } => match *effect {
                Effect::Align { status, .. } => status.to_string(),
                other => short(&other),
            },
            DecisionKind::Wait { wait } => wait.on,
            DecisionKind::Rest => "rest".into(),
        }
    };
    let both = Some((New, New));
    assert_eq!(settled(Some(New), Some(New), both), "rest");
    assert_eq!(settled(Some(Planned), Some(New), both), "planned", "the folder changed");
    assert_eq!(settled(Some(New), Some(Planned), both), "planned", "the property changed");
    assert_eq!(settled(Some(Planned), Some(Review), both), "human: status and folder disagree");
    assert_eq!(settled(Some(Planned), Some(Planned), both), "start FR-001/1", "both changed and agree");
    assert_eq!(settled(Some(New), Some(Planned), Some((New, Planned))), "new", "committed apart");
    assert_eq!(settled(Some(New), None, None), "new", "no property");
    assert_eq!(settled(Some(New), Some(InProgress), None), "new", "a new note's folder counts");
    assert_eq!(settled(None, Some(InProgress), None), "in_progress", "in no status folder");
    assert_eq!(settled(Some(Status::Ideas), None, None), "rest", "an idea needs no properties");
}

#[test]
fn what_a_planned_note_lacks_is_named_with_its_remedy() {
    let base = vault(vec![note("FR-001", Status::Planned)]);

    let mut snapshot = base.clone();
    snapshot.no_sandbox = Some("no user namespaces".into());
    assert_eq!(waits(&snapshot, 0).on, "human: no sandbox");

    let mut snapshot = base.clone();
    snapshot.features[0].feature.properties.repo = Some("nope".into());
    assert_eq!(waits(&snapshot, 0).on, "human: unknown repository `nope`");
    assert_eq!(
        waits(&snapshot, 0).unblock,
        "set `repo` to the name of a repository note (known: app) or write one"
    );

    let mut snapshot = base.clone();
    snapshot.config.settings.default_repo = None;
    assert_eq!(waits(&snapshot, 0).on, "human: no repository");

    let mut snapshot = base.clone();
    snapshot.unusable_repos.insert("app".parse().unwrap(), "it has no commits; make one".into());
    assert_eq!(waits(&snapshot, 0).why, "it has no commits; make one");

    let mut snapshot = base.clone();
    snapshot.config.agents.remove(&"reviewer".parse().unwrap());
    assert_eq!(waits(&snapshot, 0).on, "human: no agent has the role `reviewer`");

    let mut snapshot = base.clone();
    snapshot.config.models.clear();
    assert_eq!(waits(&snapshot, 0).on, "human: agent `planner` names model `m`, which has no note");

    let mut snapshot = base.clone();
    snapshot.spent_today.usd = Usd::from_dollars(50.0);
    assert_eq!((waits(&snapshot, 0).on.as_str(), waits(&snapshot, 0).needs_human), ("budget", false));

    let mut snapshot = base;
    snapshot.features[0].feature.properties.budget_tokens = Some(0);
    assert_eq!((waits(&snapshot, 0).on.as_str(), waits(&snapshot, 0).needs_human), ("budget", true));
}

#[test]
fn dependencies_are_waited_for_and_circles_named() {
    let on = |id: &str, others: &[&str]| {
        let mut view = note(id, Status::Planned);
        view.feature.properties.depends_on = others.iter().map(|other| (*other).to_owned()).collect();
        view
    };
    let snapshot = vault(vec![
        on("FR-001", &["[[FR-009 Base|base]]", "FR-008"]),
        on("FR-002", &["FR-003"]),
        on("FR-003", &["FR-004"]),
        on("FR-004", &["FR-002"]),
        on("FR-005", &["FR-005"]),
        on("FR-006", &["FR-777"]),
        on("FR-007", &["the base"]),
        note("FR-008", Status::InProgress),
        note("FR-009", Status::Done),
        on("FR-010", &["FR-002"]),
    ]);
    let waiting: Vec<String> = (0..7).map(|index| waits(&snapshot, index).on).collect();
    assert_eq!(
        waiting,
        [
            "dependency: FR-008",
            "human: dependency cycle FR-002 → FR-003 → FR-004 → FR-002",
            "human: dependency cycle FR-003 → FR-004 → FR-002 → FR-003",
            "human: dependency cycle FR-004 → FR-002 → FR-003 → FR-004",
            "human: dependency cycle FR-005 → FR-005",
            "human: unknown dependency FR-777",
            "human: `depends_on` names no feature",
        ]
    );
    assert_eq!(waits(&snapshot, 9).on, "dependency: FR-002", "it waits for a circle but is not in it");
    assert!(!waits(&snapshot, 0).needs_human);
}

#[test]
fn the_queue_serves_by_class_then_priority_then_age_then_number() {
    let mut snapshot = vault((1..=6).map(|n| note(&format!("FR-00{n}"), Status::Planned)).collect());
    snapshot.config.settings.max_parallel = 100;
    snapshot.config.settings.max_parallel_per_repo = 100;
    let hours = |n: i64| snapshot.now.saturating_sub(SignedDuration::from_hours(n)).unwrap();
    let since = [hours(1), hours(1), hours(2), hours(1), hours(1), hours(30)];
    for (view, since) in snapshot.features.iter_mut().zip(since) {
        view.waiting_since = Some(since);
    }
    snapshot.features[1].feature.properties.priority = Some(2);
    snapshot.features[3].feature.properties.kind = Some(FeatureType::Bug);
    snapshot.features[4].feature.properties.priority = Some(1);
    snapshot.features[5].feature.properties.kind = Some(FeatureType::Docs);
    let served: Vec<usize> = (1..=6)
        .map(|places| {
            snapshot.config.settings.max_parallel = places;
            started(&snapshot).len()
        })
        .collect();
    assert_eq!(served, [1, 2, 3, 4, 5, 6]);
    let mut order = vec![];
    for places in 1..=6 {
        snapshot.config.settings.max_parallel = places;
        let now = started(&snapshot);
        order.extend(now.into_iter().filter(|run| !order.contains(run)).collect::<Vec<_>>());
    }
    // Asked for, bug, then features: priority 2, aged documentation lifted by one class, older, younger.
    assert_eq!(order, ["FR-005/1", "FR-004/1", "FR-002/1", "FR-006/1", "FR-003/1", "FR-001/1"]);
}

#[test]
fn places_are_limited_overall_and_by_repository() {
    let mut snapshot = vault(vec![
        note("FR-001", Status::Planned),
        note("FR-002", Status::Planned),
        note("FR-003", Status::Planned),
    ]);
    assert_eq!(started(&snapshot), ["FR-001/1", "FR-002/1"]);
    let wait = waits(&snapshot, 2);
    assert_eq!((wait.on.as_str(), wait.needs_human), ("slot", false));
    assert_eq!(wait.why, "2 of 2 places (`max_parallel`) are taken; it is number 3 in the queue");
    snapshot.config.settings.max_parallel_per_repo = 1;
    assert_eq!(started(&snapshot), ["FR-001/1"]);

    let beside = |mut world: World| {
        world.snapshot.features.push(note("FR-002", Status::Planned));
        world.snapshot.config.settings.max_parallel = 1;
        started(&world.snapshot)
    };
    let mut at_work = World::new();
    while !matches!(at_work.effect(), Effect::Step { .. }) {
        let effect = at_work.effect();
        at_work.perform(effect);
    }
    assert_eq!(beside(at_work), [""; 0], "a run at work holds its place");
    let mut offered = World::new();
    offered.settle();
    assert_eq!(beside(offered), ["FR-002/1"], "a pull request that waits for its merge holds none");
}

#[test]
fn only_what_is_asked_for_by_name_is_worked_on() {
    let mut snapshot = vault(vec![note("FR-001", Status::Planned), note("FR-002", Status::Planned)]);
    snapshot.only = Some(vec!["FR-002".parse().unwrap()]);
    assert_eq!(started(&snapshot), ["FR-002/1"]);
    assert_eq!(decided(&snapshot, 0).reason, "not among the features asked for");
}

#[test]
fn simple_notes_advance_by_themselves_only_where_the_settings_say_so() {
    let mut snapshot = vault(vec![note("FR-001", Status::New)]);
    assert_eq!(decided(&snapshot, 0).verdict, DecisionKind::Rest);
    snapshot.config.settings.auto_advance = true;
    assert!(matches!(does(&snapshot, 0), Effect::Advance { to: Status::Planned, .. }));

    let mut risky = snapshot.clone();
    risky.features[0].feature.properties.risk = Some(Level::Medium);
    assert_eq!(decided(&risky, 0).verdict, DecisionKind::Rest);

    let mut vague = snapshot.clone();
    vague.features[0].feature.sections.summary.clear();
    assert_eq!(
        decided(&vague, 0).reason,
        "it has neither a summary nor acceptance criteria; move it to `planned` to have it done"
    );
}

#[test]
fn a_note_moved_by_hand_into_work_is_not_touched() {
    for status in [Status::InProgress, Status::Review] {
        let decision = decided(&vault(vec![note("FR-001", status)]), 0);
        assert_eq!(decision.verdict, DecisionKind::Rest);
        assert!(decision.reason.starts_with("moved by hand"), "{}", decision.reason);
    }
}

#[test]
fn a_persons_row_before_work_of_agents_is_waited_for_and_a_later_one_is_not() {
    let phase = |number, rows: &[(&str, &str, &str)]| Phase {
        number,
        title: String::new(),
        goal: String::new(),
        rows: rows
            .iter()
            .map(|(item, owner, status)| PhaseRow {
                item: (*item).into(),
                details: String::new(),
                owner: (*owner).into(),
                status: (*status).into(),
            })
            .collect(),
    };
    let with = |phases| {
        let mut view = note("FR-001", Status::Planned);
        view.feature.sections.phases = phases;
        vault(vec![view])
    };
    let wait = waits(
        &with(vec![
            phase(1, &[("`logo.svg`", "Ann", "—"), ("`a.rs`", "", ""), ("Words", "Bob", "open")]),
            phase(2, &[("`b.rs`", "ado", "")]),
        ]),
        0,
    );
    assert_eq!(wait.on, "human: phase 1 row `logo.svg` is yours");
    assert!(wait.why.ends_with("phase 1 row `logo.svg` (Ann), phase 1 row `Words` (Bob)"), "{}", wait.why);
    assert!(wait.needs_human);
    for phases in [
        vec![phase(1, &[("`logo.svg`", "Ann", "Done")]), phase(2, &[("`b.rs`", "", "")])],
        vec![phase(1, &[("`b.rs`", "", ""), ("`logo.svg`", "Ann", "")])],
        vec![phase(1, &[("`b.rs`", "", "")]), phase(2, &[("`logo.svg`", "Ann", "")])],
        vec![phase(1, &[("`logo.svg`", "Ann", "")]), phase(2, &[("`b.rs`", "", "done")])],
    ] {
        assert_eq!(started(&with(phases.clone())), ["FR-001/1"], "{phases:?}");
    }
}

#[test]
fn problems_of_the_vault_are_passed_on_and_stop_nothing() {
    let mut snapshot = vault(vec![note("FR-001", Status::Planned)]);
    snapshot.config.problems = vec![Diagnostic::error("bad-settings", "unreadable", "mend it")];
    assert_eq!(decide(&snapshot).problems, snapshot.config.problems);
    assert_eq!(started(&snapshot), ["FR-001/1"]);
}

#[test]
fn each_point_of_the_score_rests_on_a_fact() {
    let snapshot = vault(vec![note("FR-001", Status::Planned)]);
    let scored = triage(&snapshot.features[0].feature, &snapshot.features, &snapshot.config, None);
    let told: Vec<(&str, u8, u8, &str)> = scored
        .points
        .iter()
        .map(|each| (each.criterion.as_str(), each.points, each.of, each.because.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("phases", 0, 20, "0 phases described"),
            ("files", 7, 20, "3 files named"),
            ("components", 8, 20, "2 components touched: src, tests"),
            ("dependencies", 0, 15, "0 features it depends on, 0 new packages spoken of"),
            ("new code", 15, 15, "3 of 3 named files are new"),
            ("questions", 0, 10, "0 questions open"),
        ]
    );
    assert_eq!((scored.complexity, scored.tier, scored.strategy), (30, Tier::Simple, Strategy::Pipeline));
    assert_eq!((scored.risk, scored.novelty), (Level::Low, Level::High));
    assert_eq!(scored.novelty_reason, "nothing was done in this vault yet");
}

#[test]
fn a_large_vague_note_is_an_epic_and_weights_can_switch_criteria_off() {
    let mut view = note("FR-001", Status::Planned);
    let sections = &mut view.feature.sections;
    for number in 1..=5 {
        let row = PhaseRow {
            item: format!("part{number}/src/new.rs"),
            details: "create it with a new crate".into(),
            owner: String::new(),
            status: String::new(),
        };
        let rows =
            (0..4).map(|n| PhaseRow { item: format!("part{number}/src/f{n}.rs"), ..row.clone() }).collect();
        sections.phases.push(Phase { number, title: String::new(), goal: String::new(), rows });
    }
    sections.pending_decisions = vec!["which?".into(), "when?".into(), "who?".into()];
    let mut snapshot = vault(vec![view]);
    let score = |snapshot: &Snapshot| {
        triage(&snapshot.features[0].feature, &snapshot.features, &snapshot.config, None)
    };
    assert_eq!((score(&snapshot).complexity, score(&snapshot).tier), (100, Tier::Epic));
    let routing = &mut snapshot.config.routing;
    (routing.weight_files, routing.weight_components, routing.weight_phases) = (0, 0, 0);
    (routing.weight_dependencies, routing.weight_new_code, routing.weight_questions) = (0, 0, 0);
    assert_eq!(score(&snapshot).complexity, 0);
}

#[test]
fn risk_comes_from_words_and_paths_and_the_note_has_the_last_word() {
    let mut view = note("FR-001", Status::Planned);
    view.feature.brief = "Deleted tokens: see `src/auth/mod.rs`. The author agrees.".to_owned().into();
    let mut snapshot = vault(vec![view]);
    let risk = |snapshot: &Snapshot| {
        let scored = triage(&snapshot.features[0].feature, &snapshot.features, &snapshot.config, None);
        (scored.risk, scored.risk_reasons.join("; "))
    };
    let reasons = "it speaks of `auth`; it speaks of `token`; it speaks of `delete`; \
                   it names the sensitive path `src/auth/mod.rs`";
    assert_eq!(risk(&snapshot), (Level::High, reasons.to_owned()));
    snapshot.features[0].feature.properties.risk = Some(Level::Low);
    assert_eq!(risk(&snapshot), (Level::Low, "the note says `risk: low`".to_owned()));
}

#[test]
fn work_like_something_done_is_not_novel() {
    let mut done = note("FR-001", Status::Done);
    done.feature.title = "Greeting in French".into();
    let mut view = note("FR-002", Status::Planned);
    view.feature.title = "Greeting in German".into();
    let snapshot = vault(vec![done, view]);
    let scored = triage(&snapshot.features[1].feature, &snapshot.features, &snapshot.config, None);
    assert_eq!(scored.novelty, Level::Low, "{}", scored.novelty_reason);
    assert!(scored.novelty_reason.contains("FR-001 `Greeting in French`"), "{}", scored.novelty_reason);
}

#[test]
fn an_agent_without_models_takes_the_tiers_then_the_settings() {
    let mut config = World::new().snapshot.config;
    let agent = AgentConfig { models: vec![], ..config.agent(Role::Coder).unwrap().clone() };
    let error = pick_models(&config, &agent, Tier::Simple).unwrap_err();
    assert_eq!(error.code, "no-model");
    config.settings.default_model = Some("m".parse().unwrap());
    assert_eq!(pick_models(&config, &agent, Tier::Simple).unwrap().len(), 1);
    config.routing.simple_model = Some("gone".parse().unwrap());
    let error = pick_models(&config, &agent, Tier::Simple).unwrap_err();
    assert_eq!(error.message, "agent `coder` names model `gone`, which has no note");
    assert_eq!(error.remedy, "write `00_system/models/gone.md` or name one that exists (m)");
}

#[test]
fn a_run_is_held_against_its_own_its_features_and_the_days_limits() {
    let mut world = World::new();
    world.settle();
    world.view().feature.properties.budget_usd = Some(Usd::from_dollars(7.0));
    let caps = caps_for(&world.snapshot.config, &world.snapshot.features[0], world.run());
    let usd = [caps.run.usd, caps.feature.usd, caps.day.usd];
    assert_eq!(usd, [3.0, 7.0, 50.0].map(|dollars| Some(Usd::from_dollars(dollars))));
}
