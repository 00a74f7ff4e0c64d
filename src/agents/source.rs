//! Where a text that a model is shown comes from, and who could have written it. Knows no text.

use std::fmt;

use crate::domain::AuthorTrust;
use crate::note::plain;

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A part of the feature note: `the feature note`, `title of the feature note`.
    Request(&'static str),
    /// The same part of a note that was made from an issue and quotes it.
    Issue(&'static str, AuthorTrust),
    /// A part of a pull request that somebody else wrote.
    Proposal(&'static str),
    /// What a planner proposed.
    Plan,
    /// What rules and reviewers found.
    Findings(&'static str),
    /// Words of a person: answers in the note, comments at a pull request.
    Person,
    /// Layout, manifests and history of the repository.
    Facts,
    /// The change so far.
    Diff,
    /// A file of the working copy.
    File(String),
    /// Names of files.
    Files,
    /// Results of checks.
    Gates(&'static str),
    /// The output of a check, by its name.
    GateOutput(String),
    /// The output of a tool, with the path that it was asked for.
    Tool { name: String, about: Option<String> },
    /// Why an answer was not taken; it quotes the answer and files.
    Problem,
}

/// Who could have written a text, from the most to the least known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever may write the vault.
    Vault,
    /// A person whose words reach a run.
    Person,
    /// Another agent, which read what is less trusted.
    Agent,
    /// Whoever changed the repository, the agents of this run among them.
    Repository,
    /// Programs, and whoever they repeat.
    Program,
    /// Anybody.
    Outside,
}

impl Trust {
    /// As the fence says it.
    fn word(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Repository => "repository",
            Self::Program => "program",
            Self::Outside => "outside",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Source {
    pub(super) fn trust(&self) -> Trust {
        match self {
            Self::Request(_) => Trust::Vault,
            Self::Proposal(_) | Self::Issue(_, AuthorTrust::Outside) => Trust::Outside,
            Self::Person | Self::Issue(..) => Trust::Person,
            Self::Plan | Self::Findings(_) => Trust::Agent,
            Self::Facts | Self::Diff | Self::File(_) | Self::Files => Trust::Repository,
            Self::Gates(_) | Self::GateOutput(_) | Self::Tool { .. } | Self::Problem => Trust::Program,
        }
    }

    /// Who could have written it where the working copy is a stranger's: also what is read there, by whatever tool.
    pub(super) fn trust_of_proposal(&self) -> Trust {
        match (self, self.trust()) {
            (Self::Facts, trust) => trust,
            (_, Trust::Repository | Trust::Program) => Trust::Outside,
            (_, trust) => trust,
        }
    }

    /// Whether words to a model in it are worth telling. A diff has a rule of its own; findings and problems repeat what
    /// was found elsewhere.
    pub(super) fn is_searched(&self) -> bool {
        !matches!(self, Self::Diff | Self::Findings(_) | Self::Problem)
    }

    /// The file that it is about, from the repository's root; empty for none.
    pub(super) fn file(&self) -> &str {
        match self {
            Self::File(path) | Self::Tool { about: Some(path), .. } => path,
            _ => "",
        }
    }
}

/// One line.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str| -> String {
            plain(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
        };
        match self {
            Self::Request(part) | Self::Proposal(part) | Self::Findings(part) | Self::Gates(part) => {
                f.write_str(part)
            }
            Self::Issue(part, _) => write!(f, "{part}, which quotes an issue"),
            Self::Plan => f.write_str("the plan"),
            Self::Person => f.write_str("words of a person"),
            Self::Facts => f.write_str("facts about the repository"),
            Self::Diff => f.write_str("diff of the change so far"),
            Self::File(path) => write!(f, "file {}", line(path)),
            Self::Files => f.write_str("list of files"),
            Self::GateOutput(gate) => write!(f, "end of the output of `{}`", line(gate)),
            Self::Tool { name, about: Some(path) } => write!(f, "output of {} {}", line(name), line(path)),
            Self::Tool { name, about: None } => write!(f, "output of {}", line(name)),
            Self::Problem => f.write_str("why the answer was not taken"),
        }
    }
}
