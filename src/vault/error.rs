//! What can go wrong with the vault on disk, each with the thing it happened to and what to do about it.
//!
//! Does not decide what follows from an error; callers do.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::InvalidId;

/// A failure of the vault room. Messages name the thing and, where a human can mend it, the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    #[error("no vault at `{}` or above it: no `*_system/Settings.md` there; make one with `ado-vault init`", dir.display())]
    NotAVault { dir: PathBuf },
    /// `action` completes "cannot …": `read`, `write`, `lock`.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` leads out of the vault through a symbolic link; replace the link by the file itself")]
    LeavesVault { path: String },
    #[error("`{path}` is not a regular file")]
    NotAFile { path: String },
    #[error("`{path}` has {bytes} bytes; notes over 1 MiB are left alone: split it")]
    TooLarge { path: String, bytes: u64 },
    #[error("`{path}` is not UTF-8 text (byte {byte}); save it as UTF-8")]
    NotText { path: String, byte: usize },
    #[error("`{path}` does not exist")]
    Missing { path: String },
    #[error("`{path}` exists already and is never overwritten; move or rename it first")]
    Exists { path: String },
    #[error("`{path}` kept changing while it was edited; it is tried again at the next look")]
    Busy { path: String },
    #[error(transparent)]
    InvalidPath(#[from] InvalidId),
    /// Another engine works on this vault.
    #[error("the vault is held by process {pid} ({what}); stop it first")]
    Held { pid: u32, what: String },
    #[error(
        "the vault's write lock stayed taken for {seconds} s (by {holder}); try again, or stop that process"
    )]
    LockTimeout { seconds: u64, holder: String },
    #[error("`{}` is not in a git repository; `ado-vault init` makes one", dir.display())]
    NoRepository { dir: PathBuf },
    /// No commit can be made now; the text says why and what to do.
    #[error("{why}")]
    Blocked { why: String },
    /// `action` completes "cannot …".
    #[error("cannot {action}")]
    Git {
        action: String,
        #[source]
        source: git2::Error,
    },
    #[error("cannot {action}: {output}; {remedy}")]
    Program { action: String, output: String, remedy: &'static str },
    #[error("`{path}` line {line} is not a journal record; restore the file from git history")]
    BadJournal {
        path: String,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
}

impl VaultError {
    /// Whether the disk, not this file, cannot take what was to be written.
    pub(crate) fn is_no_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem))
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn git(action: impl Into<String>, source: git2::Error) -> Self {
        Self::Git { action: action.into(), source }
    }
}

/// A failed edit: the vault's failure, or the edit function's own.
#[derive(Debug, thiserror::Error)]
pub enum StoreError<E> {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("{0}")]
    Edit(E),
}
