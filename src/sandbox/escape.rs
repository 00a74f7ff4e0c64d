//! Tries to get out: each case first without any walls, so that the attempt itself is known to work here, then inside.
//! Does not know what the cases do.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cases::{EscapeCase, Evidence};
use super::stage::{SECRET, Stage};
use super::{Limits, Sandbox, SandboxCommand, SandboxError};

/// One attempt needs milliseconds; this only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EscapeResult {
    /// Worked without the sandbox and not inside.
    Stopped,
    Escaped,
    /// Does not work on this machine without a sandbox either, or is held elsewhere, so nothing was shown.
    NotRun {
        reason: String,
    },
}

/// Tries one case on a fresh stage each for the bare and the boxed run. `init` is this program.
///
/// # Errors
/// When the stage cannot be built or the sandbox does not start.
pub async fn try_escape(
    sandbox: &Sandbox,
    init: &Path,
    case: &EscapeCase,
) -> Result<EscapeResult, SandboxError> {
    if let Evidence::Elsewhere(holder) = case.evidence {
        return Ok(EscapeResult::NotRun { reason: format!("held by {holder}") });
    }
    let init = init.canonicalize()?;
    let words = sandbox.words_of(&init);
    let mut stage = Stage::build(&words)?;
    let (said, exit) = bare(sandbox, &stage, case).await?;
    if !worked(case, &mut stage, &said, exit)? {
        let said = said.lines().last().unwrap_or("no reason given").to_owned();
        let reason = if said.contains(SECRET) { "it was not seen to work".into() } else { said };
        return Ok(EscapeResult::NotRun {
            reason: format!("does not work here without a sandbox: {reason}"),
        });
    }
    drop(stage);
    let mut stage = Stage::build(&words)?;
    let mut limits = Limits { wall: PATIENCE, ..Limits::default() };
    (case.limits)(&mut limits);
    let command = SandboxCommand {
        argv: ["sh", "-c", case.script].map(String::from).to_vec(),
        cwd: stage.worktree(),
        env: stage.variables()?,
        stdin: String::new(),
    };
    let output = sandbox.run(&command, &stage.policy(limits), &CancellationToken::new()).await?;
    let said = format!("{}{}", output.stdout, output.stderr);
    Ok(match worked(case, &mut stage, &said, output.exit_code)? {
        true => EscapeResult::Escaped,
        false => EscapeResult::Stopped,
    })
}

async fn bare(
    sandbox: &Sandbox,
    stage: &Stage,
    case: &EscapeCase,
) -> Result<(String, Option<i32>), SandboxError> {
    let command = SandboxCommand {
        argv: ["sh", "-c", case.script].map(String::from).to_vec(),
        cwd: stage.worktree(),
        env: stage.variables()?,
        stdin: String::new(),
    };
    let inherited = command.env.get("VARIABLE").map(String::as_str).filter(|name| !name.is_empty());
    let (bare, _removed_at_the_end) = sandbox.without_walls(&command, stage.root(), inherited)?;
    let child = tokio::process::Command::from(bare)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output =
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.map_err(io::Error::from)??;
    let said = [output.stdout, output.stderr].concat();
    Ok((String::from_utf8_lossy(&said).into_owned(), output.status.code()))
}

/// Looks for the evidence on the machine, and clears it away.
fn worked(case: &EscapeCase, stage: &mut Stage, said: &str, exit: Option<i32>) -> io::Result<bool> {
    Ok(match case.evidence {
        Evidence::Exit => exit == Some(0),
        Evidence::Says => said.contains(SECRET),
        Evidence::Outside => stage.changed()?,
        Evidence::Appears(folder) => std::fs::remove_file(Path::new(folder).join(&stage.mark)).is_ok(),
        Evidence::VictimDies => {
            // A signal takes effect shortly after it was sent.
            exit == Some(0) && (0..100_000).any(|_| stage.victim_died().unwrap_or(false))
        }
        Evidence::Survives => stage.survivor()?,
        Evidence::SpecialFile => stage.has_special_file()?,
        Evidence::Datagram => stage.datagram_arrived(),
        Evidence::Elsewhere(_) => false,
    })
}
