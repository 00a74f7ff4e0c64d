//! Managed blocks: the text between `<!-- ado:begin NAME -->` and `<!-- ado:end NAME -->`, each on a line of its own.
//! It does not know what the blocks say.

use std::ops::Range;

use super::EditError;
use crate::domain::{ContentHash, Diagnostic};

/// One managed block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub name: String,
    /// Without the markers and the blank lines around, newlines as `\n`.
    pub content: String,
    /// Bytes of the note from the begin marker to the end of the end marker's line.
    pub range: Range<usize>,
    /// Hash of `content`.
    pub hash: ContentHash,
}

/// The blocks of a note in order.
///
/// # Errors
/// Missing, doubled or crossed markers, each with its line.
pub fn blocks(text: &str) -> Result<Vec<Block>, Vec<Diagnostic>> {
    let _ = text;
    Ok(vec![])
}

/// Replaces, creates or (with `content: None`) removes a block. A block whose hash is not `known` was edited by a human:
/// its text is kept as the human's own, without markers, and a fresh block is written below it.
///
/// # Errors
/// [`EditError::Markers`] when the note's markers are damaged.
pub fn set_block(
    text: &str,
    name: &str,
    content: Option<&str>,
    known: Option<&ContentHash>,
) -> Result<String, EditError> {
    let _ = (name, content, known);
    Ok(text.to_owned())
}

/// The body without ado's blocks; unchanged when markers are damaged.
pub fn without_blocks(text_body: &str) -> String {
    text_body.to_owned()
}
