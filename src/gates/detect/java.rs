//! Gates of a Maven or Gradle project.

use super::{Project, gate};
use crate::domain::GateKind;
use crate::gates::{GateSpec, Parser};

pub(super) fn gates(project: &Project) -> Vec<GateSpec> {
    if project.has("pom.xml") {
        return maven(project);
    }
    let is_gradle = ["build.gradle", "build.gradle.kts"].iter().any(|name| project.has(name));
    if is_gradle { gradle(project) } else { vec![] }
}

fn maven(project: &Project) -> Vec<GateSpec> {
    let program = if project.has("mvnw") { "./mvnw" } else { "mvn" };
    let pom = project.text("pom.xml");
    let goal = |name, kind, goal| gate(name, kind, &[program, "-q", "-o", "-B", goal], Parser::Java);
    let mut gates = vec![];
    if pom.contains("spotless-maven-plugin") {
        gates.push(goal("format", GateKind::Format, "spotless:check"));
    }
    if pom.contains("maven-checkstyle-plugin") {
        gates.push(goal("lint", GateKind::Lint, "checkstyle:check"));
    }
    gates.push(goal("build", GateKind::Build, "test-compile"));
    gates.push(goal("test", GateKind::Test, "test"));
    gates
}

fn gradle(project: &Project) -> Vec<GateSpec> {
    let program = if project.has("gradlew") { "./gradlew" } else { "gradle" };
    let task =
        |name, kind, task| gate(name, kind, &[program, "--offline", "--console=plain", task], Parser::Java);
    vec![task("build", GateKind::Build, "testClasses"), task("test", GateKind::Test, "test")]
}
