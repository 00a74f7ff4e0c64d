//! How the child reads its job and speaks to its parent. Does not judge what is said.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::super::job::{Job, Message};

/// A layer that could not be built.
#[derive(Debug)]
pub(super) struct Failure {
    pub layer: &'static str,
    pub reason: String,
}

/// Names the layer and the act of an error.
pub(super) trait At<T> {
    fn at(self, layer: &'static str, act: impl Display) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, layer: &'static str, act: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure { layer, reason: format!("{act}: {}", error.into()) })
    }
}

/// Turns the answer of a system call that says −1 for an error.
pub(super) fn checked(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Takes over the inherited descriptor and closes all others but the standard three.
    pub(super) fn inherited(fd: i32) -> io::Result<Self> {
        if fd < 3 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: only sets a flag of a descriptor; a missing one is an error.
        checked(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
        for (first, last) in [(3, fd as u32 - 1), (fd as u32 + 1, libc::c_uint::MAX)] {
            if first <= last {
                // SAFETY: closes descriptors that this fresh process has not opened for itself.
                checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
            }
        }
        // SAFETY: the descriptor is open, as just seen, and nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// A parent that is gone cannot be told anything, so a failing write is no error.
    pub(super) fn say(&self, message: &Message) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            let mut rest = line.as_slice();
            while !rest.is_empty() {
                match rustix::io::write(&self.0, rest) {
                    Ok(0) | Err(_) => break,
                    Ok(written) => rest = &rest[written..],
                }
            }
        }
    }

    /// Gives the parent a descriptor, with an empty line.
    pub(super) fn hand_over(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&self.0, &[io::IoSlice::new(b"\n")], &mut control, SendFlags::empty())?;
        Ok(())
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.say(&Message::Failed { layer: failure.layer.into(), reason: failure.reason });
    }
}

/// Reads exactly the job, so that what follows is the command's own input.
pub(super) fn read_job() -> io::Result<Job> {
    // SAFETY: descriptor 0 stays open for the command; `ManuallyDrop` keeps this file from closing it.
    let mut input = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(0) });
    let mut length = 0_usize;
    loop {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => break,
            digit @ b'0'..=b'9' if length < 1 << 24 => length = length * 10 + usize::from(digit - b'0'),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no job")),
        }
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Writes a small file of the kernel in one call, as those files want it.
pub(super) fn write_once(path: &str, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}
