//! Pull requests that somebody else wrote, in words that every forge shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BranchName, ContentHash, GitId, PullRequestRef, PullRequestState};

/// What ids of reviews begin with. Reviews of others' pull requests are journalled as runs without a note, under the number
/// of the pull request: `REVIEW-007/2` is a review of some pull request 7. No note has such an id.
pub const REVIEW_PREFIX: &str = "REVIEW";

/// A pull request that ado-vault did not write, as its forge shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub pr: PullRequestRef,
    pub number: u64,
    pub state: PullRequestState,
    pub draft: bool,
    /// As written, like the body: data.
    pub title: String,
    pub body: String,
    pub author: String,
    /// Its commits lie in somebody else's repository.
    pub from_fork: bool,
    pub head: GitId,
    /// By which git fetches the head from the repository's own remote.
    pub reference: String,
    pub target: BranchName,
}

impl Proposal {
    /// What was asked to be reviewed, but for the commits.
    pub fn request_hash(&self) -> ContentHash {
        ContentHash::of(format!("{}\0{}\0{}", self.title, self.body, self.target))
    }

    /// What the journal of its review holds of it.
    pub fn proposed(&self) -> Proposed {
        let Self { pr, head, author, from_fork, .. } = self;
        Proposed { pr: pr.clone(), head: head.clone(), author: author.clone(), from_fork: *from_fork }
    }
}

/// The head that a review is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    pub pr: PullRequestRef,
    pub head: GitId,
    /// Login.
    pub author: String,
    pub from_fork: bool,
}

impl Proposed {
    /// Key of the effect that says at the forge what the review found; it is done once for each head.
    pub fn comment_effect(&self) -> String {
        format!("comment:{}", self.head)
    }
}
