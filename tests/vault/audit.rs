//! Journals that somebody changed: 1,000 random mutations, each of which is found; and what is no mutation.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ado_vault::domain::{ContentHash, Event, RunId, Status, StepKey};
use ado_vault::domain::{Spent, Step, Tokens, Usd};
use ado_vault::vault::{CommitMessage, History, Journal, Verified, verify_journals, write_transcript};
use jiff::Timestamp;

use crate::common::{Place, note};

const RUNS: [&str; 4] = ["FR-001/1", "FR-001/2", "FR-002/1", "FR-003/1"];

fn path_of(run: &str) -> String {
    format!("60_runs/{run}/journal.jsonl")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Appends what a step with one model call writes, and commits it as the engine does.
fn step(place: &Place, run: &str, call: u64) {
    let id: RunId = run.parse().unwrap();
    let (mut journal, _, _) = Journal::open(&place.vault, &id).unwrap();
    let text = format!("{{\"call\":{call}}}\n");
    let transcript = write_transcript(&place.vault, &id, &format!("call-{call}"), &text).unwrap();
    let key = StepKey::new(Step::Code, u32::try_from(call).unwrap());
    let events = [
        Event::StepStarted { key, attempt: 1 },
        Event::ModelCallStarted {
            call,
            key,
            agent: "Coder".parse().unwrap(),
            model: "recorded".parse().unwrap(),
            reserved: Spent::default(),
        },
        Event::ModelCallFinished {
            call,
            tokens: Tokens { input: call, ..Tokens::default() },
            cost: Usd::from_dollars(0.25),
            millis: 7,
            ended: "stop".into(),
            transcript: Some(transcript.file_name().to_owned()),
            failure: None,
            transcript_hash: Some(ContentHash::of(&text)),
        },
        Event::Moved { from: Status::Planned, to: Status::InProgress },
    ];
    for (event, second) in events.into_iter().zip(0..) {
        journal.append(at(i64::try_from(call).unwrap() * 10 + second), event).unwrap();
    }
    let message = CommitMessage { subject: format!("{run}: step {call}"), ..CommitMessage::default() };
    let history = History::open(&place.vault).unwrap();
    history.commit(&place.lock(), &[note(&path_of(run)), transcript], &message).unwrap().unwrap();
}

/// Takes the chain away, as a version of the program that had none would have written the lines.
fn without_chain(journal: &str) -> String {
    let lines = journal.lines().map(|line| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("prev");
        format!("{value}\n")
    });
    lines.collect()
}

/// A vault with two runs of one feature, one of another, and one that a version without chains began.
fn world() -> Place {
    let place = Place::with_git("");
    for run in RUNS {
        step(&place, run, 1);
    }
    let old = without_chain(&place.text(&path_of("FR-003/1")));
    place.write(&path_of("FR-003/1"), &old);
    place.git(&["commit", "-q", "-a", "--amend", "-m", "an old version"]);
    for call in 2..5 {
        RUNS.iter().for_each(|run| step(&place, run, call));
    }
    place
}

fn verified(place: &Place) -> Verified {
    verify_journals(&place.vault, &History::open(&place.vault).unwrap(), None).unwrap()
}

fn errors(place: &Place) -> Vec<String> {
    let problems = verified(place).problems;
    problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect()
}

/// Numbers that are the same in every run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// The lines with a chain that fits them, as one would write it who knows how.
fn rechained(lines: &[String]) -> Vec<String> {
    let mut chained: Vec<String> = vec![];
    for (line, seq) in lines.iter().zip(1..) {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["seq"] = seq.into();
        if let Some(before) = chained.last()
            && value.get("prev").is_some()
        {
            value["prev"] = ContentHash::of(before).as_str().into();
        }
        chained.push(format!("{value}\n"));
    }
    chained
}

const KINDS: [&str; 13] = [
    "change a byte",
    "take lines out",
    "swap lines",
    "double a line",
    "add a forged line",
    "cut the end off",
    "cut within a line",
    "swap files",
    "remove a file",
    "change and chain anew",
    "take out and chain anew",
    "take the chain away",
    "change a transcript",
];

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Changes the journals' files on disk in one way.
fn mutate(kind: &str, dice: &mut Dice, files: &Files) {
    let (journals, transcripts): (Vec<_>, Vec<_>) =
        files.iter().partition(|(path, _)| path.ends_with("journal.jsonl"));
    let (path, bytes) = journals[dice.below(journals.len())];
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let line = dice.below(lines.len());
    let count = 1 + dice.below(3);
    let end = (line + count).min(lines.len());
    match kind {
        "change a byte" => {
            let (path, bytes) = files.iter().nth(dice.below(files.len())).unwrap();
            let mut bytes = bytes.clone();
            let place = dice.below(bytes.len());
            bytes[place] ^= 1 << dice.below(8);
            return fs::write(path, bytes).unwrap();
        }
        "take lines out" => drop(lines.drain(line..end)),
        "swap lines" => {
            let other = dice.below(lines.len());
            lines.swap(line, other);
        }
        "double a line" => lines.insert(dice.below(lines.len() + 1), lines[line].clone()),
        "add a forged line" => {
            lines.insert(line, lines[line].replace("\"moved\"", "\"resumed\""));
        }
        "cut the end off" => lines.truncate(line),
        "cut within a line" => {
            let whole = bytes.len();
            return fs::write(path, &bytes[..whole - 1 - dice.below(whole - 1)]).unwrap();
        }
        "swap files" => {
            let (other, others) = journals[dice.below(journals.len())];
            fs::write(other, bytes).unwrap();
            return fs::write(path, others).unwrap();
        }
        "remove a file" => {
            return fs::remove_file(files.keys().nth(dice.below(files.len())).unwrap()).unwrap();
        }
        "change and chain anew" => {
            lines[line] = lines[line].replacen("T22:", "T23:", 1);
            lines = rechained(&lines);
        }
        "take out and chain anew" => {
            lines.drain(line..end);
            lines = rechained(&lines);
        }
        "take the chain away" => lines = vec![without_chain(&text)],
        "change a transcript" => {
            let (path, _) = transcripts[dice.below(transcripts.len())];
            return fs::write(path, format!("{{\"call\":{}}}\n", 10 + dice.below(90))).unwrap();
        }
        other => panic!("no such mutation: {other}"),
    }
    fs::write(path, lines.concat()).unwrap();
}

#[test]
fn a_thousand_random_mutations_are_all_found() {
    let place = world();
    let sound = verified(&place);
    assert_eq!(sound.problems, [], "what nobody touched is sound");
    let told = |run: &str| {
        let found = sound.runs.iter().find(|each| each.run.to_string() == run).unwrap();
        (found.records, found.chained_from, found.committed_to, found.transcripts)
    };
    assert_eq!(told("FR-001/2"), (16, Some(1), 16, 4));
    assert_eq!(told("FR-003/1"), (16, Some(5), 16, 4));

    let folder = walkdir::WalkDir::new(place.file("60_runs")).into_iter().flatten();
    let files: Files = folder
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    let now =
        || -> Files { files.keys().filter_map(|path| Some((path.clone(), fs::read(path).ok()?))).collect() };
    let mut dice = Dice(20_261_121_u64);
    let mut tried: BTreeMap<&str, u32> = BTreeMap::new();
    while tried.values().sum::<u32>() < 1_000 {
        let kind = KINDS[dice.below(KINDS.len())];
        mutate(kind, &mut dice, &files);
        if now() != files {
            *tried.entry(kind).or_default() += 1;
            assert_ne!(errors(&place), Vec::<String>::new(), "not found: {kind}, seed {:x}", dice.0);
            files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
    }
    assert_eq!(verified(&place), sound);
    assert!(KINDS.iter().all(|kind| tried[kind] > 20), "{tried:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let place = world();
    let path = path_of("FR-001/1");
    let whole = place.text(&path);
    place.write(&path, &whole.replacen("\"millis\":7", "\"millis\":8", 1));
    let problems = errors(&place);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(&format!("{path}:4:1: error[journal-chain]: this line does not follow")));

    let lines: Vec<String> = whole.split_inclusive('\n').map(str::to_owned).collect();
    place.write(&path, &lines[..14].concat());
    assert!(errors(&place)[0].contains("has 16 records here; there are 14"), "{:?}", errors(&place));

    fs::remove_dir_all(place.file("60_runs/FR-001/1")).unwrap();
    let problems = errors(&place);
    assert!(problems.iter().any(|problem| problem.contains("has this journal, and it is gone")));
    assert!(problems.iter().any(|problem| problem.contains("a run came before this one")), "{problems:?}");
}

#[test]
fn a_crash_and_a_trailer_that_its_own_commit_does_not_bear_out_are_no_mutations() {
    let place = world();
    let path = path_of("FR-002/1");
    let whole = place.text(&path);
    place.write(&path, &(whole + "{\"v\":2,\"se"));
    let codes = |place: &Place| -> Vec<String> {
        verified(place).problems.into_iter().map(|problem| problem.code).collect()
    };
    assert_eq!((errors(&place), codes(&place)), (vec![], vec!["torn-journal-line".to_owned()]));
    let run: RunId = "FR-002/1".parse().unwrap();
    let (mut journal, _, _) = Journal::open(&place.vault, &run).unwrap();
    journal.append(at(900), Event::Moved { from: Status::Planned, to: Status::InProgress }).unwrap();
    assert_eq!(verified(&place).problems, []);
    let found = verified(&place).runs.into_iter().find(|each| each.run == run).unwrap();
    assert_eq!((found.records, found.committed_to), (17, 16));

    let forged = format!("merge\n\nAdo-Journal: FR-002/1 3 {}", "0".repeat(64));
    place.git(&["commit", "-q", "--allow-empty", "-m", &forged]);
    assert_eq!((errors(&place), codes(&place)), (vec![], vec!["journal-head-unfounded".to_owned()]));
}

#[test]
fn heads_that_were_pushed_still_count_when_the_last_commits_are_taken_back_here() {
    let place = world();
    place.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    place.git(&["reset", "-q", "--hard", "HEAD~2"]);
    let problems = errors(&place);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("has 16 records here; there are 12")));
}
