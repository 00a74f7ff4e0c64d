//! Rewrites paths in Obsidian's JSON files, a canvas and the bookmarks, as text: every other byte stays. It does not
//! know the files beyond their keys.

use super::entry::quoted;
use super::mend::{Relocation, spliced};
use crate::domain::NotePath;

impl Relocation<'_> {
    /// The text of a canvas with the moved paths of its `file` nodes and `background`s in place, and with the links in its
    /// `text` nodes mended. `None` when nothing changes or the text is not JSON.
    pub fn mend_canvas(&self, json: &str, canvas: &NotePath) -> Option<String> {
        mend(json, |key, value| match key {
            "file" | "background" => self.moved_path(value),
            "text" => self.mend_links(value, canvas),
            _ => None,
        })
    }

    /// The text of `.obsidian/bookmarks.json` with moved `path`s in place.
    pub fn mend_bookmarks(&self, json: &str) -> Option<String> {
        mend(json, |key, value| if key == "path" { self.moved_path(value) } else { None })
    }
}

/// `new` gives what the string `value` of a key becomes.
fn mend(json: &str, new: impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(json).ok()?;
    let mut edits = Vec::new();
    let mut before: Option<String> = None;
    let mut at = 0;
    while let Some(open) = json[at..].find('"').map(|offset| at + offset) {
        let range = open..open + quoted(&json[open..])?;
        // A number or an object between a key and this string belongs to that key.
        if json[at..open].contains(['{', '[', ',']) {
            before = None;
        }
        at = range.end;
        let value: String = serde_json::from_str(&json[range.clone()]).ok()?;
        if json[at..].trim_start().starts_with(':') {
            before = Some(value);
        } else if let Some(new) = before.take().and_then(|key| new(&key, &value)) {
            edits.push((range, serde_json::to_string(&new).ok()?));
        }
    }
    let mended = spliced(json, edits.iter());
    (mended != json).then_some(mended)
}
