//! Two machines watch clones of one vault: each run is worked on by one of them, and the other says by whom.

use ado_vault::domain::Status;
use ado_vault::engine::Outcome;
use ado_vault::note::PropertyValue;
use ado_vault::vault::machine;

use super::behaviour::*;

const IDS: [&str; 3] = ["FR-001", "FR-002", "FR-003"];

#[test]
fn of_two_machines_exactly_one_works_on_each_request_and_the_other_says_which() {
    let one = World::new(&Talk::greeting());
    one.set("00_system/Settings.md", "max_parallel", PropertyValue::Integer(3));
    one.set("00_system/Settings.md", "max_parallel_per_repo", PropertyValue::Integer(3));
    for id in IDS {
        one.request(Status::Planned, id);
    }
    one.save("three requests");
    let two = one.other_machine();
    std::thread::scope(|scope| {
        let works = [&one, &two].map(|world| scope.spawn(|| world.work()));
        for work in works {
            assert_ne!(work.join().unwrap(), Outcome::Failed);
        }
    });
    assert_eq!((one.problems(), two.problems()), (vec![], vec![]));
    for id in IDS {
        let run = format!("{id}/1");
        let has = |world: &World| world.root().join(format!("60_runs/{run}/journal.jsonl")).exists();
        assert!(has(&one) != has(&two), "{id} was begun by exactly one");
        let (winner, loser) = if has(&one) { (&one, &two) } else { (&two, &one) };
        assert_eq!(winner.status(id), Status::Review, "{id}");
        assert_eq!(loser.status(id), Status::Planned, "{id}");
        let wait = loser.wait(id).unwrap();
        let name = machine(&winner.vault);
        assert_eq!((wait.on, wait.needs_human), (format!("machine: {name}"), false));
        assert!(
            wait.why.contains(&run) && wait.unblock.contains(&format!("ado-vault run {id}")),
            "{}",
            wait.unblock
        );
        assert_eq!(loser.waiting_on(id), "", "nothing is written into a note that another machine works on");
        assert!(!loser.log().iter().any(|line| line.contains(id)), "{:?}", loser.log());
        assert!(winner.wait(id).is_some_and(|wait| wait.on == "merge"));
    }
    // Looking again, also after a restart, changes nothing.
    let before = (one.log(), two.log());
    one.work();
    two.work();
    assert_eq!((one.log(), two.log()), before);
}

#[test]
fn a_run_that_arrives_by_a_pull_is_left_to_the_machine_that_has_it_until_a_human_names_it() {
    let one = World::new(&Talk::default().idle(1).idle(2));
    one.request(Status::Planned, "FR-001");
    one.save("a request");
    let two = one.other_machine();
    one.work();
    assert!(one.waiting_on("FR-001").starts_with("human: "), "{}", one.waiting_on("FR-001"));
    git(one.root(), &["push", "-q", "origin", "HEAD"]);
    git(two.root(), &["pull", "-q", "--rebase"]);

    let (before, asked) = (two.log(), two.waiting_on("FR-001"));
    assert_eq!(two.work(), Outcome::Idle);
    assert_eq!((two.log(), two.waiting_on("FR-001")), (before, asked), "its question stands");
    assert_eq!(two.wait("FR-001").unwrap().on, format!("machine: {}", machine(&one.vault)));

    // The first machine is gone for good; a human says so here.
    let begun = two.steps("FR-001/1").len();
    two.approve("FR-001");
    two.work_on("FR-001");
    assert!(two.steps("FR-001/1").len() > begun, "{:?}", two.problems());
    one.approve("FR-001");
    assert_eq!(one.work(), Outcome::Idle);
    assert_eq!(one.steps("FR-001/1").len(), begun);
    assert_eq!(one.wait("FR-001").unwrap().on, format!("machine: {}", machine(&two.vault)));
}

#[test]
fn work_does_not_begin_where_it_cannot_be_claimed_and_the_problem_names_the_way_out() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    git(world.root(), &["remote", "add", "origin", "/nowhere/at/all.git"]);
    let stop = tokio_util::sync::CancellationToken::new();
    let stopping = stop.clone();
    world.react(move |said| {
        let problem = matches!(said, ado_vault::engine::Said::Problem { .. });
        if problem {
            stopping.cancel();
        }
        problem
    });
    assert_eq!(world.try_work(&stop).unwrap(), Outcome::Stopped);
    assert_eq!(world.status("FR-001"), Status::Planned);
    let problems = world.problems();
    assert!(
        problems[0].contains("cannot claim FR-001/1") && problems[0].contains("sync_remote: false"),
        "{problems:?}"
    );
    world.set("00_system/Settings.md", "sync_remote", PropertyValue::Bool(false));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}
