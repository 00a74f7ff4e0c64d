//! Removes the temporary files that a killed process left in the vault.
//!
//! Leaves those alone in which a note may be: they are listed with the kept files.

use walkdir::WalkDir;

use super::foreign::is_ignored_folder;
use super::kept::temporaries;
use super::place::is_temporary;
use super::{Vault, VaultError, VaultLock, place};

/// Removes them. Only where no other process of this vault writes: under its lock, at the start of an engine.
pub fn sweep_temporaries(_lock: &VaultLock, vault: &Vault) -> Result<(), VaultError> {
    let owed = temporaries(vault)?;
    let worktrees = vault.root().join(".ado/worktrees");
    let walk = WalkDir::new(vault.root()).follow_links(false).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        let is_looked_into = entry.depth() == 0 || name == ".ado" || !is_ignored_folder(&name);
        let is_worktrees = entry.path() == worktrees;
        !entry.file_type().is_dir() || (is_looked_into && !is_worktrees)
    });
    // What cannot be listed now is swept at another start.
    for entry in walk.flatten() {
        let is_left = entry.file_type().is_file() && is_temporary(entry.file_name());
        if is_left && !owed.contains(entry.file_name()) {
            place::remove(entry.path())?;
        }
    }
    Ok(())
}
