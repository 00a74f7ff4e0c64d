//! Running git and signing programs: no terminal, no prompts, bounded in time and output.
//!
//! Does not know which remote or key is meant.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::super::VaultError;
use crate::note;

/// Bytes of each output that are kept.
const OUTPUT: u64 = 256 * 1024;

pub(super) struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    /// Safe to show, on one line.
    pub stderr: String,
}

/// The `git` program in the work tree, with everything of the repository that runs programs ruled out.
pub(super) fn git(work_dir: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(work_dir);
    for setting in [
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "submodule.recurse=false",
        "protocol.ext.allow=never",
        "gc.auto=0",
        "maintenance.auto=false",
        "rebase.autoStash=false",
    ] {
        git.args(["-c", setting]);
    }
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_EDITOR", "true").env("LC_ALL", "C");
    for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF", "GIT_PREFIX"] {
        git.env_remove(inherited);
    }
    if std::env::var_os("GIT_SSH_COMMAND").is_none() && std::env::var_os("GIT_SSH").is_none() {
        git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    git
}

/// Runs a program to its end or to its time limit. `action` completes "cannot …".
pub(super) fn run(
    mut command: Command,
    input: &str,
    limit: Duration,
    action: &str,
) -> Result<Output, VaultError> {
    let failed = |output: String| VaultError::Program {
        action: action.to_owned(),
        output,
        remedy: "check that the program is installed and works without asking",
    };
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(format!("`{name}` does not start: {error}")))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.to_owned();
    thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // A program that does not want its input ends by itself; its exit status says so.
            let _ = stdin.write_all(input.as_bytes());
        }
    });
    let (stdout, stderr) = (collect(stdout), collect(stderr));
    let until = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() >= until => {
                let killed = child.kill().and_then(|()| child.wait());
                let ending = killed.map_or_else(|error| format!(" ({error})"), |_| String::new());
                return Err(failed(format!("`{name}` did not end within {} s{ending}", limit.as_secs())));
            }
            Ok(None) => sleep(Duration::from_millis(2)),
            Err(error) => return Err(failed(format!("`{name}`: {error}"))),
        }
    };
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    let stderr = text(stderr);
    let lines: Vec<String> = stderr
        .lines()
        .map(note::plain)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    Ok(Output { status, stdout: text(stdout), stderr: lines.join("; ") })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What cannot be read is missing from a message for people, no more.
            let _ = pipe.by_ref().take(OUTPUT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        bytes
    })
}
