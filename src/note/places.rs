//! Which file a link leads to, by the files' paths alone. It does not read files and knows no headings or blocks.

use unicode_normalization::UnicodeNormalization;

use super::link::{Link, LinkKind};
use crate::domain::{NotePath, is_below};

/// The files of a vault, found as Obsidian finds them: composed, without regard to case, notes with or without `.md`.
#[derive(Debug, Clone, Default)]
pub struct Places<'a> {
    /// Sorted by the hash of the folded file name: 100,000 files are laid out in milliseconds, and copied in less.
    by_name: Vec<(u64, &'a NotePath)>,
}

/// How a link names its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From the note's own folder.
    Relative,
    /// `/` and the path from the vault's root.
    Rooted,
    /// The path from the vault's root.
    Whole,
    /// The file's name, or the last parts of its path.
    Name,
}

impl<'a> Places<'a> {
    pub fn of(files: impl IntoIterator<Item = &'a NotePath>) -> Self {
        Self::default().with(files)
    }

    /// These files too.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = &'a NotePath>) -> Self {
        let mut by_name = self.by_name.clone();
        by_name.extend(more.into_iter().map(|path| (name_hash(path.file_name()), path)));
        // Takes what was sorted as one run.
        by_name.sort();
        Self { by_name }
    }

    /// All but these.
    pub(crate) fn without(mut self, gone: impl IntoIterator<Item = &'a NotePath>) -> Self {
        let gone = Self::of(gone).by_name;
        self.by_name.retain(|file| gone.binary_search(file).is_err());
        self
    }

    /// The file that a link in the note `from` leads to; the note itself for `[[#heading]]`.
    pub fn target<'s>(&'s self, link: &Link, from: &'s NotePath) -> Option<&'s NotePath> {
        if link.path.is_empty() {
            return Some(from);
        }
        self.reach(link.kind, &link.path, from).map(|(path, _)| path)
    }

    /// The file that `path`, written in a link of this kind in the note `from`, leads to, and how.
    ///
    /// A Markdown link is relative to its note where a file is there, else it is read as a wikilink. A wikilink is the
    /// whole path from the root where it has more than one part and a file is there; else the file whose path ends so,
    /// one below the note's own folder before others, then the shortest path.
    pub fn reach(&self, kind: LinkKind, path: &str, from: &NotePath) -> Option<(&'a NotePath, Reach)> {
        let is_markdown = matches!(kind, LinkKind::Markdown | LinkKind::MarkdownImage);
        if let Some(rooted) = path.strip_prefix('/') {
            return Some((self.at(rooted)?, Reach::Rooted));
        }
        let is_dotted = path.starts_with("./") || path.starts_with("../");
        if is_markdown || is_dotted {
            let found = path_from_root(from.folder(), path).and_then(|path| self.at(&path));
            if found.is_some() || is_dotted {
                return found.map(|path| (path, Reach::Relative));
            }
        }
        if path.contains('/')
            && let Some(whole) = self.at(path)
        {
            return Some((whole, Reach::Whole));
        }
        self.all_ending_in(path, from).first().map(|path| (*path, Reach::Name))
    }

    /// Every file whose path ends in `path`, the one that Obsidian takes first.
    pub fn all_ending_in(&self, path: &str, from: &NotePath) -> Vec<&'a NotePath> {
        let wanted = fold(path.trim_matches('/'));
        let folder = fold(from.folder());
        let below = |path: &str| folder.is_empty() || is_below(path, &folder);
        for wanted in [wanted.clone(), format!("{wanted}.md")] {
            let ends = |path: &str| {
                path.strip_suffix(&*wanted).is_some_and(|head| head.is_empty() || head.ends_with('/'))
            };
            let folded = self.named(&wanted).map(|path| (fold(path.as_str()), path));
            let mut found: Vec<_> = folded.filter(|(folded, _)| ends(folded)).collect();
            if !found.is_empty() {
                found.sort_by_key(|(folded, path)| (!below(folded), folded.len(), *path));
                return found.into_iter().map(|(_, path)| path).collect();
            }
        }
        vec![]
    }

    /// The file at this path from the vault's root, written with or without `.md`.
    pub fn at(&self, path: &str) -> Option<&'a NotePath> {
        ["", ".md"].into_iter().find_map(|extension| {
            let exact = format!("{path}{extension}");
            let wanted = fold(&exact);
            let alike = self.named(&wanted).filter(|path| folds_to(path.as_str(), &wanted));
            // Where a file system tells cases apart, the one that is written so.
            alike.min_by_key(|path| (path.as_str() != exact, *path))
        })
    }

    /// All files with the name of this path, and hardly any others.
    fn named(&self, folded_path: &str) -> impl Iterator<Item = &'a NotePath> + use<'_, 'a> {
        let name = name_hash(folded_path.rsplit_once('/').map_or(folded_path, |(_, name)| name));
        let from = self.by_name.partition_point(|(hash, _)| *hash < name);
        self.by_name[from..].iter().take_while(move |(hash, _)| *hash == name).map(|(_, path)| *path)
    }
}

/// FNV-1a of the folded name.
fn name_hash(name: &str) -> u64 {
    let hash = |bytes: &mut dyn Iterator<Item = u8>| {
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    if name.is_ascii() {
        hash(&mut name.bytes().map(|byte| byte.to_ascii_lowercase()))
    } else {
        hash(&mut fold(name).bytes())
    }
}

fn folds_to(path: &str, folded: &str) -> bool {
    if path.is_ascii() { path.eq_ignore_ascii_case(folded) } else { fold(path) == folded }
}

/// Paths are compared so: composed, without regard to case.
pub(crate) fn fold(path: &str) -> String {
    if path.is_ascii() { path.to_ascii_lowercase() } else { path.nfc().collect::<String>().to_lowercase() }
}

/// The path from the vault's root that `path` says in a note of `folder`; `None` when it leaves the vault.
pub fn path_from_root(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> NotePath {
        NotePath::new(text).unwrap()
    }

    #[test]
    fn links_lead_where_obsidian_follows_them() {
        let files = [
            "Same.md",
            "a/Same.md",
            "a/b/Same.md",
            "c/Same.md",
            "a/Cafe\u{301}.md",
            "a/pic.png",
            "v1.10 notes.md",
            "c/a/Only.md",
            "a/Only.md",
        ]
        .map(path);
        let places = Places::of(&files);
        let cases = [
            (LinkKind::Wiki, "Same", "a/From.md", Some("a/Same.md")),
            (LinkKind::Wiki, "Same", "From.md", Some("Same.md")),
            (LinkKind::Wiki, "Same", "d/From.md", Some("Same.md")),
            (LinkKind::Wiki, "/Same", "a/From.md", Some("Same.md")),
            (LinkKind::Wiki, "b/same", "From.md", Some("a/b/Same.md")),
            (LinkKind::Wiki, "a/Only", "c/From.md", Some("a/Only.md")),
            (LinkKind::Wiki, "../c/Same.md", "a/From.md", Some("c/Same.md")),
            (LinkKind::Wiki, "./None", "a/From.md", None),
            (LinkKind::Wiki, "café", "From.md", Some("a/Cafe\u{301}.md")),
            (LinkKind::WikiEmbed, "pic.png", "From.md", Some("a/pic.png")),
            (LinkKind::Wiki, "pic", "From.md", None),
            (LinkKind::Wiki, "v1.10 notes", "From.md", Some("v1.10 notes.md")),
            (LinkKind::Wiki, "x/Same", "From.md", None),
            (LinkKind::Markdown, "a/Only.md", "c/From.md", Some("c/a/Only.md")),
            (LinkKind::Markdown, "Only.md", "a/From.md", Some("a/Only.md")),
            (LinkKind::Markdown, "../../Same.md", "a/From.md", None),
        ];
        for (kind, link, from, expected) in cases {
            let from = path(from);
            let found = places.reach(kind, link, &from).map(|(path, _)| path.as_str());
            assert_eq!(found, expected, "{link} in {from}");
        }
    }
}
