//! What a human says is no secret: a line of the repository note that names a rule, paths and perhaps one value.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::as_text::as_text;
use super::{ContentHash, InvalidId, secret_rules};

/// Letters of a value's hash that a line names.
const HASH_LETTERS: usize = 16;

/// `github-token tests/fixtures/**`, or `generic-secret src/a.rs sha256:0123456789abcdef` for one value alone. In the
/// pattern `*` stays within a folder and `**` does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SecretWaiver {
    pub rule: String,
    pub paths: String,
    /// The first letters of the value's SHA-256.
    pub hash: Option<String>,
}

impl SecretWaiver {
    /// Whether this line allows the value of that rule in that file.
    pub fn allows(&self, rule: &str, path: &str, value: &str) -> bool {
        let hash = |known: &String| hash_of(value).starts_with(known.as_str());
        self.rule == rule
            && self.hash.as_ref().is_none_or(hash)
            && matcher(&self.paths).is_some_and(|glob| glob.is_match(path))
    }

    /// The line that would allow this one value.
    pub fn line(rule: &str, path: &str, value: &str) -> String {
        format!("{rule} {path} sha256:{}", &hash_of(value)[..HASH_LETTERS])
    }
}

fn hash_of(value: &str) -> String {
    ContentHash::of(value).as_str().to_owned()
}

fn matcher(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

impl FromStr for SecretWaiver {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bad = |expected| InvalidId { kind: "allowed secret", text: text.to_owned(), expected };
        let (rule, rest) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| bad("`rule path`, such as `github-token tests/fixtures/**`"))?;
        if !secret_rules().any(|known| known == rule) {
            return Err(bad("a rule of the secrets gate first, as it names it in what it finds"));
        }
        let (paths, hash) = match rest.trim().rsplit_once(char::is_whitespace) {
            Some((paths, last)) if last.starts_with("sha256:") => {
                (paths.trim(), Some(last["sha256:".len()..].to_lowercase()))
            }
            _ => (rest.trim(), None),
        };
        let is_hash = |hash: &String| hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hash.as_ref().is_none_or(is_hash) {
            return Err(bad("at least 8 hexadecimal digits behind `sha256:`"));
        }
        if paths.is_empty() || matcher(paths).is_none() {
            return Err(bad("a pattern of paths behind the rule"));
        }
        Ok(Self { rule: rule.to_owned(), paths: paths.to_owned(), hash })
    }
}

as_text!(SecretWaiver);

impl fmt::Display for SecretWaiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, paths, hash } = self;
        write!(f, "{rule} {paths}")?;
        hash.iter().try_for_each(|hash| write!(f, " sha256:{hash}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(line: &str) -> SecretWaiver {
        line.parse().unwrap()
    }

    #[test]
    fn a_line_allows_its_rule_in_its_paths_and_no_more() {
        let fixtures = waiver(" github-token  tests/*.json ");
        assert!(fixtures.allows("github-token", "tests/a.json", "x"));
        assert!(!fixtures.allows("openai-key", "tests/a.json", "x"));
        assert!(!fixtures.allows("github-token", "tests/deep/a.json", "x"));
        assert!(!fixtures.allows("github-token", "src/tests/a.json", "x"));
        assert!(waiver("github-token tests/**").allows("github-token", "tests/deep/a.json", "x"));
    }

    #[test]
    fn a_line_with_a_hash_allows_one_value() {
        let line = SecretWaiver::line("generic-secret", "my docs/a.rs", "value one");
        let one = waiver(&line);
        assert_eq!((one.paths.as_str(), one.to_string()), ("my docs/a.rs", line));
        assert!(one.allows("generic-secret", "my docs/a.rs", "value one"));
        assert!(!one.allows("generic-secret", "my docs/a.rs", "value two"));
    }

    #[test]
    fn lines_that_say_nothing_are_refused() {
        for line in [
            "",
            "github-token",
            "githib-token a",
            "github-token a[",
            "github-token a sha256:12",
            "github-token a sha256:0123456789xyz",
        ] {
            assert!(line.parse::<SecretWaiver>().is_err(), "{line}");
        }
    }
}
