//! Commands that people write in comments: `/retry` and its like. It does not know who may give them.

use super::plain;
use crate::domain::{Command, CommandWord};

/// Characters of what stands behind a command.
const MOST_WORDS: usize = 4_000;

/// The command that a comment is: the first word of its first line. A comment that begins with anything else, as with a
/// quote, a list, code or hidden text, is none; nor is a word that is not known, which may be for another program.
pub fn command(comment: &str) -> Option<Command> {
    let comment = comment.trim_start_matches(['\n', '\r']);
    let (first, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    let name = first.strip_prefix('/')?;
    let (name, words) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
    let word = CommandWord::ALL.into_iter().find(|word| word.name() == name)?;
    let words = plain(format!("{words}\n{rest}").trim());
    Some(Command { word, words: words.trim().chars().take(MOST_WORDS).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_first_word_of_a_comment() {
        let read = |comment: &str| command(comment).map(|found| (found.word, found.words));
        assert_eq!(read("/retry"), Some((CommandWord::Retry, String::new())));
        assert_eq!(
            read("\r\n/improve  names of tests\r\nand more\u{1b}\n"),
            Some((CommandWord::Improve, "names of tests\nand more".into()))
        );
        assert_eq!(read("/update_changelog\n"), Some((CommandWord::UpdateChangelog, String::new())));
        for none in [
            "> /retry",
            "please /retry",
            "    /retry",
            "\t/retry",
            " /retry",
            "`/retry`",
            "```\n/retry\n```",
            "- /retry",
            "<!-- -->\n/retry",
            "/Retry",
            "/retryx",
            "/retry/x",
            "/cc @ann",
            "//retry",
            "/ retry",
            "",
        ] {
            assert_eq!(read(none), None, "{none:?}");
        }
        assert_eq!(command(&format!("/improve {}", "x".repeat(9_000))).unwrap().words.len(), 4_000);
    }
}
