//! Whatever the vault looks like: no panic, one decision and at most one effect a feature, a reason for each, the same
//! answer twice.

use std::collections::BTreeSet;

use ado_vault::decide::decide;
use ado_vault::domain::{self, *};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy;
use proptest::test_runner::RngSeed;

use super::world::{change, finding, gate, gated, note, planned, reviewed};

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn key() -> impl Strategy<Value = StepKey> {
    let steps = vec![Step::Plan, Step::Code, Step::Test, Step::Gates, Step::Review, Step::Publish];
    (prop::sample::select(steps), prop_oneof![1..5_u32, Just(u32::MAX)])
        .prop_map(|(step, round)| StepKey::new(step, round))
}

fn result() -> impl Strategy<Value = StepResult> {
    let part = SubFeature { title: "a".into(), summary: String::new(), criteria: vec![], depends_on: vec![] };
    prop_oneof![
        Just(planned(vec![])),
        Just(planned(vec![part])),
        "[a-c]".prop_map(|tree| change(&tree, &["src/auth/a.rs"], vec![])),
        Just(change("a", &[], vec![finding(Severity::Error, "refused")])),
        "[a-c]{0,3}".prop_map(|error| gated(&error)),
        Just(StepResult::Gated { gates: vec![gate(None)] }),
        Just(StepResult::Gated { gates: vec![] }),
        Just(reviewed(vec![])),
        Just(reviewed(vec![finding(Severity::Error, "wrong")])),
        any::<bool>().prop_map(|retry| StepResult::Failed { error: "e".into(), remedy: "r".into(), retry }),
        Just(StepResult::OutOfBudget { reason: "run: over".into() }),
        Just(StepResult::Parked { until: Timestamp::MAX, reason: "limit".into() }),
        Just(StepResult::Cancelled),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let run = || RunId { feature: "FR-001".parse().unwrap(), number: 1 };
    let pr = PullRequestRef { forge: ForgeKind::Local, key: "PR-1".into(), link: "[[PR-1]]".into() };
    let scored = move |strategy| Triage {
        complexity: 20,
        tier: Tier::Simple,
        strategy,
        risk: Level::Low,
        novelty: Level::Low,
        points: vec![],
        risk_reasons: vec![],
        novelty_reason: String::new(),
        plan_approval: true,
    };
    let ways = vec![domain::Strategy::Single, domain::Strategy::Pipeline, domain::Strategy::Split];
    let ends = vec![RunEnd::Merged, RunEnd::Accepted, RunEnd::Stopped, RunEnd::Dropped, RunEnd::Split];
    prop_oneof![
        1 => prop::sample::select(ways).prop_map(move |way| Event::Triaged { triage: scored(way) }),
        6 => (key(), 1..4_u32).prop_map(|(key, attempt)| Event::StepStarted { key, attempt }),
        8 => (key(), 1..4_u32, result()).prop_map(|(key, attempt, result)| Event::StepFinished {
            key,
            attempt,
            outcome: StepOutcome { result, agent: None, millis: 0 },
        }),
        1 => (status(), status())
            .prop_map(|(a, b)| Event::Intended { effect: move_effect(a, b), detail: String::new() }),
        1 => (status(), status())
            .prop_map(|(a, b)| Event::Completed { effect: move_effect(a, b), detail: String::new() }),
        1 => Just(Event::Intended { effect: "merge".into(), detail: String::new() }),
        1 => Just(Event::PullRequestOpened { pr, head: GitId("c-a".into()) }),
        1 => Just(Event::Merged { commit: GitId("m".into()) }),
        1 => Just(Event::Braked { brake: Brake::MissingGate, detail: "d".into() }),
        1 => Just(Event::Resumed { by: "a".into(), words: vec!["w".into()] }),
        1 => (status(), status()).prop_map(|(from, to)| Event::Moved { from, to }),
        1 => Just(Event::SplitInto { features: vec![run().feature] }),
        1 => prop::sample::select(ends).prop_map(|result| Event::Ended { result, detail: String::new() }),
    ]
}

fn run(id: FeatureId, events: Vec<Event>) -> RunState {
    let run = RunId { feature: id, number: 1 };
    let at: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let started = Event::Started {
        branch: BranchName::for_run(FeatureType::Feature, &run, "x"),
        run,
        repo: "app".parse().unwrap(),
        target_branch: "main".parse().unwrap(),
        request: ContentHash::of(""),
        reason: String::new(),
        version: String::new(),
        sandboxed: true,
        from: events.len().is_multiple_of(3).then_some(Status::New),
        proposed: None,
    };
    let records: Vec<Record> = std::iter::once(started)
        .chain(events)
        .zip(1_u64..)
        .map(|(event, seq)| {
            let at = at.saturating_add(SignedDuration::from_secs(seq as i64 * 60)).unwrap();
            Record { v: JOURNAL_VERSION, seq, at, prev: None, event }
        })
        .collect();
    RunState::fold(&records).unwrap()
}

fn feature() -> impl Strategy<Value = FeatureView> {
    let place = (1..6_u32, prop::option::of(status()), prop::option::of(status()), any::<bool>());
    let human = (prop::option::of(any::<bool>()), prop::option::of(0..9_u8), any::<bool>(), any::<bool>());
    let run_of = prop::option::of(prop::collection::vec(event(), 0..25));
    let depends = prop::collection::vec("(FR-00[1-6]|x|)", 0..3);
    let seen = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (place, human, run_of, depends, seen, prop::option::of(key()), "\\PC{0,80}").prop_map(
        |(place, human, events, depends_on, seen, in_flight, text)| {
            let (number, folder, property, nameless) = place;
            let (approved, priority, settling, asked) = human;
            let mut view = note(&format!("FR-00{number}"), Status::Planned);
            if let (Some(events), false) = (events, nameless) {
                view.runs = vec![run(view.feature.id.clone().unwrap(), events).into()];
            }
            if nameless {
                view.feature.id = None;
            }
            view.feature.folder = folder;
            view.feature.brief = text.into();
            let properties = &mut view.feature.properties;
            (properties.status, properties.approved, properties.priority) = (property, approved, priority);
            properties.depends_on = depends_on;
            properties.specify = Some(seen.1);
            if seen.3 {
                view.feature.blocks.insert("spec".into(), ContentHash::of("draft"));
            }
            (view.settling, view.asked, view.in_flight) = (settling && number == 1, asked, in_flight);
            let (looked, merge_requested, reachable, commented) = seen;
            view.pull_request = looked.then(|| PullRequestView {
                merge_requested,
                reachable,
                feedback: if commented { vec![Feedback::words("c")] } else { vec![] },
                ..PullRequestView::of(if commented {
                    PullRequestState::Open
                } else {
                    PullRequestState::Closed
                })
            });
            view
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20261121),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_vault_gets_one_decision_a_note_with_a_reason(features in prop::collection::vec(feature(), 0..7)) {
        let mut features = features;
        for (index, view) in features.iter_mut().enumerate() {
            view.feature.path = NotePath::new(format!("10_features/x/{index}.md")).unwrap();
        }
        let snapshot = Snapshot { features, ..super::world::World::new().snapshot };
        let plan = decide(&snapshot);
        prop_assert_eq!(&plan, &decide(&snapshot));
        let paths: BTreeSet<&NotePath> = plan.decisions.iter().map(|each| &each.path).collect();
        prop_assert_eq!(paths.len(), plan.decisions.len());
        prop_assert_eq!(plan.decisions.len(), snapshot.features.len());
        for decision in &plan.decisions {
            prop_assert!(!decision.reason.is_empty(), "{:?}", decision);
            prop_assert!(!decision.reason.chars().any(char::is_control), "{:?}", decision);
            if let DecisionKind::Wait { wait } = &decision.verdict {
                prop_assert!(!wait.on.is_empty() && !wait.unblock.is_empty(), "{:?}", decision);
            }
        }
    }
}
