//! Which sandbox agents run in, what it enforces on this machine, whether the programs of agents start in it, and attempts
//! to get out of it. Lets no agent work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use crate::domain::{AgentConfig, SandboxMode, Settings};
use crate::note::plain;
use crate::sandbox::{Limits, Sandbox, SandboxCommand, SandboxPolicy, SandboxReport};

/// The sandbox, or why no agent may run.
pub(super) fn choose_sandbox(
    binary: &Path,
    mode: SandboxMode,
    settings: &Settings,
) -> (Sandbox, Option<String>) {
    let chosen = match mode {
        SandboxMode::None => return (Sandbox::none(), None),
        SandboxMode::Required => Sandbox::detect(binary),
        SandboxMode::Container => {
            Sandbox::container(binary, None, settings.sandbox_image.as_deref().unwrap_or_default())
        }
    };
    match chosen {
        Ok(sandbox) => (sandbox, None),
        Err(error) => (Sandbox::none(), Some(error.to_string())),
    }
}

/// What the sandbox that these settings name can enforce on this machine, and why agents may not run, if so. `binary` is
/// this program.
pub fn probe_sandbox(binary: &Path, settings: &Settings) -> (SandboxReport, Option<String>) {
    let (sandbox, problem) = choose_sandbox(binary, settings.sandbox, settings);
    (sandbox.report(), problem)
}

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// What the program of an agent says of itself, started in the box that these settings name. `binary` is this program.
///
/// # Errors
/// What is missing, in words, with what to do.
pub fn probe_agent(binary: &Path, settings: &Settings, agent: &AgentConfig) -> Result<String, String> {
    let program =
        agent.command.first().ok_or("its note names no `command`: add the program and its arguments")?;
    let (sandbox, problem) = choose_sandbox(binary, settings.sandbox, settings);
    problem.map_or(Ok(()), Err)?;
    let failed = |error: &dyn std::fmt::Display| format!("`{program}` cannot be tried: {error}");
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let cwd = folder.path().canonicalize().map_err(|error| failed(&error))?;
    let policy = SandboxPolicy {
        write: vec![cwd.clone()],
        read: agent.read_paths.iter().map(PathBuf::from).collect(),
        limits: Limits { wall: VERSION_LIMIT, ..Limits::default() },
        ..SandboxPolicy::default()
    };
    let home = sandbox.home().unwrap_or(&cwd).display().to_string();
    let command = SandboxCommand {
        argv: vec![program.clone(), "--version".to_owned()],
        env: BTreeMap::from([("HOME".to_owned(), home)]),
        stdin: String::new(),
        cwd,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let output = runtime.block_on(sandbox.run(&command, &policy, &CancellationToken::new())).map_err(|error| {
        format!("`{program}` does not start in the sandbox: {error}; check `command`, and name its folder in `read_paths`")
    })?;
    let said = plain(&format!("{}\n{}", output.stdout, output.stderr));
    let version: String = said
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect();
    match output.exit_code {
        Some(0) if !version.is_empty() => Ok(format!("`{program}` starts in the sandbox: {version}")),
        Some(0) => Ok(format!("`{program}` starts in the sandbox and tells no version")),
        // As a shell says it of a program that is not there or is none.
        Some(126 | 127) => Err(format!(
            "`{program}` does not start in the sandbox: {version}; check `command`, and name its folder in `read_paths`"
        )),
        Some(code) => Ok(format!(
            "`{program}` starts in the sandbox; asked for its version it ended with {code}: {version}"
        )),
        None => Err(format!(
            "`{program} --version` did not end in {} s or was killed in the sandbox: {version}",
            VERSION_LIMIT.as_secs()
        )),
    }
}

/// One attempt to get out of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EscapeTry {
    /// Number of the case in `docs/security.md`.
    pub id: u8,
    pub name: String,
    /// `stopped`, `escaped` or `not run`.
    pub result: &'static str,
    /// Why it was not run; empty otherwise.
    pub reason: String,
}

/// Tries every case on this machine, first without walls and then in the sandbox that these settings name (the built-in one
/// where they name none), and tells each as it ends. Harmless: the cases act on a scratch folder and on processes of their
/// own. Where there is no sandbox none is run.
///
/// # Errors
/// When an attempt cannot be set up.
#[cfg(target_os = "linux")]
pub fn try_escapes(
    binary: &Path,
    settings: &Settings,
    mut tell: impl FnMut(&EscapeTry),
) -> Result<Vec<EscapeTry>, EngineError> {
    use crate::sandbox::{EscapeResult, escape_cases, try_escape};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(EngineError::Runtime)?;
    let mode = match settings.sandbox {
        SandboxMode::None => SandboxMode::Required,
        mode => mode,
    };
    let (sandbox, problem) = choose_sandbox(binary, mode, settings);
    let mut tries = vec![];
    for case in escape_cases() {
        let result = match &problem {
            None => runtime.block_on(try_escape(&sandbox, binary, case))?,
            Some(problem) => EscapeResult::NotRun { reason: problem.clone() },
        };
        let (result, reason) = match result {
            EscapeResult::Stopped => ("stopped", String::new()),
            EscapeResult::Escaped => ("escaped", String::new()),
            EscapeResult::NotRun { reason } => ("not run", reason),
        };
        let done = EscapeTry { id: case.number, name: case.name.to_owned(), result, reason };
        tell(&done);
        tries.push(done);
    }
    Ok(tries)
}

/// Elsewhere the attempts do not exist, and so nothing can be tried.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "linux"))]
pub fn try_escapes(_: &Path, _: &Settings, _: impl FnMut(&EscapeTry)) -> Result<Vec<EscapeTry>, EngineError> {
    Ok(vec![])
}
