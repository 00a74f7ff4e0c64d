//! What can go wrong with a pull request, each with what a human can do about it.

use jiff::Timestamp;

use crate::domain::NotePath;
use crate::note::EditError;
use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("pull request `{key}` is not there")]
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
    /// The environment does not hold what signs calls.
    #[error("the environment variable `{variable}` is not set")]
    NoSecret { variable: String },
    /// What the repository note or the environment says cannot work.
    #[error("the forge of `{repository}` cannot be used: {why}")]
    Unusable { repository: String, why: String },
    /// No answer, or one that cannot be understood; whether the call did anything is not known.
    #[error("`{server}` cannot be reached for `{what}`: {why}")]
    Unreachable { server: String, what: String, why: String },
    /// The server asked not to be called before this time.
    #[error("`{server}` takes no more calls until {until}")]
    Limited { server: String, until: Timestamp },
    #[error("the forge refused `{what}` with {status}: {why}")]
    Refused { what: String, status: u16, why: String },
    /// The forge says that the pull request exists and does not show it yet.
    #[error("the pull request of `{branch}` is not shown yet")]
    Unseen { branch: String },
}

impl ForgeError {
    /// Whether the same call may succeed later without a human.
    pub fn retry(&self) -> bool {
        matches!(
            self,
            Self::Stopped
                | Self::Vault(_)
                | Self::Unreachable { .. }
                | Self::Limited { .. }
                | Self::Unseen { .. }
        )
    }

    /// The time before which there is no use in trying again, where the forge named one.
    pub fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::Limited { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// What a human can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotFound { key } => {
                format!("restore `{key}` (a note of the vault from its history), or start a new run")
            }
            Self::Note { .. } => "mend the note's front matter and `ado:` markers".into(),
            Self::Unreadable { .. } => {
                "mend the note's front matter, or restore it from the vault's history".into()
            }
            Self::Stopped => "nothing; it is tried again".into(),
            Self::Vault(_) => "mend what the message names; it is tried again at the next look".into(),
            Self::Doubled { .. } => "delete one of the two notes or change its `pr` property".into(),
            Self::NoSecret { variable } => {
                format!(
                    "set `{variable}` where ado-vault is started, or name another variable in the repository note"
                )
            }
            Self::Unusable { .. } => "correct the repository note or the variable that it names".into(),
            Self::Unreachable { .. } | Self::Limited { .. } | Self::Unseen { .. } => {
                "nothing; it is tried again".into()
            }
            Self::Refused { status: 401, .. } => "give a token that is valid, and start again".into(),
            Self::Refused { status: 403, .. } => {
                "give the token or app the right that is missing; docs/github.md lists those needed".into()
            }
            Self::Refused { status: 404, .. } => {
                "check `slug` in the repository note, and that the token may see the repository".into()
            }
            Self::Refused { .. } => "mend what the forge names".into(),
        }
    }
}
