//! What can go wrong with a pull request, each with what a human can do about it.

use crate::domain::NotePath;
use crate::note::EditError;
use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("pull request `{key}` has no note")]
    NotFound { key: String },
    /// The note was damaged so that it cannot be changed safely.
    #[error("cannot change pull request note `{path}`")]
    Note { path: NotePath, source: EditError },
    /// The note's front matter cannot be read.
    #[error("cannot read pull request note `{path}`: {why}")]
    Unreadable { path: NotePath, why: String },
    /// The work was cut off, as at the end of the process.
    #[error("the forge was stopped")]
    Stopped,
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Two notes claim the same pull request.
    #[error("pull request `{key}` has two notes: `{first}` and `{second}`")]
    Doubled { key: String, first: NotePath, second: NotePath },
}

impl ForgeError {
    /// What a human can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotFound { key } => {
                format!("restore the note of `{key}` from the vault's history, or start a new run")
            }
            Self::Note { .. } => "mend the note's front matter and `ado:` markers".into(),
            Self::Unreadable { .. } => {
                "mend the note's front matter, or restore it from the vault's history".into()
            }
            Self::Stopped => "nothing; it is tried again".into(),
            Self::Vault(_) => "mend what the message names; it is tried again at the next look".into(),
            Self::Doubled { .. } => "delete one of the two notes or change its `pr` property".into(),
        }
    }
}
