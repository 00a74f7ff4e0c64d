//! Saves that came late, into files that an edit had swapped out, are brought into their notes while the engine works.
//!
//! Does not know how they are found and merged; the vault room does.

use std::time::Duration;

use super::event_loop::Engine;
use super::{EngineError, Said};
use crate::domain::Settings;
use crate::vault::VaultLock;

impl Engine {
    /// Merges late saves and commits them as the human's: what stands in a commit no later save can take away. Says
    /// whether there were any.
    pub(super) fn take_late_saves(&mut self, settings: &Settings) -> Result<bool, EngineError> {
        let quiet = Duration::from_secs(settings.quiet_seconds);
        if !self.sweeper.is_due(quiet)? || self.history.blocked().is_some() {
            return Ok(false);
        }
        let lock = VaultLock::acquire(&self.vault)?;
        let written = self.sweeper.sweep(&lock, quiet)?;
        for copy in written.iter().filter(|path| path.file_name().contains(" (conflicted copy ")) {
            let what = format!(
                "`{copy}` holds a late save that could not be merged; take over what is missing, then delete it"
            );
            self.say(&Said::Problem { what });
        }
        if !written.is_empty() {
            self.history.commit_human(&lock, &written)?;
        }
        Ok(!written.is_empty())
    }
}
