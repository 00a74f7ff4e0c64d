//! Links that lead nowhere, and what they most likely meant. Knows files by their paths and texts by what was scanned.

use std::collections::{HashMap, HashSet};

use crate::domain::{Diagnostic, NotePath, Severity, place_of};
use crate::note::{
    Anchors, Link, LinkKind, Missing, Places, Relocation, links, mend_headings, path_from_root, plain,
};

/// Judges links one note after the other; remembers the headings of notes that were linked to.
pub(super) struct Links<'a> {
    places: Places<'a>,
    /// Folders that hold a file.
    folders: HashSet<&'a str>,
    text: &'a dyn Fn(&NotePath) -> Option<&'a str>,
    anchors: HashMap<NotePath, Anchors>,
}

impl<'a> Links<'a> {
    pub fn of(files: &'a [NotePath], text: &'a dyn Fn(&NotePath) -> Option<&'a str>) -> Self {
        let mut folders = HashSet::new();
        for path in files {
            let mut folder = path.folder();
            while !folder.is_empty() && folders.insert(folder) {
                folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
            }
        }
        Self { places: Places::of(files), folders, text, anchors: HashMap::new() }
    }

    pub fn check(&mut self, path: &NotePath, note: &str) -> Vec<Diagnostic> {
        if !note.contains("](") && !note.contains("[[") && !note.contains("]:") {
            return vec![];
        }
        links(note).iter().filter_map(|link| self.judge(path, note, link)).collect()
    }

    fn judge(&mut self, path: &NotePath, note: &str, link: &Link) -> Option<Diagnostic> {
        let (line, column) = place_of(note, link.range.start);
        let Some(target) = self.places.target(link, path).cloned() else {
            let found = self.broken(path, link)?;
            return Some(found.at(line, column).in_note(path));
        };
        if link.fragment.is_empty() || !target.is_markdown() {
            return None;
        }
        if !self.anchors.contains_key(&target) {
            let text = if target == *path { Some(note) } else { (self.text)(&target) };
            self.anchors.insert(target.clone(), Anchors::of(text?));
        }
        let missing = self.anchors[&target].missing(link)?;
        let name = target.stem();
        let (code, message, remedy) = match missing {
            Missing::Heading(heading) => (
                "broken-heading",
                format!("`{name}` has no heading `{}`", plain(&heading)),
                "name a heading of the note as it is written there",
            ),
            Missing::Block(block) => (
                "broken-block",
                format!("`{name}` has no block `^{}`", plain(&block)),
                "write `^` and the block's name at the end of the block that is meant",
            ),
        };
        Some(Diagnostic::warning(code, message, remedy).at(line, column).in_note(path))
    }

    /// A finding about a link that leads to no file; `None` where it may lead to something else than a file of the vault.
    fn broken(&self, path: &NotePath, link: &Link) -> Option<Diagnostic> {
        if !is_judged(link) || self.is_folder(path, &link.path) {
            return None;
        }
        let written = plain(&link.path);
        let candidates = candidates(&self.places, path, link);
        let remedy = match candidates.as_slice() {
            [one] => format!("`{one}` has this name; `ado-vault check --fix` mends the link"),
            [] => "mend the path, or write the note".to_owned(),
            several => {
                let names: Vec<&str> = several.iter().take(3).map(|path| path.as_str()).collect();
                format!("mend the path; the name is that of `{}`", names.join("`, `"))
            }
        };
        let found = Diagnostic::warning("broken-link", format!("`{written}` leads to no file"), remedy);
        // People link notes that they mean to write.
        let is_wish = link.kind == LinkKind::Wiki && !link.path.contains('/');
        let severity = if is_wish { Severity::Info } else { Severity::Warning };
        Some(Diagnostic { severity, ..found })
    }

    fn is_folder(&self, path: &NotePath, link: &str) -> bool {
        let link = link.trim_end_matches('/');
        match link.strip_prefix('/') {
            Some(rooted) => rooted.is_empty() || self.folders.contains(rooted),
            None => path_from_root(path.folder(), link)
                .is_none_or(|inside| inside.is_empty() || self.folders.contains(inside.as_str())),
        }
    }
}

/// The note's text with every broken link mended that has one candidate; `None` when there is none.
pub fn mended_links(path: &NotePath, note: &str, files: &[NotePath]) -> Option<String> {
    let places = Places::of(files);
    let mut moves: Vec<(NotePath, NotePath)> = vec![];
    let mut relative: Vec<NotePath> = vec![];
    for link in links(note).iter().filter(|link| is_judged(link) && places.target(link, path).is_none()) {
        let Some(place) = meant_place(path, link) else { continue };
        if let [one] = candidates(&places, path, link).as_slice()
            && !moves.iter().any(|(from, _)| *from == place)
        {
            if is_markdown(link) {
                relative.push(place.clone());
            }
            moves.push((place, (*one).clone()));
        }
    }
    if moves.is_empty() {
        return None;
    }
    // Relative links first: read from the root, their paths would be other ones.
    moves.sort_by_key(|(place, _)| !relative.contains(place));
    // As if each missing file had been moved to its candidate just now.
    moves.iter().fold(None, |text: Option<String>, step| {
        let one = std::slice::from_ref(step);
        let before = text.as_deref().unwrap_or(note);
        Relocation::of(one, files).mend_links(before, path).or(text)
    })
}

/// The note's text with every link to a heading mended that can mean one heading only; `None` when there is none. `text`
/// gives the texts of other notes.
pub fn mended_headings(
    path: &NotePath,
    note: &str,
    files: &[NotePath],
    text: &dyn Fn(&NotePath) -> Option<String>,
) -> Option<String> {
    if !note.contains('#') {
        return None;
    }
    let places = Places::of(files);
    mend_headings(note, &mut |link| match places.target(link, path)? {
        target if target == path => Some(Anchors::of(note)),
        target if target.is_markdown() => Some(Anchors::of(&text(target)?)),
        _ => None,
    })
}

/// The files elsewhere that have the name of the one that is missing.
fn candidates<'a>(places: &Places<'a>, path: &NotePath, link: &Link) -> Vec<&'a NotePath> {
    let name = link.path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || !link.path.contains('/') && !is_markdown(link) {
        return vec![];
    }
    places.all_ending_in(name, path)
}

fn is_markdown(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Markdown | LinkKind::MarkdownImage)
}

/// Where the missing file would lie.
fn meant_place(path: &NotePath, link: &Link) -> Option<NotePath> {
    let is_relative = is_markdown(link) || link.path.starts_with('.');
    let place = match link.path.strip_prefix('/') {
        Some(rooted) => rooted.to_owned(),
        None if is_relative => path_from_root(path.folder(), &link.path)?,
        None => link.path.clone(),
    };
    let name = place.rsplit('/').next().unwrap_or_default();
    let has_extension = name.rsplit_once('.').is_some_and(|(_, end)| (2..=6).contains(&end.len()));
    NotePath::new(if has_extension { place } else { format!("{place}.md") }).ok()
}

/// Whether a link is surely meant to lead to a file of the vault.
fn is_judged(link: &Link) -> bool {
    let path = link.path.as_str();
    let has_template = ["{{", "}}", "{%", "<%", "${", "<", ">", "…"].iter().any(|sign| path.contains(sign));
    let is_hidden = path.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".."));
    if path.is_empty() || has_template || is_hidden {
        return false;
    }
    match link.kind {
        LinkKind::Wiki | LinkKind::WikiEmbed => true,
        // `[text](url)` and `[x](example.org/y)` are no paths; a note's or picture's name is.
        LinkKind::Markdown => path.ends_with(".md") || path.starts_with("./") || path.starts_with("../"),
        LinkKind::MarkdownImage => path.contains('.') && !path.starts_with("www."),
    }
}
