//! Whether the vault can be written now: a file system that is read-only or full is noticed before anything is half done.
//!
//! Does not know what will be written.

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use super::Vault;

/// Below these a transition may not find room for all that it writes.
const LEAST_BYTES: u64 = 2 * 1024 * 1024;
const LEAST_FILES: u64 = 64;

impl Vault {
    /// Why nothing can be written now, and what to do; `None` when it can.
    pub fn unwritable(&self) -> Option<String> {
        let root = self.root();
        let said = |what: &str, remedy: &str| {
            Some(format!("{what} `{}`; {remedy}, then work goes on by itself", root.display()))
        };
        // A folder that cannot even be asked is found by whoever reads it.
        let system = statvfs(root).ok()?;
        if system.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return said("the file system is read-only at", "make it writable");
        }
        if access(root, Access::WRITE_OK).is_err() {
            return said("this user may not write", "allow it");
        }
        if system.f_bavail.saturating_mul(system.f_frsize) < LEAST_BYTES {
            return said("hardly any space is left on the disk of", "free some space");
        }
        // Some file systems count no files.
        if system.f_files > 0 && system.f_favail < LEAST_FILES {
            return said("hardly any files can be made on the disk of", "remove some files");
        }
        None
    }
}
