//! What an agent should know of a repository before it starts: layout, languages, manifests, conventions, history. All of
//! it is text of the repository: data, never instructions.

use serde::{Deserialize, Serialize};

use super::{Workspace, WorkspaceError, Worktree};

/// Bounded facts about a worktree. Symbolic links are never followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Tracked files as an indented tree, bounded; what is left out is said in its last line.
    pub layout: String,
    /// Most lines first.
    pub languages: Vec<LanguageShare>,
    pub manifests: Vec<Excerpt>,
    /// AGENTS.md, CONTRIBUTING.md, README and formatter settings.
    pub conventions: Vec<Excerpt>,
    /// Newest first, at most ten.
    pub commits: Vec<CommitSubject>,
}

/// How much of a repository is in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageShare {
    pub language: String,
    pub files: u64,
    pub bytes: u64,
}

/// The beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    pub path: String,
    pub text: String,
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSubject {
    pub commit: String,
    pub subject: String,
}

impl Workspace {
    /// Facts about the worktree as its files are now.
    ///
    /// # Errors
    /// When git data cannot be read.
    pub fn facts(&self, worktree: &Worktree) -> Result<RepositoryFacts, WorkspaceError> {
        let _ = worktree;
        Ok(RepositoryFacts::default())
    }
}
