//! Issues in words that every forge shares: a request that somebody wrote where the code lives.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FeatureId, InvalidId};

/// How far the author of a text from outside is known. It changes what happens by itself, never whether the text is data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorTrust {
    /// Anybody.
    #[default]
    Outside,
    /// May write to the repository, as the forge says.
    Member,
    /// On the repository's list of instructors.
    Instructor,
}

impl fmt::Display for AuthorTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "outside",
            Self::Member => "member",
            Self::Instructor => "instructor",
        })
    }
}

impl FromStr for AuthorTrust {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "outside" => Ok(Self::Outside),
            "member" => Ok(Self::Member),
            "instructor" => Ok(Self::Instructor),
            _ => Err(InvalidId {
                kind: "trust in an author",
                text: text.to_owned(),
                expected: "`outside`, `member` or `instructor`",
            }),
        }
    }
}

/// An issue as its forge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// `owner/name#7`.
    pub key: String,
    /// By which its note is known again.
    pub url: String,
    pub title: String,
    /// As written: data.
    pub body: String,
    pub author: String,
    pub trust: AuthorTrust,
    pub labels: Vec<String>,
    pub state: IssueState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    Open,
    /// Closed as done.
    Done,
    /// Closed without being done.
    Withdrawn,
}

/// What an issue is to show of the feature that it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueReport {
    pub feature: FeatureId,
    /// The label of the state; other labels of states go.
    pub label: Option<String>,
    /// The one comment, brought up to date in place.
    pub comment: Option<String>,
    /// Close it as this, once.
    pub close: Option<IssueState>,
}

impl IssueReport {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.label.is_none() && self.comment.is_none() && self.close.is_none()
    }
}

/// What the labels of states begin with.
pub const STATE_LABEL: &str = "ado:";
