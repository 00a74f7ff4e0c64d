//! What a review of somebody else's pull request may spend, and what stands in its way. It has no note and no tier: it counts
//! as complex, since nobody knows yet what it is.
//!
//! Does not know forges or comments.

use super::eligibility::employ;
use super::next::Next;
use super::{brakes, spending};
use crate::domain::{Config, Role, RunState, ScopeCaps, Snapshot, Tier, Wait};

/// The limits that a review is held against: those of a run, of a life for all reviews under its number, of the night and
/// the day.
pub fn review_caps(config: &Config) -> ScopeCaps {
    ScopeCaps {
        run: config.run_caps(Tier::Complex),
        feature: config.feature_caps(),
        day: config.day_caps(),
        night: config.night_caps(),
        overnight: config.settings.overnight,
    }
}

/// The longest that it may take, in seconds.
pub fn review_seconds(snapshot: &Snapshot) -> u64 {
    let limit = snapshot.config.settings.run_minutes.saturating_mul(60);
    limit.min(spending::seconds_left_of_all(snapshot)).clamp(1, brakes::MOST_STEP_SECONDS)
}

/// What stands in the way of a review, begun already or not.
pub fn review_obstacle(snapshot: &Snapshot, begun: Option<&RunState>) -> Option<Wait> {
    let wait = |on: &str, why: String, unblock: &str, needs_human| {
        Some(Wait { on: on.to_owned(), why, unblock: unblock.to_owned(), needs_human })
    };
    if let Some(why) = &snapshot.no_sandbox {
        return wait("sandbox", why.clone(), "`ado-vault doctor` says what is missing", true);
    }
    if let Err(missing) = employ(&snapshot.config, Role::Reviewer, Tier::Complex) {
        return wait("human: a reviewer", missing.message, &missing.remedy, true);
    }
    let used_up =
        |run: &RunState| spending::used_up(review_caps(&snapshot.config).run, run.committed_spend());
    if let Some(why) = begun.and_then(used_up) {
        let unblock = "raise `run_budget_usd` or another `run_…` in `00_system/Settings.md`, or the tier's budget in \
                       `30_policy/Routing.md`";
        return wait("budget", format!("the budget of the review is used up: {why}"), unblock, true);
    }
    match spending::of_all(snapshot) {
        Some(Next::Wait(wait)) => Some(wait),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Spent, Usd};

    fn snapshot(spent_today: f64, no_sandbox: Option<&str>) -> Snapshot {
        let mut config = Config::default();
        let agent = serde_json::json!({"name": "Reviewer", "role": "reviewer", "models": ["m"]});
        let agent: crate::domain::AgentConfig = serde_json::from_value(agent).unwrap();
        config.agents.insert(agent.name.clone(), agent);
        let model = serde_json::json!({"name": "m", "provider": "ollama", "model": "m"});
        let model: crate::domain::ModelConfig = serde_json::from_value(model).unwrap();
        config.models.insert(model.name.clone(), model);
        config.settings.day_minutes = Some(30);
        Snapshot {
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            config,
            features: vec![],
            spent_today: Spent { usd: Usd::from_dollars(spent_today), seconds: 600, ..Spent::default() },
            spent_tonight: Spent::default(),
            unwell: vec![],
            no_sandbox: no_sandbox.map(str::to_owned),
            unusable_repos: BTreeMap::new(),
            only: None,
        }
    }

    #[test]
    fn a_review_waits_for_the_day_for_a_box_and_for_an_agent() {
        let on = |snapshot: &Snapshot| review_obstacle(snapshot, None).map(|wait| wait.on);
        assert_eq!(on(&snapshot(49.0, None)), None);
        assert_eq!(on(&snapshot(50.0, None)).as_deref(), Some("budget"));
        assert_eq!(on(&snapshot(0.0, Some("no namespaces"))).as_deref(), Some("sandbox"));
        let mut nobody = snapshot(0.0, None);
        nobody.config.agents.clear();
        assert_eq!(on(&nobody).as_deref(), Some("human: a reviewer"));
    }

    #[test]
    fn it_takes_no_longer_than_what_is_left_of_the_day_s_minutes() {
        assert_eq!(review_seconds(&snapshot(0.0, None)), 20 * 60);
    }
}
