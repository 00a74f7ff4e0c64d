//! The built-in secrets gate: text that is about to be committed must hold no keys.

use crate::domain::{GateDiagnostic, Severity, secrets_in};

/// Keys and passwords in the text of one file (or in what a diff adds to it), by the rules of `domain`. The secret
/// itself is never repeated: only its first four characters.
pub fn scan_secrets(path: &str, text: &str) -> Vec<GateDiagnostic> {
    secrets_in(text)
        .into_iter()
        .map(|hit| {
            let before = &text[..hit.range.start];
            let line_start = before.rfind('\n').map_or(0, |index| index + 1);
            let shown: String = text[hit.range.clone()].chars().take(4).filter(|c| !c.is_control()).collect();
            GateDiagnostic {
                tool: "secrets".to_owned(),
                severity: Severity::Error,
                file: Some(path.to_owned()),
                line: u32::try_from(before.matches('\n').count() + 1).ok(),
                column: u32::try_from(before[line_start..].chars().count() + 1).ok(),
                code: Some(hit.rule.to_owned()),
                message: format!(
                    "what looks like a secret stands here: `{shown}…`; read it from the environment"
                ),
                context: String::new(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_reported_with_its_place_and_not_repeated() {
        let key = format!("gh{}_{}", "o", "a1B2c3D4e5F6".repeat(3));
        let found = scan_secrets("src/a.rs", &format!("fn a() {{\n    let k = \"{key}\";\n}}\n"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column), (Some(2), Some(14)));
        assert_eq!(found[0].code.as_deref(), Some("github-token"));
        assert!(!found[0].message.contains(&key[..8]));
    }
}
