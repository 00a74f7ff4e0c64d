//! What to run, with which rights and limits, and what came of it. Says nothing of how it is enforced.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{HostRule, SandboxProfile};

/// A program with its arguments; never a shell line. For one, say `sh -c`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxCommand {
    pub argv: Vec<String>,
    /// Absolute folder; must lie beneath a writable or readable path of the policy.
    pub cwd: PathBuf,
    /// Added to the cleared environment.
    pub env: BTreeMap<String, String>,
    pub stdin: String,
}

impl SandboxCommand {
    /// The same command with more variables; its own win.
    pub(super) fn with_env(&self, more: &BTreeMap<String, String>) -> Self {
        let mut command = self.clone();
        for (name, value) in more {
            command.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        command
    }
}

/// What the command may touch. Everything not named is invisible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPolicy {
    /// Folders it may write: the worktree, a build cache of the run.
    pub write: Vec<PathBuf>,
    /// Files and folders it may only read: the repository's git directory, toolchains.
    pub read: Vec<PathBuf>,
    /// Paths beneath `write` that stay read-only: the worktree's `.git` file.
    pub protect: Vec<PathBuf>,
    pub limits: Limits,
    /// Variables that the command sees besides the few that every command sees. They are no secret from it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// A folder that is the command's home and package cache; missing means one that is gone with the box, with this
    /// machine's package caches in it.
    #[serde(default)]
    pub home: Option<PathBuf>,
    #[serde(default)]
    pub caches: Vec<BuildCache>,
    /// Hosts that it may reach, by the proxy that its environment names; none is no network at all.
    #[serde(default)]
    pub hosts: Vec<HostRule>,
}

impl SandboxPolicy {
    /// The policy as a note's profile narrows or widens it.
    pub fn with_profile(mut self, profile: &SandboxProfile) -> Self {
        self.hosts.clear();
        match profile {
            SandboxProfile::ReadOnly => self = self.read_only(),
            SandboxProfile::Worktree => {}
            SandboxProfile::Network(hosts) => self.hosts.clone_from(hosts),
        }
        self
    }

    /// The same with nothing of the machine writable; build caches still are.
    pub fn read_only(mut self) -> Self {
        self.read.append(&mut self.write);
        self.protect.clear();
        self
    }
}

/// A folder that many runs begin with and none changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildCache {
    /// What they begin with.
    pub source: PathBuf,
    /// Where the command sees it, in a writable folder; missing means its home.
    pub target: Option<PathBuf>,
    /// Folder for what this run writes; made where it is missing. One box at a time uses it.
    pub upper: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time.
    pub wall: Duration,
    /// CPU seconds of one process.
    pub cpu_seconds: u64,
    /// Bytes of address space of one process; 0 is no limit.
    pub memory_bytes: u64,
    pub processes: u64,
    /// Bytes of memory of everything in the box together, where this machine can limit that; 0 is three quarters of its
    /// memory.
    pub box_memory_bytes: u64,
    /// Bytes, and files, that the writable folders may hold; more ends the command.
    pub disk_bytes: u64,
    pub disk_files: u64,
    /// Bytes of the largest file it may write.
    pub file_bytes: u64,
    /// Bytes of stdout and stderr kept, each: head and tail of a longer output, the middle is dropped.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(900),
            cpu_seconds: 3600,
            memory_bytes: 0,
            processes: 512,
            box_memory_bytes: 0,
            disk_bytes: 30 << 30,
            disk_files: 2_000_000,
            file_bytes: 2 << 30,
            output_bytes: 1 << 20,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxOutput {
    /// `None` when ended by a signal or a limit.
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub timed_out: bool,
    /// Ended because it gave no sign of life for as long as its attendance allows.
    #[serde(default)]
    pub stalled: bool,
    /// Lossy UTF-8, as the program wrote it apart from bounding: strip control characters before showing it.
    pub stdout: String,
    pub stderr: String,
    pub truncated: bool,
    pub millis: u64,
    /// What it asked the proxy for and did not get.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

/// A host that a command asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// As it was asked for, without control characters.
    pub host: String,
    pub port: u16,
    pub reason: String,
    pub times: u32,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}:{}` was refused: {}", self.host, self.port, self.reason)?;
        if self.times > 1 { write!(f, " ({} times)", self.times) } else { Ok(()) }
    }
}

impl SandboxOutput {
    pub fn success(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// With what the proxy refused, which is also told where the command's own complaints are.
    pub(super) fn and_refused(mut self, refused: Vec<Refusal>) -> Self {
        for refusal in &refused {
            self.stderr.push_str(&format!("\n[ado-vault: {refusal}]\n"));
        }
        self.refused = refused;
        self
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This machine cannot enforce the profile.
    #[error("no sandbox on this machine: {reason}")]
    Unavailable { reason: String },
    #[error("cannot start `{program}` in the sandbox: {reason}")]
    Start { program: String, reason: String },
    #[error("sandbox policy is not usable: {reason}")]
    Policy { reason: String },
    #[error("stopped")]
    Cancelled,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
