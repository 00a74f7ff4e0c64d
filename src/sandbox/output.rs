//! Keeps the beginning and the end of a program's output within a bound. Does not interpret it.

use std::collections::VecDeque;

/// Bytes of an output: all of them up to the limit, else the first and the last halves of the limit.
#[derive(Debug)]
pub(super) struct Bounded {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    limit: usize,
    left_out: u64,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { head: vec![], tail: VecDeque::new(), limit, left_out: 0 }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (head, tail) = (self.limit.div_ceil(2), self.limit / 2);
        let (first, rest) = bytes.split_at(bytes.len().min(head - self.head.len()));
        self.head.extend_from_slice(first);
        let skipped = rest.len().saturating_sub(tail);
        let over = (self.tail.len() + rest.len() - skipped).saturating_sub(tail);
        self.tail.drain(..over);
        self.tail.extend(&rest[skipped..]);
        self.left_out += (skipped + over) as u64;
    }

    pub(super) fn truncated(&self) -> bool {
        self.left_out > 0
    }

    /// The last bytes, as text.
    pub(super) fn tail(&self, most: usize) -> String {
        let whole: Vec<u8> = self.head.iter().chain(&self.tail).copied().collect();
        String::from_utf8_lossy(&whole[whole.len().saturating_sub(most)..]).into_owned()
    }

    /// The text, with a line that says how much is missing where something is.
    pub(super) fn into_text(self) -> String {
        let tail = Vec::from(self.tail);
        if self.left_out == 0 {
            let mut whole = self.head;
            whole.extend(tail);
            return String::from_utf8_lossy(&whole).into_owned();
        }
        format!(
            "{}\n[… {} bytes left out …]\n{}",
            String::from_utf8_lossy(&self.head),
            self.left_out,
            String::from_utf8_lossy(&tail)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    fn gathered(limit: usize, pieces: &[&str]) -> (String, bool) {
        let mut output = Bounded::new(limit);
        for piece in pieces {
            output.add(piece.as_bytes());
        }
        let truncated = output.truncated();
        (output.into_text(), truncated)
    }

    #[test]
    fn short_output_is_whole() {
        assert_eq!(gathered(8, &["ab", "cdef", "gh"]), ("abcdefgh".into(), false));
        assert_eq!(gathered(8, &[]), (String::new(), false));
        assert_eq!(gathered(9, &["ä", "öü€"]), ("äöü€".into(), false));
    }

    #[test]
    fn long_output_keeps_both_ends() {
        assert_eq!(gathered(4, &["abcdefghij"]), ("ab\n[… 6 bytes left out …]\nij".into(), true));
        assert_eq!(gathered(4, &["a", "bcd", "efg", "hij"]), ("ab\n[… 6 bytes left out …]\nij".into(), true));
        assert_eq!(gathered(0, &["abc"]), ("\n[… 3 bytes left out …]\n".into(), true));
    }
}
