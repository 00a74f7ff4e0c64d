//! The built-in secrets gate: text that is about to be committed must hold no keys.

use crate::domain::{GateDiagnostic, GateKind, GateResult, GateStatus, Severity, secrets_in};

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

/// The built-in gate `secrets` over what a unified diff adds. Line numbers are those of the new files.
pub fn scan_diff(diff: &str) -> GateResult {
    let mut diagnostics = vec![];
    for (path, first, added) in added_pieces(diff) {
        diagnostics.extend(scan_secrets(&path, &added).into_iter().map(|found| GateDiagnostic {
            line: found.line.map(|line| line + first.saturating_sub(1)),
            ..found
        }));
    }
    let status = if diagnostics.is_empty() { GateStatus::Passed } else { GateStatus::Failed };
    GateResult {
        name: GateKind::Secrets.slug().to_owned(),
        kind: GateKind::Secrets,
        command: "built-in scan of added lines".to_owned(),
        status,
        exit_code: None,
        millis: 0,
        diagnostics,
        tail: String::new(),
    }
}

/// Runs of added lines, each with its file and the number of its first line.
fn added_pieces(diff: &str) -> Vec<(String, u32, String)> {
    let mut pieces: Vec<(String, u32, String)> = vec![];
    let (mut path, mut line, mut in_run) = (String::new(), 0_u32, false);
    // Lines left of the hunk, old and new: what they count is content, whatever it begins with.
    let (mut old_left, mut new_left) = (0_u32, 0_u32);
    for text in diff.lines() {
        if old_left == 0 && new_left == 0 {
            in_run = false;
            if let Some(name) = text.strip_prefix("+++ ") {
                path = name.strip_prefix("b/").unwrap_or(name).to_owned();
            } else if let Some((old, new)) = hunk(text) {
                (old_left, line, new_left) = (old, new.0, new.1);
            }
            continue;
        }
        match text.as_bytes().first() {
            Some(b'+') => {
                match pieces.last_mut().filter(|_| in_run) {
                    Some((_, _, added)) => added.push_str(&format!("{}\n", &text[1..])),
                    None => pieces.push((path.clone(), line, format!("{}\n", &text[1..]))),
                }
                in_run = true;
                line += 1;
                new_left = new_left.saturating_sub(1);
            }
            Some(b'-') => old_left = old_left.saturating_sub(1),
            Some(b'\\') => {}
            _ => {
                in_run = false;
                line += 1;
                old_left = old_left.saturating_sub(1);
                new_left = new_left.saturating_sub(1);
            }
        }
    }
    pieces
}

/// Old length, and new start and length, of `@@ -1,2 +3,4 @@`.
fn hunk(line: &str) -> Option<(u32, (u32, u32))> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, length)) => Some((start.parse().ok()?, length.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some((range(old)?.1, range(new)?))
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

    #[test]
    fn only_added_lines_of_a_diff_count_and_are_named_by_their_new_line() {
        let key = format!("gh{}_{}", "o", "a1B2c3D4e5F6".repeat(3));
        let old = format!("gh{}_{}", "o", "z9Y8x7W6v5U4".repeat(3));
        let diff = format!(
            "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -8,3 +10,4 @@ fn\n context {old}\n-{old}\n+x\n+++ {key}\n \n\
             diff --git a/b.rs b/b.rs\n--- a/b.rs\n+++ b/b.rs\n@@ -1 +1 @@\n-{old}\n+fine\n"
        );
        let result = scan_diff(&diff);
        assert_eq!(result.status, GateStatus::Failed);
        let places: Vec<_> = result.diagnostics.iter().map(|d| (d.file.as_deref(), d.line)).collect();
        assert_eq!(places, [(Some("a.rs"), Some(12))]);
        assert!(scan_diff(&diff.replace(&key, "y")).passed());
    }
}
