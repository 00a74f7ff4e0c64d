//! Rewrites links that a move breaks. It does not know which notes exist beside those that move.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use super::link::{Link, LinkKind, links};
use super::split;
use super::yaml::parse_front;
use crate::domain::NotePath;

/// The note's text with the links mended that `moves` (from, to) break, seen from a note that is `note_before` before and
/// `note_after` after the moves; `None` when nothing changes.
///
/// Wikilinks with a path follow the file (the whole path from the vault's root, or as many last parts as were written);
/// wikilinks by name alone change only when the name does. Markdown links are relative to the note, unless their first
/// part is the vault folder that the note itself lies in, or is numbered as the root's folders are (`30_policy`): then
/// they are paths from the root, as Obsidian can write them. Only the path's bytes change, in the way it was written.
pub fn mend_links(
    text: &str,
    note_before: &NotePath,
    note_after: &NotePath,
    moves: &[(NotePath, NotePath)],
) -> Option<String> {
    let view = View { before: note_before, after: note_after, moves };
    let mut edits: Vec<(Range<usize>, String)> = links(text)
        .iter()
        .filter_map(|link| {
            let raw = &text[link.target.clone()];
            let length = raw.find('#').unwrap_or(raw.len());
            let length = raw[..length].trim_end().len();
            let range = link.target.start..link.target.start + length;
            let path = match link.kind {
                LinkKind::Wiki | LinkKind::WikiEmbed => view.wiki(&link.path)?,
                LinkKind::Markdown | LinkKind::MarkdownImage => {
                    encoded(&view.markdown(&link.path)?, &text[range.clone()], is_angled(text, link))
                }
            };
            (text[range.clone()] != path).then_some((range, path))
        })
        .collect();
    // A link around an embed starts before it, but its path stands behind it.
    edits.sort_by_key(|(range, _)| range.start);
    let front = split(text).ok().and_then(|parts| parts.front).unwrap_or(0..0);
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

/// The JSON text of a canvas or of bookmarks with moved `file` and `path` values replaced in place; every other byte
/// stays. `None` when nothing changes or the text is not JSON.
pub fn mend_canvas(json: &str, moves: &[(NotePath, NotePath)]) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(json).ok()?;
    let mut edits = Vec::new();
    let mut before: Option<String> = None;
    let mut at = 0;
    while let Some(open) = json[at..].find('"').map(|offset| at + offset) {
        let range = open..open + super::entry::quoted(&json[open..])?;
        at = range.end;
        let value: String = serde_json::from_str(&json[range.clone()]).ok()?;
        if json[at..].trim_start().starts_with(':') {
            before = Some(value);
            continue;
        }
        let is_path = before.take().is_some_and(|key| key == "file" || key == "path");
        if is_path && let Some((_, to)) = moves.iter().find(|(from, _)| fold(from.as_str()) == fold(&value)) {
            edits.push((range, serde_json::to_string(to.as_str()).ok()?));
        }
    }
    let mended = spliced(json, edits.iter());
    (mended != json).then_some(mended)
}

fn spliced<'a>(text: &str, edits: impl Iterator<Item = &'a (Range<usize>, String)>) -> String {
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

/// Where the links are seen from, and what moves.
struct View<'a> {
    before: &'a NotePath,
    after: &'a NotePath,
    moves: &'a [(NotePath, NotePath)],
}

impl View<'_> {
    /// The new path of a wikilink; `None` to leave it.
    fn wiki(&self, path: &str) -> Option<String> {
        if path.starts_with("./") || path.starts_with("../") {
            return self.markdown(path);
        }
        let rooted = path.strip_prefix('/');
        let bare = rooted.unwrap_or(path);
        let wanted = fold(bare);
        let parts = bare.split('/').count();
        let mut found = None;
        for (from, to) in self.moves {
            for extension in ["", ".md"] {
                let Some(from) = from.as_str().strip_suffix(extension) else { continue };
                let from = fold(from);
                let is_whole = from == wanted;
                if !is_whole && (rooted.is_some() || !from.ends_with(&format!("/{wanted}"))) {
                    continue;
                }
                let to = to.as_str().strip_suffix(extension).unwrap_or(to.as_str());
                let new = if is_whole && parts > 1 { to.to_owned() } else { last_parts(to, parts) };
                if is_whole && parts > 1 {
                    return self.fitting(rooted.is_some(), new);
                }
                match &found {
                    Some(other) if *other != new => return None,
                    _ => found = Some(new),
                }
            }
        }
        self.fitting(rooted.is_some(), found?)
    }

    /// A path with characters that end a wikilink cannot be written as one.
    fn fitting(&self, rooted: bool, path: String) -> Option<String> {
        let path = if rooted { format!("/{path}") } else { path };
        (!path.contains(['|', '#', '^', '[', ']'])).then_some(path)
    }

    /// The new path of a Markdown link; `None` to leave it.
    fn markdown(&self, path: &str) -> Option<String> {
        if path.is_empty() {
            return None;
        }
        if let Some(rooted) = path.strip_prefix('/') {
            return self.moved(rooted).map(|to| format!("/{to}"));
        }
        if self.is_from_root(path)
            && let Some(to) = self.moved(path)
        {
            return Some(to);
        }
        let target = resolved(self.before.folder(), path)?;
        let moved = self.moved(&target);
        if self.is_from_root(path) && moved.is_none() {
            return None;
        }
        if moved.is_none() && self.before.folder() == self.after.folder() {
            return None;
        }
        let new = relative(self.after.folder(), moved.as_deref().unwrap_or(&target));
        let dot = if path.starts_with("./") && !new.starts_with("../") { "./" } else { "" };
        Some(format!("{dot}{new}"))
    }

    fn is_from_root(&self, path: &str) -> bool {
        let Some((first, _)) = path.split_once('/') else { return false };
        let is_of_root =
            |note: &NotePath| note.as_str().split_once('/').is_some_and(|(root, _)| root == first);
        let is_numbered = matches!(first.as_bytes(), [tens, b'0', b'_', ..] if tens.is_ascii_digit());
        is_numbered || is_of_root(self.before)
    }

    /// Where the file at this path went, written with or without `.md` as the path is.
    fn moved(&self, path: &str) -> Option<String> {
        let wanted = fold(path);
        let itself = (self.before.clone(), self.after.clone());
        self.moves.iter().chain([&itself]).find_map(|(from, to)| {
            if fold(from.as_str()) == wanted {
                return Some(to.to_string());
            }
            let from = from.as_str().strip_suffix(".md")?;
            (fold(from) == wanted).then(|| to.as_str().strip_suffix(".md").unwrap_or(to.as_str()).to_owned())
        })
    }
}

/// Paths are compared as Obsidian does: composed, without regard to case.
fn fold(path: &str) -> String {
    if path.is_ascii() { path.to_ascii_lowercase() } else { path.nfc().collect::<String>().to_lowercase() }
}

fn last_parts(path: &str, count: usize) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    parts[parts.len().saturating_sub(count)..].join("/")
}

/// The path from the vault's root; `None` when it leaves the vault.
fn resolved(folder: &str, path: &str) -> Option<String> {
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

fn relative(folder: &str, target: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = target.split('/').collect();
    let common = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

fn is_angled(text: &str, link: &Link) -> bool {
    text[..link.target.start].ends_with('<')
}

/// The path as it must stand in a Markdown link that was written as `raw`.
fn encoded(path: &str, raw: &str, is_angled: bool) -> String {
    let was_encoded = raw.contains('%');
    let encodes_letters = raw.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1] >= b'8');
    let mut out = String::with_capacity(path.len());
    for char in path.chars() {
        let must = match char {
            '%' | '#' | '<' | '>' | '\\' => true,
            ' ' => !is_angled || was_encoded,
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
