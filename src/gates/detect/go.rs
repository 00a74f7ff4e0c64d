//! Gates of a Go module.

use super::{Project, gate};
use crate::domain::GateKind;
use crate::gates::{GateSpec, Parser};

pub(super) fn gates(project: &Project) -> Vec<GateSpec> {
    if !project.has("go.mod") {
        return vec![];
    }
    let mut gates = vec![
        gate("format", GateKind::Format, &["gofmt", "-l", "."], Parser::Gofmt),
        gate("lint", GateKind::Lint, &["go", "vet", "./..."], Parser::Go),
        gate("build", GateKind::Build, &["go", "build", "./..."], Parser::Go),
        gate("test", GateKind::Test, &["go", "test", "-json", "./..."], Parser::GoTest),
    ];
    for gate in &mut gates {
        gate.env.insert("GOPROXY".into(), "off".into());
        gate.env.insert("GOTOOLCHAIN".into(), "local".into());
    }
    gates
}
