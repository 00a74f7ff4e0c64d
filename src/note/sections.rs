//! Reads the sections of a feature note's body by their headings. It does not know front matter.

use std::ops::Range;

use super::outline::{Heading, Item, Outline, Table, outline};
use super::questions;
use crate::domain::{Criterion, Sections};

/// What a heading announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Summary,
    Problem,
    Solution,
    Criteria,
    OutOfScope,
    Questions,
    Decisions,
    Overview,
    Phase(u32),
    Notes,
    Other,
}

/// A body with its outline, from which sections are read.
pub(crate) struct Body<'a> {
    pub text: &'a str,
    pub outline: Outline,
    /// Note line of the body's first line.
    first_line: u32,
    line_ends: Vec<usize>,
}

impl<'a> Body<'a> {
    /// `text` is the body with ado's blocks blanked out.
    pub fn new(text: &'a str, first_line: u32) -> Self {
        let line_ends =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { text, outline: outline(text), first_line, line_ends }
    }

    /// Line in the note of this place in the body.
    pub fn line(&self, at: usize) -> u32 {
        self.first_line + self.line_ends.partition_point(|end| *end < at) as u32
    }

    /// Text of a place with all white space as single spaces.
    pub fn words(&self, range: &Range<usize>) -> String {
        self.text[range.clone()].split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn items_in(&self, range: &Range<usize>) -> impl Iterator<Item = &Item> {
        let range = range.clone();
        self.outline.items.iter().filter(move |item| range.contains(&item.range.start))
    }

    pub fn tables_in(&self, range: &Range<usize>) -> impl Iterator<Item = &Table> {
        let range = range.clone();
        self.outline.tables.iter().filter(move |table| range.contains(&table.start))
    }

    /// The task items of acceptance criteria in order, with their text.
    pub fn criteria(&self) -> Vec<(&Item, String)> {
        let spans: Vec<_> =
            self.spans().filter(|(_, kind, _)| *kind == Kind::Criteria).map(|(.., span)| span).collect();
        let is_inside = |item: &&Item| spans.iter().any(|span| span.contains(&item.range.start));
        self.outline
            .items
            .iter()
            .filter(|item| item.task.is_some())
            .filter(is_inside)
            .map(|item| (item, without_block_id(&self.words(&item.text)).to_owned()))
            .filter(|(_, text)| !text.is_empty())
            .collect()
    }

    /// Every heading with what it announces and how far that goes. A phase ends where another one begins, whatever its level.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Heading, Kind, Range<usize>)> {
        let headings = &self.outline.headings;
        headings.iter().enumerate().map(|(at, heading)| {
            let mut span = self.outline.section(at, self.text.len());
            let is_phase = |heading: &&Heading| matches!(kind(&heading.title), Kind::Phase(_));
            if is_phase(&heading)
                && let Some(next) = headings[at + 1..].iter().find(is_phase)
            {
                span.end = span.end.min(next.range.start);
            }
            (heading, kind(&heading.title), span)
        })
    }

    /// The first heading of level 1 that announces no section.
    pub fn title(&self) -> Option<&str> {
        let first = self.outline.headings.iter().find(|heading| heading.level == 1)?;
        (kind(&first.title) == Kind::Other).then_some(first.title.trim()).filter(|title| !title.is_empty())
    }

    pub fn sections(&self) -> Sections {
        let mut sections = Sections::default();
        let mut covered = 0;
        let mut other = Vec::new();
        let mut overview = Vec::new();
        let title_end =
            self.outline.headings.first().filter(|first| first.level == 1 && self.title().is_some());
        if let Some(first) = title_end
            && self.text[..first.range.start].trim().is_empty()
        {
            covered = first.range.end;
        }
        for (heading, kind, span) in self.spans() {
            let text = || tidy(&self.text[span.clone()]);
            match kind {
                Kind::Other => continue,
                Kind::Summary => append(&mut sections.summary, text()),
                Kind::Problem => append(&mut sections.problem, text()),
                Kind::Solution => append(&mut sections.solution, text()),
                Kind::OutOfScope => append(&mut sections.out_of_scope, text()),
                Kind::Notes => append(&mut sections.notes, text()),
                Kind::Criteria => {}
                Kind::Questions => sections.questions.extend(questions::open_questions(self, heading, &span)),
                Kind::Decisions => {
                    sections.pending_decisions.extend(questions::pending(&self.text[span.clone()]))
                }
                Kind::Overview => {
                    overview.extend(self.tables_in(&span).flat_map(|table| self.phases_of_overview(table)))
                }
                Kind::Phase(number) => sections.phases.push(self.phase(number, heading, &span)),
            }
            if heading.range.start >= covered {
                other.push(covered..heading.range.start);
                covered = span.end;
            }
        }
        other.push(covered..self.text.len());
        let other: Vec<String> =
            other.iter().map(|span| tidy(&self.text[span.clone()])).filter(|text| !text.is_empty()).collect();
        sections.other = other.join("\n\n");
        sections.criteria = self
            .criteria()
            .into_iter()
            .map(|(item, text)| Criterion {
                text,
                done: item.task.as_ref().is_some_and(|(_, done)| *done),
                line: self.line(item.range.start),
            })
            .collect();
        for phase in overview {
            if !sections.phases.iter().any(|known| known.number == phase.number) {
                sections.phases.push(phase);
            }
        }
        sections.phases.sort_by_key(|phase| phase.number);
        sections.requirements = self.requirements();
        sections
    }

    /// `REQ-1: text` of table rows and list items anywhere in the note.
    fn requirements(&self) -> Vec<String> {
        let rows = self.outline.tables.iter().flat_map(|table| &table.rows).filter_map(|row| {
            let name = self.cell(row.cells.first()?);
            let text = row.cells.get(1).map_or_else(String::new, |cell| self.cell(cell));
            is_requirement(&name).then(|| format!("{name}: {text}"))
        });
        let items = self.outline.items.iter().filter_map(|item| {
            let words = self.words(&item.text);
            let plain = words.replace("**", "");
            let (name, text) = plain.split_once([':', ' ']).unwrap_or((&plain, ""));
            is_requirement(name).then(|| format!("{name}: {}", text.trim_start_matches([':', ' '])))
        });
        rows.chain(items).collect()
    }
}

fn is_requirement(name: &str) -> bool {
    name.strip_prefix("REQ-")
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Item text without the ` ^id` that Obsidian puts behind it.
pub(crate) fn without_block_id(text: &str) -> &str {
    match text.rsplit_once(" ^") {
        Some((head, id)) if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            head.trim_end()
        }
        _ => text,
    }
}

fn append(section: &mut String, text: String) {
    if !section.is_empty() && !text.is_empty() {
        section.push_str("\n\n");
    }
    section.push_str(&text);
}

/// Trimmed, line ends as `\n`, and no more than one blank line in a row: blanked blocks leave many.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.trim().lines() {
        blank = if line.trim().is_empty() { blank + 1 } else { 0 };
        if blank < 2 {
            out.push_str(if blank == 0 { line.trim_end_matches('\r') } else { "" });
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn kind(title: &str) -> Kind {
    let lower = title.to_lowercase();
    let mut words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.len() > 1 && words[0].bytes().all(|byte| byte.is_ascii_digit()) {
        words.remove(0);
    }
    if let ["phase", number, ..] = words.as_slice()
        && let Ok(number) = number.parse()
    {
        return Kind::Phase(number);
    }
    match words.join(" ").as_str() {
        "summary" | "tl dr" | "tldr" | "overview" => Kind::Summary,
        "problem motivation" | "problem" | "motivation" | "problem statement" | "why" => Kind::Problem,
        "proposed solution" | "solution" | "proposal" | "what changes" | "approach" => Kind::Solution,
        "acceptance criteria"
        | "acceptance criterion"
        | "acceptance"
        | "definition of done"
        | "done when" => Kind::Criteria,
        "out of scope" | "non goals" | "not in scope" => Kind::OutOfScope,
        "open questions" | "questions" => Kind::Questions,
        "decisions" => Kind::Decisions,
        "phase overview" | "phases" => Kind::Overview,
        "notes" | "implementation notes" => Kind::Notes,
        _ => Kind::Other,
    }
}
