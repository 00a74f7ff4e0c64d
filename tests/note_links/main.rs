//! Links that a move would break are mended; nothing else changes.

mod forms;
mod generated;
mod json;
mod table;

use ado_vault::domain::NotePath;
use ado_vault::note::Relocation;

pub fn path(text: &str) -> NotePath {
    NotePath::new(text).unwrap()
}

/// The text of the note at `at` after the moves, in a vault that has these files besides.
pub fn mended(text: &str, at: &str, moves: &[(&str, &str)], others: &[&str]) -> Option<String> {
    let moves: Vec<_> = moves.iter().map(|(from, to)| (path(from), path(to))).collect();
    let files: Vec<_> = others.iter().map(|other| path(other)).chain([path(at)]).collect();
    Relocation::of(&moves, &files).mend_links(text, &path(at))
}
