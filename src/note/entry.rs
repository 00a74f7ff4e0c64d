//! Finds where each property of a front matter stands in its text, line by line. It is a reading aid beside the strict
//! parser: it does not know values, and says when it is not sure.

use std::ops::Range;

/// How the value of a property is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing after the colon.
    Empty,
    Plain,
    DoubleQuoted,
    SingleQuoted,
    /// `[…]` or `{…}`
    Flow,
    /// `|` or `>` with lines below.
    BlockScalar,
    /// A list or mapping on the lines below.
    Nested,
    /// Starts with an anchor, tag or alias.
    Tagged,
}

/// One property, as byte offsets into the front matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub key: String,
    /// Line in the note, from 1.
    pub line: u32,
    /// All of its lines with their line ends.
    pub lines: Range<usize>,
    /// Just after the colon.
    pub after_colon: usize,
    /// The value's token; for a block scalar the header, for nested values the lines below.
    pub value: Range<usize>,
    pub shape: Shape,
}

/// The properties in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    pub all: Vec<Entry>,
    /// Note line of the first thing that was not understood.
    pub unsure: Option<u32>,
    /// Spaces before each property.
    pub indent: usize,
}

impl Entries {
    /// Line of this property in the note, or of the front matter's start.
    pub fn line_of(&self, key: &str) -> u32 {
        self.all.iter().find(|entry| entry.key == key).map_or(1, |entry| entry.line)
    }

    /// Line and name of the first property that was written before.
    pub fn second_of_a_pair(&self) -> Option<(u32, String)> {
        self.all.iter().enumerate().find_map(|(at, entry)| {
            let before = self.all[..at].iter().any(|other| other.key == entry.key);
            before.then(|| (entry.line, entry.key.clone()))
        })
    }
}

/// One line without its end, and where it starts and where the next one starts.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    next: usize,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn is_comment(&self) -> bool {
        self.text.trim_start().starts_with('#')
    }
}

/// Reads the text between the fences.
pub(crate) fn entries(front: &str) -> Entries {
    let mut lines = Vec::new();
    let mut start = 0;
    for raw in front.split_inclusive('\n') {
        let next = start + raw.len();
        lines.push(Line { text: raw.trim_end_matches(['\n', '\r']), start, next });
        start = next;
    }
    let first = lines.iter().find(|line| !line.is_blank() && !line.is_comment());
    let mut found = Entries { indent: first.map_or(0, Line::indent), ..Entries::default() };
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.is_blank() || line.is_comment() {
            at += 1;
            continue;
        }
        let read = (line.indent() == found.indent).then(|| entry(front, &lines, at, found.indent)).flatten();
        match read {
            Some((entry, next)) => {
                found.all.push(entry);
                at = next;
            }
            None => {
                found.unsure.get_or_insert(at as u32 + 2);
                at += 1;
            }
        }
    }
    found
}

/// The property that starts in line `at`, and the line after it.
fn entry(front: &str, lines: &[Line<'_>], at: usize, indent: usize) -> Option<(Entry, usize)> {
    let line = lines[at];
    let rest = &line.text[indent..];
    let (key, colon) = key(rest)?;
    let after_colon = line.start + indent + colon + 1;
    let line_end = line.start + line.text.len();
    let tail = &front[after_colon..line_end];
    let from = after_colon + (tail.len() - tail.trim_start_matches([' ', '\t']).len());
    let below = below(lines, at + 1, indent);
    let (shape, value, next) = match front[from..line_end].chars().next() {
        None | Some('#') => {
            let with_list = match lines.get(at + 1..).and_then(|rest| first_content(rest)) {
                Some(offset) if is_dash(&lines[at + 1 + offset], indent) => dashes(lines, at + 1, indent),
                _ => below,
            };
            if with_list == at + 1 {
                (Shape::Empty, after_colon..after_colon, at + 1)
            } else {
                (Shape::Nested, line.next..lines[with_list - 1].next, with_list)
            }
        }
        Some('|' | '>') => {
            let end = front[from..line_end].find([' ', '\t']).map_or(line_end, |length| from + length);
            (Shape::BlockScalar, from..end, block_scalar(lines, at + 1, indent))
        }
        Some(open @ ('"' | '\'' | '[' | '{')) => {
            let end = match open {
                '"' | '\'' => from + quoted(&front[from..])?,
                _ => from + flow(&front[from..])?,
            };
            let last = (at..lines.len()).find(|index| lines[*index].next >= end)?;
            let trailing = front.get(end..lines[last].start + lines[last].text.len())?;
            if !is_only_comment(trailing) || self::below(lines, last + 1, indent) != last + 1 {
                return None;
            }
            let shape = match open {
                '"' => Shape::DoubleQuoted,
                '\'' => Shape::SingleQuoted,
                _ => Shape::Flow,
            };
            (shape, from..end, last + 1)
        }
        Some('&' | '!' | '*') => (Shape::Tagged, from..line_end, below.max(at + 1)),
        Some(_) => {
            let end = if below == at + 1 {
                from + plain_length(&front[from..line_end])
            } else {
                let last = lines[below - 1];
                last.start + plain_length(last.text)
            };
            (Shape::Plain, from..end, below)
        }
    };
    let lines = line.start..lines[next - 1].next;
    Some((Entry { key, line: at as u32 + 2, lines, after_colon, value, shape }, next))
}

/// A name and the offset of its colon.
fn key(text: &str) -> Option<(String, usize)> {
    if text.starts_with(['"', '\'']) {
        let end = quoted(text)?;
        let gap = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
        let name = serde_yaml::from_str::<String>(&text[..end]).ok()?;
        return text[end + gap..].starts_with(':').then_some((name, end + gap));
    }
    if text.starts_with(['[', '{', '?', '&', '*', '!', '%', '|', '>', '@', '`']) || text.starts_with("- ") {
        return None;
    }
    let colon = text
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| text[at + 1..].is_empty() || text[at + 1..].starts_with([' ', '\t']))?;
    let name = text[..colon].trim_end();
    (!name.is_empty() && !name.contains(" #")).then(|| (name.to_owned(), colon))
}

/// The line after the last one that is indented deeper; blank and comment lines only count in between.
fn below(lines: &[Line<'_>], from: usize, indent: usize) -> usize {
    let mut end = from;
    for (at, line) in lines.iter().enumerate().skip(from) {
        if line.is_blank() || line.is_comment() {
            continue;
        }
        if line.indent() <= indent && !line.text.starts_with('\t') {
            break;
        }
        end = at + 1;
    }
    end
}

/// As [`below`] for a list whose dashes stand as deep as the property's name.
fn dashes(lines: &[Line<'_>], from: usize, indent: usize) -> usize {
    let mut end = from;
    for (at, line) in lines.iter().enumerate().skip(from) {
        if line.is_blank() || line.is_comment() {
            continue;
        }
        if line.indent() <= indent && !is_dash(line, indent) {
            break;
        }
        end = at + 1;
    }
    end
}

/// As [`below`], but in a block scalar a comment sign is text.
fn block_scalar(lines: &[Line<'_>], from: usize, indent: usize) -> usize {
    let mut end = from;
    for (at, line) in lines.iter().enumerate().skip(from) {
        if line.is_blank() {
            continue;
        }
        if line.indent() <= indent {
            break;
        }
        end = at + 1;
    }
    end
}

fn first_content(lines: &[Line<'_>]) -> Option<usize> {
    lines.iter().position(|line| !line.is_blank() && !line.is_comment())
}

fn is_dash(line: &Line<'_>, indent: usize) -> bool {
    line.indent() == indent && (line.text[indent..].starts_with("- ") || &line.text[indent..] == "-")
}

/// Length of the quoted text that `text` starts with, quotes included.
pub(crate) fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && quote == '"' {
            chars.next();
        } else if char == quote {
            if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') {
                chars.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Length of the bracketed value that `text` starts with.
fn flow(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    let mut before = '[';
    while let Some(char) = text[at..].chars().next() {
        match char {
            '[' | '{' => depth += 1,
            ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            '"' | '\'' if matches!(before, '[' | '{' | ',' | ':' | ' ' | '\t' | '\n') => {
                at += quoted(&text[at..])?;
                before = char;
                continue;
            }
            '#' if before.is_whitespace() => {
                at += text[at..].find('\n')?;
                before = '\n';
                continue;
            }
            _ => {}
        }
        before = char;
        at += text[at..].chars().next()?.len_utf8();
    }
    None
}

/// Length of a plain value without the comment behind it.
pub(crate) fn plain_length(text: &str) -> usize {
    let end = [" #", "\t#"].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    text[..end].trim_end_matches([' ', '\t', '\r']).len()
}

/// Whether nothing but a comment stands behind a value.
pub(crate) fn is_only_comment(text: &str) -> bool {
    text.trim().is_empty() || (text.starts_with([' ', '\t']) && text.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(front: &str) -> Vec<(String, Shape, &str)> {
        let found = entries(front);
        assert_eq!(found.unsure, None, "{front}");
        found.all.into_iter().map(|e| (e.key, e.shape, &front[e.value])).collect()
    }

    #[test]
    fn every_shape_of_value_is_found() {
        let front = "a: 1 # one\n\"b c\": \"x # \\\" y\" # c\nd:\n  - p\n\n  # own\n  - q\n# end\ne: |+ # c\n  # text\n\n  more\n\nf: [a, 'b]',\n  c] # d\ng:\nh:\n- 1\n- 2\ni: 'it''s'\nj: two\n  lines # c\nk: &x 1\nl: {a: b}\n";
        let expected = [
            ("a", Shape::Plain, "1"),
            ("b c", Shape::DoubleQuoted, "\"x # \\\" y\""),
            ("d", Shape::Nested, "  - p\n\n  # own\n  - q\n"),
            ("e", Shape::BlockScalar, "|+"),
            ("f", Shape::Flow, "[a, 'b]',\n  c]"),
            ("g", Shape::Empty, ""),
            ("h", Shape::Nested, "- 1\n- 2\n"),
            ("i", Shape::SingleQuoted, "'it''s'"),
            ("j", Shape::Plain, "two\n  lines"),
            ("k", Shape::Tagged, "&x 1"),
            ("l", Shape::Flow, "{a: b}"),
        ];
        assert_eq!(seen(front), expected.map(|(key, shape, value)| (key.to_owned(), shape, value)));
    }

    #[test]
    fn a_comment_in_brackets_may_end_in_any_letter() {
        let front = "a: [\n  x, # π\n  y\n  ]\nb: 1\n";
        assert_eq!(seen(front)[0].2, "[\n  x, # π\n  y\n  ]");
    }

    #[test]
    fn lines_count_from_the_opening_fence() {
        let found = entries("a: 1\r\n\r\nb: 2\r\n");
        assert_eq!((found.line_of("a"), found.line_of("b"), found.line_of("none")), (2, 4, 1));
    }

    #[test]
    fn what_is_not_a_plain_property_is_not_guessed() {
        for front in ["{a: 1}\n", "? a\n: b\n", "- a\n", "a: \"open\n", "a: \"x\" y\n"] {
            assert!(entries(front).unsure.is_some(), "{front}");
        }
    }
}
