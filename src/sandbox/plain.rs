//! Starts a command without a box: cleared environment, its own process group, limits. Hides nothing of the machine.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::drive::Started;
use super::{Limits, SandboxCommand, SandboxError};

/// Variables of this process that a command needs to find programs; all others stay here.
const KEPT: [&str; 7] = ["PATH", "HOME", "LANG", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR"];

/// # Errors
/// `Start` when the program or its folder is missing.
pub(super) fn start(command: &SandboxCommand, limits: &Limits) -> Result<Started, SandboxError> {
    let program = command.argv.first().map(String::as_str).unwrap_or_default();
    let mut child = Command::new(program);
    let kept: BTreeMap<_, _> =
        KEPT.iter().filter_map(|name| Some((name.to_string(), std::env::var(name).ok()?))).collect();
    child
        .args(command.argv.iter().skip(1))
        .current_dir(&command.cwd)
        .env_clear()
        .envs(kept)
        .envs(&command.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    limit(&mut child, limits);
    let mut child = tokio::process::Command::from(child);
    let child = child.kill_on_drop(true).spawn().map_err(|error| SandboxError::Start {
        program: program.into(),
        reason: match error.kind() {
            io::ErrorKind::NotFound => format!("it or the folder `{}` was not found", command.cwd.display()),
            _ => error.to_string(),
        },
    })?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok(Started { child, group })
}

#[cfg(target_os = "linux")]
fn limit(child: &mut Command, limits: &Limits) {
    let limits = limits.clone();
    // SAFETY: between fork and exec only system calls are made; nothing is allocated.
    unsafe { child.pre_exec(move || super::linux::limit_plainly(&limits)) };
}

/// Elsewhere only wall time and output are bounded.
#[cfg(not(target_os = "linux"))]
fn limit(_: &mut Command, _: &Limits) {}
