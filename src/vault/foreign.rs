//! Names that other programs put into a vault: sync temporary files to pass over, conflict copies to report.
//!
//! Judges names, and texts by their id alone; does not read files.

use std::sync::LazyLock;

use regex::Regex;

/// What a file name in the vault stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Note,
    /// A second version of a note or canvas that a sync program (named) or ado made.
    ConflictCopy(&'static str),
    /// `Name 2.md`: a conflict copy by iCloud when `Name.md` beside it is the same feature.
    MaybeNumberedCopy,
    /// Not a note: hidden, temporary, or of another type.
    Other,
}

/// Folders below which nothing is a note.
pub(crate) fn is_ignored_folder(name: &str) -> bool {
    name.starts_with('.') || name == "node_modules"
}

pub(crate) fn kind_of(name: &str) -> FileKind {
    static SYNCTHING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\.sync-conflict-\d{8}-\d{6}(-[A-Z0-9]+)?\.(md|canvas)$")
            .expect("a literal pattern is valid")
    });
    static COPY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\((?:[^()]*\s)?conflict(?:ed copy|ed| copy)?(?:\s[^()]*)?\)\.(md|canvas)$")
            .expect("a literal pattern is valid")
    });
    let is_canvas = name.ends_with(".canvas");
    if !(name.ends_with(".md") || is_canvas) || name.starts_with(['.', '~']) {
        FileKind::Other
    } else if name.contains(".sync-conflict-") && SYNCTHING.is_match(name) {
        FileKind::ConflictCopy("Syncthing")
    } else if name == "conflict-files-obsidian-git.md" {
        FileKind::ConflictCopy("obsidian-git")
    } else if (name.ends_with(").md") || is_canvas) && COPY.is_match(name) {
        FileKind::ConflictCopy("a sync program")
    } else if is_canvas {
        FileKind::Other
    } else if is_numbered(name) {
        FileKind::MaybeNumberedCopy
    } else {
        FileKind::Note
    }
}

/// Whether one or two digits stand alone at the end of a longer name.
fn is_numbered(name: &str) -> bool {
    let number = name.strip_suffix(".md").and_then(|stem| stem.rsplit_once(' '));
    number.is_some_and(|(before, number)| {
        let is_short = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        is_short && !before.is_empty()
    })
}

/// `Name.md` of `Name 2.md`.
pub(crate) fn without_copy_number(path: &str) -> Option<String> {
    path.strip_suffix(".md")?.rsplit_once(' ').map(|(name, _)| format!("{name}.md"))
}

/// The `id:` line of the front matter.
pub(crate) fn id_line(text: &str) -> Option<&str> {
    let front = text.strip_prefix("---")?;
    front.lines().skip(1).take_while(|line| line.trim_end() != "---").find(|line| line.starts_with("id:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflict_copies_are_told_from_notes() {
        let copies = [
            "FR-001 A.sync-conflict-20261121-113000-ABCDEF7.md",
            "FR-001 A (Conflicted copy Laptop 202611211130).md",
            "FR-001 A (Ann's conflicted copy 2026-11-21).md",
            "FR-001 A (conflicted copy 2026-11-21 113000).md",
            "FR-001 A (conflict).md",
            "Board (conflicted copy 2026-11-21 113000 1).canvas",
            "Board.sync-conflict-20261121-113000-ABCDEF7.canvas",
            "conflict-files-obsidian-git.md",
        ];
        for name in copies {
            assert!(matches!(kind_of(name), FileKind::ConflictCopy(_)), "{name}");
        }
        for name in
            ["FR-001 Conflict resolution.md", "FR-002 (a conflict of interest?) x.md", "A.md", "Phase 12a.md"]
        {
            assert_eq!(kind_of(name), FileKind::Note, "{name}");
        }
        assert_eq!(kind_of("FR-001 A 2.md"), FileKind::MaybeNumberedCopy);
        assert_eq!(kind_of("Board 2.canvas"), FileKind::Other);
        for name in [".A.md", "~$A.md", "A.md.tmp", "A.md~", "~syncthing~A.md.tmp", "A.txt", ".A.md.icloud"] {
            assert_eq!(kind_of(name), FileKind::Other, "{name}");
        }
    }
}
