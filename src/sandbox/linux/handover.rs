//! Gives worktrees to the sandbox's user where their file system cannot show them as that user's own, and takes them back.
//! Only root can, and only root needs it. Knows nothing of mounts beyond whether they can be mapped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use super::super::job::{Access, Job};
use super::channel::{At, Failure};
use super::identity::{Identity, OwnerMaps};
use super::mounts;

/// A tree that belongs to the sandbox's user for the time of the run.
#[derive(Debug)]
struct Given {
    path: PathBuf,
    owner: (u32, u32),
}

/// What was given away. A run that is killed before it takes a tree back leaves it with the sandbox's user, as which the
/// next run finds it; root reads and writes it all the same.
#[derive(Debug, Default)]
pub(super) struct HandedOver {
    given: Vec<Given>,
    to: (u32, u32),
}

impl HandedOver {
    /// Hands over every writable tree that cannot be mapped.
    pub(super) fn where_needed(job: &Job, identity: Identity, owners: &OwnerMaps) -> Result<Self, Failure> {
        let mut handed = Self { given: vec![], to: identity.ids() };
        let written = job.shows.iter().filter_map(|show| match &show.access {
            Access::Write => Some(&show.source),
            Access::Layered(upper) => Some(upper),
            _ => None,
        });
        for path in written {
            let named = || format!("give `{}` to the sandbox's user", path.display());
            let found = std::fs::metadata(path).at("owner mapping", named())?;
            let owner = (found.uid(), found.gid());
            let Some(map) = owners.of(owner) else { continue };
            if can_be_mapped(path, map).at("owner mapping", named())? {
                continue;
            }
            handed.given.push(Given { path: path.clone(), owner });
            if let Err(error) = give(path, owner, handed.to) {
                handed.take_back();
                return Err(error).at("owner mapping", named());
            }
        }
        Ok(handed)
    }

    /// A file that cannot be taken back stays readable and writable for root.
    pub(super) fn take_back(&self) {
        for given in &self.given {
            let _ = give(&given.path, self.to, given.owner);
        }
    }
}

fn can_be_mapped(path: &Path, map: BorrowedFd<'_>) -> io::Result<bool> {
    let copy = mounts::detached_copy(path)?;
    match mounts::set_attributes(copy.as_fd(), true, libc::MOUNT_ATTR_IDMAP, Some(map)) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Changes the owner of what belongs to `from` in a tree, never through a link and never on another file system.
fn give(path: &Path, from: (u32, u32), to: (u32, u32)) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(path).follow_root_links(false).same_file_system(true) {
        let entry = entry?;
        let found = entry.metadata()?;
        let (user, group) =
            ((found.uid() == from.0).then_some(to.0), (found.gid() == from.1).then_some(to.1));
        if user.is_some() || group.is_some() {
            lchown(entry.path(), user, group)?;
        }
    }
    Ok(())
}
