//! Reads the tables of phases and sets the status of rows that are proven to be done. It does not know what proves one.

use std::ops::Range;

use super::EditError;
use super::edit_error::editable;
use super::feature::masked_body;
use super::outline::{Heading, Row, Table};
use super::questions;
use super::sections::{Body, Kind};
use crate::domain::{Phase, PhaseRow, RowStatus};

/// Sets the status of the agents' rows that `proven` names ([`PhaseRow::in_words`]) to done, and that of the overview's
/// row where with them all rows of a phase are settled. Changes nothing but those cells. Rows of people, rows with a
/// status in a human's own words and rows that do not fit their table's head stay as they are.
///
/// # Errors
/// [`EditError::Unsafe`] when the front matter is not closed, or the note is not to be touched (conflict markers, over 1 MiB).
pub fn settle_rows(text: &str, proven: &[String]) -> Result<String, EditError> {
    let parts = editable(text)?;
    if proven.is_empty() {
        return Ok(text.to_owned());
    }
    let masked = masked_body(&text[parts.body..]);
    let body = Body::new(&masked, 1);
    let tables = body.phase_tables();
    let mut all: Vec<TableRow> =
        tables.iter().flat_map(|(number, table)| body.table_rows(*number, table)).collect();
    let mut finished: Vec<u32> = vec![];
    let mut cells = vec![];
    for row in &mut all {
        if proven.contains(&row.said.in_words(row.phase)) && row.said.is_for_agents() {
            finished.push(row.phase);
            if let Some(cell) = row.open_status(&body) {
                row.said.status = "done".to_owned();
                cells.push((cell, row.aligned));
            }
        }
    }
    finished.retain(|phase| all.iter().filter(|row| row.phase == *phase).all(|row| row.said.is_settled()));
    let overview: Vec<TableRow> =
        body.overview_tables().flat_map(|table| body.overview_rows(table)).collect();
    let done = overview.iter().filter(|row| finished.contains(&row.phase) && row.said.is_for_agents());
    cells.extend(done.filter_map(|row| Some((row.open_status(&body)?, row.aligned))));
    cells.sort_by_key(|(cell, _)| cell.start);
    // A table below a phase within another stands below both.
    cells.dedup();
    let others: Vec<&str> =
        all.iter().chain(&overview).filter_map(|row| Some(&body.text[row.status.clone()?])).collect();
    let mut out = text.to_owned();
    for (cell, aligned) in cells.into_iter().rev() {
        let old = &body.text[cell.clone()];
        let word = RowStatus::word_for_done(old, others.iter().copied());
        out.replace_range(parts.body + cell.start..parts.body + cell.end, &reworded(old, &word, aligned));
    }
    Ok(out)
}

/// Places of the status cells of phases and overview, with the space around, in order.
pub(super) fn status_cells(body: &Body<'_>) -> Vec<Range<usize>> {
    let tables = body.phase_tables();
    let rows = tables.iter().flat_map(|(number, table)| body.table_rows(*number, table));
    let overview = body.overview_tables().flat_map(|table| body.overview_rows(table));
    let mut cells: Vec<Range<usize>> = rows.chain(overview).filter_map(|row| row.status).collect();
    cells.sort_by_key(|cell| cell.start);
    cells.dedup();
    cells
}

/// Number of a phase, and a table below its heading.
type PhaseTable<'a> = (u32, &'a Table);

/// One row with the place of its status cell, where it has one.
struct TableRow {
    phase: u32,
    said: PhaseRow,
    status: Option<Range<usize>>,
    /// Whether the status cell is as wide as its head.
    aligned: bool,
    /// Whether the row has no more cells than the head: otherwise a pipe was not escaped, and no cell is where it seems.
    fits: bool,
}

impl TableRow {
    fn open_status(&self, body: &Body<'_>) -> Option<Range<usize>> {
        let cell = self.status.clone().filter(|_| self.fits)?;
        (RowStatus::of(&body.text[cell.clone()]) == RowStatus::Open).then_some(cell)
    }
}

/// Which column says what.
struct Columns {
    item: usize,
    details: Option<usize>,
    owner: Option<usize>,
    status: Option<usize>,
}

impl Body<'_> {
    pub(super) fn phase(&self, number: u32, heading: &Heading, span: &Range<usize>) -> Phase {
        Phase {
            number,
            title: phase_title(&heading.title).to_owned(),
            goal: questions::labelled(&self.text[span.clone()], "goal").unwrap_or_default(),
            rows: self
                .tables_in(span)
                .flat_map(|table| self.table_rows(number, table))
                .map(|row| row.said)
                .collect(),
        }
    }

    /// Phases that only the overview names.
    pub(super) fn phases_of_overview(&self, table: &Table) -> Vec<Phase> {
        self.overview_rows(table)
            .into_iter()
            .map(|row| Phase {
                number: row.phase,
                title: row.said.name().to_owned(),
                goal: String::new(),
                rows: vec![],
            })
            .collect()
    }

    fn phase_tables(&self) -> Vec<PhaseTable<'_>> {
        let phases = self.spans().filter_map(|(_, kind, span)| match kind {
            Kind::Phase(number) => Some((number, span)),
            _ => None,
        });
        phases
            .flat_map(|(number, span)| self.tables_in(&span).map(|table| (number, table)).collect::<Vec<_>>())
            .collect()
    }

    fn overview_tables(&self) -> impl Iterator<Item = &Table> {
        let spans = self.spans().filter(|(_, kind, _)| *kind == Kind::Overview);
        spans.flat_map(|(.., span)| self.tables_in(&span).collect::<Vec<_>>())
    }

    /// Rows of a table whose head names a file, feature, item or task.
    fn table_rows(&self, phase: u32, table: &Table) -> Vec<TableRow> {
        let head = self.head(table);
        let column =
            |names: &[&str]| head.iter().position(|cell| names.iter().any(|name| cell.contains(name)));
        let Some(item) = column(&["file", "feature", "item", "task"]) else {
            return vec![];
        };
        let columns = Columns {
            item,
            details: column(&["detail", "description", "what"]),
            owner: column(&["owner", "who"]),
            status: column(&["status", "state"]),
        };
        let rows = table.rows[1..].iter().map(|row| self.table_row(phase, table, row, &columns));
        rows.filter(|row| !row.said.item.is_empty() || !row.said.details.is_empty()).collect()
    }

    fn overview_rows(&self, table: &Table) -> Vec<TableRow> {
        let head = self.head(table);
        let column = |name: &str| head.iter().position(|cell| cell.contains(name));
        let (Some(phase), description) = (column("phase"), column("description").or(column("title"))) else {
            return vec![];
        };
        let columns = Columns {
            item: description.unwrap_or(phase),
            details: None,
            owner: column("owner"),
            status: column("status").or(column("state")),
        };
        let rows = table.rows[1..].iter().filter_map(|row| {
            let name = self.cell(row.cells.get(phase)?);
            let number = name.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()?;
            Some(self.table_row(number, table, row, &columns))
        });
        rows.collect()
    }

    fn table_row(&self, phase: u32, table: &Table, row: &Row, columns: &Columns) -> TableRow {
        let cell = |at: Option<usize>| {
            at.and_then(|at| row.cells.get(at)).map_or_else(String::new, |cell| self.cell(cell))
        };
        let said = PhaseRow {
            item: cell(Some(columns.item)),
            details: cell(columns.details),
            owner: cell(columns.owner),
            status: cell(columns.status),
        };
        let at = |row: &Row| columns.status.and_then(|at| row.cells.get(at).cloned());
        let status = at(row).filter(|cell| self.is_there(cell));
        let width = |cell: &Range<usize>| self.text[cell.clone()].chars().count();
        let head = table.rows.first().and_then(at);
        let aligned = head.as_ref().map(width) == status.as_ref().map(width);
        TableRow { phase, said, status, aligned, fits: self.fits(row) }
    }

    /// Whether the cell stands in the text, be it without a word; one that the row leaves out does not.
    fn is_there(&self, cell: &Range<usize>) -> bool {
        let (before, after) =
            (self.text[..cell.start].ends_with('|'), self.text[cell.end..].starts_with('|'));
        !cell.is_empty() || (before && after)
    }

    /// Whether nothing follows the last cell but its pipe.
    fn fits(&self, row: &Row) -> bool {
        let end = row.cells.last().map_or(row.range.end, |cell| cell.end);
        let rest = self.text.get(end..row.range.end).unwrap_or_default().trim();
        rest.is_empty() || rest == "|"
    }

    fn head(&self, table: &Table) -> Vec<String> {
        let head = table.rows.first().into_iter().flat_map(|row| &row.cells);
        head.map(|cell| self.cell(cell).to_lowercase()).collect()
    }

    pub(super) fn cell(&self, range: &Range<usize>) -> String {
        self.text[range.clone()].trim().replace("\\|", "|")
    }
}

/// The cell with another word in it; as wide as before where it is aligned and the word fits.
fn reworded(cell: &str, word: &str, aligned: bool) -> String {
    let old = cell.trim_matches([' ', '\t']);
    let (left, right) = match cell.find(old) {
        Some(at) if !old.is_empty() => (&cell[..at], &cell[at + old.len()..]),
        _ if aligned => cell.split_at(cell.len().min(1)),
        _ => (&cell[..cell.len().min(1)], &cell[..cell.len().min(1)]),
    };
    let spare = old.chars().count() as isize - word.chars().count() as isize;
    // What the word is shorter or longer by goes to the side that holds the padding.
    match () {
        () if !aligned => format!("{left}{word}{right}"),
        () if left.len() > right.len() => format!("{}{word}{right}", resized(left, spare)),
        () => format!("{left}{word}{}", resized(right, spare)),
    }
}

/// White space with `by` more columns; of some at least one column stays.
fn resized(space: &str, by: isize) -> String {
    let width = space.chars().count();
    let wanted = width.saturating_add_signed(by).max(width.min(1));
    space.chars().chain(std::iter::repeat(' ')).take(wanted).collect()
}

/// `Registry` of `Phase 1: Registry — done`.
fn phase_title(heading: &str) -> &str {
    let rest = heading.trim().get("phase".len()..).unwrap_or_default().trim_start();
    let rest = rest
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start_matches([':', '.', ')', ' ', '-', '–', '—']);
    let words = [
        "",
        "done",
        "open",
        "todo",
        "planned",
        "in progress",
        "wip",
        "blocked",
        "complete",
        "completed",
        "✅",
    ];
    match rest.rfind(['—', '–']).or_else(|| rest.rfind(" - ")) {
        Some(at) => {
            let tail = rest[at..].trim_start_matches([' ', '-', '–', '—']).trim().to_lowercase();
            if words.contains(&tail.as_str()) { rest[..at].trim_end() } else { rest }
        }
        None => rest,
    }
}
