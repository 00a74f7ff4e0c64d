//! Why an edit of a note's text was refused. It does not know who asked for it or what happens next.

use super::preflight::preflight;
use super::{Split, split};
use crate::domain::Diagnostic;

/// A refused edit: the text stays as it is. A note is never reformatted to make an edit possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The front matter cannot be edited without touching more than the property.
    #[error("cannot edit line {line} safely: {reason}; {remedy}")]
    Unsafe {
        /// From 1; 0 means the whole note.
        line: u32,
        reason: String,
        remedy: String,
    },
    /// Markers of managed blocks are missing, doubled or crossed: nothing is written into this note's body.
    #[error("cannot edit the note's blocks: {}", first(.0))]
    Markers(Vec<Diagnostic>),
}

impl EditError {
    /// The line that the human should look at, from 1; 0 means the whole note.
    pub fn line(&self) -> u32 {
        match self {
            Self::Unsafe { line, .. } => *line,
            Self::Markers(diagnostics) => diagnostics.first().map_or(0, |diagnostic| diagnostic.line),
        }
    }

    pub(crate) fn refused(line: u32, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unsafe { line, reason: reason.into(), remedy: remedy.into() }
    }
}

impl From<Diagnostic> for EditError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::refused(diagnostic.line, diagnostic.message, diagnostic.remedy)
    }
}

/// The parts of a note that may be edited: one without conflict markers, of a size that is read, with closed fences.
pub(crate) fn editable(text: &str) -> Result<Split, EditError> {
    match preflight(text) {
        Some(diagnostic) => Err(diagnostic.into()),
        None => Ok(split(text)?),
    }
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map_or_else(String::new, |d| format!("line {}: {}; {}", d.line, d.message, d.remedy))
}
