//! A feature request as its note tells it: typed properties, sections, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::str::FromStr;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{ContentHash, Diagnostic, FeatureId, InvalidId, Lazy, NotePath, Phase, PhaseRow, Status, Usd};

/// What kind of change a feature asks for; part of its branch name and of its queue class.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeatureType {
    #[default]
    Feature,
    Bug,
    Refactor,
    Test,
    Docs,
    Ci,
    Dependency,
    Security,
    Migration,
}

impl FeatureType {
    pub const ALL: [Self; 9] = [
        Self::Feature,
        Self::Bug,
        Self::Refactor,
        Self::Test,
        Self::Docs,
        Self::Ci,
        Self::Dependency,
        Self::Security,
        Self::Migration,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Bug => "bug",
            Self::Refactor => "refactor",
            Self::Test => "test",
            Self::Docs => "docs",
            Self::Ci => "ci",
            Self::Dependency => "dependency",
            Self::Security => "security",
            Self::Migration => "migration",
        }
    }
}

impl FromStr for FeatureType {
    type Err = InvalidId;

    /// `feature-request` and `feature_request`, met in the wild, are features.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let normal = text.trim().to_lowercase().replace(['-', ' '], "_");
        if normal == "feature_request" {
            return Ok(Self::Feature);
        }
        Self::ALL.into_iter().find(|kind| kind.slug() == normal).ok_or_else(|| InvalidId {
            kind: "feature type",
            text: text.to_owned(),
            expected: "one of feature, bug, refactor, test, docs, ci, dependency, security, migration",
        })
    }
}

impl fmt::Display for FeatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Low,
    Medium,
    High,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// The front matter of a feature note (vault format, section 3). Every property may be missing; unknown ones are the
/// human's and are not represented here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FeatureProperties {
    pub id: Option<FeatureId>,
    pub title: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<FeatureType>,
    pub status: Option<Status>,
    /// 1 (urgent) to 4; missing sorts last.
    pub priority: Option<u8>,
    /// Name of a repository note.
    pub repo: Option<String>,
    /// Feature ids or wikilinks to feature notes.
    pub depends_on: Vec<String>,
    /// Those that most notes lack.
    #[serde(flatten)]
    pub rare: Rare,
}

/// Properties that most notes lack: they take no room where they are missing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(from = "RareProperties")]
#[schemars(with = "RareProperties")]
pub struct Rare(Option<Box<RareProperties>>);

/// Limits and wishes of a human, and what `ado-vault` writes of its work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RareProperties {
    pub target_branch: Option<String>,
    pub risk: Option<Level>,
    /// Cap in USD for the whole life of the feature.
    pub budget_usd: Option<Usd>,
    /// Cap in tokens for the whole life of the feature.
    pub budget_tokens: Option<u64>,
    /// A human's request to pass the gate named in `waiting_on`.
    pub approved: Option<bool>,
    /// A human's request to have a note in `new` specified: summary, acceptance criteria, questions.
    pub specify: Option<bool>,
    pub waiting_on: Option<String>,
    pub tier: Option<super::Tier>,
    pub complexity: Option<u8>,
    pub run: Option<String>,
    pub step: Option<String>,
    pub branch: Option<String>,
    pub pr: Option<String>,
    pub cost_usd: Option<Usd>,
    pub tokens: Option<u64>,
    /// RFC 3339, UTC.
    pub updated: Option<String>,
    /// Address of the issue that the note was made from.
    pub issue: Option<String>,
    /// Login of the issue's author.
    pub issue_author: Option<String>,
    /// How far that author is known.
    pub issue_trust: Option<super::AuthorTrust>,
    /// Number of the last comment that was a command and was answered, at its issue or its pull requests.
    pub commands_seen: Option<u64>,
}

impl From<RareProperties> for Rare {
    fn from(properties: RareProperties) -> Self {
        Self((properties != RareProperties::default()).then(|| properties.into()))
    }
}

impl Rare {
    /// `None` where all are missing.
    pub fn present(&self) -> Option<&RareProperties> {
        self.0.as_deref()
    }
}

impl Deref for FeatureProperties {
    type Target = RareProperties;

    fn deref(&self) -> &RareProperties {
        static NONE: LazyLock<RareProperties> = LazyLock::new(RareProperties::default);
        self.rare.present().unwrap_or(&NONE)
    }
}

impl DerefMut for FeatureProperties {
    fn deref_mut(&mut self) -> &mut RareProperties {
        self.rare.0.get_or_insert_default()
    }
}

impl PartialEq for Rare {
    fn eq(&self, other: &Self) -> bool {
        let all = |rare: &Self| rare.present().cloned().unwrap_or_default();
        all(self) == all(other)
    }
}

impl Serialize for Rare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.present() {
            Some(rare) => rare.serialize(serializer),
            None => RareProperties::default().serialize(serializer),
        }
    }
}

/// One task-list item under "Acceptance criteria".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    /// The item's text without the checkbox and without a trailing block id (`^ac-1`).
    pub text: String,
    pub done: bool,
    /// Line of the item in the note, from 1.
    pub line: u32,
}

/// An open question of the note; it waits for a human while `decision` is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenQuestion {
    pub title: String,
    pub recommendation: String,
    pub decision: String,
    pub line: u32,
}

/// The body of a feature note by section; text outside known headings is in `other`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sections {
    pub summary: String,
    pub problem: String,
    pub solution: String,
    pub criteria: Vec<Criterion>,
    pub out_of_scope: String,
    pub questions: Vec<OpenQuestion>,
    /// `Pending: …` lines of the Decisions section.
    pub pending_decisions: Vec<String>,
    pub phases: Vec<Phase>,
    /// `REQ-1` … with their text.
    pub requirements: Vec<String>,
    pub notes: String,
    pub other: String,
}

impl Sections {
    /// Rows of phases that a person owns and has not done, in order.
    pub fn rows_of_people(&self) -> impl Iterator<Item = (&Phase, &PhaseRow)> {
        self.undone().filter(|(_, row)| !row.is_for_agents())
    }

    /// Those of them that stand in an earlier phase than a row that agents have yet to do.
    pub fn rows_awaited(&self) -> impl Iterator<Item = (&Phase, &PhaseRow)> {
        let last = self.undone().filter(|(_, row)| row.is_for_agents()).map(|(phase, _)| phase.number).max();
        self.rows_of_people().filter(move |(phase, _)| last.is_some_and(|last| phase.number < last))
    }

    /// What agents have yet to do of the phases, in words that name one row each.
    pub fn rows_of_agents(&self) -> impl Iterator<Item = String> {
        self.undone().filter(|(_, row)| row.is_for_agents()).map(|(phase, row)| row.in_words(phase.number))
    }

    fn undone(&self) -> impl Iterator<Item = (&Phase, &PhaseRow)> {
        let rows = self.phases.iter().flat_map(|phase| phase.rows.iter().map(move |row| (phase, row)));
        rows.filter(|(_, row)| !row.is_settled())
    }
}

/// A feature note, read. Parsing never fails: what could not be read is in `diagnostics`. The body is read when somebody
/// looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// Missing in ideas and in notes that were not given one yet.
    pub id: Option<FeatureId>,
    pub path: NotePath,
    /// The status folder that the note lies in.
    pub folder: Option<Status>,
    /// Title property, else first heading, else file name without id.
    pub title: String,
    pub properties: FeatureProperties,
    pub sections: Lazy<Sections>,
    /// The note's body as written, without front matter and without ado's blocks: what agents read.
    pub brief: Lazy<String>,
    /// Places in `brief` that say how far the work is rather than what is asked for: the status cells of phases.
    pub marks: Lazy<Vec<Range<usize>>>,
    /// Hash of the content of each managed block found, by block name.
    pub blocks: BTreeMap<String, ContentHash>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Feature {
    pub fn kind(&self) -> FeatureType {
        self.properties.kind.unwrap_or_default()
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Id if there is one, else the note's name.
    pub fn label(&self) -> &str {
        self.id.as_ref().map_or_else(|| self.path.stem(), FeatureId::as_str)
    }

    /// Hash of what a human asked for: title, type and text. Ticked boxes and the status of rows do not count: ado sets
    /// what is proven. Nor do line ends, which editors and git change by themselves.
    pub fn request_hash(&self) -> ContentHash {
        let mut asked = self.brief.to_string();
        for mark in self.marks.iter().rev() {
            if asked.get(mark.clone()).is_some() {
                asked.replace_range(mark.clone(), "");
            }
        }
        let unticked = asked.replace("\r\n", "\n").replace("[x] ", "[ ] ").replace("[X] ", "[ ] ");
        ContentHash::of(format!("{}\0{}\0{unticked}", self.title, self.kind()))
    }
}
