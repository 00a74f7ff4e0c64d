//! Names of registry notes (repositories, models, agents), of policies and of machines: keys, never paths.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidId;
use super::as_text::as_text;

macro_rules! registry_name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let ok = !text.is_empty()
                    && text.len() <= 80
                    && !text.starts_with(['.', '-'])
                    && text.chars().all(|c| c.is_alphanumeric() || "._- ".contains(c));
                if ok {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId {
                        kind: $kind,
                        text: text.to_owned(),
                        expected: "a name of letters, digits, spaces, `.`, `_`, `-`",
                    })
                }
            }
        }

        as_text!($name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

registry_name!(
    /// The stem of a note in `00_system/repos/`.
    RepoName,
    "repository name"
);
registry_name!(
    /// The stem of a note in `00_system/models/`.
    ModelName,
    "model name"
);
registry_name!(
    /// The stem of a note in `20_agents/`.
    AgentName,
    "agent name"
);

registry_name!(
    /// A machine's clone of the vault, as claims name it: `build-3fa21c`.
    MachineName,
    "machine name"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_name_is_a_key_and_never_a_path() {
        for bad in ["", "../x", "/etc", "a/b", "-x", ".git", "a\0b", "https://x"] {
            assert!(bad.parse::<RepoName>().is_err(), "{bad}");
        }
        assert_eq!("my repo".parse::<RepoName>().unwrap().as_str(), "my repo");
    }
}
