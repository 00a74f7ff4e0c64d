//! Makes text from notes, models and tools safe to show on a terminal and to pass on: what is left is what is seen. It does
//! not know where the text goes.

use crate::domain::is_hidden;

/// The text without ANSI escape sequences, control characters (newline and tab stay), bidirectional controls, and
/// characters that nobody sees: zero-width ones, tags, and joiners and variation selectors that stand where they mean
/// nothing, which can carry a hidden message.
pub fn plain(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => match chars.next_if(|next| "[]PX^_(".contains(*next)) {
                Some('[') => skip_control_sequence(&mut chars),
                Some('(') => {
                    chars.next();
                }
                Some(_) => skip_string(&mut chars),
                None => {
                    chars.next_if(|next| ('\u{30}'..='\u{7e}').contains(next));
                }
            },
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\n' | '\t' => out.push(char),
            char if char.is_control() || is_bidi_control(char) || is_unseen(char, &out) => {}
            char => out.push(char),
        }
    }
    out
}

/// Characters that change the direction in which text is shown, so that it reads other than it is.
pub(crate) fn is_bidi_control(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether nobody sees this character behind this text.
fn is_unseen(char: char, before: &str) -> bool {
    let modifies = |char| is_joiner(char) || is_variation(char);
    match char {
        '\u{ad}' | '\u{34f}' | '\u{180e}' => true,
        // One joins or varies a character of a script that needs it; more of them, or one behind ASCII, change nothing.
        char if is_joiner(char) => {
            before.chars().next_back().is_none_or(|last| last.is_ascii() || is_joiner(last))
        }
        // Digits and signs have an emoji's form (`1️⃣`, `#️⃣`).
        char if is_variation(char) => before
            .chars()
            .next_back()
            .is_none_or(|last| last.is_ascii_alphabetic() || last.is_ascii_whitespace() || modifies(last)),
        char => is_hidden(char),
    }
}

fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

fn is_variation(char: char) -> bool {
    matches!(char, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Parameters up to a final byte; anything else ends the sequence and is kept.
fn skip_control_sequence(chars: &mut Chars<'_>) {
    while chars.next_if(|next| ('\u{20}'..='\u{3f}').contains(next)).is_some() {}
    chars.next_if(|next| ('\u{40}'..='\u{7e}').contains(next));
}

/// Up to BEL or string terminator, at most to the end of the line: an unended sequence must not swallow a whole report.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(char) = chars.next_if(|next| *next != '\n') {
        match char {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(plain("a\x1b[31mred\x1b[0m b"), "ared b");
        assert_eq!(plain("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link"), "xlink");
        assert_eq!(plain("a\x1b]never ended\nnext"), "a\nnext");
        assert_eq!(plain("x\u{202e}cod.exe\u{2069}\u{9b}1mz\0\x08"), "xcod.exez");
        assert_eq!(plain("\x1bcreset \x1b(Bset"), "reset set");
        assert_eq!(plain("tab\tline\ncafé 東京 🦀"), "tab\tline\ncafé 東京 🦀");
    }

    #[test]
    fn nothing_that_is_not_seen_is_left() {
        let tags: String =
            "obey".bytes().map(|byte| char::from_u32(0xe0000 + u32::from(byte)).unwrap()).collect();
        assert_eq!(plain(&format!("fine{tags}.")), "fine.");
        assert_eq!(plain("a\u{200b}p\u{2060}p\u{feff}r\u{ad}o\u{180e}v\u{34f}e\u{fff9}"), "approve");
        assert_eq!(plain("x\u{200c}\u{200d}\u{200c}y"), "xy", "bits told by joiners");
        assert_eq!(
            plain("é\u{fe0e}\u{fe0f}\u{e0101}\u{e0102}"),
            "é\u{fe0e}",
            "bytes told by variation selectors"
        );
        for seen in
            ["می\u{200c}خواهم", "👩\u{200d}💻", "❤\u{fe0f}\u{200d}🔥", "1\u{fe0f}\u{20e3}", "葛\u{e0100}"]
        {
            assert_eq!(plain(seen), seen);
        }
    }
}
