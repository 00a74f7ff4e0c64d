//! Gates of a Python project: the tools that it configures, and its tests.

use super::{Project, gate};
use crate::domain::GateKind;
use crate::gates::{GateSpec, Parser};

const MANIFESTS: [&str; 6] =
    ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "pytest.ini"];

pub(super) fn gates(project: &Project) -> Vec<GateSpec> {
    let is_project = MANIFESTS.iter().any(|name| project.has(name))
        || project.files().iter().any(|name| name.ends_with(".py"));
    if !is_project {
        return vec![];
    }
    let settings: String =
        ["pyproject.toml", "setup.cfg", "tox.ini"].map(|name| project.text(name)).join("\n");
    let mut gates = vec![];
    if settings.contains("[tool.black") {
        gates.push(gate("format", GateKind::Format, &["black", "--check", "--quiet", "."], Parser::Ruff));
    } else if settings.contains("[tool.ruff.format") {
        let argv = ["ruff", "format", "--no-cache", "--check", "."];
        gates.push(gate("format", GateKind::Format, &argv, Parser::Ruff));
    }
    if settings.contains("[tool.ruff") || project.has("ruff.toml") || project.has(".ruff.toml") {
        let argv = ["ruff", "check", "--no-cache", "--output-format=concise", "."];
        gates.push(gate("lint", GateKind::Lint, &argv, Parser::Ruff));
    } else if settings.contains("[flake8]") || project.has(".flake8") {
        gates.push(gate("lint", GateKind::Lint, &["python3", "-m", "flake8"], Parser::Ruff));
    }
    if settings.contains("[tool.mypy") || settings.contains("[mypy]") || project.has("mypy.ini") {
        let argv = ["mypy", "--no-color-output", "--no-error-summary", "--cache-dir=/dev/null", "."];
        gates.push(gate("types", GateKind::Types, &argv, Parser::Mypy));
    } else if settings.contains("[tool.pyright") || project.has("pyrightconfig.json") {
        gates.push(gate("types", GateKind::Types, &["pyright"], Parser::Mypy));
    }
    gates.extend(tests(project, &settings));
    for gate in &mut gates {
        gate.env.insert("PYTHONDONTWRITEBYTECODE".into(), "1".into());
    }
    gates
}

fn tests(project: &Project, settings: &str) -> Option<GateSpec> {
    let folder = ["tests", "test"].into_iter().find(|name| project.has_folder(name));
    let is_test = |name: &String| name.starts_with("test_") && name.ends_with(".py");
    let at_root = project.files().iter().any(is_test);
    if folder.is_none() && !at_root {
        return None;
    }
    let uses_pytest = settings.contains("pytest")
        || project.has("pytest.ini")
        || project.has("conftest.py")
        || folder.is_some_and(|folder| project.has(&format!("{folder}/conftest.py")))
        || ["requirements.txt", "requirements-dev.txt", "dev-requirements.txt"]
            .iter()
            .any(|name| project.text(name).contains("pytest"))
        || test_files(project, folder).iter().any(|file| project.text(file).contains("pytest"));
    let argv = if uses_pytest {
        vec!["python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    } else if let Some(folder) = folder {
        vec!["python3", "-m", "unittest", "discover", "-s", folder]
    } else {
        vec!["python3", "-m", "unittest"]
    };
    Some(gate("test", GateKind::Test, &argv, Parser::Pytest))
}

/// Test files of the root and of the tests' folder, the first few.
fn test_files(project: &Project, folder: Option<&str>) -> Vec<String> {
    let inside = folder.map(|folder| {
        let tests = Project { folder: project.folder.join(folder) };
        tests.files().into_iter().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
    });
    let mut files = project.files();
    files.extend(inside.into_iter().flatten());
    files.retain(|file| {
        let name = file.rsplit('/').next().unwrap_or(file);
        name.starts_with("test_") && name.ends_with(".py")
    });
    files.truncate(50);
    files
}
