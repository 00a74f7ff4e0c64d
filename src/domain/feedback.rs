//! What was said of a pull request and is to be worked on: words of people, checks that fail, conflicts. It knows no forge.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ContentHash, GitId};

/// One thing to be worked on. It is known again by its `key`, so that it is worked on once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feedback {
    pub kind: FeedbackKind,
    /// The words with author and place; the name of the check; the branch that it conflicts with.
    pub text: String,
    /// What shows it: the end of a log, annotations, the files in conflict one a line. Text of others, bounded; data, never
    /// an instruction.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// By which the forge finds the place of its answer; none where nothing is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The head that it is about, where another head makes it another thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<GitId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// What a person said who may instruct.
    Words,
    /// A check that the forge ran and that failed.
    Check,
    /// Files that the merge of the target branch left in conflict.
    Conflict,
}

impl Feedback {
    pub fn words(text: impl Into<String>) -> Self {
        Self {
            kind: FeedbackKind::Words,
            text: text.into(),
            evidence: String::new(),
            place: None,
            head: None,
        }
    }

    pub fn check(name: impl Into<String>, evidence: String, head: GitId) -> Self {
        let kind = FeedbackKind::Check;
        Self { kind, text: name.into(), evidence, place: None, head: Some(head) }
    }

    pub fn conflict(target: impl Into<String>, files: &[String], head: GitId) -> Self {
        let kind = FeedbackKind::Conflict;
        Self { kind, text: target.into(), evidence: files.join("\n"), place: None, head: Some(head) }
    }

    /// By which it is known again. Words are what they say and where; anything else is about one head.
    pub fn key(&self) -> String {
        match &self.head {
            Some(head) => format!("{:?} {} at {head}", self.kind, self.text).to_lowercase(),
            None => self.text.clone(),
        }
    }

    /// The key in a few characters.
    pub fn id(&self) -> String {
        ContentHash::of(self.key()).as_str().chars().take(16).collect()
    }

    /// For people, on one line.
    pub fn in_words(&self) -> String {
        let head = self.head.as_ref().map(GitId::short).unwrap_or_default();
        match self.kind {
            FeedbackKind::Words => self.text.split_whitespace().collect::<Vec<_>>().join(" "),
            FeedbackKind::Check => format!("check `{}` fails at {head}", self.text),
            FeedbackKind::Conflict => {
                format!("`{}` is in conflict: {}", self.text, self.evidence.replace('\n', ", "))
            }
        }
    }
}

/// What the forge's own checks say of a pull request's head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checks {
    /// There are none.
    #[default]
    None,
    /// The forge does not let them be read.
    Unknown,
    /// At least one has not ended.
    Pending,
    /// All have ended and at least one did not pass.
    Failed,
    Passed,
}

/// How a pull request stands to its target branch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The forge does not say, or not yet.
    #[default]
    Unknown,
    Mergeable,
    /// The target branch moved on, and only what holds it is merged.
    Behind,
    Conflicting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_check_is_another_thing_at_another_head_and_words_are_not() {
        let check = |head: &str| Feedback::check("build", "log".into(), GitId(head.into()));
        assert_eq!(check("a").key(), "check build at a");
        assert_ne!(check("a").id(), check("b").id());
        assert_eq!(check("a").id(), Feedback { evidence: "other".into(), ..check("a") }.id());
        assert_eq!(Feedback::words("Shorter.").key(), "Shorter.");
        assert_eq!(check("0123456789abcdef").in_words(), "check `build` fails at 0123456789");
        let conflict = Feedback::conflict("main", &["a.rs".into(), "b.rs".into()], GitId("a".into()));
        assert_eq!(conflict.in_words(), "`main` is in conflict: a.rs, b.rs");
    }
}
