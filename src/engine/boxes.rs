//! Which sandbox agents run in, what it enforces on this machine, and attempts to get out of it. Runs no agent.

use std::path::Path;

use serde::Serialize;

use super::EngineError;
use crate::domain::{SandboxMode, Settings};
use crate::sandbox::{Sandbox, SandboxReport};

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
            Sandbox::container(None, settings.sandbox_image.as_deref().unwrap_or_default())
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

/// One attempt to get out of the built-in sandbox.
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

/// Tries every case of the sandbox on this machine, first without a box and then inside, and tells each as it ends.
/// Harmless: the cases act on a scratch folder and on processes of their own. Where there is no sandbox none is run.
///
/// # Errors
/// When an attempt cannot be set up.
#[cfg(target_os = "linux")]
pub fn try_escapes(binary: &Path, mut tell: impl FnMut(&EscapeTry)) -> Result<Vec<EscapeTry>, EngineError> {
    use crate::sandbox::{EscapeResult, escape_cases, try_escape};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(EngineError::Runtime)?;
    let sandbox = Sandbox::detect(binary);
    let mut tries = vec![];
    for case in escape_cases() {
        let result = match &sandbox {
            Ok(sandbox) => runtime.block_on(try_escape(sandbox, binary, case))?,
            Err(error) => EscapeResult::NotRun { reason: error.to_string() },
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

/// Elsewhere the built-in sandbox does not exist, and so nothing can be tried.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "linux"))]
pub fn try_escapes(_: &Path, _: impl FnMut(&EscapeTry)) -> Result<Vec<EscapeTry>, EngineError> {
    Ok(vec![])
}
