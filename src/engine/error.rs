//! What can go wrong while looking at or changing the vault and the repositories.

use crate::domain::{Diagnostic, InvalidId};
use crate::forge::ForgeError;
use crate::note::EditError;
use crate::sandbox::SandboxError;
use crate::vault::{StoreError, VaultError};
use crate::workspace::WorkspaceError;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// The vault's git repository cannot take a commit now.
    #[error("the vault's history cannot be written: {0}")]
    HistoryBlocked(String),
    /// The vault's folder or disk takes nothing now; the text says why and what to do.
    #[error("{0}")]
    Unwritable(String),
    /// Another machine may be at work on it.
    #[error(
        "cannot claim {run} for this machine, so its work does not begin; where no other machine works on this vault, set \
         `sync_remote: false` in `00_system/Settings.md`"
    )]
    NotClaimed { run: String, source: VaultError },
    /// A run that the journals do not have.
    #[error("run `{0}` is not in the journals")]
    NoSuchRun(String),
    #[error("feature `{0}` is not in the vault; `ado-vault status` lists all")]
    NoSuchFeature(String),
    /// Settings or policies cannot be used at the start.
    #[error("{}", list(.0))]
    InvalidConfig(Vec<Diagnostic>),
    #[error("repository `{0}` has no note in the repositories folder")]
    NoSuchRepository(String),
    /// A pull request that cannot be reviewed as it is asked for.
    #[error("{what}; {remedy}")]
    NotReviewed { what: String, remedy: String },
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot listen at {address}; another program may, or the address is not this machine's")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("a background task ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl EngineError {
    pub(super) fn not_reviewed(what: String, remedy: &str) -> Self {
        Self::NotReviewed { what, remedy: remedy.to_owned() }
    }

    /// Whether the same effect may succeed later without a human.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Workspace(error) => error.retry(),
            Self::Forge(error) => error.retry(),
            Self::HistoryBlocked(_) | Self::Vault(_) | Self::Task(_) | Self::NotClaimed { .. } => true,
            _ => false,
        }
    }

    /// The time before which there is no use in trying again, where one was named.
    pub fn not_before(&self) -> Option<jiff::Timestamp> {
        match self {
            Self::Forge(error) => error.not_before(),
            _ => None,
        }
    }

    /// The error with its causes and what to do about it.
    pub fn with_remedy(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            let said = source.to_string();
            if !text.contains(&said) {
                text = format!("{text}: {said}");
            }
            cause = source.source();
        }
        match self {
            Self::Workspace(error) => format!("{text}; {}", error.remedy()),
            Self::Forge(error) => format!("{text}; {}", error.remedy()),
            _ => text,
        }
    }
}

impl<E> From<StoreError<E>> for EngineError
where
    E: Into<EngineError>,
{
    fn from(error: StoreError<E>) -> Self {
        match error {
            StoreError::Edit(edit) => edit.into(),
            StoreError::Vault(vault) => Self::Vault(vault),
        }
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
