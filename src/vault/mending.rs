//! The files of a vault that may hold links, and what moves make of them.
//!
//! Does not move and does not write.

use regex::{Regex, RegexBuilder};

use super::{Scan, ScannedNote, Vault};
use crate::domain::NotePath;
use crate::note::Relocation;

const BOOKMARKS: &str = ".obsidian/bookmarks.json";
/// Above this many moved files every note is looked into.
const MOST_NEEDLES: usize = 64;

/// The files besides notes that hold links.
pub fn canvases_and_bookmarks(vault: &Vault, scan: &Scan) -> Vec<NotePath> {
    let mut json: Vec<NotePath> = scan.others().filter(|path| is_canvas(path)).cloned().collect();
    if vault.root().join(BOOKMARKS).is_file() {
        json.extend(NotePath::new(BOOKMARKS));
    }
    json
}

/// The first of these files whose links the move of one file mends.
pub fn mended_among<'p>(
    vault: &Vault,
    a_move: &(NotePath, NotePath),
    scan: &Scan,
    among: impl IntoIterator<Item = &'p NotePath>,
) -> Option<NotePath> {
    let mending = Mending::of(vault, std::slice::from_ref(a_move), None, scan);
    let is_mended =
        |path: &&NotePath| vault.read(path).is_ok_and(|text| mending.mended(path, &text).is_some());
    among.into_iter().find(is_mended).cloned()
}

/// What moves make of the vault's files.
pub(crate) struct Mending<'a> {
    relocation: Relocation<'a>,
    moves: &'a [(NotePath, NotePath)],
    scan: &'a Scan,
    /// Canvases and Obsidian's bookmarks.
    json: Vec<NotePath>,
    needles: Option<Regex>,
}

impl<'a> Mending<'a> {
    /// `folder` is the folder that moves with all of `moves`, if one does.
    pub fn of(
        vault: &Vault,
        moves: &'a [(NotePath, NotePath)],
        folder: Option<(&'a NotePath, &'a NotePath)>,
        scan: &'a Scan,
    ) -> Self {
        let relocation = Relocation::of(moves, scan.files());
        let relocation = match folder {
            Some((from, to)) => relocation.with_folder(from, to),
            None => relocation,
        };
        let json = canvases_and_bookmarks(vault, scan);
        Self { relocation, moves, scan, json, needles: needles(moves).filter(|_| folder.is_none()) }
    }

    /// Files that stay and may hold a link that the moves break.
    pub fn suspects(&self) -> impl Iterator<Item = &NotePath> {
        let by_path_alone = self.needles.is_some() && self.keeps_names();
        let is_suspect = move |note: &&std::sync::Arc<ScannedNote>| {
            if by_path_alone && !note.links_by_path {
                return false;
            }
            let text = note.text_once();
            text.contains('[') && self.needles.as_ref().is_none_or(|needles| needles.is_match(&text))
        };
        let notes = self.scan.notes.iter().filter(is_suspect).map(|note| &note.path);
        notes
            .chain(&self.json)
            .filter(|path| !self.moves.iter().any(|(from, to)| from == *path || to == *path))
    }

    /// The suspects whose links are mended.
    pub fn mends(&self, vault: &Vault) -> Vec<NotePath> {
        let text = |path: &NotePath| match self.scan.note(path) {
            Some(note) => Some(note.text_once().to_string()),
            None => vault.read(path).ok(),
        };
        let is_mended = |path: &&NotePath| text(path).is_some_and(|text| self.mended(path, &text).is_some());
        self.suspects().filter(is_mended).cloned().collect()
    }

    /// Whether every moved file keeps its name and no other file has that name: then a link by name alone leads where it
    /// led. The texts of notes without any other link need not be read.
    fn keeps_names(&self) -> bool {
        self.moves.iter().all(|(from, to)| {
            let stem = from.stem();
            let has_namesake = || {
                self.scan.files().any(|file| {
                    file != from
                        && file != to
                        && file.file_name().split('.').next().is_some_and(|name| {
                            name.eq_ignore_ascii_case(stem.split('.').next().unwrap_or(stem))
                        })
                })
            };
            from.file_name() == to.file_name() && stem.is_ascii() && !has_namesake()
        })
    }

    /// The text of the file, which lies at `path` before the moves, with its links mended; `None` when it stays.
    pub fn mended(&self, path: &NotePath, text: &str) -> Option<String> {
        if path.as_str() == BOOKMARKS {
            self.relocation.mend_bookmarks(text)
        } else if is_canvas(path) {
            self.relocation.mend_canvas(text, path)
        } else if path.is_markdown() {
            self.relocation.mend_links(text, path)
        } else {
            None
        }
    }
}

fn is_canvas(path: &NotePath) -> bool {
    path.as_str().ends_with(".canvas")
}

/// Finds what every link to one of the moved files has in it, by the old name or the new one, however it is encoded:
/// the longest run of ASCII letters and digits in the name. `None` when one has no such run, or there are too many.
fn needles(moves: &[(NotePath, NotePath)]) -> Option<Regex> {
    if moves.len() > MOST_NEEDLES {
        return None;
    }
    let runs: Option<Vec<&str>> =
        moves.iter().flat_map(|(from, to)| [needle(from.stem()), needle(to.stem())]).collect();
    RegexBuilder::new(&runs?.join("|")).case_insensitive(true).unicode(false).build().ok()
}

fn needle(stem: &str) -> Option<&str> {
    let runs = stem.split(|c: char| !c.is_ascii_alphanumeric());
    runs.max_by_key(|run| run.len()).filter(|run| run.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needle_is_in_every_spelling_of_a_link() {
        let moves = |from: &str, to: &str| [(NotePath::new(from).unwrap(), NotePath::new(to).unwrap())];
        let found = needles(&moves("a/FR-056 Nightly mode.md", "b/FR-056 Nightly mode.md")).unwrap();
        assert!(found.is_match("[[fr-056 nightly MODE]]") && found.is_match("Nightly%20mode"));
        assert!(!found.is_match("[[FR-056 Daily]]"));
        assert!(needles(&moves("日本.md", "日本語.md")).is_none());
        assert!(needles(&moves("Old.md", "新.md")).is_none());
    }
}
