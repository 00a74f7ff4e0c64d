//! Feeds a started program, gathers its output and ends it in time. Does not know whether it is boxed.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::output::Bounded;
use super::quota;
use super::{Limits, SandboxError};

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
    /// What it used too much of.
    pub too_much: Option<String>,
    pub stdout: Bounded,
    pub stderr: Bounded,
    pub took: Duration,
}

/// `folders` are what it may write.
///
/// # Errors
/// `Cancelled` after `cancel`; `Io` when the program cannot be waited for.
pub(super) async fn drive(
    started: Started,
    input: &[u8],
    limits: &Limits,
    folders: Vec<PathBuf>,
    cancel: &CancellationToken,
) -> Result<Ended, SandboxError> {
    let begun = Instant::now();
    let mut running = Running(started);
    let child = &mut running.0.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut kept = (Bounded::new(limits.output_bytes), Bounded::new(limits.output_bytes));
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read its input.
            let _ = stdin.write_all(input).await;
            let _ = stdin.shutdown().await;
        }
    };
    let mut cancelled = false;
    let mut timed_out = false;
    let mut too_much = None;
    let status = {
        let mut streams =
            pin!(async { tokio::join!(feed, gather(stdout, &mut kept.0), gather(stderr, &mut kept.1)) });
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
    Ok(Ended { status, timed_out, too_much, stdout: kept.0, stderr: kept.1, took: begun.elapsed() })
}

async fn gather(stream: Option<impl AsyncRead + Unpin>, kept: &mut Bounded) {
    let Some(mut stream) = stream else { return };
    let mut piece = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) => return,
            Ok(count) => kept.add(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
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
