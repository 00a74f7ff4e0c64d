//! Rewrites links that a move breaks. It knows the vault's files by their paths and reads none of them.

use std::collections::HashMap;
use std::ops::Range;

use super::link::{Link, LinkKind, links};
use super::places::{Places, Reach, fold, path_from_root};
use super::split;
use super::yaml::parse_front;
use crate::domain::NotePath;

/// Files that move, seen among all files of the vault before and after.
#[derive(Debug, Clone)]
pub struct Relocation<'a> {
    moves: HashMap<&'a NotePath, &'a NotePath>,
    /// A folder that moves with all that is in it.
    folder: Option<(&'a NotePath, &'a NotePath)>,
    before: Places<'a>,
    after: Places<'a>,
}

impl<'a> Relocation<'a> {
    /// `moves` are pairs of old and new path; `files` are all files of the vault, before the moves or after them.
    pub fn of(moves: &'a [(NotePath, NotePath)], files: impl IntoIterator<Item = &'a NotePath>) -> Self {
        let moving = moves.iter().flat_map(|(from, to)| [from, to]);
        let staying = Places::of(files).without(moving);
        let before = staying.with(moves.iter().map(|(from, _)| from));
        let after = staying.with(moves.iter().map(|(_, to)| to));
        let moves = moves.iter().map(|(from, to)| (from, to)).collect();
        Self { moves, folder: None, before, after }
    }

    /// The moves are those of all files of a folder.
    pub fn with_folder(self, from: &'a NotePath, to: &'a NotePath) -> Self {
        Self { folder: Some((from, to)), ..self }
    }

    /// Where the file at this path is after the moves.
    pub fn after<'s>(&'s self, path: &'s NotePath) -> &'s NotePath {
        self.moves.get(path).copied().unwrap_or(path)
    }

    /// The note's text with every link mended that would lead elsewhere after the moves, or nowhere; `None` when nothing
    /// changes. `note` is its path before the moves.
    ///
    /// A link keeps its way of naming: the last parts of a path stay as many, more are written only where fewer would
    /// lead to another file; relative stays relative, whole stays whole. Parts of the path that stay are not rewritten.
    /// Links that led nowhere stay, but for relative ones out of a note that moves: they go on pointing to the same
    /// place, which may lie outside of the vault.
    pub fn mend_links(&self, text: &str, note: &NotePath) -> Option<String> {
        let view = View { moved: self, from: note, at: self.after(note) };
        let front = split(text).ok().and_then(|parts| parts.front).unwrap_or(0..0);
        let mut edits: Vec<(Range<usize>, String)> =
            links(text).iter().filter_map(|link| view.edit(text, link, &front)).collect();
        // A link around an embed starts before it, but its path stands behind it.
        edits.sort_by_key(|(range, _)| range.start);
        let mended = spliced(text, edits.iter());
        let keeps_front = edits.iter().all(|(range, _)| range.start >= front.end)
            || parse_front(&text[front.clone()]).is_err()
            || split(&mended)
                .ok()
                .and_then(|parts| parts.front)
                .is_some_and(|front| parse_front(&mended[front]).is_ok());
        let mended = if keeps_front {
            mended
        } else {
            spliced(text, edits.iter().filter(|(range, _)| range.start >= front.end))
        };
        (mended != text).then_some(mended)
    }

    /// Where the file or folder with exactly this path, from the root, is after the moves.
    pub(super) fn moved_path(&self, path: &str) -> Option<String> {
        if let Some(file) = self.before.at(path).filter(|file| fold(file.as_str()) == fold(path)) {
            return self.moves.get(file).map(ToString::to_string);
        }
        self.moved_folder(path.trim_end_matches('/'))
    }

    fn moved_folder(&self, path: &str) -> Option<String> {
        let (from, to) = self.folder?;
        let rest = path.strip_prefix(from.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
    }
}

pub(super) fn spliced<'a>(text: &str, edits: impl Iterator<Item = &'a (Range<usize>, String)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (range, with) in edits {
        if range.start >= from {
            out.push_str(&text[from..range.start]);
            out.push_str(with);
            from = range.end;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// The moves seen from one note.
struct View<'a> {
    moved: &'a Relocation<'a>,
    /// The note's path before the moves.
    from: &'a NotePath,
    /// And after them.
    at: &'a NotePath,
}

impl View<'_> {
    /// What has to stand in the place of the link's path; `None` to leave it.
    fn edit(&self, text: &str, link: &Link, front: &Range<usize>) -> Option<(Range<usize>, String)> {
        let raw = &text[link.target.clone()];
        let raw = raw[..raw.find('#').unwrap_or(raw.len())].trim_end();
        let range = link.target.start..link.target.start + raw.len();
        let path = self.mended(link)?;
        let written = match link.kind {
            LinkKind::Wiki | LinkKind::WikiEmbed => {
                let quote = text[..link.range.start].chars().next_back();
                let quote = quote.filter(|_| front.contains(&link.range.start));
                over(raw, &link.path, &path, |part| as_wikilink(part, quote))?
            }
            LinkKind::Markdown | LinkKind::MarkdownImage => {
                let is_angled = text[..link.target.start].ends_with('<');
                over(raw, &link.path, &path, |part| Some(encoded(part, raw, is_angled)))?
            }
        };
        (raw != written).then_some((range, written))
    }

    /// The link's path after the moves, decoded; `None` to leave it.
    fn mended(&self, link: &Link) -> Option<String> {
        let path = link.path.as_str();
        if path.is_empty() {
            return None;
        }
        let Some((target, reach)) = self.moved.before.reach(link.kind, path, self.from) else {
            return self.turned(path);
        };
        let wanted = self.moved.after(target);
        if self.moved.after.reach(link.kind, path, self.at) == Some((wanted, reach)) {
            return None;
        }
        let has_extension = fold(target.file_name()) == fold(path.rsplit('/').next().unwrap_or(path));
        let new = if has_extension {
            wanted.as_str()
        } else {
            wanted.as_str().strip_suffix(".md").unwrap_or(wanted.as_str())
        };
        let parts = path.split('/').count();
        let most = new.split('/').count();
        let is_wiki = matches!(link.kind, LinkKind::Wiki | LinkKind::WikiEmbed);
        let leads = |candidate: &String| {
            let now = self.moved.after.reach(link.kind, candidate, self.at).map(|(path, _)| path);
            // What led elsewhere before would be taken for a broken link when the mending is repeated.
            let then = self.moved.before.reach(link.kind, candidate, self.from).map(|(path, _)| path);
            now == Some(wanted) && then.is_none_or(|then| then == target)
        };
        let relative = || {
            let new = relative(self.at.folder(), new);
            let has_dot = is_wiki || path.starts_with("./") || !leads(&new);
            if has_dot && !new.starts_with("../") { format!("./{new}") } else { new }
        };
        let shortest = match reach {
            Reach::Relative => return Some(relative()),
            Reach::Rooted => return Some(format!("/{new}")),
            Reach::Whole => most,
            Reach::Name => parts.min(most),
        };
        (shortest..=most).map(|count| last_parts(new, count)).find(leads).or_else(|| {
            let rooted = format!("/{new}");
            Some(if leads(&rooted) { rooted } else { relative() })
        })
    }

    /// A path that leads to no file, turned when its note moves, so that it goes on pointing to the same place; also one
    /// to a folder. A bare `name` may be anything, an address without scheme too, and stays.
    fn turned(&self, path: &str) -> Option<String> {
        let is_relative = path.starts_with("./") || path.starts_with("../") || path.ends_with('/');
        if !is_relative || path.starts_with('/') {
            return None;
        }
        let Some(place) = path_from_root(self.from.folder(), path) else {
            return self.turned_outside(path);
        };
        let moved = self.moved.moved_folder(&place);
        if moved.is_none() && self.from.folder() == self.at.folder() {
            return None;
        }
        let new = relative(self.at.folder(), moved.as_deref().unwrap_or(&place));
        let dots = if path.starts_with("./") && !new.starts_with("../") { "./" } else { "" };
        let slash = if path.ends_with('/') && !new.ends_with('/') { "/" } else { "" };
        Some(format!("{dots}{new}{slash}"))
    }

    /// A path out of the vault: as many folders up more or fewer as the note now lies deeper or higher.
    fn turned_outside(&self, path: &str) -> Option<String> {
        let depth = |folder: &str| folder.split('/').filter(|part| !part.is_empty()).count();
        let (before, after) = (depth(self.from.folder()), depth(self.at.folder()));
        if before == after {
            return None;
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        let up = path.split('/').take_while(|part| *part == "..").count();
        // A path that goes down before it goes up is nobody's writing.
        let rest = path.split('/').skip(up).collect::<Vec<_>>();
        if up <= before || rest.contains(&"..") {
            return None;
        }
        let ups = std::iter::repeat_n("..", up - before + after);
        Some(ups.chain(rest).collect::<Vec<_>>().join("/"))
    }
}

/// The path `new` written where `raw`, which says `old`, stood: parts at the end and at the beginning that stay keep
/// their writing. `None` when a part cannot be written.
fn over(raw: &str, old: &str, new: &str, write: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (raw, old): (Vec<&str>, Vec<&str>) = (raw.split('/').collect(), old.split('/').collect());
    let new: Vec<&str> = new.split('/').collect();
    let same = |one: &str, other: &str| fold(one) == fold(other);
    let aligned = raw.len() == old.len();
    let shorter = old.len().min(new.len());
    let end = (1..=shorter)
        .take_while(|back| aligned && same(old[old.len() - back], new[new.len() - back]))
        .count();
    let start = (0..shorter - end).take_while(|at| aligned && same(old[*at], new[*at])).count();
    let mut parts: Vec<String> = raw[..start].iter().map(|part| (*part).to_owned()).collect();
    for part in &new[start..new.len() - end] {
        parts.push(write(part)?);
    }
    parts.extend(raw[raw.len() - end..].iter().map(|part| (*part).to_owned()));
    Some(parts.join("/"))
}

/// A part of a path in a wikilink, within `quote` in front matter; `None` with a character that would end the link.
fn as_wikilink(part: &str, quote: Option<char>) -> Option<String> {
    let ends = part.contains(['|', '#', '^', '[', ']']) || quote == Some('"') && part.contains(['"', '\\']);
    if ends {
        return None;
    }
    Some(if quote == Some('\'') { part.replace('\'', "''") } else { part.to_owned() })
}

fn last_parts(path: &str, count: usize) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    parts[parts.len().saturating_sub(count)..].join("/")
}

fn relative(folder: &str, target: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = target.split('/').collect();
    let common = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

/// A part of a path as it must stand in a Markdown link that was written as `raw`.
fn encoded(part: &str, raw: &str, is_angled: bool) -> String {
    let encodes_spaces = raw.contains("%20");
    let encodes_letters = raw.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1] >= b'8');
    let mut out = String::with_capacity(part.len());
    for char in part.chars() {
        let must = match char {
            '%' | '#' | '<' | '>' | '\\' | '?' | ':' => true,
            '`' => true,
            // `&amp;` would be read as an entity.
            '&' => part.contains(';'),
            ' ' => !is_angled || encodes_spaces,
            '(' | ')' => !is_angled && !raw.contains(char),
            char if char.is_control() || char.is_whitespace() => true,
            char => encodes_letters && !char.is_ascii(),
        };
        if must {
            let mut buffer = [0; 4];
            out.extend(char.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")));
        } else {
            out.push(char);
        }
    }
    out
}
