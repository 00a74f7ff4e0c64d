//! Managed blocks: the text between `<!-- ado:begin NAME -->` and `<!-- ado:end NAME -->`, each on a line of its own.
//! It does not know what the blocks say.

use std::ops::Range;

use super::edit_error::editable;
use super::fence::Fences;
use super::{EditError, plain, split};
use crate::domain::{ContentHash, Diagnostic};

/// One managed block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub name: String,
    /// Without the markers and the blank lines around, line ends as `\n`.
    pub content: String,
    /// Bytes of the note from the begin marker to the end of the end marker, without the line end.
    pub range: Range<usize>,
    /// Hash of `content`.
    pub hash: ContentHash,
}

/// The hash that a block with this content has once it is written: [`set_block`] writes no control characters, and
/// no text that would be a marker.
pub fn block_hash(content: &str) -> ContentHash {
    ContentHash::of(normal(content))
}

/// The blocks of a note in order.
///
/// # Errors
/// Missing, doubled, crossed or malformed markers, each with its line.
pub fn blocks(text: &str) -> Result<Vec<Block>, Vec<Diagnostic>> {
    scan(text, split(text).map_or(0, |parts| parts.body))
}

/// Replaces, creates or (with `content: None`) removes a block. A block whose hash is not `known` was edited by a human:
/// its text is kept as the human's own, without markers, and a fresh block is written below it. `known: None` means
/// that no hash was recorded, and the block is replaced.
///
/// # Errors
/// [`EditError::Markers`] when the note's markers are damaged; [`EditError::Unsafe`] when the block would not be one,
/// as below a code fence that is never closed.
pub fn set_block(
    text: &str,
    name: &str,
    content: Option<&str>,
    known: Option<&ContentHash>,
) -> Result<String, EditError> {
    if name.is_empty() || !name.chars().all(is_name_char) {
        return Err(EditError::refused(
            0,
            format!("`{name}` is no name of a block"),
            "use lower-case letters, digits and dashes",
        ));
    }
    let parts = editable(text)?;
    let newline = parts.newline;
    let before = scan(text, parts.body).map_err(EditError::Markers)?;
    let existing = before.iter().find(|block| block.name == name);
    let content = content.map(normal);
    let fresh = content.as_ref().map(|content| marked(name, content, newline));
    let is_edited =
        |block: &Block| known.is_some_and(|known| *known != block.hash) && !block.content.is_empty();
    let edited = match (existing, fresh) {
        (None, None) => return Ok(text.to_owned()),
        (Some(block), Some(_)) if content.as_ref() == Some(&block.content) => return Ok(text.to_owned()),
        (None, Some(fresh)) => format!("{text}{}{fresh}{newline}", gap(text, newline)),
        (Some(block), fresh) if is_edited(block) => {
            let kept = block.content.replace('\n', newline);
            let below = fresh.map_or_else(String::new, |fresh| format!("{newline}{newline}{fresh}"));
            [&text[..block.range.start], &kept, &below, &text[block.range.end..]].concat()
        }
        (Some(block), Some(fresh)) => [&text[..block.range.start], &fresh, &text[block.range.end..]].concat(),
        (Some(block), None) => cut(text, &block.range),
    };
    judge(&edited, &before, name, content.as_deref())?;
    Ok(edited)
}

/// The body without ado's blocks; unchanged when markers are damaged.
pub fn without_blocks(text_body: &str) -> String {
    let Ok(blocks) = scan(text_body, 0) else {
        return text_body.to_owned();
    };
    let mut out = text_body.to_owned();
    for block in blocks.iter().rev() {
        out = cut(&out, &block.range);
    }
    out
}

/// Read again, the edited note must have the same other blocks and this one as wanted.
fn judge(edited: &str, before: &[Block], name: &str, content: Option<&str>) -> Result<(), EditError> {
    let after = blocks(edited).map_err(EditError::Markers)?;
    let others = |all: &[Block]| -> Vec<(String, ContentHash)> {
        all.iter().filter(|b| b.name != name).map(|b| (b.name.clone(), b.hash.clone())).collect()
    };
    let found = after.iter().find(|block| block.name == name).map(|block| block.content.as_str());
    if found == content && others(before) == others(&after) {
        return Ok(());
    }
    let open =
        (1..).zip(edited.lines()).fold((Fences::default(), 0), |(mut fences, line), (number, text)| {
            let was_open = fences.closing().is_some();
            let line = if fences.take(text) && !was_open { number } else { line };
            (fences, line)
        });
    Err(EditError::refused(
        if open.0.closing().is_some() { open.1 } else { 0 },
        format!("the block `{name}` would not be a block of its own here"),
        "close the code fence above it, then it is written",
    ))
}

/// Removes the block and one of the blank lines around it.
fn cut(text: &str, range: &Range<usize>) -> String {
    let head = &text[..range.start];
    let tail = &text[range.end..];
    let after = line_end(tail);
    let is_blank_before = head.is_empty() || head.ends_with("\n\n") || head.ends_with("\n\r\n");
    let rest = &tail[after..];
    let head = match rest.is_empty() || line_end_alone(rest) > 0 {
        true if is_blank_before => head.strip_suffix("\r\n").or(head.strip_suffix('\n')).unwrap_or(head),
        _ => head,
    };
    format!("{head}{rest}")
}

fn line_end(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |at| at + 1)
}

/// Length of the first line if it is blank and ended, else 0.
fn line_end_alone(text: &str) -> usize {
    let end = line_end(text);
    if text[..end].ends_with('\n') && text[..end].trim().is_empty() { end } else { 0 }
}

/// What must stand between the note's text and a block appended to it.
fn gap(text: &str, newline: &str) -> String {
    if text.is_empty() || text.ends_with("\n\n") || text.ends_with("\n\r\n") {
        String::new()
    } else if text.ends_with('\n') {
        newline.to_owned()
    } else {
        newline.repeat(2)
    }
}

fn marked(name: &str, content: &str, newline: &str) -> String {
    let content = if content.is_empty() { String::new() } else { format!("{content}\n\n") };
    format!("<!-- ado:begin {name} -->\n\n{content}<!-- ado:end {name} -->").replace('\n', newline)
}

/// Content as it is written: no control characters, no markers, no conflict markers, every fence closed.
fn normal(content: &str) -> String {
    let mut fences = Fences::default();
    let mut out = String::with_capacity(content.len());
    for line in tidy(&plain(content)).split('\n') {
        if !fences.take(line) && marker(line) != Marker::None {
            out.push('\\');
        } else if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    if let Some(closing) = fences.closing() {
        out.push_str(&closing);
    }
    tidy(&out)
}

/// Line ends as `\n`, no blank lines around.
fn tidy(content: &str) -> String {
    let text = content.replace("\r\n", "\n");
    let mut rest = text.as_str();
    while line_end_alone(rest) > 0 {
        rest = &rest[line_end_alone(rest)..];
    }
    rest.trim_end().to_owned()
}

#[derive(Debug, PartialEq, Eq)]
enum Marker<'a> {
    None,
    Begin(&'a str),
    End(&'a str),
    Malformed,
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-'
}

/// What a line outside of code says. Only lines that start with the comment are markers.
fn marker(line: &str) -> Marker<'_> {
    let Some(rest) = line.strip_prefix("<!--") else {
        return Marker::None;
    };
    let rest = rest.trim_start();
    let Some(rest) = rest.strip_prefix("ado:") else {
        return Marker::None;
    };
    let words: Option<Vec<&str>> =
        rest.trim_end().strip_suffix("-->").map(|inner| inner.split_whitespace().collect());
    match words.as_deref() {
        Some(["begin", name]) if name.chars().all(is_name_char) => Marker::Begin(name),
        Some(["end", name]) if name.chars().all(is_name_char) => Marker::End(name),
        _ => Marker::Malformed,
    }
}

pub(crate) fn scan(text: &str, from: usize) -> Result<Vec<Block>, Vec<Diagnostic>> {
    if memchr::memmem::find(&text.as_bytes()[from..], b"ado:").is_none() {
        return Ok(vec![]);
    }
    let mut found: Vec<Block> = Vec::new();
    let mut damage = Vec::new();
    let mut open: Option<(&str, usize, usize, u32)> = None;
    let mut fences = Fences::default();
    let mut number = text[..from].matches('\n').count() as u32;
    let mut next = from;
    for raw in text[from..].split_inclusive('\n') {
        number += 1;
        let start = next;
        next += raw.len();
        let line = raw.trim_end();
        if fences.take(line) {
            continue;
        }
        match (marker(line), open) {
            (Marker::None, _) => {}
            (Marker::Malformed, _) => damage.push(damaged(number, "this marker of a block is not complete")),
            (Marker::Begin(name), None) => {
                if found.iter().any(|block| block.name == name) {
                    damage.push(damaged(number, format!("the block `{name}` is there twice")));
                }
                open = Some((name, start, next, number));
            }
            (Marker::Begin(name), Some((outer, ..))) => {
                damage.push(damaged(
                    number,
                    format!("the block `{name}` begins before the block `{outer}` ends"),
                ));
            }
            (Marker::End(name), Some((begun, begin, content, _))) if name == begun => {
                let content = tidy(&text[content..start]);
                found.push(Block {
                    name: name.to_owned(),
                    hash: ContentHash::of(&content),
                    content,
                    range: begin..start + line.len(),
                });
                open = None;
            }
            (Marker::End(name), _) => {
                damage.push(damaged(number, format!("the block `{name}` ends here but does not begin")));
            }
        }
    }
    if let Some((name, .., line)) = open {
        damage.push(damaged(line, format!("the block `{name}` begins here and never ends")));
    }
    if damage.is_empty() { Ok(found) } else { Err(damage) }
}

fn damaged(line: u32, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(
        "marker-damage",
        message,
        "restore the pair `<!-- ado:begin NAME -->` and `<!-- ado:end NAME -->`, or delete the block with both lines",
    )
    .at(line, 1)
}
