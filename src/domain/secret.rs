//! What a secret looks like: rules after gitleaks', linear in time, and their removal from text. Knows no files and
//! reads no environment; values that are known to be secret are passed in.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// A stretch of text that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMatch {
    /// Stable rule name: `github-token`.
    pub rule: &'static str,
    /// Byte range of the secret itself, without the words around it.
    pub range: Range<usize>,
}

impl SecretMatch {
    /// The first four characters: enough to find it by, too few to use it.
    pub fn shown(&self, text: &str) -> String {
        text[self.range.clone()].chars().take(4).filter(|c| !c.is_control()).collect()
    }
}

/// Name and pattern; the secret is group 1. Ends of words are those of ASCII: the tokens are, and a boundary by Unicode
/// would take the search off its fast way in every text with a letter beyond.
const RULES: [(&str, &str); 17] = [
    ("private-key", r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\]*)"),
    ("aws-access-key", r"(?-u:\b)((?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16})(?-u:\b)"),
    ("github-token", r"(?-u:\b)(gh[pousr]_[A-Za-z0-9]{36,255})(?-u:\b)"),
    ("github-token", r"(?-u:\b)(github_pat_[A-Za-z0-9_]{50,255})(?-u:\b)"),
    ("gitlab-token", r"(?-u:\b)(glpat-[A-Za-z0-9_-]{20,255})"),
    ("slack-token", r"(?-u:\b)(xox[abeoprs]-[A-Za-z0-9-]{10,255})"),
    ("slack-webhook", r"(https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{40,60})"),
    ("anthropic-key", r"(?-u:\b)(sk-ant-[A-Za-z0-9_-]{20,255})"),
    ("openai-key", r"(?-u:\b)(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,255})"),
    ("stripe-key", r"(?-u:\b)((?:sk|rk)_live_[A-Za-z0-9]{16,255})(?-u:\b)"),
    ("google-api-key", r"(?-u:\b)(AIza[0-9A-Za-z_-]{35})"),
    ("npm-token", r"(?-u:\b)(npm_[A-Za-z0-9]{36})(?-u:\b)"),
    ("pypi-token", r"(?-u:\b)(pypi-AgE[A-Za-z0-9_-]{40,255})"),
    ("huggingface-token", r"(?-u:\b)(hf_[A-Za-z0-9]{34,64})(?-u:\b)"),
    (
        "json-web-token",
        r"(?-u:\b)(eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{10,2000})",
    ),
    ("url-password", r"://[A-Za-z0-9._%-]{1,100}:([^\s:/@'\x22<>{}$]{6,100})@[A-Za-z0-9.-]"),
    (
        "generic-secret",
        r#"(?i)(?:api_?key|secret|token|passwd|password|credential)[a-z0-9_.-]{0,20}["']?\s{0,3}(?::|=|=>|:=)\s{0,3}["']([^"'\s]{16,200})["']"#,
    ),
];

/// Words in the name of a variable that say that it holds a secret.
pub const SECRET_WORDS: [&str; 7] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH"];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(RULES.iter().map(|(_, pattern)| pattern)).expect("the rules are literal patterns")
});
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    RULES.iter().map(|(_, pattern)| Regex::new(pattern).expect("the rules are literal patterns")).collect()
});

/// Bits a character that a value must have to be taken for a secret by the generic rule.
const LEAST_ENTROPY: f64 = 3.5;

/// Names of the rules.
pub fn secret_rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(rule, _)| *rule).chain(["not-scanned"])
}

/// Everything in the text that looks like a secret, in order, without overlaps. Placeholders are left out.
pub fn secrets_in(text: &str) -> Vec<SecretMatch> {
    let mut found: Vec<SecretMatch> = SET
        .matches(text)
        .into_iter()
        .flat_map(|index| {
            PATTERNS[index].captures_iter(text).filter_map(move |captures| {
                let secret = captures.get(1)?;
                let rule = RULES[index].0;
                is_plausible(rule, secret.as_str()).then(|| SecretMatch { rule, range: secret.range() })
            })
        })
        .collect();
    found.sort_by_key(|hit| (hit.range.start, std::cmp::Reverse(hit.range.end)));
    let mut end = 0;
    found.retain(|hit| {
        let keep = hit.range.start >= end;
        if keep {
            end = hit.range.end;
        }
        keep
    });
    found
}

/// The text with everything that looks like a secret, and every value in `held`, replaced by `[redacted: rule]`.
/// Values shorter than eight bytes are not taken for secrets. As many lines are left as there were: what is said of a line
/// stays true.
pub fn redact_secrets(text: &str, held: &[String]) -> String {
    let mut clean = text.to_owned();
    for value in held.iter().filter(|value| value.len() >= 8) {
        clean = clean.replace(value.as_str(), "[redacted: held]");
    }
    for hit in secrets_in(&clean).into_iter().rev() {
        let ends = clean[hit.range.clone()].matches('\n').count();
        clean.replace_range(hit.range, &format!("[redacted: {}]{}", hit.rule, "\n".repeat(ends)));
    }
    clean
}

fn is_plausible(rule: &str, secret: &str) -> bool {
    let lower = secret.to_lowercase();
    let placeholder =
        ["example", "xxxx", "****", "placeholder", "changeme", "redacted", "dummy", "your_", "your-"];
    if placeholder.iter().any(|word| lower.contains(word)) {
        return false;
    }
    match rule {
        "generic-secret" => {
            let mixed = secret.chars().any(|c| c.is_ascii_digit()) && secret.chars().any(char::is_alphabetic);
            let computed = secret.contains(['$', '{', '<', '(']);
            mixed && !computed && entropy(secret) >= LEAST_ENTROPY
        }
        _ => true,
    }
}

/// Shannon entropy in bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for c in text.chars() {
        *counts.entry(c).or_insert(0u32) += 1;
    }
    let total = text.chars().count() as f64;
    counts.values().map(|&count| f64::from(count) / total).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys are put together here so that no scanner takes this file for a leak.
    fn github() -> String {
        format!("gh{}_{}", "p", "a1B2c3D4e5F6".repeat(3))
    }

    #[test]
    fn known_kinds_of_keys_are_found_with_their_rule() {
        for (rule, text) in [
            ("github-token", github()),
            ("aws-access-key", format!("{}{}", "AKIA", "Q3EGRVYJ7PLKA2ZN")),
            ("anthropic-key", format!("sk-{}-{}", "ant", "abcDEF123456".repeat(3))),
            ("openai-key", format!("sk-{}", "abcDEF1234567890".repeat(3))),
            ("private-key", format!("-----BEGIN RSA {} KEY-----\nMIIB", "PRIVATE")),
            ("url-password", format!("postgres://app:{}@db.internal/x", "hunter2hunter2")),
            ("generic-secret", format!("db_password = \"{}\"", "k9X2mQ7vL4pR8sT1")),
        ] {
            let found = secrets_in(&format!("before {text} after"));
            assert_eq!(found.iter().map(|hit| hit.rule).collect::<Vec<_>>(), [rule], "{text}");
        }
    }

    #[test]
    fn placeholders_and_plain_code_are_not_secrets() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "password = \"correct horse battery\"",
            "let token = \"next_token_in_the_list\";",
            "api_key = \"${API_KEY_FROM_ENV_1}\"",
            "https://example.org:8080/path",
            "sk-short",
        ] {
            assert_eq!(secrets_in(text), [], "{text}");
        }
    }

    #[test]
    fn redaction_removes_rules_and_held_values_and_keeps_the_rest() {
        let text = format!("a {} b s3cr3t-value c", github());
        assert_eq!(
            redact_secrets(&text, &["s3cr3t-value".into(), "b".into()]),
            "a [redacted: github-token] b [redacted: held] c"
        );
        let key = format!("1\n-----BEGIN {} KEY-----\nMIIB\nAAAA\n-----END", "PRIVATE");
        assert_eq!(redact_secrets(&key, &[]), "1\n[redacted: private-key]\n\n\n-----END", "no line is lost");
    }
}
