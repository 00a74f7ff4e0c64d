//! Makes tools' output safe to read and to show. Knows no tool.

use std::sync::LazyLock;

use regex::Regex;

static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
        .expect("a literal pattern")
});

/// The text without terminal escapes, control characters other than newline and tab, and bidi controls.
pub(super) fn clean(text: &str) -> String {
    ESCAPES
        .replace_all(text, "")
        .chars()
        .filter(|&c| {
            let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
            (!c.is_control() || c == '\n' || c == '\t') && !bidi
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_bidi_controls_go_and_text_stays() {
        assert_eq!(clean("\x1b[31mred\x1b[0m\t\u{202e}x\r\n\x1b]0;title\x07é\x07"), "red\tx\né");
    }
}
