//! What parent and child say to each other: one job in, messages out. Both are this same program, so the form is free.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Layer, Limits};

/// Home of the command: private, gone with the box.
pub(super) const HOME: &str = "/tmp/home";
/// Cargo's home inside, with the machine's registry shown in it.
pub(super) const CARGO_HOME: &str = "/tmp/home/.cargo";

/// One command with the box to build for it. Standard input carries its length in decimal, a line end, the job as JSON,
/// then the command's own input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// In the order in which they are mounted: parents first.
    pub shows: Vec<Show>,
    /// Links of the new root, as (path, target).
    pub links: Vec<(PathBuf, PathBuf)>,
    pub protect: Vec<PathBuf>,
    pub limits: Limits,
    /// Port of the box's loopback at which the parent's proxy listens.
    pub proxy: Option<u16>,
    /// Port of the box's loopback at which the parent's own server answers.
    pub inlet: Option<u16>,
    /// Look at the box from inside instead of running anything, and compare with where the parent is.
    pub probe: Option<Namespaces>,
}

/// Which namespaces a process is in, by kind: `net` with `net:[4026531840]`.
pub(super) type Namespaces = BTreeMap<String, String>;

/// The job as the child reads it, with the command's own input behind it.
pub(super) fn spoken(job: &Job, stdin: &str) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_string(job)?;
    Ok(format!("{}\n{json}{stdin}", json.len()).into_bytes())
}

/// Something of the machine that the box shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Show {
    pub source: PathBuf,
    pub target: PathBuf,
    pub access: Access,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Access {
    /// Parts of the system that anybody may read.
    System,
    Read,
    /// What is written there is gone with the box.
    Scratch,
    /// What is written there lies in the `data` of this folder, beside a `work` of the kernel's own.
    Layered(PathBuf),
    Write,
    Device,
}

impl Access {
    /// Whether the command may write there, wherever that goes.
    pub(super) fn is_writable(&self) -> bool {
        matches!(self, Self::Scratch | Self::Layered(_) | Self::Write)
    }
}

/// From the child, one JSON a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Message {
    /// This layer could not be built; nothing was run.
    Failed {
        layer: String,
        reason: String,
    },
    /// The program itself could not be started.
    NoProgram {
        reason: String,
    },
    Done {
        code: Option<i32>,
        signal: Option<i32>,
    },
    Seen {
        layers: Vec<Layer>,
    },
}
