//! Lines of the form `file:line:column: message`, which most tools can be made to print.

use std::sync::LazyLock;

use regex::Regex;

use super::{diagnostic, number, severity, text};
use crate::domain::{GateDiagnostic, Severity};

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?mx)^\s{0,4}(?P<file>(?:[A-Za-z]:)?[\w@./+\-\\]*[A-Za-z_][\w@./+\-\\]*\.[A-Za-z][\w]{0,9})
        :(?P<line>\d{1,7})(?::(?P<column>\d{1,6}))?
        (?:\s*[:\-]\s*|\s+)(?:(?P<severity>(?i:fatal\ error|error|warning|warn|note|info))(?:\[(?P<code>[\w\-]+)\])?\s*:?\s+)?
        (?P<message>\S.*)$",
    )
    .expect("a literal pattern")
});

/// Every line that names a file and a line.
pub(super) fn lines(tool: &str, output: &str) -> Vec<GateDiagnostic> {
    LINE.captures_iter(output)
        .map(|captures| GateDiagnostic {
            file: Some(text(&captures, "file").to_owned()),
            line: number(&captures, "line"),
            column: number(&captures, "column"),
            code: captures.name("code").map(|code| code.as_str().to_owned()),
            ..diagnostic(tool, severity(text(&captures, "severity")), text(&captures, "message"))
        })
        .filter(|found| found.severity != Severity::Info)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_severities_are_read_and_clock_times_are_not_places() {
        let found = lines(
            "cc",
            "src/main.c:12:5: error: expected ';'\nlib/b.rb:3: warning: unused\n12:30:45: started\nok\n./x.sh:7: oops",
        );
        let short: Vec<_> = found
            .iter()
            .map(|d| (d.file.as_deref().unwrap(), d.line, d.column, d.severity, d.message.as_str()))
            .collect();
        assert_eq!(
            short,
            [
                ("src/main.c", Some(12), Some(5), Severity::Error, "expected ';'"),
                ("lib/b.rb", Some(3), None, Severity::Warning, "unused"),
                ("./x.sh", Some(7), None, Severity::Error, "oops"),
            ]
        );
    }
}
