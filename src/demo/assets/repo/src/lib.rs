//! Counts lines, words and characters of a text.

use std::ops::Add;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub lines: usize,
    pub words: usize,
    pub chars: usize,
}

impl Stats {
    /// Counts `text`. A last line without a newline is a line.
    pub fn of(text: &str) -> Self {
        Self {
            lines: text.lines().count(),
            words: text.split_whitespace().count(),
            chars: text.chars().count(),
        }
    }
}

impl Add for Stats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lines: self.lines + other.lines,
            words: self.words + other.words,
            chars: self.chars + other.chars,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_has_nothing() {
        assert_eq!(Stats::of(""), Stats::default());
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(Stats::of("grüße\n").chars, 6);
    }
}
