//! Open handles on the vault's repository, used again for a moment: opening one reads three configuration files and looks
//! for packs.
//!
//! References, objects and configuration that other programs change are seen through a handle that is open already; a
//! repository that was replaced, or whose own configuration was, is opened anew.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use git2::Repository;

use super::super::VaultError;
use super::repository::History;

/// How long a handle is used.
const FRESH: Duration = Duration::from_secs(1);

/// Handles that nobody uses now.
#[derive(Default)]
pub(super) struct Handles(Mutex<Vec<Open>>);

struct Open {
    repository: Repository,
    since: Instant,
    state: State,
}

/// Which repository it is, and with which configuration.
type State = [Option<(u64, u64, i64, i64, u64)>; 2];

/// A repository to work with; for others again when it is dropped.
pub(super) struct Handle<'h> {
    open: Option<Open>,
    handles: &'h Handles,
}

impl History {
    pub(super) fn repository(&self) -> Result<Handle<'_>, VaultError> {
        let state = [state(&self.git_dir, false), state(&self.common_dir.join("config"), true)];
        let is_fresh = |open: &Open| open.since.elapsed() < FRESH && open.state == state;
        let idle = {
            let mut handles = self.handles.idle();
            handles.retain(is_fresh);
            handles.pop()
        };
        let open = match idle {
            Some(open) => open,
            None => Open { repository: self.open_anew()?, since: Instant::now(), state },
        };
        Ok(Handle { open: Some(open), handles: &self.handles })
    }

    pub(super) fn open_anew(&self) -> Result<Repository, VaultError> {
        Repository::open(&self.git_dir).map_err(|error| {
            VaultError::git(format!("open the repository `{}`", self.git_dir.display()), error)
        })
    }
}

/// A folder is the same as long as it was not replaced, a file as long as it was not written.
fn state(path: &Path, is_file: bool) -> Option<(u64, u64, i64, i64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    Some(match is_file {
        true => (device, inode, metadata.mtime(), metadata.mtime_nsec(), metadata.size()),
        false => (device, inode, 0, 0, 0),
    })
}

impl Handles {
    fn idle(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handles").field(&self.idle().len()).finish()
    }
}

impl Deref for Handle<'_> {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.open.as_ref().expect("it is given back only when it is dropped").repository
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        self.handles.idle().extend(self.open.take());
    }
}
