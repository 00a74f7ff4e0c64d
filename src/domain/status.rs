//! Where a feature stands: the seven status folders and their slugs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidId;

/// The stage of a feature: the slug of its folder without the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ideas,
    New,
    Planned,
    InProgress,
    Review,
    Done,
    Dropped,
}

impl Status {
    pub const ALL: [Self; 7] =
        [Self::Ideas, Self::New, Self::Planned, Self::InProgress, Self::Review, Self::Done, Self::Dropped];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Ideas => "ideas",
            Self::New => "new",
            Self::Planned => "planned",
            Self::InProgress => "in_progress",
            Self::Review => "review",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }

    /// Done or dropped: nothing more happens unless a human moves the note.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Dropped)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl FromStr for Status {
    type Err = InvalidId;

    /// Accepts what people write: any case, `-` or space for `_`, a number prefix (`In Progress`, `04_in_progress`).
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let normal = text.trim().to_lowercase().replace(['-', ' '], "_");
        let slug = without_number(&normal);
        Self::ALL.into_iter().find(|status| status.slug() == slug).ok_or_else(|| InvalidId {
            kind: "status",
            text: text.to_owned(),
            expected: "one of ideas, new, planned, in_progress, review, done, dropped",
        })
    }
}

/// `planned` of `03_planned`; names without a number prefix are returned whole.
pub fn without_number(folder: &str) -> &str {
    match folder.split_once('_') {
        Some((digits, rest)) if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => rest,
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_people_write_it() {
        for text in ["in_progress", "In Progress", "in-progress", "04_in_progress", " IN_PROGRESS "] {
            assert_eq!(text.parse::<Status>().unwrap(), Status::InProgress, "{text}");
        }
        assert!("doing".parse::<Status>().is_err());
    }
}
