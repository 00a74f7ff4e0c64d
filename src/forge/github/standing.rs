//! Remembers over restarts how long a server asked not to be called. A cache: where it is missing or cannot be written,
//! the server says it again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::domain::ContentHash;

/// One file in the vault's cache folder for each server and account.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    file: Option<PathBuf>,
}

impl Standing {
    /// `account` tells accounts at one server apart; it is the name of a variable, never a secret.
    pub fn at(cache: &Path, base: &str, account: &str) -> Self {
        let name = ContentHash::of(format!("{base} {account}"));
        let short: String = name.as_str().chars().take(16).collect();
        Self { file: Some(cache.join("limits").join(short)) }
    }

    pub fn read(&self) -> Option<Timestamp> {
        std::fs::read_to_string(self.file.as_ref()?).ok()?.trim().parse().ok()
    }

    pub fn write(&self, not_before: Timestamp) {
        let Some(file) = &self.file else { return };
        let written = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = written.and_then(|()| std::fs::write(file, not_before.to_string())) {
            tracing::debug!(%error, "the limits of a forge are not remembered over a restart");
        }
    }
}
