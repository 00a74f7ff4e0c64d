//! Looks at a note before it is parsed: notes that are too large or hold git's conflict markers are left alone. It does
//! not know what the note is about.

use crate::domain::Diagnostic;

/// Bytes of a note that is read.
pub(crate) const MAX_NOTE: usize = 1024 * 1024;

/// Why this note must not be parsed or acted on.
pub(crate) fn preflight(text: &str) -> Option<Diagnostic> {
    if text.len() > MAX_NOTE {
        return Some(Diagnostic::error(
            "note-too-large",
            format!("the note has {} bytes, more than 1 MiB", text.len()),
            "move parts of it into other notes",
        ));
    }
    conflict(text).map(|line| {
        Diagnostic::error(
            "conflict-markers",
            "git conflict markers (`<<<<<<<`, `=======`, `>>>>>>>`) stand in this note",
            "choose one of the two texts and delete the marker lines",
        )
        .at(line, 1)
    })
}

/// Line of the first marker when all three follow each other.
fn conflict(text: &str) -> Option<u32> {
    memchr::memmem::find(text.as_bytes(), b"<<<<<<< ")?;
    let mut begun = None;
    let mut divided = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("<<<<<<< ") {
            begun = Some(number);
            divided = false;
        } else if begun.is_some() && line.trim_end() == "=======" {
            divided = true;
        } else if divided && line.starts_with(">>>>>>> ") {
            return begun;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_conflicts_are_conflicts() {
        let seen = |text: &str| preflight(text).map(|d| (d.code, d.line));
        assert_eq!(
            seen("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n"),
            Some(("conflict-markers".to_owned(), 2))
        );
        assert_eq!(seen("Title\n=======\n\n>>>>>>> deep quote\n"), None);
        assert_eq!(seen(&"x".repeat(MAX_NOTE + 1)), Some(("note-too-large".to_owned(), 0)));
    }
}
