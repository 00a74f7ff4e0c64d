//! Scores a feature: complexity by criterion, risk, novelty; and from them tier and strategy.

use crate::domain::{Config, Feature, FeatureView, Level, Triage, WorkPlan};

/// The routing decision about a feature.
pub fn triage(feature: &Feature, _all: &[FeatureView], config: &Config, _plan: Option<&WorkPlan>) -> Triage {
    let tier = config.routing.tier(0);
    Triage {
        complexity: 0,
        tier,
        strategy: config.routing.strategy(tier),
        risk: feature.properties.risk.unwrap_or(Level::Low),
        novelty: Level::Low,
        points: vec![],
        risk_reasons: vec![],
        novelty_reason: String::new(),
        plan_approval: tier >= config.routing.plan_approval_from,
    }
}
