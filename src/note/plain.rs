//! Makes text from notes, models and tools safe to show on a terminal. It does not know where the text goes.

/// The text without ANSI escape sequences, control characters (newline and tab stay) and bidirectional controls.
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
            char if char.is_control() || is_bidi_control(char) => {}
            char => out.push(char),
        }
    }
    out
}

/// Characters that change the direction in which text is shown, so that it reads other than it is.
pub(crate) fn is_bidi_control(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
}
