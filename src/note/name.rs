//! Names of notes and branches from titles. It does not know which names are taken.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::plain;
use crate::domain::{FeatureId, NoteName};

/// Characters of a note's whole file name.
const MAX_NAME: usize = 80;
/// What file systems, links or Obsidian forbid in a name.
const FORBIDDEN: &str = "*\"\\/<>:|?#^[]";

/// `title` in lower-case ASCII letters, digits and single dashes, at most `max` bytes, cut between words if possible.
/// Accents are dropped; letters of other scripts are left out, so the result may be empty.
pub fn slug(title: &str, max: usize) -> String {
    let mut out = String::new();
    for char in title.nfkd().filter(|char| !is_combining_mark(*char) && *char != '\'') {
        match char.to_ascii_lowercase() {
            char if char.is_ascii_alphanumeric() => out.push(char),
            'ß' => out.push_str("ss"),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    if out.len() > max {
        let cut = if out.as_bytes()[max] == b'-' { max } else { out[..max].rfind('-').unwrap_or(max) };
        out.truncate(cut);
    }
    out.trim_end_matches('-').to_owned()
}

/// The file name of a new note with this id and title: NFC, at most 80 characters, without the characters that links
/// or file systems forbid, ending in `.md`.
pub fn file_name(id: Option<&FeatureId>, title: &str, style: NoteName) -> String {
    let rest = match style {
        NoteName::Title => title_part(title),
        NoteName::Slug => slug(title, MAX_NAME),
    };
    let separator = match style {
        NoteName::Title => " ",
        NoteName::Slug => "-",
    };
    let name = match (id, rest.is_empty()) {
        (Some(id), true) => id.to_string(),
        (Some(id), false) => format!("{id}{separator}{rest}"),
        (None, true) => "Untitled".to_owned(),
        (None, false) => rest,
    };
    format!("{}.md", shortened(&name, MAX_NAME - 3))
}

fn title_part(title: &str) -> String {
    let clean: String = plain(title)
        .nfc()
        .map(|char| if FORBIDDEN.contains(char) || char.is_whitespace() { ' ' } else { char })
        .collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").trim_start_matches('.').trim_matches([' ', '.']).to_owned()
}

/// Cut between words if one ends in the last third, else inside a word.
fn shortened(name: &str, max: usize) -> String {
    if name.chars().count() <= max {
        return name.to_owned();
    }
    let head: String = name.chars().take(max).collect();
    let next_is_gap = name.chars().nth(max).is_some_and(|char| matches!(char, ' ' | '-'));
    let cut = match head.rfind([' ', '-']) {
        Some(at) if !next_is_gap && at * 3 > head.len() * 2 => at,
        _ => head.len(),
    };
    // A combining mark must not be cut from its letter, nor a dot or space end the name.
    let mut end = cut;
    if cut == head.len() && name.chars().nth(max).is_some_and(is_combining_mark) {
        end = head.char_indices().rev().find(|(_, char)| !is_combining_mark(*char)).map_or(0, |(at, _)| at);
    }
    head[..end].trim_end_matches([' ', '-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_ascii_and_cut_between_words() {
        assert_eq!(slug("Add a --shout flag!", 40), "add-a-shout-flag");
        assert_eq!(slug("Größe & Café", 40), "grosse-cafe");
        assert_eq!(slug("Don't stop", 40), "dont-stop");
        assert_eq!(slug("東京", 40), "");
        assert_eq!(slug("one two three", 9), "one-two");
        assert_eq!(slug("one two three", 7), "one-two");
        assert_eq!(slug("abcdefgh", 3), "abc");
    }

    #[test]
    fn file_names_can_be_written_everywhere() {
        let id: FeatureId = "FR-056".parse().unwrap();
        let name = |title: &str, style| file_name(Some(&id), title, style);
        assert_eq!(name("Short title", NoteName::Title), "FR-056 Short title.md");
        assert_eq!(name("Short title", NoteName::Slug), "FR-056-short-title.md");
        assert_eq!(name("a/b: \"c\" [[d]]#^|?*<e>\\..", NoteName::Title), "FR-056 a b c d e.md");
        assert_eq!(name("cafe\u{301}\u{202e}\n東京", NoteName::Title), "FR-056 café 東京.md");
        assert_eq!(name("..", NoteName::Title), "FR-056.md");
        assert_eq!(name("東京", NoteName::Slug), "FR-056.md");
        assert_eq!(file_name(None, ".hidden", NoteName::Title), "hidden.md");
        assert_eq!(file_name(None, "", NoteName::Slug), "Untitled.md");
        let long = name(&"word ".repeat(40), NoteName::Title);
        assert_eq!(long, format!("FR-056{}.md", " word".repeat(14)));
        assert!(name(&"e\u{301}\u{323}".repeat(90), NoteName::Title).chars().count() <= 80);
        assert!(name(&"字".repeat(90), NoteName::Title).chars().count() == 80);
    }
}
