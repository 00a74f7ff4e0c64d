//! Names of notes and branches from titles. It does not know which names are taken.

use crate::domain::{FeatureId, NoteName};

/// `title` in lower-case ASCII letters, digits and single dashes, at most `max` bytes, cut between words if possible.
pub fn slug(title: &str, max: usize) -> String {
    let _ = max;
    title.to_lowercase()
}

/// The file name of a new note with this id and title (vault format, section 3).
pub fn file_name(id: Option<&FeatureId>, title: &str, style: NoteName) -> String {
    let _ = (id, style);
    format!("{title}.md")
}
