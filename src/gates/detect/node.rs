//! Gates of a JavaScript or TypeScript package: the scripts of its `package.json`.

use serde_json::Value;

use super::{Project, gate};
use crate::domain::GateKind;
use crate::gates::{GateSpec, Parser};

/// Script names by kind, first found is taken.
const SCRIPTS: [(&str, GateKind, &[&str], Parser); 5] = [
    (
        "format",
        GateKind::Format,
        &["format:check", "check:format", "fmt:check", "format-check", "prettier:check"],
        Parser::Generic,
    ),
    ("lint", GateKind::Lint, &["lint", "eslint"], Parser::Eslint),
    ("types", GateKind::Types, &["typecheck", "type-check", "types", "check-types", "tsc"], Parser::Tsc),
    ("build", GateKind::Build, &["build", "compile"], Parser::Tsc),
    ("test", GateKind::Test, &["test", "test:unit"], Parser::Generic),
];

pub(super) fn gates(project: &Project) -> Vec<GateSpec> {
    let Ok(manifest) = serde_json::from_str::<Value>(&project.text("package.json")) else {
        return vec![];
    };
    let runner =
        [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")]
            .into_iter()
            .find(|(lock, _)| project.has(lock))
            .map_or("npm", |(_, runner)| runner);
    let mut gates = vec![];
    for (name, kind, scripts, parser) in SCRIPTS {
        let script =
            scripts.iter().find(|script| manifest["scripts"][**script].as_str().is_some_and(is_check));
        if let Some(script) = script {
            let argv: &[&str] = if runner == "npm" || runner == "pnpm" {
                &[runner, "run", "--silent", script]
            } else {
                &[runner, "run", script]
            };
            gates.push(gate(name, kind, argv, parser));
        } else if kind == GateKind::Types && project.has("tsconfig.json") && has_typescript(&manifest) {
            let argv = ["npx", "--no-install", "tsc", "--noEmit", "--pretty", "false"];
            gates.push(gate(name, kind, &argv, parser));
        }
    }
    for gate in &mut gates {
        gate.env.insert("CI".into(), "1".into());
    }
    gates
}

/// Not npm's placeholder, and not a script that rewrites files or never ends.
fn is_check(command: &str) -> bool {
    let rewrites = ["--fix", "--write", "--watch", "no test specified"];
    !command.trim().is_empty() && !rewrites.iter().any(|word| command.contains(word))
}

fn has_typescript(manifest: &Value) -> bool {
    ["dependencies", "devDependencies"].iter().any(|list| manifest[*list]["typescript"].is_string())
}
