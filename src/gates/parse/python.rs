//! What pytest, unittest, ruff, black, flake8, mypy and pyright print.

use std::sync::LazyLock;

use regex::Regex;

use super::{diagnostic, generic, number, parts, severity, text};
use crate::domain::{GateDiagnostic, Severity};

static SECTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^_{3,} (?P<test>\S.*?) _{3,}$").expect("a literal pattern"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?P<file>[\w./\-]+\.py):(?P<line>\d+): (?:in .+|[A-Z]\w*.*)$")
        .expect("a literal pattern")
});
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?:FAILED|ERROR) (?P<file>[\w./\-]+\.py)(?:::(?P<test>\S+))?(?: - (?P<message>.*))?$")
        .expect("a literal pattern")
});

/// Failures of pytest (`--tb=short` and the long form) or of unittest.
pub(super) fn tests(output: &str) -> Vec<GateDiagnostic> {
    let mut found = sections(output);
    if found.is_empty() {
        found = unittest(output);
    }
    for line in SUMMARY.captures_iter(output) {
        let (file, test) = (text(&line, "file"), text(&line, "test"));
        let last = test.rsplit("::").next().unwrap_or(test);
        let known = found.iter().any(|one| {
            if last.is_empty() {
                one.message.contains(file)
            } else {
                one.message.contains(&format!("`{}`", test.replace("::", ".")))
                    || one.message.contains(&format!("`{last}`"))
            }
        });
        if !known {
            let name = if test.is_empty() { file } else { test };
            found.push(GateDiagnostic {
                file: Some(file.to_owned()),
                ..diagnostic(
                    "pytest",
                    Severity::Error,
                    format!("test `{name}` failed: {}", text(&line, "message")),
                )
            });
        }
    }
    found
}

fn sections(output: &str) -> Vec<GateDiagnostic> {
    parts(&SECTION, output)
        .iter()
        .map(|(head, section)| {
            let body = section.split("\n====").next().unwrap_or_default().trim();
            let place = PLACE.captures_iter(body).last();
            let errors: Vec<&str> = body
                .lines()
                .filter_map(|line| line.strip_prefix("E "))
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .take(6)
                .collect();
            GateDiagnostic {
                file: place.as_ref().map(|place| text(place, "file").to_owned()),
                line: place.as_ref().and_then(|place| number(place, "line")),
                context: body.to_owned(),
                ..diagnostic(
                    "pytest",
                    Severity::Error,
                    format!("test `{}` failed: {}", text(head, "test"), errors.join(" ")),
                )
            }
        })
        .collect()
}

static UNITTEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?:FAIL|ERROR): (?P<test>\S+)[^\n]*\n(?:[^\n-][^\n]*\n)?-{20,}$")
        .expect("a literal pattern")
});
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^  File "(?P<file>[^"\n]+)", line (?P<line>\d+)"#).expect("a literal pattern")
});
static RAISED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?P<error>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$")
        .expect("a literal pattern")
});

fn unittest(output: &str) -> Vec<GateDiagnostic> {
    let heads: Vec<_> = UNITTEST.captures_iter(output).collect();
    heads
        .iter()
        .map(|head| {
            let start = head.get(0).map_or(0, |whole| whole.end());
            let body = output[start..].split("\n\n").next().unwrap_or_default().trim();
            let frame = FRAME.captures_iter(body).last();
            let error = RAISED
                .captures(body)
                .map_or("", |raised| raised.name("error").map_or("", |group| group.as_str()));
            GateDiagnostic {
                file: frame.as_ref().map(|frame| text(frame, "file").to_owned()),
                line: frame.as_ref().and_then(|frame| number(frame, "line")),
                context: body.to_owned(),
                ..diagnostic(
                    "unittest",
                    Severity::Error,
                    format!("test `{}` failed: {error}", text(head, "test")),
                )
            }
        })
        .collect()
}

static RUFF: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(?P<file>[^\s:]+\.(?:pyi?|ipynb|toml)):(?P<line>\d+):(?P<column>\d+): (?:(?P<code>[A-Z]{1,5}\d{1,5}):? |SyntaxError: )?(?:\[\*\] )?(?P<message>.+)$",
    )
    .expect("a literal pattern")
});
static REFORMAT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^[Ww]ould reformat:? (?P<file>.+)$").expect("a literal pattern"));

/// ruff, flake8 and black.
pub(super) fn ruff(output: &str) -> Vec<GateDiagnostic> {
    let checks = RUFF.captures_iter(output).map(|line| GateDiagnostic {
        file: Some(text(&line, "file").to_owned()),
        line: number(&line, "line"),
        column: number(&line, "column"),
        code: line.name("code").map(|code| code.as_str().to_owned()),
        ..diagnostic("ruff", Severity::Error, text(&line, "message"))
    });
    let formats = REFORMAT.captures_iter(output).map(|line| GateDiagnostic {
        file: Some(text(&line, "file").trim().to_owned()),
        ..diagnostic("format", Severity::Error, "not formatted as the project's formatter does")
    });
    checks.chain(formats).collect()
}

static TYPES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^\s*(?P<file>[^\s:]+\.pyi?):(?P<line>\d+):(?:(?P<column>\d+):?)?(?: -)? (?P<severity>error|warning|note): (?P<message>.*?)(?:\s+[\[(](?P<code>[a-zA-Z][\w-]+)[\])])?$",
    )
    .expect("a literal pattern")
});

/// mypy and pyright.
pub(super) fn types(output: &str) -> Vec<GateDiagnostic> {
    let found: Vec<GateDiagnostic> = TYPES
        .captures_iter(output)
        .map(|line| GateDiagnostic {
            file: Some(text(&line, "file").to_owned()),
            line: number(&line, "line"),
            column: number(&line, "column"),
            code: line.name("code").map(|code| code.as_str().to_owned()),
            ..diagnostic("types", severity(text(&line, "severity")), text(&line, "message"))
        })
        .collect();
    if found.is_empty() { generic::lines("types", output) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pytest_failure_has_the_last_place_and_the_error_lines() {
        let output = "F.\n=== FAILURES ===\n_____ test_add _____\ntests/test_a.py:5: in test_add\n    check(add(1, 2))\nsrc/calc.py:9: in check\n    assert x == 4\nE   assert 3 == 4\n=== short test summary info ===\nFAILED tests/test_a.py::test_add - assert 3 == 4\nERROR tests/test_b.py - ImportError: no module\n";
        let found = tests(output);
        assert_eq!(
            found
                .iter()
                .map(|d| (d.file.as_deref().unwrap(), d.line, d.message.as_str()))
                .collect::<Vec<_>>(),
            [
                ("src/calc.py", Some(9), "test `test_add` failed: assert 3 == 4"),
                ("tests/test_b.py", None, "test `tests/test_b.py` failed: ImportError: no module"),
            ]
        );
    }

    #[test]
    fn a_unittest_failure_has_its_last_frame_and_error() {
        let output = "======\nFAIL: test_x (tests.test_a.T.test_x)\n----------------------------------------------------------------------\nTraceback (most recent call last):\n  File \"/r/tests/test_a.py\", line 5, in test_x\n    self.assertEqual(1, 2)\nAssertionError: 1 != 2\n\n----\nRan 1 test\n";
        let found = tests(output);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_deref(), found[0].line), (Some("/r/tests/test_a.py"), Some(5)));
        assert_eq!(found[0].message, "test `test_x` failed: AssertionError: 1 != 2");
    }

    #[test]
    fn ruff_and_formatters_are_read() {
        let found =
            ruff("a.py:1:8: F401 [*] `os` imported but unused\nWould reformat: b.py\nFound 1 error.\n");
        assert_eq!(found[0].code.as_deref(), Some("F401"));
        assert_eq!(found[0].message, "`os` imported but unused");
        assert_eq!(found[1].file.as_deref(), Some("b.py"));
    }

    #[test]
    fn mypy_and_pyright_are_read() {
        let found = types(
            "a.py:3: error: Incompatible return value type  [return-value]\n  /r/b.py:4:7 - warning: x is unused (reportUnused)\n",
        );
        assert_eq!((found[0].line, found[0].code.as_deref()), (Some(3), Some("return-value")));
        assert_eq!((found[1].column, found[1].code.as_deref()), (Some(7), Some("reportUnused")));
        assert_eq!(found[1].severity, Severity::Warning);
    }
}
