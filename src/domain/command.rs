//! Commands in comments at a forge.

use jiff::Timestamp;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandWord {
    Plan,
    Approve,
    Describe,
    Review,
    Improve,
    UpdateChangelog,
    Retry,
    Stop,
}

impl CommandWord {
    pub const ALL: [Self; 8] = [
        Self::Plan,
        Self::Approve,
        Self::Describe,
        Self::Review,
        Self::Improve,
        Self::UpdateChangelog,
        Self::Retry,
        Self::Stop,
    ];

    /// As it is written, without the slash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Approve => "approve",
            Self::Describe => "describe",
            Self::Review => "review",
            Self::Improve => "improve",
            Self::UpdateChangelog => "update_changelog",
            Self::Retry => "retry",
            Self::Stop => "stop",
        }
    }
}

/// A command with what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub word: CommandWord,
    pub words: String,
}

/// A comment below an issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Grows with time over all threads of a repository.
    pub id: u64,
    pub author: String,
    pub body: String,
    pub at: Timestamp,
    pub url: String,
}

/// A command in a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commanded {
    pub command: Command,
    pub comment: Comment,
    /// When the gate was asked for that waits now.
    pub gate_asked: Option<Timestamp>,
}
