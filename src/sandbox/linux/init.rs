//! Process 1 of a box: builds it, gives up every right, starts the command and reaps. When it ends the kernel kills what
//! is left in the box. Does not know the machine outside, which it can no longer see.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitOptions, wait};

use super::super::job::{Job, Message, Namespaces};
use super::super::report::Layer;
use super::channel::{At, Channel, Failure, checked, write_once};
use super::identity::{Identity, drop_capabilities};
use super::supervise::Prepared;
use super::{filter, fs_rules, inspect, limits, mounts};

/// Builds the box, runs the command in it and waits for it. `alive` is at its end when the supervisor is gone.
pub(super) fn main(channel: &Channel, prepared: Prepared, alive: &OwnedFd) -> ! {
    let root = matches!(prepared.identity, Identity::Dropped { .. });
    let look = |outside: &Namespaces, landlock| inspect::box_layers(outside, landlock, root);
    let done =
        build(channel, &prepared, alive).and_then(|landlock| start(channel, &prepared.job, landlock, look));
    match done {
        Ok(command) => channel.say(&reap(command)),
        Err(failure) => channel.fail(failure),
    }
    leave(0)
}

fn build(channel: &Channel, prepared: &Prepared, alive: &OwnedFd) -> Result<Layer, Failure> {
    let Prepared { job, identity, .. } = prepared;
    // When the machine runs out of memory, the box goes first. Some containers forbid it, which is no reason to refuse.
    let _ = write_once("/proc/self/oom_score_adj", "1000");
    // SAFETY: this process has one thread.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into()).at("mount namespace", "unshare")?;
    mounts::enter(prepared)?;
    raise_loopback().at("network namespace", "raise the loopback interface")?;
    open_ports(channel, job)?;
    rustix::system::sethostname(b"sandbox").at("host name namespace", "set the name")?;
    identity.become_nobody()?;
    drop_capabilities()?;
    die_with_supervisor(alive)?;
    let landlock = fs_rules::restrict(job)?;
    filter::forbid()?;
    Ok(landlock)
}

/// Listens where the parent answers, and gives it the listeners.
pub(super) fn open_ports(channel: &Channel, job: &Job) -> Result<(), Failure> {
    for (layer, port) in [("proxy", job.proxy), ("inlet", job.inlet)] {
        let Some(port) = port else { continue };
        // The parent accepts what comes in here: a socket belongs to the network in which it was made.
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).at(layer, "listen")?;
        channel.hand_over(listener.as_fd()).at(layer, "hand the listener over")?;
    }
    Ok(())
}

/// After the last change of user, which would undo it.
fn die_with_supervisor(alive: &OwnedFd) -> Result<(), Failure> {
    const LAYER: &str = "supervision";
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).at(LAYER, "ask")?;
    let mut ends = [PollFd::from_borrowed_fd(alive.as_fd(), PollFlags::HUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut ends, Some(&now)).at(LAYER, "look for the supervisor")? > 0 {
        leave(1);
    }
    Ok(())
}

/// Starts the command, or looks around when that is the job.
pub(super) fn start(
    channel: &Channel,
    job: &Job,
    landlock: Layer,
    look: impl FnOnce(&Namespaces, Layer) -> Vec<Layer>,
) -> Result<i32, Failure> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // Before the command exists: it must not look into its init. What it executes is its own to look into again.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at("init", "hide")?;
    // SAFETY: this process has one thread, so the child may go on as if it were the only one.
    let child = checked(unsafe { libc::fork() }.into()).at("command", "fork")?;
    if child != 0 {
        // The input is the command's alone.
        // SAFETY: nothing in this process uses the standard descriptors from here on.
        unsafe {
            libc::close(0);
            libc::close(1);
            libc::close(2);
        }
        return Ok(child as i32);
    }
    if let Err(error) = limits::limit(&job.limits) {
        channel.fail(Failure { layer: "limits", reason: error.to_string() });
    } else if let Some(outside) = &job.probe {
        set_dumpable_behavior(DumpableBehavior::Dumpable).at("probe", "show itself")?;
        channel.say(&Message::Seen { layers: look(outside, landlock) });
    } else {
        channel.say(&Message::NoProgram { reason: become_command(job) });
    }
    leave(127)
}

/// Returns only when it cannot be done, with the reason.
fn become_command(job: &Job) -> String {
    if let Err(error) = rustix::process::chdir(&job.cwd) {
        return format!("cannot enter `{}` inside the sandbox: {error}", job.cwd.display());
    }
    // A session of its own, without a terminal. It can only fail where it already is one.
    let _ = rustix::process::setsid();
    restore_signals();
    let text =
        |bytes: &[u8]| CString::new(bytes).map_err(|_| "a NUL byte in an argument or variable".to_owned());
    let arguments = job.argv.iter().map(|argument| text(argument.as_bytes())).collect::<Result<Vec<_>, _>>();
    let variables = job.env.iter().map(|(name, value)| text(format!("{name}={value}").as_bytes()));
    let (arguments, variables) = match (arguments, variables.collect::<Result<Vec<_>, _>>()) {
        (Ok(arguments), Ok(variables)) => (arguments, variables),
        (Err(reason), _) | (_, Err(reason)) => return reason,
    };
    let pointers = |texts: &[CString]| {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (argv, envp) = (pointers(&arguments), pointers(&variables));
    let mut reason = "not found in the `PATH` of the sandbox".to_owned();
    for path in candidates(job) {
        let Ok(path) = text(path.as_os_str().as_bytes()) else { continue };
        // SAFETY: both lists end in a null pointer and their texts live on; on success nothing here goes on.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::NotFound || job.argv.first().is_some_and(|name| name.contains('/'))
        {
            reason = error.to_string();
        }
    }
    reason
}

/// Where the program may be: as named, or in each folder of `PATH`.
fn candidates(job: &Job) -> Vec<PathBuf> {
    let name = job.argv.first().map(String::as_str).unwrap_or_default();
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    let path = job.env.get("PATH").map(String::as_str).unwrap_or_default();
    path.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(name)).collect()
}

/// As a fresh shell would have them; Rust programs ignore `SIGPIPE`.
fn restore_signals() {
    // SAFETY: sets plain default actions and an empty mask in a process with one thread.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Waits for the command, burying orphans meanwhile.
pub(super) fn reap(command: i32) -> Message {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_pid() == command => {
                return Message::Done { code: status.exit_status(), signal: status.terminating_signal() };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Message::Done { code: None, signal: None },
        }
    }
}

/// The network namespace has a loopback interface and nothing else; test suites want it up.
fn raise_loopback() -> io::Result<()> {
    // SAFETY: the request is a local that outlives both calls; its name is shorter than the field.
    unsafe {
        let socket = checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0).into())?;
        let socket = <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(socket as i32);
        let mut request = std::mem::zeroed::<libc::ifreq>();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        checked(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request).into())?;
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        checked(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request).into())?;
    }
    Ok(())
}

/// Ends without running what the parent's copy of this process had planned for its end.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: ends this process.
    unsafe { libc::_exit(code) }
}
