//! What one rule says about one feature, and the wording of waits.
//!
//! Does not know any rule.

use crate::domain::{Effect, RepoName, Wait};

/// The outcome of looking at one feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    Do {
        effect: Box<Effect>,
        reason: String,
    },
    Wait(Wait),
    Rest {
        reason: String,
    },
    /// May start in this repository when its turn comes; `reason` says what made it eligible.
    Ready {
        repo: RepoName,
        reason: String,
    },
}

impl Next {
    pub(super) fn act(effect: Effect, reason: impl Into<String>) -> Self {
        Self::Do { effect: Box::new(effect), reason: reason.into() }
    }

    pub(super) fn rest(reason: impl Into<String>) -> Self {
        Self::Rest { reason: reason.into() }
    }

    /// A wait that only a human ends: `human: <what>`.
    pub(super) fn ask(what: &str, why: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self::ask_on(format!("human: {}", plain(what)), why, unblock)
    }

    /// A wait that only a human ends, in other words than `human: …`.
    pub(super) fn ask_on(on: impl Into<String>, why: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self::Wait(Wait { on: on.into(), why: why.into(), unblock: unblock.into(), needs_human: true })
    }

    /// A wait that ends by itself.
    pub(super) fn pause(on: impl Into<String>, why: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self::Wait(Wait { on: on.into(), why: why.into(), unblock: unblock.into(), needs_human: false })
    }
}

/// Text of notes, models and tools made safe to show on one line: no control or direction characters, at most 300
/// characters.
pub(super) fn plain(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let shown: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| is_shown(*c)).collect();
    let words = shown.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if words.chars().count() <= 300 {
        return words;
    }
    words.chars().take(299).chain(['…']).collect()
}

/// Whether nothing has to be changed, for the short texts that most are.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 300
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && !bytes.starts_with(b" ")
        && !bytes.ends_with(b" ")
        && !text.contains("  ")
}

fn is_shown(c: char) -> bool {
    let steers_direction = matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !steers_direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_shown_on_one_line_without_control_characters() {
        assert_eq!(plain("a\u{1b}[31m\n b\u{202e}c"), "a[31m bc");
        assert_eq!(plain(&"x".repeat(400)).chars().count(), 300);
        assert_eq!(plain(" a  b "), "a b");
        assert_eq!(plain("FR-1 A"), "FR-1 A");
    }
}
