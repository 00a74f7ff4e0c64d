//! What javac, Maven with Surefire, and Gradle print.

use std::sync::LazyLock;

use regex::Regex;

use super::{diagnostic, number, severity, text};
use crate::domain::{GateDiagnostic, Severity};

static JAVAC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(?P<file>[^\s:]+\.(?:java|kt)):(?P<line>\d+): (?P<severity>error|warning): (?P<message>.+)$",
    )
    .expect("a literal pattern")
});
static MAVEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\[(?P<severity>ERROR|WARNING)\] (?P<file>/[^\s:]+\.(?:java|kt)):\[(?P<line>\d+),(?P<column>\d+)\] (?P<message>.+)$")
        .expect("a literal pattern")
});
static SUREFIRE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\[ERROR\]\s{2,}(?P<test>[A-Z]\w*(?:Test|Tests|IT|Case)?\.\w+)(?::(?P<line>\d+))?\S* (?P<message>.+)$")
        .expect("a literal pattern")
});
static GRADLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^(?P<test>[\w.$]+ > [^\n]+?) FAILED\n(?P<body>(?:[ \t]+[^\n]*\n?)*)")
        .expect("a literal pattern")
});
static FRAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"at (?P<file>\w+\.(?:java|kt)):(?P<line>\d+)").expect("a literal pattern"));

/// Compile errors and failed tests.
pub(super) fn build(output: &str) -> Vec<GateDiagnostic> {
    let compiled = JAVAC.captures_iter(output).chain(MAVEN.captures_iter(output)).map(|line| {
        let column = line.name("column").and_then(|digits| digits.as_str().parse().ok());
        GateDiagnostic {
            file: Some(text(&line, "file").to_owned()),
            line: number(&line, "line"),
            column,
            ..diagnostic("javac", severity(text(&line, "severity")), text(&line, "message"))
        }
    });
    let maven_tests = SUREFIRE.captures_iter(output).map(|line| GateDiagnostic {
        line: number(&line, "line"),
        ..diagnostic(
            "surefire",
            Severity::Error,
            format!("test `{}` failed: {}", text(&line, "test"), text(&line, "message")),
        )
    });
    let gradle_tests = GRADLE.captures_iter(output).map(|failed| {
        let body = text(&failed, "body");
        let said = body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        GateDiagnostic {
            line: FRAME.captures(body).and_then(|frame| number(&frame, "line")),
            context: body.to_owned(),
            ..diagnostic(
                "gradle",
                Severity::Error,
                format!("test `{}` failed: {said}", text(&failed, "test")),
            )
        }
    });
    compiled.chain(maven_tests).chain(gradle_tests).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_and_test_runners_are_read() {
        let found = build(
            "src/A.java:3: error: ';' expected\n[ERROR] /r/src/B.java:[4,8] cannot find symbol\n[ERROR]   CalcTest.adds:12 expected: <1> but was: <2>\n\nCalcTest > adds() FAILED\n    org.opentest4j.AssertionFailedError: expected 1\n        at CalcTest.java:12\n",
        );
        assert_eq!(
            found.iter().map(|d| (d.tool.as_str(), d.line, d.column, d.message.as_str())).collect::<Vec<_>>(),
            [
                ("javac", Some(3), None, "';' expected"),
                ("javac", Some(4), Some(8), "cannot find symbol"),
                ("surefire", Some(12), None, "test `CalcTest.adds` failed: expected: <1> but was: <2>"),
                (
                    "gradle",
                    Some(12),
                    None,
                    "test `CalcTest > adds()` failed: org.opentest4j.AssertionFailedError: expected 1"
                ),
            ]
        );
    }
}
