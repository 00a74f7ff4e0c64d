//! What tsc and eslint print.

use std::sync::LazyLock;

use regex::Regex;

use super::{diagnostic, number, severity, text};
use crate::domain::GateDiagnostic;

static TSC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^(?P<file>[^\s(][^(\n:]*?)(?:\((?P<line>\d+),(?P<column>\d+)\):|:(?P<line2>\d+):(?P<column2>\d+) -) (?P<severity>error|warning) (?P<code>TS\d+): (?P<message>.+)$",
    )
    .expect("a literal pattern")
});

/// tsc, plain and pretty.
pub(super) fn tsc(output: &str) -> Vec<GateDiagnostic> {
    TSC.captures_iter(output)
        .map(|line| GateDiagnostic {
            file: Some(text(&line, "file").to_owned()),
            line: number(&line, "line").or_else(|| number(&line, "line2")),
            column: number(&line, "column").or_else(|| number(&line, "column2")),
            code: Some(text(&line, "code").to_owned()),
            ..diagnostic("tsc", severity(text(&line, "severity")), text(&line, "message"))
        })
        .collect()
}

static ESLINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^\s+(?P<line>\d+):(?P<column>\d+)\s+(?P<severity>error|warning)\s+(?P<message>.+?)(?:\s{2,}(?P<code>[@\w/\-]+))?$",
    )
    .expect("a literal pattern")
});

/// eslint's stylish form: a line with the file, then its messages.
pub(super) fn eslint(output: &str) -> Vec<GateDiagnostic> {
    let mut file = None;
    let mut found = vec![];
    for line in output.lines() {
        if let Some(message) = ESLINT.captures(line) {
            found.push(GateDiagnostic {
                file: file.clone(),
                line: number(&message, "line"),
                column: number(&message, "column"),
                code: message.name("code").map(|code| code.as_str().to_owned()),
                ..diagnostic("eslint", severity(text(&message, "severity")), text(&message, "message"))
            });
        } else if !line.starts_with(char::is_whitespace) && line.contains('.') && !line.contains(' ') {
            file = Some(line.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Severity;

    #[test]
    fn both_forms_of_tsc_are_read() {
        let found = tsc(
            "src/a.ts(3,5): error TS2322: Type 'string' is not assignable.\nsrc/b.ts:7:1 - error TS1005: ';' expected.\nFound 2 errors.\n",
        );
        assert_eq!(
            found
                .iter()
                .map(|d| (d.file.as_deref().unwrap(), d.line, d.code.as_deref().unwrap()))
                .collect::<Vec<_>>(),
            [("src/a.ts", Some(3), "TS2322"), ("src/b.ts", Some(7), "TS1005")]
        );
    }

    #[test]
    fn eslint_messages_belong_to_the_file_above_them() {
        let found = eslint(
            "\n/r/src/a.js\n  1:10  error    'x' is defined but never used  no-unused-vars\n  2:1   warning  Unexpected console statement  no-console\n\n✖ 2 problems\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].file.as_deref(), Some("/r/src/a.js"));
        assert_eq!(found[0].code.as_deref(), Some("no-unused-vars"));
        assert_eq!(found[0].message, "'x' is defined but never used");
        assert_eq!(found[1].severity, Severity::Warning);
    }
}
