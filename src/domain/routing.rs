//! How a feature is routed: tiers, strategies, weights, classes of the queue, and the decision with its reasons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FeatureType, Level, ModelName, Usd};

/// Size class of a feature; decides strategy, models, budgets and whether a plan approval is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Trivial,
    Simple,
    Moderate,
    Complex,
    Epic,
}

impl Tier {
    pub const ALL: [Self; 5] = [Self::Trivial, Self::Simple, Self::Moderate, Self::Complex, Self::Epic];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Trivial => "trivial",
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
            Self::Epic => "epic",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.slug())
    }
}

/// How the work of a tier is organised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One agent codes; gates and review follow. No plan, no tester.
    Single,
    /// Plan, code, test, gates, review.
    Pipeline,
    /// Propose sub-features as notes and wait.
    Split,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Pipeline => "pipeline",
            Self::Split => "split",
        })
    }
}

/// Front matter of `30_policy/Routing.md`. Flat, so that Obsidian can edit it: one property per tier and quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Routing {
    /// Weights of the complexity criteria; they are scaled to add up to 100.
    pub weight_phases: u32,
    pub weight_files: u32,
    pub weight_components: u32,
    pub weight_dependencies: u32,
    pub weight_new_code: u32,
    pub weight_questions: u32,
    /// Lowest complexity (0–100) of each tier; `trivial` starts at 0.
    pub simple_from: u8,
    pub moderate_from: u8,
    pub complex_from: u8,
    pub epic_from: u8,
    pub trivial_strategy: Strategy,
    pub simple_strategy: Strategy,
    pub moderate_strategy: Strategy,
    pub complex_strategy: Strategy,
    pub epic_strategy: Strategy,
    /// Model of each tier for agents that name none; empty means `default_model` of the settings.
    pub trivial_model: Option<ModelName>,
    pub simple_model: Option<ModelName>,
    pub moderate_model: Option<ModelName>,
    pub complex_model: Option<ModelName>,
    pub epic_model: Option<ModelName>,
    /// Cap of one run in USD by tier; the settings' `run_budget_usd` still holds above it.
    pub trivial_budget_usd: Usd,
    pub simple_budget_usd: Usd,
    pub moderate_budget_usd: Usd,
    pub complex_budget_usd: Usd,
    pub epic_budget_usd: Usd,
    /// Tiers from this one on wait for a human to approve the plan.
    pub plan_approval_from: Tier,
    /// Words that raise the risk when they stand in a note.
    pub risky_words: Vec<String>,
    /// Classes of the queue, first is served first.
    pub classes: Vec<QueueClass>,
    /// Hours of waiting that lift a feature by one class.
    pub ageing_hours: u64,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            weight_phases: 20,
            weight_files: 20,
            weight_components: 20,
            weight_dependencies: 15,
            weight_new_code: 15,
            weight_questions: 10,
            simple_from: 15,
            moderate_from: 35,
            complex_from: 60,
            epic_from: 85,
            trivial_strategy: Strategy::Single,
            simple_strategy: Strategy::Pipeline,
            moderate_strategy: Strategy::Pipeline,
            complex_strategy: Strategy::Pipeline,
            epic_strategy: Strategy::Split,
            trivial_model: None,
            simple_model: None,
            moderate_model: None,
            complex_model: None,
            epic_model: None,
            trivial_budget_usd: Usd::from_dollars(1.0),
            simple_budget_usd: Usd::from_dollars(3.0),
            moderate_budget_usd: Usd::from_dollars(6.0),
            complex_budget_usd: Usd::from_dollars(10.0),
            epic_budget_usd: Usd::from_dollars(2.0),
            plan_approval_from: Tier::Complex,
            risky_words: [
                "auth",
                "password",
                "secret",
                "token",
                "billing",
                "payment",
                "migration",
                "delete",
                "permission",
                "encrypt",
                "security",
            ]
            .map(String::from)
            .to_vec(),
            classes: vec![QueueClass::Asked, QueueClass::Bug, QueueClass::Feature, QueueClass::Maintenance],
            ageing_hours: 24,
        }
    }
}

impl Routing {
    pub fn strategy(&self, tier: Tier) -> Strategy {
        match tier {
            Tier::Trivial => self.trivial_strategy,
            Tier::Simple => self.simple_strategy,
            Tier::Moderate => self.moderate_strategy,
            Tier::Complex => self.complex_strategy,
            Tier::Epic => self.epic_strategy,
        }
    }

    pub fn model(&self, tier: Tier) -> Option<&ModelName> {
        match tier {
            Tier::Trivial => self.trivial_model.as_ref(),
            Tier::Simple => self.simple_model.as_ref(),
            Tier::Moderate => self.moderate_model.as_ref(),
            Tier::Complex => self.complex_model.as_ref(),
            Tier::Epic => self.epic_model.as_ref(),
        }
    }

    pub fn budget(&self, tier: Tier) -> Usd {
        match tier {
            Tier::Trivial => self.trivial_budget_usd,
            Tier::Simple => self.simple_budget_usd,
            Tier::Moderate => self.moderate_budget_usd,
            Tier::Complex => self.complex_budget_usd,
            Tier::Epic => self.epic_budget_usd,
        }
    }

    pub fn tier(&self, complexity: u8) -> Tier {
        if complexity >= self.epic_from {
            Tier::Epic
        } else if complexity >= self.complex_from {
            Tier::Complex
        } else if complexity >= self.moderate_from {
            Tier::Moderate
        } else if complexity >= self.simple_from {
            Tier::Simple
        } else {
            Tier::Trivial
        }
    }
}

/// Class of waiting work; the class comes before the priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueClass {
    /// What a human asked for just now: `run FR`, or priority 1.
    Asked,
    Bug,
    Feature,
    Maintenance,
}

impl QueueClass {
    pub fn of(kind: FeatureType) -> Self {
        match kind {
            FeatureType::Bug | FeatureType::Security => Self::Bug,
            FeatureType::Feature | FeatureType::Migration => Self::Feature,
            _ => Self::Maintenance,
        }
    }
}

/// The routing decision about a feature, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Triage {
    /// 0–100.
    pub complexity: u8,
    pub tier: Tier,
    pub strategy: Strategy,
    pub risk: Level,
    pub novelty: Level,
    /// Points by criterion, with the fact each rests on.
    pub points: Vec<Points>,
    pub risk_reasons: Vec<String>,
    pub novelty_reason: String,
    pub plan_approval: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Points {
    pub criterion: String,
    pub points: u8,
    pub of: u8,
    /// What was counted: `4 files named`.
    pub because: String,
}
