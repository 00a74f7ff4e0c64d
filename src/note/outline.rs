//! One pass over a note's body: headings, list items and tables with their places. It does not know what they mean.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A heading that stands in no list or quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heading {
    pub level: u8,
    pub title: String,
    pub range: Range<usize>,
}

/// A list item, at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub range: Range<usize>,
    /// Its own first paragraph, without checkbox and nested blocks.
    pub text: Range<usize>,
    /// The checkbox and whether it is ticked.
    pub task: Option<(Range<usize>, bool)>,
    /// 1 for items of a list that is in no other.
    pub depth: usize,
}

/// A table as rows of cells; the first row is the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub start: usize,
    pub rows: Vec<Row>,
}

/// A table's row: as many cells as the head has, from pipe to pipe. Cells that a short row leaves out are empty, those
/// that a long row has more are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub range: Range<usize>,
    pub cells: Vec<Range<usize>>,
}

/// What stands where in a body, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub headings: Vec<Heading>,
    pub items: Vec<Item>,
    pub tables: Vec<Table>,
}

impl Outline {
    /// From the end of this heading to the next one of its level or above.
    pub fn section(&self, at: usize, length: usize) -> Range<usize> {
        let heading = &self.headings[at];
        let end = self.headings[at + 1..].iter().find(|next| next.level <= heading.level);
        heading.range.end..end.map_or(length, |next| next.range.start)
    }
}

/// An item whose end was not reached yet.
struct Open {
    start: usize,
    text: Option<Range<usize>>,
    task: Option<(Range<usize>, bool)>,
    /// Whether the first paragraph is over.
    closed: bool,
}

pub(crate) fn outline(body: &str) -> Outline {
    let mut found = Outline::default();
    let mut open: Vec<Open> = Vec::new();
    let mut containers = 0_usize;
    let mut heading: Option<Heading> = None;
    for (event, range) in
        Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS).into_offset_iter()
    {
        match event {
            Event::Start(Tag::Item) => {
                containers += 1;
                open.push(Open { start: range.start, text: None, task: None, closed: false });
            }
            Event::End(TagEnd::Item) => {
                containers = containers.saturating_sub(1);
                if let Some(item) = open.pop() {
                    let text = item.text.unwrap_or(range.end..range.end);
                    found.items.push(Item {
                        range: item.start..range.end,
                        text,
                        task: item.task,
                        depth: open.len() + 1,
                    });
                }
            }
            Event::Start(Tag::BlockQuote(_)) => {
                containers += 1;
                close(&mut open);
            }
            Event::End(TagEnd::BlockQuote(_)) => containers = containers.saturating_sub(1),
            Event::Start(Tag::Heading { level, .. }) => {
                close(&mut open);
                if containers == 0 {
                    heading = Some(Heading { level: depth(level), title: String::new(), range });
                }
            }
            Event::End(TagEnd::Heading(_)) => found.headings.extend(heading.take()),
            Event::Start(Tag::Table(_)) => {
                close(&mut open);
                found.tables.push(Table { start: range.start, rows: vec![] });
            }
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                if let Some(table) = found.tables.last_mut() {
                    table.rows.push(Row { range, cells: vec![] });
                }
            }
            Event::Start(Tag::TableCell) => {
                if let Some(row) = found.tables.last_mut().and_then(|table| table.rows.last_mut()) {
                    row.cells.push(range);
                }
            }
            Event::Start(Tag::List(_) | Tag::CodeBlock(_) | Tag::HtmlBlock)
            | Event::End(TagEnd::Paragraph) => {
                close(&mut open);
            }
            Event::TaskListMarker(done) => {
                if let Some(item) = open.last_mut() {
                    item.task = Some((range, done));
                    item.text = None;
                }
            }
            Event::Start(Tag::Paragraph) | Event::End(_) => {}
            other => {
                if let (Some(heading), Event::Text(text) | Event::Code(text)) = (&mut heading, &other) {
                    heading.title.push_str(text);
                }
                if let Some(item) = open.last_mut().filter(|item| !item.closed) {
                    item.text = Some(match item.text.take() {
                        Some(text) => text.start..text.end.max(range.end),
                        None => range,
                    });
                }
            }
        }
    }
    found.items.sort_by_key(|item| item.range.start);
    found
}

fn close(open: &mut [Open]) {
    if let Some(item) = open.last_mut() {
        item.closed = true;
    }
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_items_and_tables_have_their_places() {
        let body = "# A `b`\n\n> ## quoted\n\n- [ ] one\n  more ^x\n  - [x] two\n\n  para\n- three\n\nB\n---\n\n```\n# no\n- no\n```\n\n|h|i|\n|-|-|\n| a | `b\\|c` |\n";
        let found = outline(body);
        let titles: Vec<_> = found.headings.iter().map(|h| (h.level, h.title.as_str())).collect();
        assert_eq!(titles, [(1, "A b"), (2, "B")]);
        let items: Vec<_> = found
            .items
            .iter()
            .map(|i| {
                (&body[i.text.clone()], i.task.as_ref().map(|(r, done)| (&body[r.clone()], *done)), i.depth)
            })
            .collect();
        assert_eq!(
            items,
            [
                ("one\n  more ^x", Some(("[ ]", false)), 1),
                ("two", Some(("[x]", true)), 2),
                ("three", None, 1)
            ]
        );
        let cells: Vec<Vec<_>> = found.tables[0]
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| body[cell.clone()].trim()).collect())
            .collect();
        assert_eq!(cells, [vec!["h", "i"], vec!["a", "`b\\|c`"]]);
    }
}
