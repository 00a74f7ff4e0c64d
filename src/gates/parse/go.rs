//! What gofmt, `go vet`, `go build` and `go test -json` print.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Place, diagnostic, generic, number, text};
use crate::domain::{GateDiagnostic, Severity};

/// `gofmt -l`: one file a line; vendored ones are not the project's.
pub(super) fn unformatted(stdout: &str) -> Vec<GateDiagnostic> {
    stdout
        .lines()
        .map(str::trim)
        .filter(|line| line.ends_with(".go") && !line.starts_with("vendor/"))
        .map(|file| GateDiagnostic {
            file: Some(file.to_owned()),
            ..diagnostic("gofmt", Severity::Error, "not formatted as gofmt does")
        })
        .collect()
}

pub(super) fn vet(output: &str) -> Vec<GateDiagnostic> {
    let lines: Vec<&str> = output.lines().map(|line| line.strip_prefix("vet: ").unwrap_or(line)).collect();
    generic::lines("go", &lines.join("\n"))
}

static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s+(?P<file>[\w.\-/]+\.go):(?P<line>\d+): (?P<message>.*)$").expect("a literal pattern")
});

/// `go test -json`: failed tests with the first place they name, and compile errors.
pub(super) fn tests(stdout: &str, place: &Place<'_>) -> Vec<GateDiagnostic> {
    let mut outputs: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut failed = vec![];
    let mut build = String::new();
    for event in stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let key = (field("Package"), field("Test"));
        match event["Action"].as_str() {
            Some("output") => outputs.entry(key).or_default().push_str(&field("Output")),
            Some("build-output") => build.push_str(&field("Output")),
            Some("fail") if !key.1.is_empty() => failed.push(key),
            _ => {}
        }
    }
    let mut found = vet(&build);
    for key in failed {
        let output = outputs.get(&key).cloned().unwrap_or_default();
        let (package, test) = &key;
        let at = PLACE.captures(&output);
        let said = at.as_ref().map_or("", |at| at.name("message").map_or("", |group| group.as_str()));
        found.push(GateDiagnostic {
            file: at.as_ref().map(|at| file_of(text(at, "file"), package, place)),
            line: at.as_ref().and_then(|at| number(at, "line")),
            context: output.clone(),
            ..diagnostic("go test", Severity::Error, format!("test `{test}` failed: {said}"))
        });
    }
    found
}

/// A test's file within its package's folder: the longest end of the package's path that exists here.
fn file_of(file: &str, package: &str, place: &Place<'_>) -> String {
    let base = place.root.join(place.cwd);
    let mut folder = package;
    loop {
        let candidate = format!("{folder}/{file}");
        if base.join(&candidate).is_file() {
            return candidate;
        }
        match folder.split_once('/') {
            Some((_, rest)) => folder = rest,
            None => return file.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_is_found_in_its_packages_folder() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("calc")).unwrap();
        std::fs::write(root.path().join("calc/add_test.go"), "").unwrap();
        let place = Place { root: root.path(), cwd: std::path::Path::new("") };
        let stdout = [
            r#"{"Action":"output","Package":"example.com/m/calc","Test":"TestAdd","Output":"    add_test.go:7: got 3, want 4\n"}"#,
            r#"{"Action":"fail","Package":"example.com/m/calc","Test":"TestAdd"}"#,
            r#"{"Action":"fail","Package":"example.com/m/calc"}"#,
            r#"{"Action":"build-output","ImportPath":"x","Output":"./b.go:3:2: undefined: y\n"}"#,
        ]
        .join("\n");
        let found = tests(&stdout, &place);
        assert_eq!(
            found
                .iter()
                .map(|d| (d.file.as_deref().unwrap(), d.line, d.message.as_str()))
                .collect::<Vec<_>>(),
            [
                ("./b.go", Some(3), "undefined: y"),
                ("calc/add_test.go", Some(7), "test `TestAdd` failed: got 3, want 4"),
            ]
        );
    }

    #[test]
    fn gofmt_lists_files_and_vet_prints_places() {
        assert_eq!(unformatted("a.go\nvendor/x/b.go\n")[0].file.as_deref(), Some("a.go"));
        assert_eq!(unformatted("vendor/x/b.go\n"), []);
        assert_eq!(vet("# m\nvet: ./a.go:3:2: unreachable code\n")[0].message, "unreachable code");
    }
}
