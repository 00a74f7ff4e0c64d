//! Feeds a started program, gathers its output and ends it in time. Does not know whether it is boxed.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::output::Bounded;
use super::quota;
use super::{Limits, Pulse, SandboxError};

/// How long output may still come after the program and its group were killed.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A program with piped standard streams.
pub(super) struct Started {
    pub child: Child,
    /// Whether it leads a process group that ends with it. A box ends by itself when its supervisor does.
    pub group: Option<Pid>,
}

/// How it ended.
pub(super) struct Ended {
    pub status: Option<ExitStatus>,
    pub timed_out: bool,
    pub stalled: bool,
    /// What it used too much of.
    pub too_much: Option<String>,
    pub stdout: Bounded,
    pub stderr: Bounded,
    pub took: Duration,
}

impl Ended {
    /// Whether a limit ended it.
    pub(super) fn was_ended(&self) -> bool {
        self.timed_out || self.stalled || self.too_much.is_some()
    }
}

/// What it is fed and held against.
pub(super) struct Terms<'a> {
    pub input: &'a [u8],
    pub limits: &'a Limits,
    /// Folders that it may write.
    pub folders: Vec<PathBuf>,
    pub talk: Option<DuplexStream>,
    pub pulse: Option<(Pulse, Duration)>,
}

/// # Errors
/// `Cancelled` after `cancel`; `Io` when the program cannot be waited for.
pub(super) async fn drive(
    started: Started,
    terms: Terms<'_>,
    cancel: &CancellationToken,
) -> Result<Ended, SandboxError> {
    let begun = Instant::now();
    let Terms { input, limits, folders, talk, pulse } = terms;
    let (mut hear, say) = talk.map(tokio::io::split).unzip();
    let beat = pulse.as_ref().map(|(pulse, _)| pulse);
    let mut running = Running(started);
    let child = &mut running.0.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut kept = (Bounded::new(limits.output_bytes), Bounded::new(limits.output_bytes));
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input.
            let _ = stdin.write_all(input).await;
            if let Some(hear) = &mut hear {
                let _ = tokio::io::copy(hear, &mut stdin).await;
            }
            let _ = stdin.shutdown().await;
        }
    };
    let mut cancelled = false;
    let mut timed_out = false;
    let mut stalled = false;
    let mut too_much = None;
    let status = {
        let mut feed = pin!(feed);
        let mut streams = pin!(async {
            let nobody: Option<tokio::io::Sink> = None;
            tokio::join!(gather(stdout, &mut kept.0, beat, say), gather(stderr, &mut kept.1, beat, nobody))
        });
        let mut stillness = pin!(async {
            match &pulse {
                Some((pulse, most)) => pulse.stopped(*most).await,
                None => std::future::pending().await,
            }
        });
        let mut fed = false;
        let mut limit = pin!(tokio::time::sleep(limits.wall));
        let mut quota = pin!(quota::exceeded(folders, limits));
        let mut open = true;
        let status = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => { cancelled = true; break None }
                status = running.0.child.wait() => break Some(status?),
                said = &mut quota => { too_much = Some(said); break None }
                () = &mut limit => { timed_out = true; break None }
                () = &mut stillness => { stalled = true; break None }
                () = &mut feed, if !fed => fed = true,
                _ = &mut streams, if open => open = false,
            }
        };
        running.kill();
        if open {
            // What still holds the streams has left the group; its output is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, &mut streams).await;
        }
        match status {
            Some(status) => Some(status),
            None => tokio::time::timeout(LAST_WORDS, running.0.child.wait()).await.ok().transpose()?,
        }
    };
    if cancelled {
        return Err(SandboxError::Cancelled);
    }
    Ok(Ended { status, timed_out, stalled, too_much, stdout: kept.0, stderr: kept.1, took: begun.elapsed() })
}

/// Keeps what comes, and passes it on to who listens.
async fn gather(
    stream: Option<impl AsyncRead + Unpin>,
    kept: &mut Bounded,
    beat: Option<&Pulse>,
    mut listener: Option<impl AsyncWrite + Unpin>,
) {
    let Some(mut stream) = stream else { return };
    let mut piece = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut piece).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(count) => {
                kept.add(&piece[..count]);
                if let Some(pulse) = beat {
                    pulse.beat();
                }
                // Who stopped listening misses the rest.
                if let Some(to) = &mut listener
                    && to.write_all(&piece[..count]).await.is_err()
                {
                    listener = None;
                }
            }
        }
    }
    if let Some(mut to) = listener {
        let _ = to.shutdown().await;
    }
}

/// Kills what it holds when dropped, so that a dropped run leaves nothing behind.
struct Running(Started);

impl Running {
    /// Once: a number may name another group later.
    fn kill(&mut self) {
        if let Some(leader) = self.0.group.take() {
            // The group may be empty already.
            let _ = rustix::process::kill_process_group(leader, Signal::KILL);
        }
        // It may have ended already.
        let _ = self.0.child.start_kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
