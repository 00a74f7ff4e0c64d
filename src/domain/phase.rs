//! Phases of a feature and the rows of their tables, with the words for a row's status that are met in the wild.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One row of a phase's table (File / Feature, Details, Owner, Status).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseRow {
    pub item: String,
    pub details: String,
    pub owner: String,
    pub status: String,
}

impl PhaseRow {
    /// True when nobody or `ado` owns the row; rows of people are theirs.
    pub fn is_for_agents(&self) -> bool {
        matches!(self.owner.trim().to_lowercase().as_str(), "" | "—" | "-" | "ado" | "agent" | "ado-vault")
    }

    pub fn is_done(&self) -> bool {
        RowStatus::of(&self.status) == RowStatus::Done
    }

    /// Done, or given up: nothing is left to do.
    pub fn is_settled(&self) -> bool {
        matches!(RowStatus::of(&self.status), RowStatus::Done | RowStatus::Aside)
    }

    /// The row in one line, as a reviewer is asked for it: ``Phase 2: `src/queue.rs`: order with ageing``.
    pub fn in_words(&self, phase: u32) -> String {
        let parts = [self.item.as_str(), self.details.as_str()];
        let said: Vec<String> = parts
            .iter()
            .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|part| !matches!(part.as_str(), "" | "—" | "–" | "-"))
            .collect();
        format!("Phase {phase}: {}", said.join(": "))
    }

    /// What the row is about: its item, else its details.
    pub fn name(&self) -> &str {
        if self.item.trim().is_empty() { self.details.trim() } else { self.item.trim() }
    }
}

/// A `## Phase N: title` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    pub number: u32,
    pub title: String,
    pub goal: String,
    pub rows: Vec<PhaseRow>,
}

/// How far a row is, as its status cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    Done,
    /// To be done or under way, in a word that means no more than that.
    Open,
    /// Given up or put off.
    Aside,
    /// A human's own words. They count as open and are not overwritten.
    Other,
}

const DONE: [&str; 17] = [
    "done",
    "complete",
    "completed",
    "finished",
    "implemented",
    "merged",
    "shipped",
    "closed",
    "resolved",
    "released",
    "delivered",
    "fixed",
    "landed",
    "ok",
    "yes",
    "x",
    "100%",
];
const OPEN: [&str; 41] = [
    "",
    "todo",
    "to do",
    "open",
    "not started",
    "not yet started",
    "not yet",
    "not done",
    "unstarted",
    "new",
    "planned",
    "pending",
    "backlog",
    "next",
    "queued",
    "ready",
    "draft",
    "tbd",
    "no",
    "none",
    "later",
    "in progress",
    "inprogress",
    "in work",
    "wip",
    "work in progress",
    "doing",
    "started",
    "ongoing",
    "active",
    "in review",
    "review",
    "blocked",
    "waiting",
    "on hold",
    "partial",
    "partially",
    "partly",
    "partially done",
    "incomplete",
    "scheduled",
];
const ASIDE: [&str; 20] = [
    "n a",
    "na",
    "dropped",
    "cancelled",
    "canceled",
    "skipped",
    "skip",
    "deferred",
    "postponed",
    "won t do",
    "wont do",
    "won t fix",
    "wontfix",
    "out of scope",
    "removed",
    "obsolete",
    "not needed",
    "not applicable",
    "superseded",
    "rejected",
];
/// Signs that stand for a word, alone or before one.
const DONE_SIGNS: [char; 9] = ['✅', '✔', '☑', '🟢', '🎉', '💯', '✓', '🗸', '🏁'];
const OPEN_SIGNS: [char; 26] = [
    '⬜', '⬛', '☐', '🔲', '🔳', '⏳', '⌛', '🚧', '🟡', '🟠', '🔴', '⚪', '⚫', '🔵', '🔄', '📝', '📋', '⏸',
    '🏗', '❌', '✗', '✖', '❎', '🆕', '🔜', '🟦',
];

impl RowStatus {
    /// Reads a status cell.
    pub fn of(cell: &str) -> Self {
        let lower = cell.to_lowercase();
        let (plain, remark) = match lower.split_once('(') {
            Some((plain, _)) => (plain, true),
            None => (lower.as_str(), false),
        };
        let words: Vec<&str> =
            plain.split(|c: char| !c.is_alphanumeric() && c != '%').filter(|word| !word.is_empty()).collect();
        let is = |known: &[&str]| known.contains(&words.join(" ").as_str());
        let done_sign = cell.contains(DONE_SIGNS);
        let only_signs = words.is_empty();
        match () {
            () if is(&DONE) || (only_signs && done_sign) || is_done_with_more(&words) => Self::Done,
            () if remark => Self::Other,
            () if is(&ASIDE) => Self::Aside,
            () if is(&OPEN) && (!only_signs || has_no_words(cell)) => Self::Open,
            () if matches!(words.as_slice(), [share] if is_share(share)) => Self::Open,
            () => Self::Other,
        }
    }

    /// The word for done that goes with the others of a note: as another row says it, else in the manner of the word that
    /// it replaces.
    pub fn word_for_done<'a>(replaced: &str, others: impl IntoIterator<Item = &'a str>) -> String {
        let plain = |cell: &&str| {
            Self::of(cell) == Self::Done
                && cell.split_whitespace().count() <= 2
                && !cell.contains(['|', '(', '['])
        };
        if let Some(word) = others.into_iter().map(str::trim).find(plain) {
            return word.to_owned();
        }
        let replaced = replaced.trim();
        let letters: Vec<char> = replaced.chars().filter(|c| c.is_alphabetic()).collect();
        let word = match letters.as_slice() {
            [first, second, ..] if first.is_uppercase() && second.is_uppercase() => "DONE",
            [first, ..] if first.is_uppercase() => "Done",
            _ => "done",
        };
        match () {
            () if replaced == "[ ]" => "[x]".to_owned(),
            () if replaced.ends_with('%') => "100%".to_owned(),
            () if replaced.contains(OPEN_SIGNS) && letters.is_empty() => "✅".to_owned(),
            () if replaced.contains(OPEN_SIGNS) => format!("✅ {word}"),
            () => word.to_owned(),
        }
    }
}

/// `done 2026-03-01`, `merged in #12`.
fn is_done_with_more(words: &[&str]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    let goes_on = |word: &&str| {
        ["in", "on", "by", "with", "via", "at", "see", "as", "since"].contains(word)
            || word.chars().any(|c| c.is_ascii_digit())
    };
    DONE.contains(first) && rest.first().is_some_and(goes_on)
}

/// `—`, `…`, `⬜`, `[ ]`: no word, link or remark of a human in it.
fn has_no_words(cell: &str) -> bool {
    cell.chars().all(|c| {
        c.is_whitespace()
            || OPEN_SIGNS.contains(&c)
            || matches!(c, '—' | '–' | '-' | '.' | '…' | '[' | ']' | '*' | '_' | '\u{fe0f}' | '?')
    })
}

/// `40%`, short of all.
fn is_share(word: &str) -> bool {
    word.strip_suffix('%')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_status_are_read_as_people_write_them() {
        use RowStatus::*;
        for (status, cells) in [
            (
                Done,
                &[
                    "done",
                    "✅",
                    "✅ Done",
                    "Done ✅",
                    "**Done**",
                    "x",
                    "[x]",
                    "Complete",
                    "COMPLETED",
                    "✔️",
                    "☑",
                    "Done (2026-03-01)",
                    "done 2026-03-01",
                    "merged in #12",
                    "Shipped",
                    "100%",
                    "🟢 done",
                    "`done`",
                ][..],
            ),
            (
                Open,
                &[
                    "",
                    " ",
                    "—",
                    "–",
                    "-",
                    "…",
                    "todo",
                    "TODO",
                    "To do",
                    "to-do",
                    "Not started",
                    "⬜ Not started",
                    "⬜",
                    "🚧 WIP",
                    "In progress",
                    "in_progress",
                    "❌",
                    "[ ]",
                    "Pending",
                    "Planned",
                    "TBD",
                    "40%",
                    "🔴 Blocked",
                    "⬜️",
                ][..],
            ),
            (Aside, &["n/a", "N/A", "dropped", "Won't do", "❌ Cancelled", "deferred", "out of scope"][..]),
            (
                Other,
                &[
                    "done except the tests",
                    "see [[Plan]]",
                    "todo (ask Ann)",
                    "Ann is on it",
                    "[[done list]]",
                    "not quite done",
                    "✅ reviewed twice",
                ][..],
            ),
        ] {
            for cell in cells {
                assert_eq!(RowStatus::of(cell), status, "{cell}");
            }
        }
    }

    #[test]
    fn done_is_said_as_the_note_says_it() {
        let word =
            |replaced: &str, others: &[&str]| RowStatus::word_for_done(replaced, others.iter().copied());
        assert_eq!(word("—", &["todo", " ✅ Done ", "done"]), "✅ Done");
        assert_eq!(word("—", &["done (by Ann)", "merged in 7 steps"]), "done");
        let pairs = [("", "done"), ("todo", "done"), ("Not started", "Done"), ("TODO", "DONE"), ("⬜", "✅")];
        for (replaced, expected) in pairs {
            assert_eq!(word(replaced, &[]), expected);
        }
        assert_eq!(
            (word("🚧 Wip", &[]), word("[ ]", &[]), word("40%", &[])),
            ("✅ Done".into(), "[x]".into(), "100%".into())
        );
        for replaced in ["", "todo", "Not started", "TODO", "⬜", "🚧 wip", "[ ]", "40%"] {
            assert_eq!(RowStatus::of(&word(replaced, &[])), RowStatus::Done, "{replaced}");
        }
    }

    #[test]
    fn a_row_is_named_by_what_it_says() {
        let row = |item: &str, details: &str| PhaseRow {
            item: item.into(),
            details: details.into(),
            owner: String::new(),
            status: String::new(),
        };
        assert_eq!(row("`a.rs`", "order  it").in_words(2), "Phase 2: `a.rs`: order it");
        assert_eq!(row("Limits", "—").in_words(1), "Phase 1: Limits");
    }
}
