//! Text on its way to GitHub: nothing that loads from elsewhere, that calls people by name or that is longer than GitHub
//! takes. Pure.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::redact_secrets;
use crate::forge::inert;
use crate::note::plain;

/// GitHub refuses longer texts; it counts 65,536.
const MOST: usize = 60_000;

static MENTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[^A-Za-z0-9_`/.])@([A-Za-z0-9])").expect("the pattern is a literal"));
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\[\[([^\[\]|]{1,200})(?:\|([^\[\]]{1,200}))?\]\]").expect("the pattern is a literal")
});

/// A description or comment. People are named without being called; a wikilink, which leads nowhere there, is its words.
pub(super) fn outgoing(text: &str) -> String {
    let text = inert(&plain(&redact_secrets(text.trim(), &[])));
    let text = LINK.replace_all(&text, |found: &regex::Captures<'_>| {
        found.get(2).or_else(|| found.get(1)).map(|words| words.as_str().to_owned()).unwrap_or_default()
    });
    let text = MENTION.replace_all(&text, "$1@\u{200b}$2");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}\n\n[the rest is not shown]", &text[..end]),
        None => text.into_owned(),
    }
}

/// A title: one line.
pub(super) fn outgoing_line(text: &str) -> String {
    outgoing(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(250).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loads_nothing_calls_nobody_and_is_bounded() {
        for (text, expected) in [
            ("ask @ann or (@org/team)", "ask @\u{200b}ann or (@\u{200b}org/team)"),
            ("mail me@example.org and `@Override`", "mail me@example.org and `@Override`"),
            ("![x](https://evil.example/?q)", "[x](https://evil.example/?q)"),
            ("see [[FR-001 Dark mode]] and [[a|b]]", "see FR-001 Dark mode and b"),
        ] {
            assert_eq!(outgoing(text), expected);
        }
        let long = outgoing(&"é".repeat(70_000));
        assert!(long.chars().count() < 61_000 && long.ends_with("not shown]"));
        assert_eq!(outgoing_line("a\n b"), "a b");
    }
}
