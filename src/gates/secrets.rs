//! The built-in secrets gate: what is about to be committed or pushed must hold no keys.

use std::collections::BTreeSet;

use crate::domain::{
    GateDiagnostic, GateKind, GateResult, GateStatus, SecretWaiver, Severity, place_of, secrets_in,
};

/// Looks through the files of a change for secrets that were not there before, and that no human allowed.
pub struct SecretScan<'a> {
    allowed: &'a [SecretWaiver],
    /// Values that the old sides of the change hold: moving one is not adding it.
    known: BTreeSet<String>,
    found: Vec<(String, GateDiagnostic)>,
}

impl<'a> SecretScan<'a> {
    pub fn new(allowed: &'a [SecretWaiver]) -> Self {
        Self { allowed, known: BTreeSet::new(), found: vec![] }
    }

    /// One file of the change, before and after; empty where there is none.
    pub fn file(&mut self, path: &str, old: &[u8], new: &[u8]) {
        let old = String::from_utf8_lossy(old);
        self.known.extend(secrets_in(&old).into_iter().map(|hit| old[hit.range].to_owned()));
        self.found.extend(found_in(path, &String::from_utf8_lossy(new), self.allowed));
    }

    /// A file that is too large to be looked through: nobody knows what it holds.
    pub fn unread(&mut self, path: &str, bytes: u64) {
        let message = format!("this file of {bytes} bytes is too large to be looked through for secrets");
        self.found.push((String::new(), diagnostic(path, "not-scanned", message)));
    }

    /// What was added. The secret itself is never repeated: only its first four characters.
    pub fn found(self) -> Vec<GateDiagnostic> {
        let known = self.known;
        self.found.into_iter().filter(|(value, _)| !known.contains(value)).map(|(_, found)| found).collect()
    }
}

/// The gate `secrets` with what a scan of the whole change found.
pub fn secrets_gate(diagnostics: Vec<GateDiagnostic>) -> GateResult {
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

/// Secrets in one text, each with its value.
fn found_in(path: &str, text: &str, allowed: &[SecretWaiver]) -> Vec<(String, GateDiagnostic)> {
    let mut found = vec![];
    for hit in secrets_in(text) {
        let value = &text[hit.range.clone()];
        if allowed.iter().any(|line| line.allows(hit.rule, path, value)) {
            continue;
        }
        let (line, column) = place_of(text, hit.range.start);
        let shown = hit.shown(text);
        let message = format!(
            "what looks like a secret stands here: `{shown}…`; read it from the environment. If it is none, a person \
             can write `{}` under `allow_secrets` in the repository note",
            SecretWaiver::line(hit.rule, path, value)
        );
        let at =
            GateDiagnostic { line: Some(line), column: Some(column), ..diagnostic(path, hit.rule, message) };
        found.push((value.to_owned(), at));
    }
    found
}

fn diagnostic(path: &str, rule: &str, message: String) -> GateDiagnostic {
    GateDiagnostic {
        tool: "secrets".to_owned(),
        severity: Severity::Error,
        file: Some(path.to_owned()),
        line: None,
        column: None,
        code: Some(rule.to_owned()),
        message,
        context: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: &str) -> String {
        format!("gh{}_{}", "o", seed.repeat(3))
    }

    fn scan(allowed: &[SecretWaiver], files: &[(&str, &str, &str)]) -> Vec<GateDiagnostic> {
        let mut scan = SecretScan::new(allowed);
        files.iter().for_each(|(path, old, new)| scan.file(path, old.as_bytes(), new.as_bytes()));
        scan.found()
    }

    #[test]
    fn a_key_is_reported_with_its_place_and_not_repeated() {
        let key = key("a1B2c3D4e5F6");
        let found = scan(&[], &[("src/a.rs", "", &format!("fn a() {{\n    let k = \"{key}\";\n}}\n"))]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column), (Some(2), Some(14)));
        assert_eq!(found[0].code.as_deref(), Some("github-token"));
        assert!(!found[0].message.contains(&key[..8]));
    }

    #[test]
    fn what_was_there_before_is_not_added_wherever_it_goes() {
        let (old, new) = (key("z9Y8x7W6v5U4"), key("a1B2c3D4e5F6"));
        let files = [
            ("b.rs", "", old.as_str()),
            ("a.rs", old.as_str(), "gone"),
            ("c.rs", old.as_str(), &format!("{old}\n{new}")),
        ];
        let places: Vec<_> = scan(&[], &files).into_iter().map(|found| (found.file, found.line)).collect();
        assert_eq!(places, [(Some("c.rs".to_owned()), Some(2))]);
    }

    #[test]
    fn what_a_human_allowed_is_no_secret() {
        let key = key("a1B2c3D4e5F6");
        let found = scan(&[], &[("t/a.json", "", &key)]);
        let line = found[0].message.split('`').nth(3).unwrap();
        assert_eq!(scan(&[line.parse().unwrap()], &[("t/a.json", "", &key)]), []);
        assert_eq!(scan(&[line.parse().unwrap()], &[("t/b.json", "", &key)]).len(), 1);
        assert_eq!(scan(&["github-token t/**".parse().unwrap()], &[("t/b.json", "", &key)]), []);
    }

    #[test]
    fn bytes_that_are_no_text_are_looked_through_and_what_is_too_large_is_said() {
        let mut scan = SecretScan::new(&[]);
        scan.file("a.bin", b"", &[b"\0\xff\n", key("a1B2c3D4e5F6").as_bytes(), b"\0"].concat());
        scan.unread("b.bin", 1 << 30);
        let rules: Vec<_> = scan.found().into_iter().map(|found| found.code.unwrap()).collect();
        assert_eq!(rules, ["github-token", "not-scanned"]);
    }
}
