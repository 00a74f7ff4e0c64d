//! Takes from Markdown what would load something from elsewhere when it is shown: an image's address can carry away what
//! an agent has read. Pure.

use std::sync::LazyLock;

use regex::Regex;

static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)<(/?\s*(?:img|picture|source|video|audio|track|iframe|frame|object|embed|link|style|script|svg|image|base|meta|form|input|button)\b)",
    )
    .expect("the pattern is a literal")
});

/// The text with images as plain links and with no HTML that loads anything. Embeds of the vault's own notes stay.
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
    TAG.replace_all(&out, "&lt;$1").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (text, expected) in [
            ("a ![x](https://evil.example/?q=1) b", "a [x](https://evil.example/?q=1) b"),
            ("![x][ref]\n\n[ref]: https://evil.example", "[x][ref]\n\n[ref]: https://evil.example"),
            ("![[Note#Part]] and ![[https://evil.example]]", "![[Note#Part]] and [[https://evil.example]]"),
            ("<IMG src=https://evil.example>", "&lt;IMG src=https://evil.example>"),
            ("Vec<String> and a < b <b>bold</b>", "Vec<String> and a < b <b>bold</b>"),
        ] {
            assert_eq!(inert(text), expected);
        }
    }
}
