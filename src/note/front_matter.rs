//! Where a note's front matter begins and ends. It does not know YAML.

use std::ops::Range;

use crate::domain::Diagnostic;

/// The parts of a note's text, as byte offsets into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Whether the text starts with a byte order mark.
    pub bom: bool,
    /// The YAML between the fences, without them; `None` when the note has no front matter.
    pub front: Option<Range<usize>>,
    /// Where the body starts: after the closing fence's line, or after the byte order mark.
    pub body: usize,
    /// `"\r\n"` when the note's first line ends so, else `"\n"`.
    pub newline: &'static str,
}

/// Finds the front matter: a first line `---` up to the next line `---`.
///
/// # Errors
/// A first line `---` without a second one.
pub fn split(text: &str) -> Result<Split, Diagnostic> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let newline = match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    };
    let none = Split { bom: start > 0, front: None, body: start, newline };
    let mut lines = text[start..].split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| is_fence(line)) else {
        return Ok(none);
    };
    let front_start = start + first.len();
    let mut at = front_start;
    for line in lines {
        if is_fence(line) {
            return Ok(Split { front: Some(front_start..at), body: at + line.len(), ..none });
        }
        at += line.len();
    }
    Err(Diagnostic::error(
        "unclosed-front-matter",
        "the front matter that line 1 opens is never closed",
        "add a line `---` after the last property",
    )
    .at(1, 1))
}

/// The note's text after the front matter; the whole text when there is none or it is never closed.
pub fn body(text: &str) -> &str {
    match split(text) {
        Ok(split) => &text[split.body..],
        Err(_) => text,
    }
}

fn is_fence(line: &str) -> bool {
    line.trim_end_matches([' ', '\t', '\r', '\n']) == "---"
}
