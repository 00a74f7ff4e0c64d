//! The ways out of a box: takes the listeners that the box made and lets the proxy, or the caller's own server, answer
//! there for as long as the box runs. Does not decide what may be reached.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Channel;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinHandle;

use super::proxy::{Refusals, serve};
use super::{Inlet, Refusal};
use crate::domain::HostRule;

/// An open way out. Closed when dropped.
pub(super) struct Door {
    serving: JoinHandle<()>,
    refusals: Refusals,
}

impl Door {
    /// Nothing where no host is named and the caller answers nothing.
    pub(super) fn open(
        channel: &Channel,
        hosts: &[HostRule],
        inlet: Option<Inlet>,
    ) -> io::Result<Option<Self>> {
        if hosts.is_empty() && inlet.is_none() {
            return Ok(None);
        }
        let channel = channel.try_clone()?;
        channel.set_nonblocking(true)?;
        let channel = UnixStream::from_std(channel)?;
        let (refusals, rules) = (Refusals::default(), hosts.to_vec());
        let told = refusals.clone();
        let serving = tokio::spawn(async move {
            // A box that could not be built hands nothing over, and says so itself.
            let proxy = match rules.is_empty() {
                true => None,
                false => handed_over(&channel).await.ok(),
            };
            if let Some(inlet) = inlet
                && let Ok(listener) = handed_over(&channel).await
            {
                let _ = inlet.open(Some(listener));
            }
            if let Some(listener) = proxy {
                serve(listener, rules, told).await;
            }
        });
        Ok(Some(Self { serving, refusals }))
    }

    /// What was refused.
    pub(super) fn close(self) -> Vec<Refusal> {
        self.refusals.take()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The next of the listeners with which the box begins what it says.
async fn handed_over(channel: &UnixStream) -> io::Result<TcpListener> {
    let fd = channel.async_io(Interest::READABLE, || receive(channel)).await?;
    let listener = std::net::TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn receive(channel: &UnixStream) -> io::Result<OwnedFd> {
    let mut line = [0];
    // A box that could not be built says why instead, which is read elsewhere.
    if recvmsg(channel, &mut [IoSliceMut::new(&mut line)], &mut Default::default(), RecvFlags::PEEK)?.bytes
        == 0
        || line != *b"\n"
    {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(channel, &mut [IoSliceMut::new(&mut line)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let fds = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    fds.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
