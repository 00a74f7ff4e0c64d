//! Escape attempts that need a system call rather than a shell. They do no harm: they act on themselves, their own child or
//! what their caller set up. Exit code 0 is an escape.

use std::ffi::CString;
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// Runs the named probe and gives the exit code to end with.
pub(super) fn run(arguments: &[String]) -> i32 {
    let Some((name, rest)) = arguments.split_first() else { return 2 };
    let text = rest.first().map(String::as_str).unwrap_or_default();
    let numbers: Vec<i64> = rest.iter().filter_map(|number| number.parse().ok()).collect();
    match attempt(name, text, &numbers) {
        Ok(true) => 0,
        Ok(false) => 2,
        Err(error) => {
            eprintln!("{name}: {error}");
            1
        }
    }
}

/// Whether the name is known; an error is an attempt that was stopped.
fn attempt(name: &str, text: &str, numbers: &[i64]) -> io::Result<bool> {
    // SAFETY: each call gets plain numbers, null pointers where the kernel allows them, or buffers that outlive it.
    unsafe {
        match name {
            // Nothing forbidden: proves that probes run at all.
            "nothing" => {}
            "connect-unix" => drop(UnixStream::connect(text)?),
            "connect-abstract" => drop(UnixStream::connect_addr(&SocketAddr::from_abstract_name(text)?)?),
            "connect-tcp" => drop(TcpStream::connect(text)?),
            "send-udp" => drop(UdpSocket::bind("127.0.0.1:0")?.send_to(b"out", text)?),
            "create-setuid" => {
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o4755).open(text)?;
            }
            "socket" => {
                let [domain, kind, protocol] = numbers else { return Ok(false) };
                call(libc::SYS_socket, [*domain, *kind, *protocol, 0, 0])?;
            }
            "ptrace" => {
                on_own_child(|child| call(libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), child, 0, 0, 0]))?
            }
            "vm-readv" => {
                let (mut here, there) = ([0_u8; 8], [7_u8; 8]);
                let ours = libc::iovec { iov_base: here.as_mut_ptr().cast(), iov_len: 8 };
                let theirs = libc::iovec { iov_base: there.as_ptr().cast_mut().cast(), iov_len: 8 };
                on_own_child(|child| {
                    checked(libc::process_vm_readv(child as i32, &raw const ours, 1, &raw const theirs, 1, 0)
                        as i64)
                })?;
            }
            "pidfd-getfd" => on_own_child(|child| {
                let pidfd = call(libc::SYS_pidfd_open, [child, 0, 0, 0, 0])?;
                call(libc::SYS_pidfd_getfd, [pidfd, 2, 0, 0, 0])
            })?,
            "io-uring" => {
                let mut parameters = [0_u8; 120];
                call(libc::SYS_io_uring_setup, [1, parameters.as_mut_ptr() as i64, 0, 0, 0])?;
            }
            "unshare-user" => drop(call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0])?),
            "clone-user" => {
                let flags = i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
                if call(libc::SYS_clone, [flags, 0, 0, 0, 0])? == 0 {
                    libc::_exit(0);
                }
            }
            "clone3-user" => {
                let mut arguments = [0_u64; 11];
                arguments[0] = libc::CLONE_NEWUSER as u64;
                arguments[4] = libc::SIGCHLD as u64;
                if call(libc::SYS_clone3, [arguments.as_ptr() as i64, 88, 0, 0, 0])? == 0 {
                    libc::_exit(0);
                }
            }
            "mount" => {
                // In a mount namespace of its own where that is allowed, so that nobody else sees the mount.
                let flags = i64::from(libc::CLONE_NEWNS);
                call(libc::SYS_unshare, [flags, 0, 0, 0, 0])?;
                let root = c"/".as_ptr() as i64;
                call(libc::SYS_mount, [0, root, 0, (libc::MS_REC | libc::MS_PRIVATE) as i64, 0])?;
            }
            "fsopen" => drop(call(libc::SYS_fsopen, [c"tmpfs".as_ptr() as i64, 0, 0, 0, 0])?),
            "tiocsti" => type_into_terminal()?,
            "handle" => {
                let mut handle = [0_u32; 34];
                handle[0] = 128;
                let (mut mount, here) = (0_i32, i64::from(libc::AT_FDCWD));
                let pointer = handle.as_mut_ptr() as i64;
                let path = c".".as_ptr() as i64;
                call(libc::SYS_name_to_handle_at, [here, path, pointer, &raw mut mount as i64, 0])?;
                call(libc::SYS_open_by_handle_at, [here, pointer, libc::O_RDONLY.into(), 0, 0])?;
            }
            "keyctl" => drop(call(libc::SYS_keyctl, [0, -4, 1, 0, 0])?),
            "bpf" => {
                // BPF_MAP_CREATE of an array of one number.
                let map = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                call(libc::SYS_bpf, [0, map.as_ptr() as i64, 72, 0, 0])?;
            }
            "perf" => {
                // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, user space only.
                let mut event = [0_u32; 32];
                (event[0], event[1], event[2]) = (1, 128, 9);
                event[10] = 0b110_0000;
                call(libc::SYS_perf_event_open, [event.as_ptr() as i64, 0, -1, -1, 0])?;
            }
            "userfaultfd" => drop(call(libc::SYS_userfaultfd, [1, 0, 0, 0, 0])?),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// # Safety
/// As the system call itself.
unsafe fn call(number: libc::c_long, arguments: [i64; 5]) -> io::Result<i64> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the caller's promise.
    checked(unsafe { libc::syscall(number, a, b, c, d, e) })
}

fn checked(answer: i64) -> io::Result<i64> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Tries something on a child that only waits, and ends it.
fn on_own_child(act: impl FnOnce(i64) -> io::Result<i64>) -> io::Result<()> {
    // SAFETY: the program has one thread; the child calls nothing but `pause`.
    let child = checked(unsafe { libc::fork() }.into())?;
    if child == 0 {
        // SAFETY: as above; the parent's death ends the wait.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
    let done = act(child);
    // SAFETY: ends and reaps the child made above.
    unsafe {
        libc::kill(child as libc::pid_t, libc::SIGKILL);
        libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), libc::__WALL);
    }
    done.map(drop)
}

/// Types one letter into a terminal of its own.
///
/// # Safety
/// None needed of the caller; the calls are plain.
unsafe fn type_into_terminal() -> io::Result<()> {
    // SAFETY: plain calls on descriptors opened here; the buffer outlives them.
    unsafe {
        let master = checked(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY).into())? as i32;
        checked(libc::grantpt(master).into())?;
        checked(libc::unlockpt(master).into())?;
        let mut name = [0 as libc::c_char; 64];
        checked(-i64::from(libc::ptsname_r(master, name.as_mut_ptr(), name.len())))?;
        let path = CString::from(std::ffi::CStr::from_ptr(name.as_ptr()));
        // Opened by the leader of a session without a terminal, it becomes that session's.
        libc::setsid();
        let slave = checked(libc::open(path.as_ptr(), libc::O_RDWR).into())? as i32;
        checked(libc::ioctl(slave, libc::TIOCSCTTY, 0).into())?;
        checked(libc::ioctl(slave, libc::TIOCSTI, c"x".as_ptr()).into())?;
    }
    Ok(())
}
