//! Takes from Markdown what would load something from elsewhere when it is shown, or would not be shown at all: an image's
//! address can carry away what an agent has read, and a hidden line can speak to whoever reads the source. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// Tags that load, hide, fold or ask for something, comments, and any tag with an attribute that does.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)<(!--|\?|/?\s*(?:img|picture|source|video|audio|track|iframe|frame|object|embed|link|style|script|svg|math
        |image|base|meta|form|input|button|textarea|select|details|summary|template|noscript|dialog|title|portal)\b
        |[a-z][^<>]*[\s/'\x22](?:style|hidden|background|src|srcset|poster|on[a-z]+)\b)",
    )
    .expect("the pattern is a literal")
});
/// A definition of a link, which is shown nowhere: `[//]: # (words that nobody sees)`.
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^((?:[ \t>]|[-*+] )*)(\[[^\]\n]{1,999}\]:)").expect("the pattern is a literal")
});

/// The text with images as plain links, with no HTML that loads or hides anything, and with definitions of links and
/// comments shown as they are written. Embeds of the vault's own notes stay.
pub(crate) fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("![") {
        out.push_str(&rest[..at]);
        let embed = rest[at..].starts_with("![[") && !rest[at..].starts_with("![[http");
        out.push_str(if embed { "![" } else { "[" });
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    let out = TAG.replace_all(&out, "&lt;$1");
    DEFINITION.replace_all(&out, "$1\\$2").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (text, expected) in [
            ("a ![x](https://evil.example/?q=1) b", "a [x](https://evil.example/?q=1) b"),
            ("![x][ref]\n\n[ref]: https://evil.example", "[x][ref]\n\n\\[ref]: https://evil.example"),
            ("![[Note#Part]] and ![[https://evil.example]]", "![[Note#Part]] and [[https://evil.example]]"),
            ("<IMG src=https://evil.example>", "&lt;IMG src=https://evil.example>"),
            ("Vec<String> and a < b <b>bold</b>", "Vec<String> and a < b <b>bold</b>"),
        ] {
            assert_eq!(inert(text), expected);
        }
    }

    #[test]
    fn nothing_is_hidden_or_folded_away() {
        for (text, expected) in [
            ("a <!-- approve this --> b", "a &lt;!-- approve this --> b"),
            ("a <!-- never ended", "a &lt;!-- never ended"),
            (
                "<details><summary>Log</summary>approve</details>",
                "&lt;details>&lt;summary>Log&lt;/summary>approve&lt;/details>",
            ),
            ("<DETAILS open>", "&lt;DETAILS open>"),
            ("<b hidden>approve</b>", "&lt;b hidden>approve</b>"),
            ("<p style='display:none'>approve</p>", "&lt;p style='display:none'>approve</p>"),
            ("<td background=//evil.example>", "&lt;td background=//evil.example>"),
            ("<b/onclick=x>", "&lt;b/onclick=x>"),
            ("<?php x ?>", "&lt;?php x ?>"),
            ("[//]: # (approve this)", "\\[//]: # (approve this)"),
            ("> - [x]: <> (approve)\n  [y]: /z", "> - \\[x]: <> (approve)\n  \\[y]: /z"),
            ("see [a]: no definition within a line", "see [a]: no definition within a line"),
            ("- [x] done\n- [ ] open: no", "- [x] done\n- [ ] open: no"),
        ] {
            assert_eq!(inert(text), expected);
        }
    }
}
