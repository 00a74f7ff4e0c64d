//! Findings as SARIF 2.1.0, for code scanning and editors. Does not know what the rules mean.

use serde_json::{Value, json};

use super::check::RULES;
use crate::domain::{Diagnostic, Severity};
use crate::note;

/// One run of one tool. `folder` is the vault's folder in its repository, with a `/` at its end, or empty.
pub fn sarif(found: &[Diagnostic], folder: &str) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| json!({ "id": rule.code, "shortDescription": { "text": rule.what } }))
        .collect();
    let results: Vec<Value> = found.iter().map(|diagnostic| result(diagnostic, folder)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ado-vault",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "SRCROOT": { "description": { "text": "the repository's root" } } },
            "results": results,
        }],
    })
}

fn result(diagnostic: &Diagnostic, folder: &str) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let text = format!("{}; {}", note::plain(&diagnostic.message), note::plain(&diagnostic.remedy));
    let mut result = json!({ "ruleId": diagnostic.code, "level": level, "message": { "text": text } });
    if let Some(index) = RULES.iter().position(|rule| rule.code == diagnostic.code) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(path) = &diagnostic.path {
        let uri = uri(&format!("{folder}{path}"));
        let mut place = json!({ "artifactLocation": { "uri": uri, "uriBaseId": "SRCROOT" } });
        if diagnostic.line > 0 {
            place["region"] =
                json!({ "startLine": diagnostic.line, "startColumn": diagnostic.column.max(1) });
        }
        result["locations"] = json!([{ "physicalLocation": place }]);
    }
    result
}

/// A path as a relative reference: everything encoded but what RFC 3986 leaves as it is.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NotePath;

    #[test]
    fn a_finding_is_a_result_with_rule_level_and_place() {
        let path = NotePath::new("10_features/02_new/FR-1 50% é.md").unwrap();
        let found = [
            Diagnostic::error("unknown-status", "`status` is `x`", "write one").in_note(&path).at(4, 0),
            Diagnostic::warning("unknown-model", "no note", "add it"),
        ];
        let log = sarif(&found, "vault/");
        let results = &log["runs"][0]["results"];
        let rule = usize::try_from(results[0]["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][rule]["id"], "unknown-status");
        assert_eq!(results[0]["level"], "error");
        assert_eq!(results[0]["message"]["text"], "`status` is `x`; write one");
        assert_eq!(
            results[0]["locations"][0]["physicalLocation"],
            json!({
                "artifactLocation": {
                    "uri": "vault/10_features/02_new/FR-1%2050%25%20%C3%A9.md", "uriBaseId": "SRCROOT"
                },
                "region": { "startLine": 4, "startColumn": 1 }
            })
        );
        assert_eq!(results[1].get("locations"), None);
    }
}
