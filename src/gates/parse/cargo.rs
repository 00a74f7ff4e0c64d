//! What cargo's tools print: compiler messages as JSON or for people, failed tests, rustfmt's diffs.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{diagnostic, number, parts, severity, text};
use crate::domain::{GateDiagnostic, Severity};

/// `--message-format=json`: one JSON object a line; others are skipped.
pub(super) fn messages(stdout: &str) -> Vec<GateDiagnostic> {
    stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|value| value["reason"] == "compiler-message")
        .filter_map(|value| message(&value["message"]))
        .collect()
}

fn message(value: &Value) -> Option<GateDiagnostic> {
    let level = value["level"].as_str()?;
    let text = value["message"].as_str()?;
    let spans = value["spans"].as_array().map_or(&[][..], Vec::as_slice);
    let summary = spans.is_empty()
        && (text.starts_with("aborting due to")
            || text.contains(" warning emitted")
            || text.contains(" warnings emitted")
            || text.starts_with("For more information")
            || text.starts_with("Some errors have detailed"));
    if summary || level == "failure-note" {
        return None;
    }
    let code = value["code"]["code"].as_str().map(str::to_owned);
    let tool =
        if code.as_deref().is_some_and(|code| code.starts_with("clippy::")) { "clippy" } else { "rustc" };
    let primary = spans.iter().find(|span| span["is_primary"] == true).or(spans.first());
    let place =
        |key: &str| primary.and_then(|span| span[key].as_u64()).and_then(|number| u32::try_from(number).ok());
    Some(GateDiagnostic {
        file: primary.and_then(|span| span["file_name"].as_str()).map(str::to_owned),
        line: place("line_start"),
        column: place("column_start"),
        code,
        context: value["rendered"].as_str().unwrap_or_default().to_owned(),
        ..diagnostic(tool, severity(level), text)
    })
}

static RENDERED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(?P<severity>error|warning)(?:\[(?P<code>\w+)\])?: (?P<message>.+)\n +--> (?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+)$",
    )
    .expect("a literal pattern")
});

/// Compiler messages in the form for people.
pub(super) fn rendered(output: &str) -> Vec<GateDiagnostic> {
    RENDERED
        .captures_iter(output)
        .map(|captures| {
            let start = captures.get(0).map_or(0, |whole| whole.start());
            let context = output[start..].split("\n\n").next().unwrap_or_default();
            GateDiagnostic {
                file: Some(text(&captures, "file").to_owned()),
                line: number(&captures, "line"),
                column: number(&captures, "column"),
                code: captures.name("code").map(|code| code.as_str().to_owned()),
                context: context.to_owned(),
                ..diagnostic("rustc", severity(text(&captures, "severity")), text(&captures, "message"))
            }
        })
        .collect()
}

/// Cargo's own complaints, which have no place: a broken manifest, a missing dependency.
pub(super) fn own_errors(stderr: &str) -> Vec<GateDiagnostic> {
    let is_summary =
        |message: &str| message.starts_with("could not compile") || message.contains("to rerun pass");
    stderr
        .split("error: ")
        .skip(1)
        .filter(|message| !is_summary(message))
        .map(|message| {
            let text: Vec<&str> =
                message.lines().take(12).map(str::trim).filter(|line| !line.is_empty()).collect();
            diagnostic("cargo", Severity::Error, text.join(" "))
        })
        .collect()
}

static SECTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^---- (?P<test>.+?) (?:stdout|stderr) ----$").expect("a literal pattern")
});
static PANIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^thread '[^\n]*?' (?:\(\d+\) )?panicked at (?P<file>[^\n:']+):(?P<line>\d+):(?P<column>\d+):$",
    )
    .expect("a literal pattern")
});
static OLD_PANIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^thread '[^\n]*?' panicked at '(?P<message>[^\n]*)', (?P<file>[^\n:']+):(?P<line>\d+):(?P<column>\d+)$",
    )
    .expect("a literal pattern")
});

/// The `---- name stdout ----` sections of a test run's report.
pub(super) fn failed_tests(stdout: &str) -> Vec<GateDiagnostic> {
    let heads: Vec<_> =
        SECTION.captures_iter(stdout).filter_map(|head| Some((head.get(0)?, head.name("test")?))).collect();
    heads
        .iter()
        .enumerate()
        .map(|(index, (head, test))| {
            let end = heads.get(index + 1).map_or(stdout.len(), |(next, _)| next.start());
            let body = &stdout[head.end()..end];
            let body = body.split("\n\nfailures:\n").next().unwrap_or(body).trim();
            failed_test(test.as_str(), body)
        })
        .collect()
}

fn failed_test(test: &str, body: &str) -> GateDiagnostic {
    let base = |message: &str| GateDiagnostic {
        code: None,
        context: body.to_owned(),
        ..diagnostic("cargo test", Severity::Error, format!("test `{test}` failed: {message}"))
    };
    if let Some(panic) = PANIC.captures(body) {
        let rest = panic.get(0).map_or("", |whole| &body[whole.end()..]);
        let message: Vec<&str> = rest
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("note: ") && !line.starts_with("stack backtrace:"))
            .filter(|line| !line.is_empty())
            .take(8)
            .collect();
        return at(base(&message.join(" ")), &panic);
    }
    if let Some(panic) = OLD_PANIC.captures(body) {
        return at(base(text(&panic, "message")), &panic);
    }
    if let Some(inner) = rendered(body).into_iter().next() {
        return GateDiagnostic {
            file: inner.file,
            line: inner.line,
            code: inner.code,
            ..base(&inner.message)
        };
    }
    base(body.lines().next().unwrap_or("no output"))
}

fn at(found: GateDiagnostic, place: &regex::Captures<'_>) -> GateDiagnostic {
    GateDiagnostic {
        file: Some(text(place, "file").to_owned()),
        line: number(place, "line"),
        column: number(place, "column"),
        ..found
    }
}

static DIFF: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^Diff in (?P<file>.+?)(?::| at line )(?P<line>\d+):$").expect("a literal pattern")
});

/// `rustfmt --check`: one diagnostic for each piece that is formatted otherwise.
pub(super) fn unformatted(stdout: &str) -> Vec<GateDiagnostic> {
    parts(&DIFF, stdout)
        .iter()
        .map(|(head, difference)| GateDiagnostic {
            file: Some(text(head, "file").to_owned()),
            line: number(head, "line"),
            context: difference.trim_matches('\n').to_owned(),
            ..diagnostic(
                "rustfmt",
                Severity::Error,
                "not formatted as rustfmt does; `-` is the code, `+` is wanted",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_message_has_its_primary_place_and_code() {
        let line = r#"{"reason":"compiler-message","message":{"level":"error","message":"mismatched types",
            "code":{"code":"E0308"},"rendered":"error[E0308]: mismatched types\n","spans":[
            {"file_name":"src/a.rs","line_start":1,"column_start":1,"is_primary":false},
            {"file_name":"src/lib.rs","line_start":3,"column_start":5,"is_primary":true}]}}"#
            .replace('\n', "");
        let noise = r#"{"reason":"compiler-message","message":{"level":"error","message":"aborting due to 1 previous error","spans":[]}}"#;
        let found = messages(&format!("{line}\n{noise}\nnot json\n{{\"reason\":\"build-finished\"}}"));
        assert_eq!(
            found,
            [GateDiagnostic {
                tool: "rustc".into(),
                severity: Severity::Error,
                file: Some("src/lib.rs".into()),
                line: Some(3),
                column: Some(5),
                code: Some("E0308".into()),
                message: "mismatched types".into(),
                context: "error[E0308]: mismatched types\n".into(),
            }]
        );
    }

    #[test]
    fn a_panic_of_a_test_has_its_place_and_its_message() {
        let stdout = "running 2 tests\n\nfailures:\n\n---- tests::adds stdout ----\n\nthread 'tests::adds' (4711) panicked at src/lib.rs:10:5:\nassertion `left == right` failed\n  left: 3\n right: 4\nnote: run with `RUST_BACKTRACE=1`\n\n---- tests::reads stdout ----\nError: \"no file\"\n\n\nfailures:\n    tests::adds\n    tests::reads\n";
        let found = failed_tests(stdout);
        assert_eq!(
            found.iter().map(|d| (d.file.as_deref(), d.line, d.message.as_str())).collect::<Vec<_>>(),
            [
                (
                    Some("src/lib.rs"),
                    Some(10),
                    "test `tests::adds` failed: assertion `left == right` failed left: 3 right: 4"
                ),
                (None, None, "test `tests::reads` failed: Error: \"no file\""),
            ]
        );
    }

    #[test]
    fn the_older_form_of_a_panic_is_read_too() {
        let body = "thread 'x' panicked at 'boom', tests/a.rs:7:9\nnote: run";
        let found = failed_test("x", body);
        assert_eq!((found.file.as_deref(), found.line), (Some("tests/a.rs"), Some(7)));
        assert_eq!(found.message, "test `x` failed: boom");
    }

    #[test]
    fn rustfmt_differences_are_one_diagnostic_a_piece() {
        let found = unformatted(
            "Diff in /r/src/lib.rs:1:\n-fn a( ) {}\n+fn a() {}\nDiff in /r/src/lib.rs:9:\n-x\n+y\n",
        );
        assert_eq!(found.iter().map(|d| d.line).collect::<Vec<_>>(), [Some(1), Some(9)]);
        assert_eq!(found[0].context, "-fn a( ) {}\n+fn a() {}");
    }

    #[test]
    fn messages_for_people_are_read_with_their_source_lines() {
        let found = rendered(
            "   Compiling x\nerror[E0425]: cannot find value `y`\n --> src/lib.rs:2:5\n  |\n2 |     y\n  |     ^\n\nerror: could not compile `x`\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].code.as_deref()), (Some(2), Some("E0425")));
        assert!(found[0].context.ends_with("|     ^"));
    }

    #[test]
    fn cargos_own_errors_are_kept_when_there_is_nothing_else() {
        let found = own_errors(
            "error: no matching package named `serde` found\nlocation searched: registry\nerror: could not compile `x`\n",
        );
        assert_eq!(found.len(), 1);
        assert!(found[0].message.starts_with("no matching package named `serde`"));
    }
}
