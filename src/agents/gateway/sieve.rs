//! Takes secrets out of an answer that comes in pieces. A secret may be split over any number of them: what could still
//! become one is kept back until it is seen whole or cannot be one any more.

use crate::domain::redact_secrets;

/// Words at the end that are kept back: no rule's secret has so many, but for a private key, which is looked for by itself.
const KEPT_WORDS: usize = 6;
const KEY_BEGINS: &str = "-----BEGIN";

/// One answer on its way.
pub(super) struct Sieve {
    held: Vec<String>,
    longest: usize,
    waiting: String,
}

impl Sieve {
    /// `held` are values that are taken out wherever they stand.
    pub(super) fn new(held: &[String]) -> Self {
        let longest = held.iter().map(String::len).max().unwrap_or(0);
        Self { held: held.to_vec(), longest, waiting: String::new() }
    }

    /// Adds a piece; gives what can be told by now, which may be nothing.
    pub(super) fn push(&mut self, piece: &str) -> String {
        self.waiting.push_str(piece);
        let safe = self.safe();
        let rest = self.waiting.split_off(safe);
        let told = std::mem::replace(&mut self.waiting, rest);
        redact_secrets(&told, &self.held)
    }

    /// What was kept back, when the answer is over.
    pub(super) fn finish(&mut self) -> String {
        redact_secrets(&std::mem::take(&mut self.waiting), &self.held)
    }

    /// Bytes at the beginning that hold no part of a secret that goes on behind them.
    fn safe(&self) -> usize {
        let text = &self.waiting;
        let mut end = words_begin(text, KEPT_WORDS);
        if end == 0 {
            return 0;
        }
        // A held value may have blanks; one that begins here is whole within so many bytes.
        end = end.min(text.len().saturating_sub(self.longest));
        if let Some(key) = text.find(KEY_BEGINS) {
            end = end.min(key);
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // Between words, so that each is seen whole; and not behind a word that makes the next one a secret.
        let whole = redact_secrets(text, &self.held);
        loop {
            end = text[..end].trim_end().rfind(char::is_whitespace).map_or(0, |at| at + blank_at(text, at));
            let (told, rest) = text.split_at(end);
            if end == 0 || redact_secrets(told, &self.held) + &redact_secrets(rest, &self.held) == whole {
                return end;
            }
        }
    }
}

/// Bytes of the blank that stands there.
fn blank_at(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(0, char::len_utf8)
}

/// Where the last so many words begin.
fn words_begin(text: &str, words: usize) -> usize {
    let mut begins = text.char_indices().rev().scan(true, |was_blank, (at, c)| {
        let is_blank = c.is_whitespace();
        let begins = (is_blank && !*was_blank).then_some(at + c.len_utf8());
        *was_blank = is_blank;
        Some(begins)
    });
    begins.by_ref().flatten().nth(words - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a text cut into pieces of so many characters.
    fn sieved(text: &str, size: usize, held: &[&str]) -> (Vec<String>, String) {
        let held: Vec<String> = held.iter().map(|value| (*value).to_owned()).collect();
        let mut sieve = Sieve::new(&held);
        let chars: Vec<char> = text.chars().collect();
        let mut told: Vec<String> =
            chars.chunks(size).map(|piece| sieve.push(&piece.iter().collect::<String>())).collect();
        told.push(sieve.finish());
        let whole = redact_secrets(text, &held);
        (told, whole)
    }

    fn texts() -> [String; 6] {
        let token = format!("gh{}_{}", "p", "a1B2c3D4e5F6".repeat(3));
        let key =
            format!("-----BEGIN RSA PRIVATE {}-----\nMIIEow\nIBAAKC==\n-----END RSA PRIVATE KEY-----", "KEY");
        [
            format!("The token is {token} and that is all that there is to say of it, believe me."),
            format!("a {key} and then, at the end, some more words of no interest at all."),
            "It was passed phrase one two, in the middle of a sentence that goes on and on and on."
                .to_owned(),
            format!(
                "password = \"{}\" in the file, and nothing else that anybody would want.",
                "qX7-vB2_nM9zLk4w"
            ),
            token.clone(),
            "naïve café 東京 and a long, quite harmless text without a single secret in any of its words"
                .to_owned(),
        ]
    }

    #[test]
    fn a_secret_that_is_split_over_pieces_is_taken_out_as_if_it_were_not() {
        for text in texts() {
            for size in [1, 2, 3, 7, 20, 1000] {
                let (told, whole) = sieved(&text, size, &["passed phrase one two"]);
                assert_eq!(told.concat(), whole, "pieces of {size} of {text}");
            }
        }
        assert!(!sieved(&texts()[0], 5, &[]).1.contains("a1B2c3"));
        assert!(sieved(&texts()[2], 4, &["passed phrase one two"]).1.contains("[redacted: held]"));
    }

    #[test]
    fn what_cannot_become_a_secret_is_told_at_once() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        let (told, _) = sieved(text, 10, &[]);
        assert!(told.iter().take(told.len() - 1).filter(|piece| !piece.is_empty()).count() >= 3, "{told:?}");
    }
}
