//! Which file a link leads to, by the files' paths alone. It does not read files and knows no headings or blocks.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::link::{Link, LinkKind};
use crate::domain::{NotePath, is_below};

/// The files of a vault, found as Obsidian finds them: composed, without regard to case, notes with or without `.md`.
#[derive(Debug, Clone, Default)]
pub struct Places<'a> {
    /// Folded path and path, by folded file name.
    by_name: HashMap<String, Vec<(String, &'a NotePath)>>,
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
        let mut places = Self::default();
        for path in files {
            places.add(path);
        }
        places
    }

    pub(crate) fn add(&mut self, path: &'a NotePath) {
        let same_name = self.by_name.entry(fold(path.file_name())).or_default();
        same_name.push((fold(path.as_str()), path));
    }

    pub(crate) fn remove(&mut self, path: &NotePath) {
        if let Some(same_name) = self.by_name.get_mut(&fold(path.file_name())) {
            same_name.retain(|(_, other)| *other != path);
        }
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
            let mut found: Vec<_> = self.named(&wanted).iter().filter(|(folded, _)| ends(folded)).collect();
            if !found.is_empty() {
                found.sort_by_key(|(folded, path)| (!below(folded), folded.len(), *path));
                return found.into_iter().map(|(_, path)| *path).collect();
            }
        }
        vec![]
    }

    /// The file at this path from the vault's root, written with or without `.md`.
    pub fn at(&self, path: &str) -> Option<&'a NotePath> {
        ["", ".md"].into_iter().find_map(|extension| {
            let exact = format!("{path}{extension}");
            let wanted = fold(&exact);
            let alike = self.named(&wanted).iter().filter(|(folded, _)| *folded == wanted);
            // Where a file system tells cases apart, the one that is written so.
            alike.map(|(_, path)| *path).min_by_key(|path| (path.as_str() != exact, *path))
        })
    }

    fn named(&self, folded_path: &str) -> &[(String, &'a NotePath)] {
        let name = folded_path.rsplit_once('/').map_or(folded_path, |(_, name)| name);
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
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
