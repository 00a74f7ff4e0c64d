//! What a run leaves for those who ask afterwards: an unbroken chain whose heads are in the commits.

use ado_vault::domain::{ContentHash, RunId, Status};
use ado_vault::report::{AuditLine, audit};
use ado_vault::vault::{History, read_journal, verify_journals};

use super::behaviour::*;

#[test]
fn every_commit_of_a_run_names_the_head_of_its_journal() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let verified = verify_journals(&world.vault, &History::open(&world.vault).unwrap(), None).unwrap();
    assert_eq!(verified.problems, []);
    let run = &verified.runs[0];
    assert_eq!((run.chained_from, run.committed_to), (Some(1), run.records));
    assert!(run.transcripts > 0);
    let trailers = git(world.root(), &["log", "--format=%(trailers:key=Ado-Journal,valueonly)"]);
    let named: Vec<&str> = trailers.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(named.len(), verified.heads);
    assert!(named[0].starts_with(&format!("FR-001/1 {} ", run.records)), "{named:?}");
}

#[test]
fn the_story_says_who_did_what_with_which_evidence() {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-001");
    world.work();
    world.drag("FR-001", Status::Done);
    world.work();
    let run: RunId = "FR-001/1".parse().unwrap();
    let (records, _) = read_journal(&world.vault, &run).unwrap();
    let history = History::open(&world.vault).unwrap();
    let commits = history.commits_about(&run.feature).unwrap();
    let story = audit(&[(run.clone(), records.clone())], &commits);
    assert_eq!(story.iter().filter(|line| line.seq.is_some()).count(), records.len());

    let human = "Human <human@example.org>";
    let first = &story[0];
    assert_eq!(
        (&first.run, first.who.as_str(), first.what.as_str()),
        (&None, human, "vault: add FR-001 Greet")
    );
    let line = |what: &str| {
        let found = story.iter().find(|line| line.what.starts_with(what));
        found.unwrap_or_else(|| panic!("{what}: {story:#?}"))
    };
    let evidence = |what: &str, kind: &str| -> String {
        let found = line(what).evidence.iter().find(|each| each.kind == kind);
        found.unwrap_or_else(|| panic!("{what} {kind}: {:?}", line(what))).value.clone()
    };
    assert_eq!(line("started: on target").who, "ado");
    assert_eq!(line("step finished: code/1").who, "Coder (recorded)");
    let change = world.state("FR-001/1").change.unwrap();
    assert_eq!(evidence("step finished: code/1", "commit"), change.commit.short());
    assert_eq!(evidence("step finished: code/1", "diff"), "1 files, +1 -0");
    assert_eq!(evidence("step finished: gates/1", "gate"), "test passed, exit code 0");
    assert_eq!(evidence("step finished: review/1", "criteria met"), "1 of 1");
    let file = evidence("model call finished: call 1", "transcript");
    let hash = ContentHash::of(world.read(&format!("60_runs/FR-001/1/transcript/{file}")));
    assert_eq!(
        evidence("model call finished: call 1", "transcript hash"),
        format!("sha256:{}", hash.short())
    );
    assert_eq!(line("tool called: write").who, "Coder (recorded)");
    assert_eq!(line("moved: review → done").who, human);
    assert_eq!(line("ended: merged").who, "ado");
    let committed = |line: &AuditLine| line.evidence.iter().any(|each| each.kind == "vault commit");
    assert!(story.iter().all(committed), "{story:#?}");

    // The run began in the last moment of a second, and what the human wrote was committed in the next.
    let mut late = commits.clone();
    let own = late.iter_mut().find(|commit| !commit.is_own).unwrap();
    own.at = records[0].at + jiff::SignedDuration::from_millis(300);
    let story = audit(&[(run, records)], &late);
    assert_eq!((&story[0].run, story[0].who.as_str()), (&None, human));
}
