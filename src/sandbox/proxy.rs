//! The one way out of a box: an HTTP proxy on the machine's side that connects to named hosts and to nothing else. Does not
//! know who asks, nor look into what is said.
//!
//! It accepts connections of a listener that was made inside the box, so no other process and no other box can reach it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Refusal;
use super::request_head::{Asked, Head};
use crate::domain::HostRule;

/// Connections of one box at a time.
const MOST_CONNECTIONS: usize = 64;
/// Bytes that one box may send, and receive.
const MOST_SENT: u64 = 256 << 20;
const MOST_RECEIVED: u64 = 8 << 30;
/// Bytes of a request's head.
const MOST_HEAD: usize = 32 << 10;
/// Different refusals that are told.
const MOST_TOLD: usize = 50;
const TO_ASK: Duration = Duration::from_secs(20);
const TO_CONNECT: Duration = Duration::from_secs(20);
/// A connection on which nothing moves is closed.
const IDLE: Duration = Duration::from_secs(120);

/// What was refused, shared by all connections of a box.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Vec<Refusal>>>);

impl Refusals {
    fn add(&self, host: &str, port: u16, reason: &str) {
        let host: String = host.chars().filter(|c| !c.is_control()).take(260).collect();
        let mut told = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = told.iter().position(|one| one.host == host && one.port == port && one.reason == reason);
        match known {
            Some(index) => told[index].times += 1,
            None if told.len() < MOST_TOLD => {
                told.push(Refusal { host, port, reason: reason.to_owned(), times: 1 });
            }
            None => {}
        }
    }

    pub(super) fn take(&self) -> Vec<Refusal> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// Serves until it is dropped, which ends every connection.
pub(super) async fn serve(listener: TcpListener, rules: Vec<HostRule>, refusals: Refusals) {
    let proxy = Arc::new(Proxy { rules, refusals, sent: AtomicU64::new(0), received: AtomicU64::new(0) });
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        // The listener's end is the box's.
        let Ok((stream, _)) = listener.accept().await else { return };
        let proxy = proxy.clone();
        connections.spawn(async move {
            // A connection that breaks is the command's to notice.
            let _ = proxy.answer(stream).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Proxy {
    rules: Vec<HostRule>,
    refusals: Refusals,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Proxy {
    async fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, rest) = match timeout(TO_ASK, read_head(&mut client)).await {
            Ok(Ok(Some(asked))) => asked,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return refuse(&mut client, 400, &error.to_string()).await,
            Err(_) => return refuse(&mut client, 408, "no request came").await,
        };
        let Head { host, port, asked } = head;
        let mut server = match self.connect(&host, port).await {
            Ok(server) => server,
            Err(Failed::Refused(reason)) => {
                self.refusals.add(&host, port, &reason);
                return refuse(&mut client, 403, &reason).await;
            }
            Err(Failed::Unreachable(reason)) => return refuse(&mut client, 502, &reason).await,
        };
        let most = match asked {
            Asked::Tunnel => {
                client.write_all(b"HTTP/1.1 200 connected\r\n\r\n").await?;
                u64::MAX
            }
            // One request for one answer, so that a second one cannot ask for another host.
            Asked::Plain { head, body } => {
                server.write_all(&head).await?;
                body
            }
        };
        let rest = &rest[..rest.len().min(usize::try_from(most).unwrap_or(usize::MAX))];
        server.write_all(rest).await?;
        let most = most - rest.len() as u64;
        self.carry(client, server, most, (&host, port)).await
    }

    /// Both ways until both ends are closed. The client may send `most` bytes.
    async fn carry(
        &self,
        client: TcpStream,
        server: TcpStream,
        most: u64,
        to: (&str, u16),
    ) -> io::Result<()> {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let moved = AtomicU64::new(0);
        let sent = Flow { total: &self.sent, most: MOST_SENT, moved: &moved };
        let received = Flow { total: &self.received, most: MOST_RECEIVED, moved: &moved };
        let up = sent.carry(from_client.take(most), to_server);
        let down = received.carry(from_server, to_client);
        let (up, down) = tokio::join!(up, down);
        for (done, what) in [(&up, "sent"), (&down, "received")] {
            if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::QuotaExceeded) {
                self.refusals.add(to.0, to.1, &format!("the command has {what} as much as it may"));
            }
        }
        up.and(down)
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failed> {
        if !self.rules.iter().any(|rule| rule.allows(host, port)) {
            return Err(Failed::Refused("no rule names this host and port".into()));
        }
        let unknown = |error: String| Failed::Unreachable(format!("cannot find `{host}`: {error}"));
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![(address, port).into()],
            Err(_) => match timeout(TO_CONNECT, tokio::net::lookup_host((bare, port))).await {
                Ok(Ok(addresses)) => addresses.collect(),
                Ok(Err(error)) => return Err(unknown(error.to_string())),
                Err(_) => return Err(unknown("no answer".into())),
            },
        };
        let mut private = None;
        let mut failed = "it has no address".to_owned();
        for address in found {
            let ip = address.ip().to_canonical();
            if !is_public(ip) && !self.rules.iter().any(|rule| rule.names_address(ip)) {
                private = Some(ip);
                continue;
            }
            match timeout(TO_CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error.to_string(),
                Err(_) => failed = "no answer".into(),
            }
            private = None;
        }
        Err(match private {
            Some(address) => {
                Failed::Refused(format!("it leads to {address}, no public address and not named itself"))
            }
            None => Failed::Unreachable(format!("cannot connect to `{host}`: {failed}")),
        })
    }
}

/// Why there is no connection.
enum Failed {
    Refused(String),
    Unreachable(String),
}

/// One direction of a connection.
#[derive(Clone, Copy)]
struct Flow<'a> {
    /// Bytes of all connections of the box in this direction, and how many there may be.
    total: &'a AtomicU64,
    most: u64,
    /// Bytes of this connection in both directions.
    moved: &'a AtomicU64,
}

impl Flow<'_> {
    async fn carry(
        self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut piece = vec![0; 16 << 10];
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            let count = match timeout(IDLE, from.read(&mut piece)).await {
                Ok(count) => count?,
                Err(_) if self.moved.load(Ordering::Relaxed) != before => continue,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            };
            if count == 0 {
                return to.shutdown().await;
            }
            self.moved.fetch_add(count as u64, Ordering::Relaxed);
            if self.total.fetch_add(count as u64, Ordering::Relaxed) + count as u64 > self.most {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            to.write_all(&piece[..count]).await?;
        }
    }
}

/// The head of a request and what came with it; nothing where none came.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut bytes = vec![];
    loop {
        if let Some((head, length)) = Head::read(&bytes)? {
            return Ok(Some((head, bytes.split_off(length))));
        }
        if bytes.len() > MOST_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the request's head is too long"));
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

async fn refuse(client: &mut TcpStream, code: u16, reason: &str) -> io::Result<()> {
    let text = format!("ado-vault: {reason}\n");
    let head = format!(
        "HTTP/1.1 {code} refused\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        text.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

/// Whether an address belongs to the open internet: not to this machine, a private network or a special purpose
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `…ipv6…`).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            let parts = address.segments();
            let inner = |high: u16, low: u16| {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                is_public_v4(Ipv4Addr::new(a, b, c, d))
            };
            match parts {
                [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    inner(high, low)
                }
                [0x2002, high, low, ..] => inner(high, low),
                // Only 2000::/3 is in use; 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for books.
                [0x2001, second, ..] => second > 0x1ff && second != 0xdb8,
                [0x3fff, second, ..] => second > 0xfff,
                [first, ..] => (0x2000..0x4000).contains(&first),
            }
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || matches!((a, b, c), (0 | 224.., ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_public() {
        for public in ["8.8.8.8", "1.1.1.1", "172.15.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:0:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
