//! Starts boxes and gathers what comes out of them. Does not know how a box is built.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::boxed::Boxed;
use super::door::Door;
use super::drive::{Ended, drive};
use super::plain;
use super::{SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy, SandboxReport};

/// Runs commands, boxed or (explicitly) not. A clone shares everything.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    report: SandboxReport,
    /// Nothing: no box.
    boxed: Option<Boxed>,
}

impl Sandbox {
    /// Tries the whole profile once. `init` is the path of the `ado-vault` program itself.
    ///
    /// # Errors
    /// `Unavailable` names the layer that this machine cannot enforce and what helps.
    pub fn detect(init: &Path) -> Result<Self, SandboxError> {
        let (boxed, layers) = Boxed::probe(init)?;
        let report = SandboxReport { enforcing: true, layers };
        Ok(Self { inner: Arc::new(Inner { report, boxed: Some(boxed) }) })
    }

    /// No box: the environment is still cleared, limits, time-outs and the kill of the process group still hold.
    pub fn none() -> Self {
        Self { inner: Arc::new(Inner { report: SandboxReport::default(), boxed: None }) }
    }

    pub fn is_enforcing(&self) -> bool {
        self.inner.report.enforcing
    }

    pub fn report(&self) -> SandboxReport {
        self.inner.report.clone()
    }

    /// Runs to the end, to a limit or until `cancel`. Nothing that the command started outlives the call, nor the
    /// future when it is dropped; without a box, a process that left its process group may.
    ///
    /// # Errors
    /// `Policy` for an unusable policy, `Start` naming the layer that failed or the program that is missing, `Cancelled`
    /// after `cancel`.
    pub async fn run(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        cancel: &CancellationToken,
    ) -> Result<SandboxOutput, SandboxError> {
        let program = command.argv.first().filter(|program| !program.is_empty());
        let program =
            program.ok_or_else(|| SandboxError::Policy { reason: "the command is empty".into() })?;
        if cancel.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        let command = &command.with_env(&policy.env);
        let Some(boxed) = &self.inner.boxed else {
            let child = plain::start(command, &policy.limits)?;
            let ended = drive(child, command.stdin.as_bytes(), &policy.limits, cancel).await?;
            return Ok(output(ended));
        };
        let started = boxed.start(command, policy)?;
        let door = Door::open(&started.channel, &policy.hosts)?;
        let ended = drive(started.child, &started.input, &policy.limits, cancel).await?;
        let refused = door.map(Door::close).unwrap_or_default();
        if ended.timed_out {
            return Ok(SandboxOutput { refused, ..output(ended) });
        }
        let (code, signal) = boxed.outcome(program, &started.channel, &ended)?;
        Ok(SandboxOutput { exit_code: code, signal, refused, ..output(ended) })
    }
}

fn output(ended: Ended) -> SandboxOutput {
    use std::os::unix::process::ExitStatusExt;
    let truncated = ended.stdout.truncated() || ended.stderr.truncated();
    SandboxOutput {
        exit_code: ended.status.and_then(|status| status.code()).filter(|_| !ended.timed_out),
        signal: ended.status.and_then(|status| status.signal()),
        timed_out: ended.timed_out,
        stdout: ended.stdout.into_text(),
        stderr: ended.stderr.into_text(),
        truncated,
        millis: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
        refused: vec![],
    }
}
