//! Gates of a Cargo package or workspace.

use super::{Project, gate};
use crate::domain::GateKind;
use crate::gates::{GateSpec, Parser};

pub(super) fn gates(project: &Project) -> Vec<GateSpec> {
    if !project.has("Cargo.toml") {
        return vec![];
    }
    let whole: &[&'static str] =
        if project.text("Cargo.toml").contains("[workspace]") { &["--workspace"] } else { &[] };
    let cargo = |words: &[&'static str]| [&["cargo"], words, whole].concat();
    let json = ["--offline", "--all-targets", "--message-format=json"];
    let format: &[&str] =
        if whole.is_empty() { &["cargo", "fmt", "--check"] } else { &["cargo", "fmt", "--all", "--check"] };
    vec![
        gate("format", GateKind::Format, format, Parser::Rustfmt),
        gate("lint", GateKind::Lint, &cargo(&[&["clippy"], json.as_slice()].concat()), Parser::CargoJson),
        gate("build", GateKind::Build, &cargo(&[&["build"], json.as_slice()].concat()), Parser::CargoJson),
        gate("test", GateKind::Test, &cargo(&["test", "--offline", "--no-fail-fast"]), Parser::CargoTest),
    ]
}
