//! Identities: features, runs, notes, commits, branches. Each is a newtype so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::as_text::as_text;

/// A text that is not a valid identity of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}: expected {expected}")]
pub struct InvalidId {
    pub kind: &'static str,
    pub text: String,
    pub expected: &'static str,
}

/// `FR-056`: upper-case prefix, dash, digits. The only identity of a feature; file names and titles may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct FeatureId(String);

impl FeatureId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `FR` of `FR-056`.
    pub fn prefix(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(prefix, _)| prefix)
    }

    /// 56 of `FR-056`.
    pub fn number(&self) -> u64 {
        self.0.rsplit_once('-').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0)
    }

    /// The id with this prefix and number, at least three digits wide.
    pub fn new(prefix: &str, number: u64) -> Result<Self, InvalidId> {
        format!("{prefix}-{number:03}").parse()
    }
}

impl FromStr for FeatureId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            kind: "feature id",
            text: text.to_owned(),
            expected: "an upper-case prefix, a dash and digits, such as `FR-056`",
        };
        let (prefix, digits) = text.split_once('-').ok_or_else(invalid)?;
        let prefix_ok = prefix.starts_with(|c: char| c.is_ascii_uppercase())
            && prefix.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            && prefix.len() <= 16;
        let digits_ok = (1..=12).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
        if prefix_ok && digits_ok { Ok(Self(text.to_owned())) } else { Err(invalid()) }
    }
}

as_text!(FeatureId);

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt at a feature, numbered from 1: `FR-056/2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RunId {
    pub feature: FeatureId,
    pub number: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.feature, self.number)
    }
}

impl FromStr for RunId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            kind: "run",
            text: text.to_owned(),
            expected: "a feature id, a slash and a number, such as `FR-056/2`",
        };
        let (feature, number) = text.split_once('/').ok_or_else(invalid)?;
        Ok(Self { feature: feature.parse()?, number: number.parse().map_err(|_| invalid())? })
    }
}

/// A file of the vault, relative to its root, with `/` between parts, never absolute, never with `..`. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct NotePath(Arc<str>);

impl NotePath {
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let bad = text.is_empty()
            || text.starts_with('/')
            || text.contains(['\\', '\0'])
            || text.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        if bad {
            return Err(InvalidId {
                kind: "path in the vault",
                text,
                expected: "a relative path inside the vault",
            });
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `FR-056 Title.md` of `10_features/03_planned/FR-056 Title.md`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The file name without `.md`: what a wikilink by name says.
    pub fn stem(&self) -> &str {
        let name = self.file_name();
        name.strip_suffix(".md").unwrap_or(name)
    }

    /// The folder part, empty for a file at the root.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The same file name in another folder.
    pub fn moved_to(&self, folder: &str) -> Result<Self, InvalidId> {
        Self::new(if folder.is_empty() {
            self.file_name().to_owned()
        } else {
            format!("{folder}/{}", self.file_name())
        })
    }

    /// Another file name in the same folder.
    pub fn in_its_folder(&self, file_name: &str) -> Result<Self, InvalidId> {
        Self::new(match self.folder() {
            "" => file_name.to_owned(),
            folder => format!("{folder}/{file_name}"),
        })
    }

    pub fn is_markdown(&self) -> bool {
        self.0.ends_with(".md")
    }
}

impl TryFrom<String> for NotePath {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<NotePath> for String {
    fn from(path: NotePath) -> Self {
        path.0.to_string()
    }
}

impl fmt::Display for NotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `path` lies below `folder`, at any depth.
pub fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether `path` is `folder` itself or lies below it.
pub fn is_within(path: &str, folder: &str) -> bool {
    path == folder || is_below(path, folder)
}

/// SHA-256 of some bytes, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]));
        Self(Sha256::digest(bytes.as_ref()).iter().flat_map(digits).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(12)]
    }
}

/// A git object id (commit or tree) in hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct GitId(pub String);

impl GitId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(10)]
    }
}

impl fmt::Display for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A git branch name within ado's grammar: parts of `[A-Za-z0-9._-]` joined by `/`, no part starting with `-` or `.`
/// or ending with `.lock` or `.`, no `..`. Narrower than git's own rules, so that it can never be an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

impl BranchName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `agent/ado/<type>/<FR>-<slug>`: the branch of a feature's run. Runs after the first add `-<n>`.
    pub fn for_run(kind: super::FeatureType, run: &RunId, slug: &str) -> Self {
        let mut name = format!("agent/ado/{}/{}", kind.slug(), run.feature);
        if !slug.is_empty() {
            name.push('-');
            name.push_str(slug);
        }
        if run.number > 1 {
            name.push_str(&format!("-{}", run.number));
        }
        Self(name)
    }
}

impl FromStr for BranchName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let part_ok = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['-', '.'])
                && !part.ends_with('.')
                && !part.ends_with(".lock")
                && !part.contains("..")
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if text.len() <= 200 && text.split('/').all(part_ok) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                kind: "branch name",
                text: text.to_owned(),
                expected: "letters, digits, `.`, `_`, `-` in parts joined by `/`, none starting with `-` or `.`",
            })
        }
    }
}

as_text!(BranchName);

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_ids_are_prefix_dash_digits() {
        let id: FeatureId = "FR-056".parse().unwrap();
        assert_eq!((id.prefix(), id.number()), ("FR", 56));
        for bad in ["", "FR", "FR-", "fr-1", "-1", "FR-1x", "FR-1-2", "FR-\u{0661}"] {
            assert!(bad.parse::<FeatureId>().is_err(), "{bad}");
        }
        assert_eq!(FeatureId::new("FR", 7).unwrap().as_str(), "FR-007");
    }

    #[test]
    fn a_branch_can_never_be_an_option_or_leave_its_folder() {
        for bad in ["-x", "a/-x", "a/../b", "a//b", ".a", "a.lock", "a b", "a~1", "", "a/."] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad}");
        }
        assert!("agent/ado/feature/FR-1-x".parse::<BranchName>().is_ok());
    }

    #[test]
    fn note_paths_stay_inside_the_vault() {
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "./a"] {
            assert!(NotePath::new(bad).is_err(), "{bad}");
        }
        let path = NotePath::new("10_features/03_planned/FR-1 A.md").unwrap();
        assert_eq!(path.stem(), "FR-1 A");
        assert_eq!(
            path.moved_to("10_features/04_in_progress").unwrap().as_str(),
            "10_features/04_in_progress/FR-1 A.md"
        );
    }
}
