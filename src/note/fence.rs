//! Follows code fences line by line. It does not know any other Markdown.

/// Which fence is open, after the lines seen so far.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    open: Option<(char, usize)>,
}

impl Fences {
    /// Takes the next line; true when it is a fence or lies inside one.
    pub fn take(&mut self, line: &str) -> bool {
        let rest = line.trim_start_matches(' ');
        let is_indented = line.len() - rest.len() > 3;
        let first = rest.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = first.map_or(0, |c| rest.chars().take_while(|next| *next == c).count());
        let fence = first.filter(|_| length >= 3 && !is_indented).map(|c| (c, length));
        match (self.open, fence) {
            (Some((open, least)), Some((char, length))) => {
                if char == open && length >= least && rest[length..].trim().is_empty() {
                    self.open = None;
                }
                true
            }
            (Some(_), None) => true,
            (None, Some((char, length))) => {
                // Backticks behind three backticks on the same line make a code span.
                let opens = char == '~' || !rest[length..].contains('`');
                if opens {
                    self.open = Some((char, length));
                }
                opens
            }
            (None, None) => false,
        }
    }

    /// What closes the open fence.
    pub fn closing(&self) -> Option<String> {
        self.open.map(|(char, length)| char.to_string().repeat(length))
    }
}
