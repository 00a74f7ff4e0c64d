//! What a planner proposes: files, steps, checks, rollback; and what a spec writer drafts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ContentHash;

/// The plan of a run. Agents give it as JSON of this shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkPlan {
    /// What will be done, in two or three sentences.
    pub summary: String,
    /// Files expected to change.
    pub files: Vec<PlannedFile>,
    /// Steps in order.
    pub steps: Vec<String>,
    /// Commands that show that it works.
    #[serde(default)]
    pub validation: Vec<String>,
    /// How to undo it.
    #[serde(default)]
    pub rollback: String,
    #[serde(default)]
    pub risks: Vec<String>,
    /// For epics: the features to split it into.
    #[serde(default)]
    pub sub_features: Vec<SubFeature>,
}

impl WorkPlan {
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(serde_json::to_vec(self).unwrap_or_default())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedFile {
    /// Relative to the repository's root.
    pub path: String,
    /// What changes in it.
    pub change: String,
}

/// A smaller feature proposed by the plan of an epic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubFeature {
    pub title: String,
    pub summary: String,
    #[serde(default)]
    pub criteria: Vec<String>,
    /// Titles of sub-features of the same plan that must be done first.
    #[serde(default)]
    pub depends_on: Vec<String>,
}

/// What a spec writer drafts for a vague note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpecDraft {
    pub summary: String,
    pub criteria: Vec<String>,
    pub questions: Vec<String>,
}
