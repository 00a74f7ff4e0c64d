//! The journal survives crashes and damage without losing a whole record.

use std::fs::{self, OpenOptions};
use std::io::Write;

use ado_vault::domain::{Event, RunId, Status};
use ado_vault::vault::{Journal, VaultError, all_runs, read_journal, runs_of, write_transcript};
use jiff::Timestamp;

use crate::common::Place;

fn run(text: &str) -> RunId {
    text.parse().unwrap()
}

fn moved() -> Event {
    Event::Moved { from: Status::Planned, to: Status::InProgress }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn records_are_numbered_and_read_back() {
    let place = Place::bare();
    let id = run("FR-001/1");
    let (mut journal, records, problems) = Journal::open(&place.vault, &id).unwrap();
    assert_eq!((records.len(), problems.len()), (0, 0));
    assert_eq!(journal.path().as_str(), "60_runs/FR-001/1/journal.jsonl");
    let first = journal.append(at(1), moved()).unwrap();
    let second = journal.append(at(2), moved()).unwrap();
    assert_eq!((first.seq, second.seq), (1, 2));
    drop(journal);
    let (mut journal, records, _) = Journal::open(&place.vault, &id).unwrap();
    assert_eq!(records, [first, second]);
    assert_eq!(journal.append(at(3), moved()).unwrap().seq, 3);
    assert_eq!(place.text("60_runs/FR-001/1/journal.jsonl").lines().count(), 3);
}

#[test]
fn a_torn_last_line_is_cut_and_reported_at_any_byte() {
    let place = Place::bare();
    let id = run("FR-001/1");
    let (mut journal, _, _) = Journal::open(&place.vault, &id).unwrap();
    for second in 0..2 {
        journal.append(at(second), moved()).unwrap();
    }
    let file = place.file("60_runs/FR-001/1/journal.jsonl");
    let whole = fs::read(&file).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in first + 1..whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let (records, problems) = read_journal(&place.vault, &id).unwrap();
        assert_eq!((records.len(), problems[0].code.as_str()), (1, "torn-journal-line"), "{cut}");
        assert_eq!(fs::read(&file).unwrap().len(), cut, "reading changes nothing");
        let (mut journal, records, problems) = Journal::open(&place.vault, &id).unwrap();
        assert_eq!((records.len(), problems.len()), (1, 1));
        assert_eq!(journal.append(at(9), moved()).unwrap().seq, 2);
        let (records, problems) = read_journal(&place.vault, &id).unwrap();
        assert_eq!((records.len(), problems.len()), (2, 0));
    }
}

#[test]
fn a_damaged_line_in_the_middle_and_a_newer_record_stop_it() {
    let place = Place::bare();
    let id = run("FR-001/1");
    let (mut journal, _, _) = Journal::open(&place.vault, &id).unwrap();
    journal.append(at(1), moved()).unwrap();
    let file = place.file("60_runs/FR-001/1/journal.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("oops\n{whole}")).unwrap();
    assert!(matches!(read_journal(&place.vault, &id), Err(VaultError::BadJournal { line: 1, .. })));

    fs::write(&file, &whole).unwrap();
    let mut file = OpenOptions::new().append(true).open(&file).unwrap();
    file.write_all(
        b"{\"v\":9,\"seq\":2,\"at\":\"2026-11-21T00:00:00Z\",\"event\":{\"type\":\"from_the_future\"}}\n",
    )
    .unwrap();
    let before = place.text("60_runs/FR-001/1/journal.jsonl");
    assert!(matches!(Journal::open(&place.vault, &id), Err(VaultError::BadJournal { line: 2, .. })));
    assert_eq!(place.text("60_runs/FR-001/1/journal.jsonl"), before);
}

#[test]
fn runs_are_found_by_their_journals() {
    let place = Place::bare();
    for id in ["FR-002/1", "FR-001/10", "FR-001/2"] {
        Journal::open(&place.vault, &run(id)).unwrap();
    }
    fs::create_dir_all(place.file("60_runs/FR-001/x")).unwrap();
    fs::create_dir_all(place.file("60_runs/notes")).unwrap();
    assert_eq!(runs_of(&place.vault, &"FR-001".parse().unwrap()).unwrap(), [2, 10]);
    assert_eq!(runs_of(&place.vault, &"FR-009".parse().unwrap()).unwrap(), Vec::<u32>::new());
    let all: Vec<_> = all_runs(&place.vault).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(all, ["FR-001/2", "FR-001/10", "FR-002/1"]);
    assert_eq!(read_journal(&place.vault, &run("FR-009/1")).unwrap().0, []);
}

#[test]
fn a_transcript_cannot_leave_its_folder() {
    let place = Place::bare();
    let path = write_transcript(&place.vault, &run("FR-001/1"), "../../x y", "{}\n").unwrap();
    assert_eq!(path.as_str(), "60_runs/FR-001/1/transcript/-..-x-y.jsonl");
    assert_eq!(place.text(path.as_str()), "{}\n");
}
