//! One gate as it is going to be run. Knows no results.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{GateKind, SandboxProfile};

/// One gate: a command, and how its output is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSpec {
    /// Unique within a list: `test`, `lint`, `web-test`.
    pub name: String,
    pub kind: GateKind,
    /// Program and arguments; never a shell line.
    pub argv: Vec<String>,
    /// Relative to the repository's root; empty is the root.
    pub cwd: PathBuf,
    pub parser: Parser,
    pub timeout: Duration,
    pub sandbox: SandboxProfile,
    /// Added to the sandbox's cleared environment.
    pub env: BTreeMap<String, String>,
}

/// How a tool's output is read. All fall back to `Generic` lines where the tool's own form is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parser {
    /// `cargo … --message-format=json`: rustc and clippy messages.
    CargoJson,
    /// `cargo test`: panics of failed tests, and compiler messages in their human form.
    CargoTest,
    /// `cargo fmt --check`, `rustfmt --check`.
    Rustfmt,
    Pytest,
    /// `ruff check --output-format=concise`, `black --check`.
    Ruff,
    /// `mypy`, `pyright`.
    Mypy,
    Tsc,
    /// `eslint`, stylish form.
    Eslint,
    /// `gofmt -l`.
    Gofmt,
    /// `go vet`, `go build`.
    Go,
    /// `go test -json`.
    GoTest,
    /// `javac`, maven, gradle.
    Java,
    /// `file:line:col: message`.
    Generic,
}
