//! Limits over everything in a box together, by control groups where this machine lets ado-vault make some: those of
//! version 2 where they are delegated, else the controllers of version 1. Does not measure anything itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Limits;

/// Processes of a box besides the command's own: its supervisor and its init.
const OWN: u64 = 2;
const PREFIX: &str = "ado-vault-";

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Where groups for boxes can be made.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Groups {
    places: Vec<Place>,
    /// Bytes of this machine's memory.
    memory: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Our groups are made in it.
    folder: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Version 2, both limits.
    Unified,
    Processes,
    Memory,
}

impl Groups {
    /// Tries each place once, and clears away what a killed ado-vault left there.
    pub(in crate::sandbox) fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut places: Vec<Place> = vec![];
        for place in candidates(&own, &mounts) {
            let known = places.iter().any(|other| other.kind == place.kind || other.kind == Kind::Unified);
            if !known && place.works() {
                place.sweep();
                places.push(place);
            }
        }
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let memory = memory.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Self { places, memory: memory.unwrap_or(0) * 1024 }
    }

    /// Bytes that a box may hold in memory, when they can be limited.
    pub(in crate::sandbox) fn memory(&self, limits: &Limits) -> Option<u64> {
        let can = self.places.iter().any(|place| place.kind != Kind::Processes);
        let most = match limits.box_memory_bytes {
            0 => self.memory / 4 * 3,
            most => most,
        };
        (can && most > 0).then_some(most)
    }

    /// What limits processes and memory in sum.
    pub(in crate::sandbox) fn in_words(&self) -> (Option<&'static str>, Option<&'static str>) {
        let by = |kind: Kind| {
            let place = self.places.iter().find(|place| place.kind == kind || place.kind == Kind::Unified)?;
            Some(if place.kind == Kind::Unified {
                "control groups, version 2"
            } else {
                "control groups, version 1"
            })
        };
        (by(Kind::Processes), by(Kind::Memory))
    }

    /// A group for one box.
    ///
    /// # Errors
    /// When one that could be made before cannot be made now.
    pub(in crate::sandbox) fn open(&self, limits: &Limits) -> io::Result<Group> {
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut group = Group { folders: vec![] };
        for place in &self.places {
            let folder = place.folder.join(&name);
            fs::create_dir(&folder)?;
            group.folders.push(folder.clone());
            if place.kind != Kind::Memory {
                fs::write(folder.join("pids.max"), (limits.processes + OWN).to_string())?;
            }
            if let (true, Some(most)) = (place.kind != Kind::Processes, self.memory(limits)) {
                let unified = place.kind == Kind::Unified;
                let file = if unified { "memory.max" } else { "memory.limit_in_bytes" };
                fs::write(folder.join(file), most.to_string())?;
                // Without swap the file is missing.
                let _ = unified.then(|| fs::write(folder.join("memory.swap.max"), "0"));
            }
        }
        Ok(group)
    }
}

impl Place {
    /// Whether a group can be made here that limits what it should.
    fn works(&self) -> bool {
        let name = format!("{PREFIX}{}-try", std::process::id());
        let folder = self.folder.join(name);
        if fs::create_dir(&folder).is_err() {
            return false;
        }
        let files: &[&str] = match self.kind {
            Kind::Unified => &["memory.max", "pids.max"],
            Kind::Processes => &["pids.max"],
            Kind::Memory => &["memory.limit_in_bytes"],
        };
        let can_write = |path: PathBuf| fs::OpenOptions::new().write(true).open(path).is_ok();
        let limits = files.iter().all(|file| can_write(folder.join(file)));
        // Moving a process needs the right to write there too.
        let moves = can_write(folder.join("cgroup.procs")) && can_write(self.folder.join("cgroup.procs"));
        let removed = fs::remove_dir(&folder).is_ok();
        limits && moves && removed
    }

    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner =
                name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
            if owner.is_some_and(|pid: u32| !Path::new(&format!("/proc/{pid}")).exists()) {
                // Still in use is all the same: the next start looks again.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// Own group and, for version 2, those above it that hand both controllers on, nearest first.
fn candidates(own: &str, mounts: &str) -> Vec<Place> {
    let mut found = vec![];
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            let Some(root) = mounted(mounts, "cgroup2", None) else { continue };
            let folders = root.join(path);
            let above = folders.ancestors().take_while(|folder| folder.starts_with(&root));
            found.extend(above.map(|folder| Place { folder: folder.to_owned(), kind: Kind::Unified }));
        }
        for (controller, kind) in [("pids", Kind::Processes), ("memory", Kind::Memory)] {
            if controllers.split(',').any(|one| one == controller)
                && let Some(root) = mounted(mounts, "cgroup", Some(controller))
            {
                found.push(Place { folder: root.join(path), kind });
            }
        }
    }
    found.sort_by_key(|place| place.kind != Kind::Unified);
    found
}

/// Where a file system of this type, with this option, is mounted.
fn mounted(mounts: &str, kind: &str, option: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let (found, _, options) = (after.next()?, after.next()?, after.next()?);
        let has = option.is_none_or(|option| options.split(',').any(|one| one == option));
        (found == kind && has).then(|| before.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

/// The groups of one box. Removed when dropped.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    /// Takes a process in, with all that it starts from now on.
    ///
    /// # Errors
    /// When the process is gone or may not be moved.
    pub(in crate::sandbox) fn take(&self, pid: u32) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), pid.to_string()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Processes that were killed leave a moment later; what stays is swept at the next start.
            let _ = (0..1000).any(|_| {
                let removed = fs::remove_dir(folder).is_ok();
                if !removed {
                    std::thread::yield_now();
                }
                removed
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        25 1 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        26 25 0:21 / /sys/fs/cgroup/pids rw,nosuid shared:5 - cgroup cgroup rw,pids\n\
        27 25 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        28 25 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn version_2_is_looked_for_from_the_own_group_upwards_and_before_version_1() {
        let own = "8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/user.slice/x.scope\n";
        let found: Vec<_> = candidates(own, MOUNTS)
            .into_iter()
            .map(|place| (place.folder.display().to_string(), place.kind))
            .collect();
        let at = |path: &str| format!("/sys/fs/cgroup/{path}");
        assert_eq!(
            found,
            [
                (at("unified/user.slice/x.scope"), Kind::Unified),
                (at("unified/user.slice"), Kind::Unified),
                (at("unified"), Kind::Unified),
                (at("pids/"), Kind::Processes),
                (at("memory/a/b"), Kind::Memory),
            ]
        );
        assert_eq!(candidates("0::/\n", ""), []);
    }
}
