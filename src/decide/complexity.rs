//! Scores a feature's complexity by the weights of `Routing.md`, and from it chooses tier and strategy.
//!
//! Rests on what the note and the plan say; it does not look at a repository. What is counted is `estimate`'s affair.

use super::estimate::Estimate;
use super::risk;
use crate::domain::{Config, Feature, FeatureView, Level, Points, Routing, Strategy, Tier, Triage, WorkPlan};

/// The routing decision about a feature, each point with the fact it rests on.
pub fn triage(feature: &Feature, all: &[FeatureView], config: &Config, plan: Option<&WorkPlan>) -> Triage {
    let points = points(feature, &config.routing, plan);
    let complexity = total(&points);
    let tier = config.routing.tier(complexity);
    let strategy = config.routing.strategy(tier);
    let (risk, risk_reasons) = risk::risk(feature, config);
    let (novelty, novelty_reason) = risk::novelty(feature, all);
    Triage {
        complexity,
        tier,
        strategy,
        risk,
        novelty,
        points,
        risk_reasons,
        novelty_reason,
        // Only the pipeline has a plan to approve; an epic's parts are each moved by a human.
        plan_approval: strategy == Strategy::Pipeline
            && (tier >= config.routing.plan_approval_from || risk == Level::High),
    }
}

/// Tier and strategy alone.
pub(super) fn route(feature: &Feature, config: &Config, plan: Option<&WorkPlan>) -> (Tier, Strategy) {
    let tier = config.routing.tier(total(&points(feature, &config.routing, plan)));
    (tier, config.routing.strategy(tier))
}

fn total(points: &[Points]) -> u8 {
    let sum: u32 = points.iter().map(|each| u32::from(each.points)).sum();
    u8::try_from(sum.min(100)).unwrap_or(100)
}

fn points(feature: &Feature, routing: &Routing, plan: Option<&WorkPlan>) -> Vec<Points> {
    let estimate = Estimate::of(feature, plan);
    let weights = [
        routing.weight_phases,
        routing.weight_files,
        routing.weight_components,
        routing.weight_dependencies,
        routing.weight_new_code,
        routing.weight_questions,
    ];
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    estimate
        .criteria()
        .into_iter()
        .zip(weights)
        .map(|((criterion, percent, because), weight)| {
            let share = |percent: u64| rounded(u64::from(weight) * percent, sum);
            Points { criterion: criterion.to_owned(), points: share(percent), of: share(100), because }
        })
        .collect()
}

/// `part / whole`, rounded to the nearest; a whole of zero means that no criterion has a weight.
fn rounded(part: u64, whole: u64) -> u8 {
    let value = part.saturating_add(whole / 2).checked_div(whole).unwrap_or(0);
    u8::try_from(value).unwrap_or(100)
}
