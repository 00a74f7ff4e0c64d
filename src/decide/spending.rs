//! Which limits a run's spending is held against: its own, its feature's, the day's.
//!
//! Does not reserve or count anything; the caller's ledger does.

use crate::domain::{Caps, Config, FeatureView, RunState, Spent, Tier};

/// Each limit that holds for `run` with what already counts against it: `run`, `feature`, `day`.
pub fn caps_for(
    config: &Config,
    view: &FeatureView,
    run: &RunState,
    spent_today: Spent,
) -> Vec<(String, Caps, Spent)> {
    vec![
        ("run".to_owned(), run_caps(config, run), run.committed_spend()),
        ("feature".to_owned(), feature_caps(view), view.spent()),
        ("day".to_owned(), config.day_caps(), spent_today),
    ]
}

/// Caps of a run: its tier's once it is scored, the settings' until then.
pub(super) fn run_caps(config: &Config, run: &RunState) -> Caps {
    config.run_caps(run.triage.as_ref().map_or(Tier::Complex, |triage| triage.tier))
}

/// The lifetime caps that the note's own properties set.
pub(super) fn feature_caps(view: &FeatureView) -> Caps {
    let properties = &view.feature.properties;
    Caps { usd: properties.budget_usd, tokens: properties.budget_tokens, calls: None }
}
