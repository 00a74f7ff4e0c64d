//! The outermost process of a box: prepares what needs the rights it was started with, then watches. It ends the box when
//! its parent is gone. Does not build the box.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::super::job::{Access, Job};
use super::channel::{At, Channel, Failure, checked, read_job};
use super::handover::HandedOver;
use super::identity::{Identity, OwnerMaps};
use super::init;
use super::sockets;

/// How long after the wall time the box ends even if the parent does not ask for it.
const GRACE: Duration = Duration::from_secs(10);

/// Everything the init needs that only the supervisor could prepare.
pub(super) struct Prepared {
    pub job: Job,
    pub identity: Identity,
    pub owners: OwnerMaps,
    /// Sockets of the machine that have a path.
    pub sockets: Vec<PathBuf>,
}

/// Reads the job, builds the box and runs the command. `fd` is the inherited channel. Never returns.
pub(in crate::sandbox) fn child_main(fd: i32) -> ! {
    let Ok(channel) = Channel::inherited(fd) else { std::process::exit(2) };
    let code = match supervise(&channel) {
        Ok(()) => 0,
        Err(failure) => {
            channel.fail(failure);
            1
        }
    };
    std::process::exit(code)
}

fn supervise(channel: &Channel) -> Result<(), Failure> {
    rustix::process::setsid().at("session", "setsid")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let job = read_job().at("job", "read")?;
    let identity = Identity::choose();
    let owners = OwnerMaps::prepare(identity, owned(&job))?;
    let handed = HandedOver::where_needed(&job, identity, &owners)?;
    let sockets = sockets::bound();
    let done = run(channel, Prepared { job, identity, owners, sockets });
    handed.take_back();
    done
}

/// What of the machine is shown as the command's own.
fn owned(job: &Job) -> impl Iterator<Item = &Path> {
    job.shows.iter().flat_map(|show| {
        let upper = if let Access::Layered(upper) = &show.access { Some(upper.as_path()) } else { None };
        let is_owned = !matches!(show.access, Access::System | Access::Device);
        is_owned.then_some(show.source.as_path()).into_iter().chain(upper)
    })
}

fn run(channel: &Channel, prepared: Prepared) -> Result<(), Failure> {
    let wall = prepared.job.limits.wall;
    let identity = prepared.identity;
    if let Identity::Own { .. } = identity {
        identity.enter_user_namespace()?;
    }
    for (layer, flag) in [
        ("process namespace", libc::CLONE_NEWPID),
        ("network namespace", libc::CLONE_NEWNET),
        ("ipc namespace", libc::CLONE_NEWIPC),
        ("host name namespace", libc::CLONE_NEWUTS),
        ("cgroup namespace", libc::CLONE_NEWCGROUP),
    ] {
        // SAFETY: this process has one thread.
        checked(unsafe { libc::unshare(flag) }.into()).at(layer, "unshare")?;
    }
    let (alive, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("init", "pipe")?;
    // SAFETY: this process has one thread, so the child may go on as if it were the only one.
    let child = checked(unsafe { libc::fork() }.into()).at("init", "fork")?;
    if child == 0 {
        drop(held);
        init::main(channel, prepared, &alive);
    }
    drop(alive);
    drop(prepared);
    let child = Pid::from_raw(child as i32).expect("fork gives a positive number to the parent");
    watch(channel, child, wall.saturating_add(GRACE))
}

/// Until the init ends, the parent is gone or the time is over; then nothing of the box is left.
fn watch(channel: &Channel, child: Pid, wall: Duration) -> Result<(), Failure> {
    const LAYER: &str = "supervision";
    let init = pidfd_open(child, PidfdFlags::empty()).at(LAYER, "open the init")?;
    let limit = Timespec::try_from(wall).unwrap_or(Timespec { tv_sec: i64::from(i32::MAX), tv_nsec: 0 });
    let mut watched = [
        PollFd::new(&init, PollFlags::IN),
        PollFd::from_borrowed_fd(channel.fd(), PollFlags::RDHUP | PollFlags::HUP),
    ];
    let ended = poll(&mut watched, Some(&limit)).is_ok() && watched[0].revents().contains(PollFlags::IN);
    if !ended {
        // An init that ended meanwhile is all the same.
        let _ = rustix::process::pidfd_send_signal(&init, rustix::process::Signal::KILL);
    }
    waitpid(Some(child), WaitOptions::empty()).at(LAYER, "wait for the init")?;
    Ok(())
}
