//! Findings as GitHub Actions shows them: workflow commands that mark a line of a file.
//!
//! The form is that of GitHub's "Workflow commands for GitHub Actions". Knows nothing of the job that prints them.

use crate::domain::{Diagnostic, Severity};
use crate::note;

/// `::error file=…,line=…::…`, on one line. `folder` is the vault's folder in its repository, with a `/` at its end, or
/// empty.
pub fn annotation(diagnostic: &Diagnostic, folder: &str) -> String {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = vec![];
    if let Some(path) = &diagnostic.path {
        properties.push(format!("file={}", property(&format!("{folder}{path}"))));
        if diagnostic.line > 0 {
            properties.push(format!("line={}", diagnostic.line));
        }
        if diagnostic.column > 0 {
            properties.push(format!("col={}", diagnostic.column));
        }
    }
    properties.push(format!("title={}", property(&diagnostic.code)));
    let said = format!("{}; {}", note::plain(&diagnostic.message), note::plain(&diagnostic.remedy));
    format!("::{level} {}::{}", properties.join(","), data(&said))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NotePath;

    #[test]
    fn a_finding_marks_its_line_and_no_text_ends_the_command_early() {
        let path = NotePath::new("10_features/02_new/FR-001 50%, done.md").unwrap();
        let found = Diagnostic::error("unknown-status", "unknown status `a:b\n::x`", "use planned");
        assert_eq!(
            annotation(&found.clone().in_note(&path).at(4, 1), "vault/"),
            "::error file=vault/10_features/02_new/FR-001 50%25%2C done.md,line=4,col=1,title=unknown-status::unknown status \
             `a:b%0A::x`; use planned"
        );
        let warning = Diagnostic { severity: Severity::Warning, ..found };
        assert!(annotation(&warning, "").starts_with("::warning title=unknown-status::unknown status"));
    }
}
