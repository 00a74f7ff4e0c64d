//! What a review found in somebody else's pull request, as a comment. Knows nothing of who is told.

use super::blocks::findings_table;
use super::markdown::inline;
use crate::domain::{Finding, Proposed, Review, Severity};

/// A comment for the page of the pull request: the verdict, what the reviewer found, and what rules found.
pub fn proposal_comment(proposed: &Proposed, review: &Review, found: &[Finding]) -> String {
    let errors = |all: &[Finding]| all.iter().filter(|each| each.severity == Severity::Error).count();
    let verdict = match errors(&review.findings) + errors(found) {
        0 if review.approves() => "nothing was found that blocks it".to_owned(),
        0 => "changes are asked for".to_owned(),
        1 => "1 finding blocks it".to_owned(),
        many => format!("{many} findings block it"),
    };
    let mut lines = vec![format!("**Review of {}**: {verdict}.", proposed.head.short())];
    let summary = inline(&review.summary);
    if !summary.is_empty() {
        lines.extend([String::new(), summary]);
    }
    lines.extend(findings_table(&review.findings));
    if !found.is_empty() {
        lines.extend([String::new(), "Found by rules:".to_owned()]);
        lines.extend(findings_table(found));
    }
    lines.extend([
        String::new(),
        "Written by `ado-vault`, which read this change and ran nothing of it. It approves and merges nothing."
            .to_owned(),
    ]);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ForgeKind, GitId, PullRequestRef, Verdict};

    #[test]
    fn a_comment_says_what_blocks_and_what_was_found() {
        let pr = PullRequestRef { forge: ForgeKind::Github, key: "a/b#7".into(), link: "u".into() };
        let proposed =
            Proposed { pr, head: GitId("0123456789abcdef".into()), author: "eve".into(), from_fork: true };
        let finding = |severity, message: &str| Finding {
            severity,
            file: "a.rs".into(),
            line: Some(3),
            rule: "Correctness".into(),
            message: message.into(),
            suggestion: String::new(),
        };
        let review = |verdict, findings| Review {
            verdict,
            summary: "Read\n<img src=x>.".into(),
            findings,
            criteria: vec![],
            template: false,
        };
        let fine = proposal_comment(&proposed, &review(Verdict::Approve, vec![]), &[]);
        assert!(
            fine.starts_with("**Review of 0123456789**: nothing was found that blocks it.\n\nRead"),
            "{fine}"
        );
        assert!(!fine.contains("<img"), "{fine}");
        let wrong = vec![finding(Severity::Error, "off by | one"), finding(Severity::Info, "x")];
        let told = proposal_comment(&proposed, &review(Verdict::RequestChanges, wrong), &[]);
        assert!(told.contains("1 finding blocks it") && told.contains("off by \\| one"), "{told}");
        let by_rule = [finding(Severity::Error, "hidden")];
        let told = proposal_comment(&proposed, &review(Verdict::Approve, vec![]), &by_rule);
        assert!(told.contains("1 finding blocks it") && told.contains("Found by rules:"), "{told}");
    }
}
