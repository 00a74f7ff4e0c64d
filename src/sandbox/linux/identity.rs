//! Who the command is: never root where root can be given up. Knows nothing of files but who owns them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::channel::{At, Failure, checked, write_once};

/// User and group of commands when `ado-vault` runs as root. Lies between the ranges that systemd and distributions
/// give to people, services and containers (<https://systemd.io/UIDS-GIDS>), and within what containers usually map.
const NOBODY_ELSE: u32 = 61_100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Started as root: namespaces are made as root, then everything is given up.
    Dropped { id: u32 },
    /// Started as an ordinary user, who stays that user.
    Own { uid: u32, gid: u32 },
}

impl Identity {
    pub(super) fn choose() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let mapped = |path: &str| {
            std::fs::read_to_string(path).is_ok_and(|map| map.lines().any(|line| maps(line, NOBODY_ELSE)))
        };
        if uid == 0 && mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map") {
            Self::Dropped { id: NOBODY_ELSE }
        } else {
            Self::Own { uid, gid }
        }
    }

    pub(super) fn ids(self) -> (u32, u32) {
        match self {
            Self::Dropped { id } => (id, id),
            Self::Own { uid, gid } => (uid, gid),
        }
    }

    /// A user namespace that knows nobody but this one.
    pub(super) fn enter_user_namespace(self) -> Result<(), Failure> {
        const LAYER: &str = "user namespace";
        // SAFETY: this process has one thread, so no other thread sees a half-changed state.
        checked(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into()).at(LAYER, "unshare")?;
        let (uid, gid) = self.ids();
        write_once("/proc/self/setgroups", "deny").at(LAYER, "forbid setgroups")?;
        write_once("/proc/self/uid_map", &format!("{uid} {uid} 1")).at(LAYER, "map the user")?;
        write_once("/proc/self/gid_map", &format!("{gid} {gid} 1")).at(LAYER, "map the group")
    }

    /// Does something as the user whose files mapped mounts show, with every right of this process: a mapped mount knows
    /// no root that could make files in it.
    pub(super) fn as_owner<T>(self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Self::Dropped { id } = self else { return act() };
        let sets = rustix::thread::capabilities(None)?;
        // SAFETY: plain calls that change this single-threaded process alone; both are undone below.
        unsafe {
            libc::setfsgid(id);
            libc::setfsuid(id);
        }
        let done = rustix::thread::set_capabilities(None, sets).map_err(io::Error::from).and_then(|()| act());
        // SAFETY: as above.
        unsafe {
            libc::setfsuid(0);
            libc::setfsgid(0);
        }
        rustix::thread::set_capabilities(None, sets)?;
        done
    }

    /// Gives up root, when started as root, for good.
    pub(super) fn become_nobody(self) -> Result<(), Failure> {
        const LAYER: &str = "user";
        let Self::Dropped { id } = self else { return Ok(()) };
        // SAFETY: plain system calls that change this single-threaded process alone.
        unsafe {
            checked(libc::setgroups(0, std::ptr::null()).into()).at(LAYER, "drop groups")?;
            checked(libc::setresgid(id, id, id).into()).at(LAYER, "drop the group")?;
            checked(libc::setresuid(id, id, id).into()).at(LAYER, "drop the user")?;
            checked(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0).into()).at(LAYER, "own /proc/self")?;
        }
        self.enter_user_namespace()
    }
}

/// Whether a line of `uid_map` holds this id.
fn maps(line: &str, id: u32) -> bool {
    let mut fields = line.split_whitespace().map(str::parse::<u64>);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) => {
            (first..first.saturating_add(count)).contains(&id.into())
        }
        _ => false,
    }
}

/// All capabilities, now and for whatever is executed later.
pub(super) fn drop_capabilities() -> Result<(), Failure> {
    const LAYER: &str = "capabilities";
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(63);
    for capability in 0..=last {
        // SAFETY: takes plain numbers.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as libc::c_ulong, 0, 0, 0) };
        match checked(answer.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            other => other.at(LAYER, "shrink the bounding set")?,
        };
    }
    // SAFETY: takes plain numbers. Old kernels without ambient capabilities have none to clear.
    let _ = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
    .at(LAYER, "drop all")?;
    rustix::thread::set_no_new_privs(true).at("no new privileges", "set")
}

/// For each owner of a shown tree a user namespace that, put on a mount, shows that owner's files as the command's own.
#[derive(Debug, Default)]
pub(super) struct OwnerMaps(BTreeMap<(u32, u32), OwnedFd>);

impl OwnerMaps {
    /// Must run while this process still is root and sees the machine's `/proc`.
    pub(super) fn prepare<'a>(
        identity: Identity,
        sources: impl Iterator<Item = &'a Path>,
    ) -> Result<Self, Failure> {
        const LAYER: &str = "owner mapping";
        let Identity::Dropped { id } = identity else { return Ok(Self::default()) };
        let mut maps = BTreeMap::new();
        for source in sources {
            let found = std::fs::metadata(source).at(LAYER, format_args!("`{}`", source.display()))?;
            let owner = (found.uid(), found.gid());
            if owner != (id, id) && !maps.contains_key(&owner) {
                maps.insert(owner, mapping_namespace(owner, id).at(LAYER, "make the mapping")?);
            }
        }
        Ok(Self(maps))
    }

    pub(super) fn of(&self, owner: (u32, u32)) -> Option<BorrowedFd<'_>> {
        self.0.get(&owner).map(AsFd::as_fd)
    }
}

/// A user namespace in which `owner` stands for `id`. It needs a process to exist; that one waits to be killed.
fn mapping_namespace(owner: (u32, u32), id: u32) -> io::Result<OwnedFd> {
    // SAFETY: like fork, with a new user namespace for the child; this process has one thread. No stack is given, so the
    // child runs on a copy of this one, and calls nothing but `pause`.
    let child = checked(unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::CLONE_NEWUSER | libc::SIGCHLD,
            0_usize,
            0_usize,
            0_usize,
            0_usize,
        )
    })?;
    if child == 0 {
        // SAFETY: both are safe after fork; the parent's death ends the wait.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
    let opened = write_once(&format!("/proc/{child}/uid_map"), &format!("{} {id} 1", owner.0))
        .and_then(|()| write_once(&format!("/proc/{child}/gid_map"), &format!("{} {id} 1", owner.1)))
        .and_then(|()| File::open(format!("/proc/{child}/ns/user")));
    // SAFETY: ends and reaps the child made above and no other.
    unsafe {
        libc::kill(child as libc::pid_t, libc::SIGKILL);
        libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0);
    }
    opened.map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    use super::maps;

    #[test]
    fn a_map_line_holds_first_to_first_plus_count() {
        assert!(maps("         0          0 4294967295", 61_100));
        assert!(maps("61100 5 1", 61_100));
        assert!(!maps("0 1000 1", 61_100));
        assert!(!maps("0 0 61100", 61_100));
        assert!(!maps("", 61_100));
    }
}
