//! Which gates a repository has in the end: detected ones, and the lines of its note in their place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{GateError, GateSpec, Parser, detect};
use crate::domain::{GateKind, GatePolicy, InvalidId, Repository, SandboxProfile};

const KINDS: [GateKind; 7] = [
    GateKind::Format,
    GateKind::Lint,
    GateKind::Types,
    GateKind::Build,
    GateKind::Test,
    GateKind::Coverage,
    GateKind::Secrets,
];

/// The gates of the repository checked out at `root`, in order of kind. Lines `kind: command` of the repository note
/// replace every detected gate of that kind; a command with shell syntax runs in `sh -c`.
///
/// # Errors
/// `BadLine` names the first line that is not `kind: command`.
pub fn resolve(
    policy: &GatePolicy,
    repository: &Repository,
    root: &Path,
) -> Result<Vec<GateSpec>, GateError> {
    let mut own = vec![];
    for line in &repository.gates {
        own.push(read_line(line).map_err(|problem| GateError::BadLine {
            repo: repository.name.clone(),
            line: line.clone(),
            problem,
        })?);
    }
    let replaced: BTreeSet<GateKind> = own.iter().map(|spec| spec.kind).collect();
    let mut specs = if policy.detect { detect(root) } else { vec![] };
    specs.retain(|spec| !replaced.contains(&spec.kind));
    specs.extend(own);
    specs.sort_by_key(|spec| spec.kind);
    for line in &repository.gate_sandbox {
        let (kind, profile) = read_sandbox(line).map_err(|problem| GateError::BadLine {
            repo: repository.name.clone(),
            line: line.clone(),
            problem,
        })?;
        for spec in specs.iter_mut().filter(|spec| spec.kind == kind) {
            spec.sandbox = profile.clone();
        }
    }
    let mut taken = BTreeSet::new();
    for spec in &mut specs {
        spec.timeout = Duration::from_secs(policy.timeout_seconds.max(1));
        let mut number = 2;
        let name = spec.name.clone();
        while !taken.insert(spec.name.clone()) {
            spec.name = format!("{name}-{number}");
            number += 1;
        }
    }
    Ok(specs)
}

fn read_sandbox(line: &str) -> Result<(GateKind, SandboxProfile), String> {
    let expected = "expected `kind: profile`, such as `test: read-only`";
    let (kind, profile) = line.split_once(':').ok_or_else(|| expected.to_owned())?;
    Ok((read_kind(kind)?, profile.trim().parse().map_err(|error: InvalidId| error.to_string())?))
}

fn read_kind(word: &str) -> Result<GateKind, String> {
    let word = word.trim().to_lowercase();
    KINDS.into_iter().find(|known| known.slug() == word).ok_or_else(|| {
        let known = KINDS.map(GateKind::slug).join(", ");
        format!("`{word}` is not a kind of gate; use one of {known}")
    })
}

fn read_line(line: &str) -> Result<GateSpec, String> {
    let expected = "expected `kind: command`, such as `test: cargo test`";
    let (kind, command) = line.split_once(':').ok_or_else(|| expected.to_owned())?;
    let kind = read_kind(kind)?;
    let command = command.trim();
    if command.is_empty() {
        return Err(format!("the command is missing; {expected}"));
    }
    if command.chars().any(char::is_control) {
        return Err("the command holds control characters".into());
    }
    let needs_shell = command.contains(['|', '&', ';', '<', '>', '$', '`', '*', '?', '~', '(', ')', '#'])
        || command.split_whitespace().next().is_some_and(|word| word.contains('='));
    let argv = if needs_shell {
        vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()]
    } else {
        words(command).ok_or_else(|| "a quote is not closed".to_owned())?
    };
    Ok(GateSpec {
        name: kind.slug().to_owned(),
        kind,
        parser: parser_for(command),
        argv,
        cwd: PathBuf::new(),
        timeout: Duration::from_secs(GatePolicy::default().timeout_seconds),
        sandbox: SandboxProfile::Worktree,
        env: [].into(),
    })
}

/// Words of a command line with single quotes, double quotes and backslashes; `None` where a quote stays open.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The parser that a command's words suggest.
fn parser_for(command: &str) -> Parser {
    let has = |needle: &str| command.contains(needle);
    match () {
        () if has("--message-format=json") => Parser::CargoJson,
        () if has("cargo fmt") || has("rustfmt") => Parser::Rustfmt,
        () if has("cargo") => Parser::CargoTest,
        () if has("ruff") || has("black") || has("flake8") => Parser::Ruff,
        () if has("mypy") || has("pyright") => Parser::Mypy,
        () if has("pytest") || has("unittest") || has("python") => Parser::Pytest,
        () if has("eslint") => Parser::Eslint,
        () if has("tsc") => Parser::Tsc,
        () if has("gofmt -l") => Parser::Gofmt,
        () if has("go test") && has("-json") => Parser::GoTest,
        () if has("go ") => Parser::Go,
        () if has("mvn") || has("gradle") || has("javac") => Parser::Java,
        () => Parser::Generic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(gates: &[&str]) -> Repository {
        serde_json::from_value(serde_json::json!({"name": "shop", "path": "/x", "gates": gates})).unwrap()
    }

    fn resolved(gates: &[&str]) -> Result<Vec<String>, String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("Cargo.toml"), "[package]").unwrap();
        resolve(&GatePolicy::default(), &repository(gates), root.path())
            .map(|specs| specs.iter().map(|spec| format!("{}: {}", spec.name, spec.argv.join("|"))).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_replaces_the_detected_gates_of_its_kind() {
        let specs = resolved(&["test: cargo test --lib", "test: sh -c 'exit 0'"]).unwrap();
        assert_eq!(specs[3..], ["test: cargo|test|--lib", "test-2: sh|-c|exit 0"]);
        assert_eq!(specs.len(), 5);
    }

    #[test]
    fn shell_syntax_is_given_to_a_shell_and_quotes_are_kept_together() {
        let specs = resolved(&["coverage: cargo test && echo ok", "build: make \"a b\" c\\ d"]).unwrap();
        assert_eq!(specs[4], "coverage: sh|-c|cargo test && echo ok");
        assert_eq!(specs[2], "build: make|a b|c d");
    }

    #[test]
    fn a_bad_line_is_named_with_what_was_expected() {
        assert_eq!(
            resolved(&["tests: cargo test"]).unwrap_err(),
            "gate line `tests: cargo test` of repository `shop` is not usable: `tests` is not a kind of gate; use one \
             of format, lint, types, build, test, coverage, secrets"
        );
        assert!(resolved(&["cargo test"]).unwrap_err().contains("expected `kind: command`"));
        assert!(resolved(&["test:"]).unwrap_err().contains("the command is missing"));
        assert!(resolved(&["test: echo 'x"]).unwrap_err().contains("a quote is not closed"));
    }

    #[test]
    fn a_line_gives_the_gates_of_its_kind_a_sandbox() {
        let root = tempfile::tempdir().unwrap();
        let mut repository = repository(&["test: make test", "lint: make lint"]);
        repository.gate_sandbox =
            vec!["test: worktree+network localhost:5432".into(), "lint: read-only".into()];
        let specs = resolve(&GatePolicy::default(), &repository, root.path()).unwrap();
        let given: Vec<String> = specs.iter().map(|spec| format!("{} {}", spec.name, spec.sandbox)).collect();
        assert_eq!(given, ["lint read-only", "test worktree+network localhost:5432"]);
        repository.gate_sandbox = vec!["test: open".into()];
        let said = resolve(&GatePolicy::default(), &repository, root.path()).unwrap_err().to_string();
        assert!(said.contains("`open` is not a valid sandbox profile"), "{said}");
    }

    #[test]
    fn the_policy_sets_the_time_limit_and_may_turn_detection_off() {
        let policy = GatePolicy { detect: false, timeout_seconds: 7, ..GatePolicy::default() };
        let specs = resolve(&policy, &repository(&["lint: make lint"]), Path::new("/nowhere")).unwrap();
        assert_eq!(specs.len(), 1);
        assert_eq!(specs[0].timeout, Duration::from_secs(7));
    }
}
