//! Process 1 of a container: says what it finds, opens the ways out, gives up what the container's program left it and
//! starts the command. When it ends the kernel kills what is left. Builds no walls: those are the container's.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};

use super::super::job::Job;
use super::channel::{At, Channel, Failure, read_job};
use super::{filter, fs_rules, init, inspect};

/// Variables that a container's program may add from the machine's own settings, where they may hold a password.
const NOT_KEPT: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"];

/// Reads the job, runs the command and waits for it. `door` is the socket at which the parent listens. Never returns.
pub(in crate::sandbox) fn main(door: &str) -> ! {
    let channel = UnixStream::connect(door).and_then(|stream| Channel::inherited(stream.into_raw_fd()));
    let Ok(channel) = channel else { std::process::exit(2) };
    match start(&channel) {
        Ok(command) => {
            end_with_parent(&channel);
            channel.say(&init::reap(command));
        }
        Err(failure) => channel.fail(failure),
    }
    init::leave(0)
}

fn start(channel: &Channel) -> Result<i32, Failure> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let mut job = read_job().at("job", "read")?;
    with_variables_of_image(&mut job);
    init::open_ports(channel, &job)?;
    let landlock = fs_rules::restrict(&job)?;
    filter::forbid()?;
    init::start(channel, &job, landlock, inspect::container_layers)
}

/// The job's own variables win.
fn with_variables_of_image(job: &mut Job) {
    for (name, value) in std::env::vars_os() {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
        if !NOT_KEPT.contains(&name.to_lowercase().as_str()) {
            job.env.entry(name).or_insert(value);
        }
    }
}

/// Leaves, and so ends the container, as soon as the parent closes its end or is gone.
fn end_with_parent(channel: &Channel) {
    let fd = channel.fd().as_raw_fd();
    std::thread::spawn(move || {
        // SAFETY: the descriptor stays open until this process ends.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        let mut ends = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::RDHUP | PollFlags::HUP)];
        while poll(&mut ends, None).is_err() {}
        init::leave(1)
    });
}
