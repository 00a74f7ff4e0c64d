//! Tools' output read into diagnostics. Parsers see text alone; files are named as the tool named them and made
//! relative here.

mod cargo;
mod generic;
mod go;
mod java;
mod node;
mod python;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::Parser;
use crate::domain::{GateDiagnostic, Severity};

/// Diagnostics kept of one gate, errors first.
const MOST_DIAGNOSTICS: usize = 60;
const MESSAGE_CHARS: usize = 1200;
const CONTEXT_CHARS: usize = 2000;

/// Where the gate ran, so that files can be named relative to the repository.
pub(super) struct Place<'a> {
    /// The repository's root, absolute.
    pub(super) root: &'a Path,
    /// The gate's folder relative to it.
    pub(super) cwd: &'a Path,
}

/// Reads a gate's output: errors first, each once, bounded. Files outside the repository are dropped from their
/// diagnostic. `stdout` and `stderr` must be free of control characters.
pub(super) fn parse(parser: Parser, stdout: &str, stderr: &str, place: &Place<'_>) -> Vec<GateDiagnostic> {
    let text = format!("{stdout}\n{stderr}");
    let mut found = match parser {
        Parser::CargoJson => cargo::messages(stdout),
        Parser::CargoTest => [cargo::rendered(&text), cargo::failed_tests(stdout)].concat(),
        Parser::Rustfmt => [cargo::unformatted(stdout), cargo::rendered(stderr)].concat(),
        Parser::Pytest => python::tests(&text),
        Parser::Ruff => python::ruff(&text),
        Parser::Mypy => python::types(&text),
        Parser::Tsc => node::tsc(&text),
        Parser::Eslint => node::eslint(&text),
        Parser::Gofmt => go::unformatted(stdout),
        Parser::Go => go::vet(&text),
        Parser::GoTest => go::tests(stdout, place),
        Parser::Java => java::build(&text),
        Parser::Generic => vec![],
    };
    if found.is_empty() && parser != Parser::CargoJson {
        found = generic::lines("gate", &text);
    }
    if found.is_empty() && matches!(parser, Parser::CargoJson | Parser::CargoTest) {
        found = cargo::own_errors(stderr);
    }
    let mut seen = BTreeSet::new();
    found.retain(|diagnostic| {
        seen.insert((diagnostic.file.clone(), diagnostic.line, diagnostic.column, diagnostic.message.clone()))
    });
    found.sort_by_key(|diagnostic| diagnostic.severity);
    found.truncate(MOST_DIAGNOSTICS);
    found
        .into_iter()
        .map(|diagnostic| GateDiagnostic {
            file: diagnostic.file.as_deref().and_then(|file| relative(file, place)),
            message: bounded(diagnostic.message.trim(), MESSAGE_CHARS),
            context: bounded(diagnostic.context.trim_end(), CONTEXT_CHARS),
            ..diagnostic
        })
        .collect()
}

/// A diagnostic without a place.
fn diagnostic(tool: &str, severity: Severity, message: impl Into<String>) -> GateDiagnostic {
    GateDiagnostic {
        tool: tool.to_owned(),
        severity,
        file: None,
        line: None,
        column: None,
        code: None,
        message: message.into(),
        context: String::new(),
    }
}

/// Each match of `head`, with the text behind it up to the next one.
fn parts<'t>(head: &regex::Regex, output: &'t str) -> Vec<(regex::Captures<'t>, &'t str)> {
    let mut parts: Vec<(regex::Captures<'t>, &'t str)> = vec![];
    let mut end = output.len();
    let heads: Vec<_> = head.captures_iter(output).collect();
    for found in heads.into_iter().rev() {
        let whole = found.get_match();
        parts.push((found, &output[whole.end()..end]));
        end = whole.start();
    }
    parts.reverse();
    parts
}

/// A named group of a match as a number.
fn number(captures: &regex::Captures<'_>, name: &str) -> Option<u32> {
    captures.name(name).and_then(|digits| digits.as_str().parse().ok())
}

/// A named group of a match as text; empty when it took no part.
fn text<'t>(captures: &regex::Captures<'t>, name: &str) -> &'t str {
    captures.name(name).map_or("", |group| group.as_str())
}

fn severity(word: &str) -> Severity {
    match word.to_ascii_lowercase().as_str() {
        "warning" | "warn" => Severity::Warning,
        "note" | "info" | "information" | "help" => Severity::Info,
        _ => Severity::Error,
    }
}

/// The file relative to the root, with `/`; `None` when it lies outside.
fn relative(file: &str, place: &Place<'_>) -> Option<String> {
    let path = Path::new(file);
    let inside = if path.is_absolute() {
        let real = place.root.canonicalize().unwrap_or_else(|_| place.root.to_owned());
        path.strip_prefix(place.root).or_else(|_| path.strip_prefix(&real)).ok()?.to_owned()
    } else {
        place.cwd.join(path)
    };
    let mut parts = PathBuf::new();
    for part in inside.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            Component::ParentDir if parts.pop() => {}
            _ => return None,
        }
    }
    let parts = parts.to_str()?;
    (!parts.is_empty()).then(|| parts.to_owned())
}

fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_relative_to_the_root_and_never_outside() {
        let place = Place { root: Path::new("/w/repo"), cwd: Path::new("web") };
        for (file, expected) in [
            ("src/a.ts", Some("web/src/a.ts")),
            ("./a.ts", Some("web/a.ts")),
            ("../src/lib.rs", Some("src/lib.rs")),
            ("/w/repo/src/lib.rs", Some("src/lib.rs")),
            ("/rustc/abc/library/core.rs", None),
            ("../../etc/passwd", None),
        ] {
            assert_eq!(relative(file, &place).as_deref(), expected, "{file}");
        }
    }

    #[test]
    fn errors_come_first_each_once_and_the_list_is_bounded() {
        let mut text = "a.c:1:1: warning: w\n".repeat(2);
        for line in 1..=80 {
            text.push_str(&format!("a.c:{line}:1: error: e\n"));
        }
        let place = Place { root: Path::new("/r"), cwd: Path::new("") };
        let found = parse(Parser::Generic, &text, "", &place);
        assert_eq!(found.len(), MOST_DIAGNOSTICS);
        assert!(found.iter().all(|diagnostic| diagnostic.severity == Severity::Error));
    }
}
