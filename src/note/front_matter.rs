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
    let first_end = line_end(&text[start..]);
    let newline = if text[start..start + first_end].ends_with("\r\n") { "\r\n" } else { "\n" };
    let none = Split { bom: start > 0, front: None, body: start, newline };
    if !is_fence(&text[start..start + first_end]) {
        return Ok(none);
    }
    let front_start = start + first_end;
    let mut at = front_start;
    while at < text.len() {
        let end = at + line_end(&text[at..]);
        if is_fence(&text[at..end]) {
            return Ok(Split { front: Some(front_start..at), body: end, ..none });
        }
        at = end;
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

/// Where the first line ends, with its line end.
fn line_end(text: &str) -> usize {
    memchr::memchr(b'\n', text.as_bytes()).map_or(text.len(), |at| at + 1)
}

fn is_fence(line: &str) -> bool {
    line.starts_with("---") && line.trim_end_matches([' ', '\t', '\r', '\n']) == "---"
}
