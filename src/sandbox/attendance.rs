//! What this process has to do with a command while it runs: talk to it, answer it at one port of its loopback, notice
//! that it does nothing any more. Does not know what is said.

use std::io;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::Pulse;

/// Port of the box's own loopback at which the caller answers; nothing else can have taken it.
pub(super) const INLET_PORT: u16 = 3129;

/// Nothing, where nothing is named.
#[derive(Debug, Default)]
pub struct Attendance {
    pub inlet: Option<Inlet>,
    /// Its other end gets what the command writes to stdout, and gives what it reads after its input.
    pub talk: Option<DuplexStream>,
    /// The command is ended after this long without a sign of life; output is one.
    pub pulse: Option<(Pulse, Duration)>,
}

/// The one place at which a command reaches this process. Without a box, everything on this machine does.
#[derive(Debug)]
pub struct Inlet {
    port: u16,
    /// Made here where the command shares this machine's network; a box makes its own.
    listener: Option<std::net::TcpListener>,
    ready: oneshot::Sender<TcpListener>,
}

/// Where the listener of an inlet arrives when the command is about to start.
pub type Arrival = oneshot::Receiver<TcpListener>;

impl Inlet {
    pub(super) fn of_a_box() -> (Self, Arrival) {
        let (ready, arrival) = oneshot::channel();
        (Self { port: INLET_PORT, listener: None, ready }, arrival)
    }

    pub(super) fn of_this_machine() -> io::Result<(Self, Arrival)> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let (ready, arrival) = oneshot::channel();
        Ok((Self { port: listener.local_addr()?.port(), listener: Some(listener), ready }, arrival))
    }

    /// The port at 127.0.0.1, as the command sees it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives the listener to whoever answers: the one that was made here, or the one that the box made.
    pub(super) fn open(self, of_box: Option<TcpListener>) -> io::Result<()> {
        let listener = match (self.listener, of_box) {
            (Some(listener), _) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)?
            }
            (None, Some(listener)) => listener,
            (None, None) => return Err(io::ErrorKind::NotConnected.into()),
        };
        // Nobody need wait for it any more.
        let _ = self.ready.send(listener);
        Ok(())
    }
}
