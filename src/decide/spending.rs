//! Which limits a run's spending is held against: its own, its feature's, the day's; and which of them are used up.
//!
//! Does not reserve or count anything; the caller's ledger does.

use super::next::Next;
use crate::domain::{Caps, Config, FeatureView, RunState, ScopeCaps, ScopeSpent, Snapshot, Spent, Usd};

/// The limits that hold for `run`: its tier's and the settings', those of the note's own properties, the day's.
pub fn caps_for(config: &Config, view: &FeatureView, run: &RunState) -> ScopeCaps {
    ScopeCaps { run: config.run_caps(run.tier()), feature: feature_caps(view), day: config.day_caps() }
}

/// The lifetime caps that the note's own properties set.
pub(super) fn feature_caps(view: &FeatureView) -> Caps {
    let properties = &view.feature.properties;
    Caps { usd: properties.budget_usd, tokens: properties.budget_tokens, calls: None }
}

/// Says which cap leaves no room for even the smallest further call.
pub(super) fn used_up(caps: Caps, spent: Spent) -> Option<String> {
    // A model without prices costs nothing: it may go on under a cap of zero dollars.
    let usd = if spent.usd > Usd::ZERO { Usd::from_micros(1) } else { Usd::ZERO };
    caps.exceeded_by(spent, Spent { usd, tokens: 1, calls: 1 })?;
    Some(if caps.usd.is_some_and(|cap| spent.usd + usd > cap) {
        format!("{} of {} spent", spent.usd, caps.usd.unwrap_or_default())
    } else if caps.tokens.is_some_and(|cap| spent.tokens >= cap) {
        format!("{} of {} tokens used", spent.tokens, caps.tokens.unwrap_or_default())
    } else {
        format!("{} of {} model calls made", spent.calls, caps.calls.unwrap_or_default())
    })
}

/// The first limit of the run or its feature that is used up.
pub(super) fn of_run(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<String> {
    let spent = ScopeSpent { run: run.committed_spend(), feature: view.spent(), day: snapshot.spent_today };
    caps_for(&snapshot.config, view, run)
        .against(spent)
        .into_iter()
        .filter(|(name, ..)| *name != "day")
        .find_map(|(name, caps, spent)| Some(format!("budget of the {name}: {}", used_up(caps, spent)?)))
}

/// A wait for tomorrow where today's budget is used up.
pub(super) fn day(snapshot: &Snapshot) -> Option<Next> {
    used_up(snapshot.config.day_caps(), snapshot.spent_today).map(|why| until_tomorrow(&why))
}

pub(super) fn until_tomorrow(why: &str) -> Next {
    Next::pause(
        "budget",
        format!("today's budget is used up: {why}"),
        "it goes on at 00:00 UTC; or raise `day_budget_usd` or `day_budget_tokens` in `00_system/Settings.md`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_used_up_when_the_smallest_call_would_pass_it() {
        let caps = Caps { usd: Some(Usd::from_dollars(1.0)), tokens: Some(100), calls: Some(3) };
        let spent = |usd, tokens, calls| Spent { usd: Usd::from_dollars(usd), tokens, calls };
        assert_eq!(used_up(caps, spent(0.99, 99, 2)), None);
        assert_eq!(used_up(caps, spent(1.0, 0, 0)).unwrap(), "$1.00 of $1.00 spent");
        assert_eq!(used_up(caps, spent(0.0, 100, 0)).unwrap(), "100 of 100 tokens used");
        assert_eq!(used_up(caps, spent(0.0, 0, 3)).unwrap(), "3 of 3 model calls made");
        let nothing = Caps { usd: Some(Usd::ZERO), ..Caps::default() };
        assert_eq!(used_up(nothing, spent(0.0, 500, 5)), None, "free models cost nothing");
    }
}
