//! Folder, `status`, last commit and running work in every combination. What is expected is the text of the vault format,
//! section 4, put down here a second time and apart from the rules.

use ado_vault::decide::decide;
use ado_vault::domain::*;

use super::world::*;

const ASKED: &str = "human: status and folder disagree";

/// Every status, and none.
fn stati() -> impl Iterator<Item = Option<Status>> {
    Status::ALL.into_iter().map(Some).chain([None])
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    folder: Option<Status>,
    status: Option<Status>,
    /// `None` where the last commit has no such note.
    committed: Option<(Option<Status>, Option<Status>)>,
    /// Whether `waiting_on` asks already.
    asked: bool,
}

fn rows() -> impl Iterator<Item = Row> {
    let committed =
        || stati().flat_map(|folder| stati().map(move |status| Some((folder, status)))).chain([None]);
    stati().flat_map(move |folder| {
        stati().flat_map(move |status| {
            committed().flat_map(move |committed| {
                [false, true].map(|asked| Row { folder, status, committed, asked })
            })
        })
    })
}

/// What the vault format says of folder and status alone.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    /// They agree, or the note is one that needs no `status`.
    Nothing,
    /// Both become this, for a reason with these words.
    Becomes(Status, &'static str),
    /// Nothing is done and the human is asked.
    Disagree,
    /// It stands nowhere.
    Nowhere,
}

fn says(row: Row) -> Says {
    match (row.folder, row.status) {
        (None, None) => return Says::Nowhere,
        (None, Some(status)) => return Says::Becomes(status, "in no status folder"),
        // A note in `01_ideas` needs no template.
        (Some(Status::Ideas), None) => return Says::Nothing,
        (Some(folder), None) => return Says::Becomes(folder, "has no `status`"),
        (Some(folder), Some(status)) if folder == status => return Says::Nothing,
        _ => {}
    }
    let (Some(folder), Some(status)) = (row.folder, row.status) else { unreachable!("both stand") };
    let Some(committed) = row.committed else { return Says::Becomes(folder, "a new note") };
    let moved = committed.0 != Some(folder);
    let edited = committed.1 != Some(status);
    match (moved, edited) {
        // "if both changed and disagree nothing is done"
        (true, true) => Says::Disagree,
        // "whichever changed wins and the other is aligned"
        (true, false) => Says::Becomes(folder, "was moved"),
        (false, true) => Says::Becomes(status, "was set"),
        // The question stands until it is answered, although asking committed what was asked about.
        (false, false) if row.asked => Says::Disagree,
        (false, false) => Says::Becomes(folder, "committed apart"),
    }
}

fn put(world: &mut World, row: Row) {
    let view = world.view();
    view.feature.folder = row.folder;
    view.feature.properties.status = row.status;
    view.feature.properties.waiting_on = row.asked.then(|| ASKED.to_owned());
    view.committed = row.committed.map(|(folder, status)| Committed { folder, status });
}

/// Holds a decision against what the format says; gives whether it has nothing to say.
fn judge(row: Row, decision: &Decision) -> bool {
    let reason = &decision.reason;
    match (says(row), &decision.verdict) {
        (Says::Nothing, verdict) => {
            let aligns =
                matches!(verdict, DecisionKind::Do { effect } if matches!(**effect, Effect::Align { .. }));
            assert!(
                !aligns && !matches!(verdict, DecisionKind::Wait { wait } if wait.on == ASKED),
                "{row:?}"
            );
            return true;
        }
        (Says::Becomes(to, why), DecisionKind::Do { effect }) => {
            let Effect::Align { path, status } = &**effect else { panic!("{row:?}: {effect:?}") };
            assert_eq!((status, path), (&to, &decision.path), "{row:?}");
            assert!(reason.contains(why), "{row:?}: {reason}");
        }
        (Says::Disagree, DecisionKind::Wait { wait }) => {
            assert_eq!((wait.on.as_str(), wait.needs_human), (ASKED, true), "{row:?}");
            let (folder, status) = (row.folder.unwrap(), row.status.unwrap());
            let both = format!("moved to `{folder}` and its `status` was set to `{status}`");
            assert!(wait.why.contains(&both), "{row:?}: {}", wait.why);
            assert!(wait.unblock.contains(&format!("`status: {folder}`")), "{row:?}: {}", wait.unblock);
        }
        (Says::Nowhere, DecisionKind::Rest) => {
            assert!(reason.contains("no status folder"), "{row:?}: {reason}")
        }
        (said, found) => panic!("{row:?}: {said:?}, and it is decided {found:?}"),
    }
    false
}

#[test]
fn whichever_of_folder_and_status_changed_wins() {
    let mut world = World::new();
    let mut settled = 0;
    for row in rows() {
        put(&mut world, row);
        settled += usize::from(judge(row, &world.decision()));
    }
    // Every folder with its own status, and ideas without one.
    assert_eq!(settled, 8 * 65 * 2);
}

/// The work that a note can have when its human moves it.
const WORK: [&str; 13] = [
    "begun",
    "in progress",
    "a step at work",
    "in review",
    "in rework",
    "accepted, not merged yet",
    "drafting",
    "stopped",
    "dropped",
    "accepted",
    "merged",
    "specified",
    "split",
];

fn at_work(work: &str) -> World {
    let mut world = World::new();
    let run: RunId = "FR-001/1".parse().unwrap();
    let until = |world: &mut World, stop: fn(&Effect) -> bool| {
        while !stop(&world.effect()) {
            let effect = world.effect();
            world.perform(effect);
        }
    };
    let reviewed = |world: &mut World| {
        world.settle();
        assert_eq!(world.wait().on, "merge");
    };
    let end = |world: &mut World, result| world.append(&"FR-001/1".parse().unwrap(), ended(result));
    match work {
        "begun" => {
            let started = Event::Started {
                run: run.clone(),
                repo: "app".parse().unwrap(),
                branch: "agent/ado/feature/FR-001".parse().unwrap(),
                target_branch: "main".parse().unwrap(),
                request: ContentHash::of(""),
                reason: String::new(),
                version: String::new(),
                sandboxed: true,
                from: None,
                proposed: None,
            };
            world.append(&run, started);
        }
        "in progress" => until(&mut world, |effect| matches!(effect, Effect::Step { .. })),
        "a step at work" => {
            until(&mut world, |effect| matches!(effect, Effect::Step { .. }));
            let Effect::Step { key, attempt, .. } = world.effect() else { unreachable!("just seen") };
            world.append(&run, Event::StepStarted { key, attempt });
            world.view().in_flight = Some(key);
        }
        "in review" => reviewed(&mut world),
        "in rework" => {
            reviewed(&mut world);
            world.append(&run, Event::Moved { from: Status::Review, to: Status::InProgress });
            world.move_to(Status::InProgress);
        }
        "accepted, not merged yet" => {
            reviewed(&mut world);
            world.append(&run, Event::Moved { from: Status::Review, to: Status::Done });
            world.append(&run, Event::Merged { commit: GitId("merge".into()) });
            world.move_to(Status::Done);
        }
        "drafting" => {
            world.move_to(Status::New);
            world.view().feature.properties.specify = Some(true);
            until(&mut world, |effect| matches!(effect, Effect::Step { .. }));
        }
        "specified" => {
            world.move_to(Status::New);
            world.view().feature.properties.specify = Some(true);
            world.settle();
        }
        "stopped" => {
            until(&mut world, |effect| matches!(effect, Effect::Step { .. }));
            world.append(&run, Event::Moved { from: Status::InProgress, to: Status::New });
            end(&mut world, RunEnd::Stopped);
        }
        "dropped" => {
            until(&mut world, |effect| matches!(effect, Effect::Step { .. }));
            world.append(&run, Event::Moved { from: Status::InProgress, to: Status::Dropped });
            end(&mut world, RunEnd::Dropped);
        }
        "accepted" | "merged" => {
            reviewed(&mut world);
            world.append(&run, Event::Moved { from: Status::Review, to: Status::Done });
            end(&mut world, if work == "merged" { RunEnd::Merged } else { RunEnd::Accepted });
        }
        "split" => {
            until(&mut world, |effect| matches!(effect, Effect::Triage { .. }));
            let part = note("FR-002", Status::New);
            world.snapshot.features.push(part);
            world.append(&run, Event::SplitInto { features: vec!["FR-002".parse().unwrap()] });
            end(&mut world, RunEnd::Split);
        }
        other => panic!("no such work: {other}"),
    }
    world
}

fn ended(result: RunEnd) -> Event {
    Event::Ended { result, detail: "for a reason".into() }
}

/// Work under way changes nothing about who wins: a human's move is stronger than it.
#[test]
fn running_work_never_outweighs_a_human() {
    for work in WORK {
        let mut world = at_work(work);
        for row in rows() {
            put(&mut world, row);
            judge(row, &world.decision());
        }
    }
}

/// What happens to the run, in words, after the human put the note there: until the run goes on, ends, or rests.
fn told(work: &str, to: Status) -> Vec<String> {
    let mut world = at_work(work);
    world.move_to(to);
    let mut told = vec![];
    for _ in 0..6 {
        match world.decision().verdict {
            DecisionKind::Do { effect } => {
                told.push(match *effect {
                    Effect::Step { .. } => "goes on".to_owned(),
                    _ => short(&effect),
                });
                match *effect {
                    Effect::NoteMove { .. } | Effect::End { .. } | Effect::Start { .. } => {
                        world.perform(*effect)
                    }
                    Effect::Cancel { .. } => world.view().in_flight = None,
                    _ => break,
                }
                if told.last().is_some_and(|last| last.starts_with("start")) {
                    break;
                }
            }
            DecisionKind::Wait { wait } => {
                told.push(format!("waits: {}", wait.on));
                break;
            }
            DecisionKind::Rest => break,
        }
    }
    told
}

fn moved(from: Status, to: Status) -> String {
    format!("moved: {from} → {to}")
}

/// The table of moves, for a run that is at work in `in_progress`.
#[test]
fn a_move_out_of_in_progress() {
    use Status::*;
    for (work, cancel) in [("in progress", false), ("a step at work", true)] {
        for to in Status::ALL {
            let ends = |result: &str| {
                let end = format!("end: {result}");
                let cancel = cancel.then(|| "cancel".to_owned());
                [moved(InProgress, to)].into_iter().chain(cancel).chain([end]).collect::<Vec<_>>()
            };
            let expected = match to {
                // "stop the run, keep its branch"
                Ideas | New => ends("Stopped"),
                // The same, and it stays stopped (ADR 1).
                Planned => [ends("Stopped"), vec!["waits: human: stopped".to_owned()]].concat(),
                // "stop, close the PR, clean up"
                Dropped => ends("Dropped"),
                // "accepted as done; the run ends"
                Done => ends("Accepted"),
                // Not a move.
                InProgress if cancel => vec![],
                InProgress => vec!["goes on".to_owned()],
                Review if cancel => vec![moved(InProgress, Review)],
                Review => vec![moved(InProgress, Review), "waits: human: no pull request yet".to_owned()],
            };
            assert_eq!(told(work, to), expected, "{work}, to {to}");
        }
    }
}

/// The table of moves, for a pull request that waits in `review`.
#[test]
fn a_move_out_of_review() {
    use Status::*;
    for to in Status::ALL {
        let expected = match to {
            Ideas | New => vec![moved(Review, to), "end: Stopped".to_owned()],
            // "any → planned: do it: queue, run from the start (a new run if an old one ended)"
            Planned => vec!["end: Stopped".to_owned(), "start FR-001/2".to_owned()],
            // "rework: review comments become the next instruction"; there are none here.
            InProgress => vec![moved(Review, InProgress), "waits: human: what to change".to_owned()],
            Review => vec!["waits: merge".to_owned()],
            Done => vec![moved(Review, Done), "merge".to_owned()],
            Dropped => vec![moved(Review, Dropped), "end: Dropped".to_owned()],
        };
        assert_eq!(told("in review", to), expected, "to {to}");
    }
}

#[test]
fn a_move_of_a_note_in_rework_or_on_its_way_to_done() {
    use Status::*;
    for (work, from) in [("in rework", InProgress), ("accepted, not merged yet", Done)] {
        for to in [New, Planned, Dropped] {
            let expected = match (work, to) {
                (_, Dropped) => vec![moved(from, to), "end: Dropped".to_owned()],
                ("in rework", Planned) => {
                    vec![moved(from, to), "end: Stopped".to_owned(), "waits: human: stopped".to_owned()]
                }
                (_, Planned) => vec!["end: Stopped".to_owned(), "start FR-001/2".to_owned()],
                _ => vec![moved(from, to), "end: Stopped".to_owned()],
            };
            assert_eq!(told(work, to), expected, "{work}, to {to}");
        }
    }
    assert_eq!(told("in rework", Review), [moved(InProgress, Review), "waits: merge".to_owned()]);
}

/// A run that was begun and whose note never left `planned` is taken up again; a human's move ends it.
#[test]
fn a_move_of_a_note_whose_run_has_just_begun() {
    use Status::*;
    for to in Status::ALL {
        let expected = match to {
            Planned => vec!["start FR-001/1".to_owned()],
            Ideas | New => vec![moved(Planned, to), "end: Stopped".to_owned()],
            Dropped => vec![moved(Planned, to), "end: Dropped".to_owned()],
            Done => vec![moved(Planned, to), "end: Accepted".to_owned()],
            InProgress => vec![moved(Planned, to), "triage".to_owned()],
            Review => vec![moved(Planned, to), "waits: human: no pull request yet".to_owned()],
        };
        assert_eq!(told("begun", to), expected, "to {to}");
    }
}

/// A draft is written for a note in `new` alone.
#[test]
fn a_move_of_a_note_that_is_drafted() {
    use Status::*;
    for to in [Ideas, Planned, InProgress, Review, Done, Dropped] {
        let told = told("drafting", to);
        assert_eq!(told[0], moved(New, to), "to {to}");
        let end = match to {
            Done => "end: Accepted",
            Dropped => "end: Dropped",
            _ => "end: Stopped",
        };
        assert_eq!(told[1], end, "to {to}");
        // "any → planned: do it": without the draft.
        assert_eq!(told.get(2).map(String::as_str), (to == Planned).then_some("start FR-001/2"), "to {to}");
    }
}

/// Where the last run ended, `planned` means a new one, and no other folder begins anything.
#[test]
fn a_move_of_a_note_whose_run_is_over() {
    for (work, at) in [
        ("stopped", Status::New),
        ("dropped", Status::Dropped),
        ("accepted", Status::Done),
        ("merged", Status::Done),
        ("specified", Status::New),
    ] {
        for to in Status::ALL {
            let told = told(work, to);
            if to == Status::Planned {
                let begun = told.iter().find(|each| each.starts_with("start")).map(String::as_str);
                let drafted = work == "specified";
                assert!(drafted || begun == Some("start FR-001/2"), "{work}: {told:?}");
                continue;
            }
            let noted: Vec<String> = if to == at { vec![] } else { vec![moved(at, to)] };
            let told: Vec<String> = told.into_iter().filter(|each| !each.starts_with("waits")).collect();
            let finishes = work == "merged" && matches!(to, Status::InProgress | Status::Review);
            let expected = if finishes { [noted, vec!["finish: Merged".to_owned()]].concat() } else { noted };
            assert_eq!(told, expected, "{work}, to {to}");
        }
    }
}

/// Same id twice: neither note is acted on, whatever folder, status or work; everything else goes on.
#[test]
fn a_duplicated_note_stops_both_and_nothing_else() {
    for work in WORK {
        for status in Status::ALL {
            let mut world = at_work(work);
            let mut twin = note("FR-001", status);
            twin.feature.path = NotePath::new(format!("10_features/{status}/FR-001 copy.md")).unwrap();
            world.snapshot.features.push(twin);
            world.snapshot.features.push(note("FR-077", Status::Planned));
            world.snapshot.config.settings.max_parallel = 9;
            world.snapshot.config.settings.max_parallel_per_repo = 9;
            for decision in decide(&world.snapshot).decisions {
                match decision.feature.as_str() {
                    "FR-001" => {
                        let DecisionKind::Wait { wait } = &decision.verdict else {
                            panic!("{work}: {decision:?}")
                        };
                        assert_eq!(wait.on, "human: id FR-001 is used twice", "{work}");
                    }
                    "FR-077" => {
                        assert!(matches!(decision.verdict, DecisionKind::Do { .. }), "{work}: {decision:?}")
                    }
                    _ => {}
                }
            }
        }
    }
}
