//! Comments that ado-vault wrote, known again by a marker in them. Pure.

use serde_json::Value;

/// Stands in every comment that ado-vault writes.
pub(super) const OWN: &str = "<!-- ado:";

/// Whether a comment is ado-vault's and ends with this marker. Anybody can write the marker, so the author must be one who
/// can write to the repository, or an app.
pub(super) fn is_own(comment: &Value, marker: &str) -> bool {
    let writes = matches!(comment["author_association"].as_str(), Some("OWNER" | "MEMBER" | "COLLABORATOR"));
    let is_marked = comment["body"].as_str().is_some_and(|body| body.trim_end().ends_with(marker));
    is_marked && (writes || comment["user"]["type"] == "Bot")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_marker_counts_at_the_end_of_what_a_writer_or_an_app_said() {
        let marker = "<!-- ado:close x -->";
        let said = |association: &str, kind: &str, body: &str| {
            let comment = json!({"author_association": association, "user": {"type": kind}, "body": body});
            is_own(&comment, marker)
        };
        let body = format!("Closed.\n\n{marker}\n");
        assert!(said("OWNER", "User", &body));
        assert!(said("COLLABORATOR", "User", &body));
        assert!(said("NONE", "Bot", &body));
        assert!(!said("NONE", "User", &body), "a stranger");
        assert!(!said("CONTRIBUTOR", "User", &body));
        assert!(!said("OWNER", "User", &format!("> {body} is a marker")), "quoted");
        assert!(!said("OWNER", "User", "Closed."));
    }
}
