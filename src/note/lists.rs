//! Obsidian's list properties written as one text, made lists. It does not know other properties.

use super::{PropertyValue, properties, set_property};

/// Properties that Obsidian reads only as lists.
pub const LISTS: [&str; 3] = ["tags", "aliases", "cssclasses"];

/// The text with each of these properties a list of the one word it holds; `None` when there is none. A text of several
/// words, or with commas, may mean one entry or more: it is left to its human.
pub fn with_lists(text: &str) -> Option<String> {
    let map = properties(text).ok()?;
    let mut now = None;
    for key in LISTS {
        let word = map.get(key).and_then(|value| value.as_str()).filter(|word| is_one_word(word));
        if let Some(word) = word {
            let list = PropertyValue::List(vec![word.to_owned()]);
            now = set_property(now.as_deref().unwrap_or(text), key, Some(&list)).ok().or(now);
        }
    }
    now
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains([',', '[', ']']) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_becomes_a_list_of_one() {
        let text = "---\ntags: ui # mine\naliases: \"FR-1\"\ncssclasses: a, b\n---\nx\n";
        let listed = "---\ntags: # mine\n  - ui\naliases:\n  - FR-1\ncssclasses: a, b\n---\nx\n";
        assert_eq!(with_lists(text).as_deref(), Some(listed));
        assert_eq!(with_lists(listed), None);
        assert_eq!(with_lists("---\ntags: [a]\n---\n"), None);
    }
}
