//! The chain that a journal's lines are: each names the hash of the one before, so that no line can be changed, taken
//! out, added or moved unseen, but for the last ones; those are covered by the heads that commits name (ADR 14).
//!
//! Works on bytes alone. Does not know what an event means, and reads records of later versions too.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::{ContentHash, Diagnostic, NotePath, RunId};

/// The end of a run's journal at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub run: RunId,
    /// Of the last line; lines count from 1.
    pub seq: u64,
    /// Of the last line's bytes, with its line feed.
    pub hash: ContentHash,
}

impl Head {
    /// The head of a journal with these bytes; `None` without a whole line.
    pub(crate) fn of(run: &RunId, journal: &[u8]) -> Option<Self> {
        let line = last_line(journal)?;
        let link: Link = serde_json::from_slice(line).ok()?;
        Some(Self { run: run.clone(), seq: link.seq, hash: ContentHash::of(line) })
    }
}

/// `FR-056/1 42 <hash>`, as a commit's trailer has it.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.run, self.seq, self.hash.as_str())
    }
}

impl FromStr for Head {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let [run, seq, hash] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(format!("`{text}` is not a run, a number and a hash"));
        };
        Ok(Self {
            run: run.parse().map_err(|error| format!("{error}"))?,
            seq: seq.parse().map_err(|_| format!("`{seq}` is not a number"))?,
            hash: serde_json::from_value(hash.into()).map_err(|error| error.to_string())?,
        })
    }
}

/// What the first line of a feature's first run follows on.
pub(super) fn beginning(run: &RunId) -> ContentHash {
    ContentHash::of(format!("the journal of {run}\n"))
}

/// The last whole line, with its line feed.
pub(super) fn last_line(journal: &[u8]) -> Option<&[u8]> {
    let end = journal.iter().rposition(|byte| *byte == b'\n')? + 1;
    let start = journal[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Some(&journal[start..end])
}

/// What a line's `prev` must be after these lines: the hash of the last one, or, where that one is of a time without
/// chains, of all of them.
pub(super) fn link_after(journal: &[u8]) -> Option<ContentHash> {
    let line = last_line(journal)?;
    let chained = serde_json::from_slice::<Link>(line).is_ok_and(|link| link.prev.is_some());
    let whole = journal.len() - journal.iter().rev().take_while(|byte| **byte != b'\n').count();
    Some(ContentHash::of(if chained { line } else { &journal[..whole] }))
}

/// A record as far as the chain goes.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    at: Timestamp,
    #[serde(default)]
    prev: Option<ContentHash>,
    event: Told,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    run: Option<serde_json::Value>,
    #[serde(default)]
    transcript: Option<String>,
    #[serde(default)]
    transcript_hash: Option<ContentHash>,
}

/// What one journal by itself tells.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Hashes of the whole lines, first to last.
    pub lines: Vec<ContentHash>,
    /// Number of the first line that is in the chain.
    pub chained_from: Option<u64>,
    /// The hash of all lines that are not in the chain, if there are any.
    pub unchained: Option<ContentHash>,
    /// What the first line says it follows on, if it is in the chain.
    pub first: Option<ContentHash>,
    /// Files under `transcript/` with line and hash.
    pub transcripts: Vec<(usize, String, ContentHash)>,
    pub problems: Vec<Diagnostic>,
}

/// Reads a journal line by line and holds each against the one before.
pub(super) fn read(run: &RunId, path: &NotePath, journal: &[u8]) -> Read {
    let mut read = Read::default();
    let mut last_at: Option<Timestamp> = None;
    let mut expected = 1;
    let mut start = 0;
    let mut chain_starts = None;
    for (index, line) in journal.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let place =
            |problem: Diagnostic| problem.in_note(path).at(u32::try_from(number).unwrap_or(u32::MAX), 1);
        if !line.ends_with(b"\n") {
            read.problems.push(place(Diagnostic::warning(
                "torn-journal-line",
                "the last line was cut off in a crash; it does not count",
                "nothing to do: the run goes on from the record before it",
            )));
            break;
        }
        match serde_json::from_slice::<Link>(line) {
            Err(error) => {
                read.problems.push(place(tampered("journal-line", format!("this is no record: {error}"))));
                expected += 1;
            }
            Ok(link) => {
                if link.seq != expected {
                    let said = format!("record {expected} says that it is number {}", link.seq);
                    read.problems.push(place(tampered("journal-gap", said)));
                }
                expected = link.seq.saturating_add(1);
                if number == 1
                    && link.event.name == "started"
                    && link.event.run != serde_json::to_value(run).ok()
                {
                    let said = format!("this is not the journal of {run} but of another run");
                    read.problems.push(place(tampered("journal-chain", said)));
                }
                if last_at.is_some_and(|last| link.at < last) {
                    read.problems.push(place(Diagnostic::warning(
                        "journal-clock",
                        "this record is older than the one before it: the clock was set back",
                        "nothing to do if the machine's clock was set; the order of records is that of the lines",
                    )));
                }
                last_at = Some(link.at);
                match (&link.prev, read.chained_from) {
                    (Some(prev), None) => {
                        read.chained_from = Some(link.seq);
                        chain_starts = Some(start);
                        if number == 1 {
                            read.first = Some(prev.clone());
                        } else if *prev != ContentHash::of(&journal[..start]) {
                            read.problems.push(place(broken(
                                "the lines before the chain begins are not those that it began after",
                            )));
                        }
                    }
                    (Some(prev), Some(_)) if read.lines.last() != Some(prev) => {
                        read.problems.push(place(broken(&format!(
                            "this line does not follow on line {index}: one of the two was changed, or lines were taken \
                             out, added or moved"
                        ))));
                    }
                    (None, Some(_)) => {
                        read.problems.push(place(broken("this line is not in the chain")));
                    }
                    _ => {}
                }
                if let (Some(file), Some(hash)) = (link.event.transcript, link.event.transcript_hash) {
                    read.transcripts.push((number, file, hash));
                }
            }
        }
        read.lines.push(ContentHash::of(line));
        start += line.len();
    }
    let unchained = &journal[..chain_starts.unwrap_or(start)];
    read.unchained = (!unchained.is_empty()).then(|| ContentHash::of(unchained));
    read
}

fn broken(message: &str) -> Diagnostic {
    tampered("journal-chain", message)
}

/// An error of a journal that is not as it was written.
pub(super) fn tampered(code: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(
        code,
        message,
        "compare with git history: `git log -p` of this file; restore it from there",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        "FR-001/1".parse().unwrap()
    }

    fn line(seq: u64, second: u64, prev: Option<&ContentHash>) -> String {
        let prev = prev.map(|prev| format!(r#""prev":"{}","#, prev.as_str())).unwrap_or_default();
        let at = format!("2026-11-21T08:00:{second:02}Z");
        format!("{{\"v\":2,\"seq\":{seq},\"at\":\"{at}\",{prev}\"event\":{{\"type\":\"x\"}}}}\n")
    }

    fn codes(journal: &str) -> Vec<(String, u32)> {
        let path = NotePath::new("60_runs/FR-001/1/journal.jsonl").unwrap();
        let problems = read(&run(), &path, journal.as_bytes()).problems;
        problems.into_iter().map(|problem| (problem.code, problem.line)).collect()
    }

    #[test]
    fn a_chain_may_begin_late_and_then_covers_all_lines_before() {
        let old = line(1, 1, None) + &line(2, 2, None);
        let third = line(3, 3, link_after(old.as_bytes()).as_ref());
        let whole = old.clone() + &third;
        let fourth = line(4, 4, link_after(whole.as_bytes()).as_ref());
        let whole = whole + &fourth;
        assert_eq!(codes(&whole), []);
        let path = NotePath::new("x").unwrap();
        assert_eq!(read(&run(), &path, whole.as_bytes()).chained_from, Some(3));
        let changed = whole.replacen(":01Z", ":00Z", 1);
        assert_eq!(codes(&changed), [("journal-chain".to_owned(), 3)]);
        let unchained = old + &third + &line(4, 4, None);
        assert_eq!(codes(&unchained), [("journal-chain".to_owned(), 4)]);
    }

    #[test]
    fn a_gap_a_jump_of_the_clock_and_a_torn_line_are_told_apart() {
        let first = line(1, 9, Some(&beginning(&run())));
        let second = line(2, 3, Some(&ContentHash::of(&first)));
        assert_eq!(codes(&(first.clone() + &second)), [("journal-clock".to_owned(), 2)]);
        let gap = line(3, 9, Some(&ContentHash::of(&first)));
        assert_eq!(codes(&(first.clone() + &gap)), [("journal-gap".to_owned(), 2)]);
        assert_eq!(codes(&(first.clone() + &second[..20])), [("torn-journal-line".to_owned(), 2)]);
        assert_eq!(codes(&(first + "\n"))[0], ("journal-line".to_owned(), 2));
    }

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let first = line(1, 1, None);
        let head = Head::of(&run(), (first.clone() + "{\"v\"").as_bytes()).unwrap();
        assert_eq!((head.seq, &head.hash), (1, &ContentHash::of(&first)));
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        assert!("FR-001/1 x y".parse::<Head>().is_err() && "".parse::<Head>().is_err());
        assert_eq!(Head::of(&run(), b""), None);
    }
}
