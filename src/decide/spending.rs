//! Which limits a run's spending is held against: its own, its feature's, the night's, the day's; and which of them are used up.
//!
//! Does not reserve or count anything; the caller's ledger does.

use jiff::Timestamp;

use super::next::Next;
use crate::domain::{Caps, Config, FeatureView, RunState, ScopeCaps, ScopeSpent, Snapshot, Spent, Usd};

/// The limits that hold for `run`: its tier's and the settings', those of the note's own properties, the day's.
pub fn caps_for(config: &Config, view: &FeatureView, run: &RunState) -> ScopeCaps {
    ScopeCaps {
        run: config.run_caps(run.tier()),
        feature: feature_caps(config, view),
        day: config.day_caps(),
        night: config.night_caps(),
        overnight: config.settings.overnight,
    }
}

/// The lifetime caps: those of the note's own properties, else those of the settings.
pub(super) fn feature_caps(config: &Config, view: &FeatureView) -> Caps {
    let properties = &view.feature.properties;
    let of_all = config.feature_caps();
    Caps {
        usd: properties.budget_usd.or(of_all.usd),
        tokens: properties.budget_tokens.or(of_all.tokens),
        ..of_all
    }
}

/// Says which cap leaves no room for even the smallest further call of another session.
pub(super) fn used_up(caps: Caps, spent: Spent) -> Option<String> {
    // A model without prices costs nothing: it may go on under a cap of zero dollars.
    let usd = if spent.usd > Usd::ZERO { Usd::from_micros(1) } else { Usd::ZERO };
    let least = Spent { usd, tokens: 1, calls: 1, sessions: 1, seconds: 1 };
    caps.exceeded_by(spent, least)?;
    // In words without the next call, of which nothing is known yet.
    Some(match (caps.usd, caps.tokens) {
        (Some(cap), _) if spent.usd + usd > cap => format!("{} of {cap} spent", spent.usd),
        (_, Some(cap)) if spent.tokens >= cap => format!("{} of {cap} tokens used", spent.tokens),
        _ => Caps { usd: None, tokens: None, ..caps }.exceeded_by(spent, least)?,
    })
}

/// The first limit of the run or its feature that is used up.
pub(super) fn of_run(snapshot: &Snapshot, view: &FeatureView, run: &RunState) -> Option<String> {
    let spent = ScopeSpent { run: run.committed_spend(), feature: view.spent(), ..ScopeSpent::default() };
    caps_for(&snapshot.config, view, run)
        .against(spent)
        .into_iter()
        .filter(|(name, ..)| matches!(*name, "run" | "feature"))
        .find_map(|(name, caps, spent)| Some(format!("budget of the {name}: {}", used_up(caps, spent)?)))
}

/// Seconds that are left of the minutes of the feature's life, the night and the day; the most there are without caps.
pub(super) fn seconds_left(snapshot: &Snapshot, view: &FeatureView) -> u64 {
    let of_feature = seconds_of(feature_caps(&snapshot.config, view), view.spent());
    of_feature.unwrap_or(u64::MAX).min(seconds_left_of_all(snapshot))
}

/// The same of the night and the day alone.
pub(super) fn seconds_left_of_all(snapshot: &Snapshot) -> u64 {
    let config = &snapshot.config;
    let is_night = config.settings.overnight.is_some_and(|hours| hours.holding(snapshot.now).is_some());
    let night = if is_night { config.night_caps() } else { Caps::default() };
    let tonight = seconds_of(night, snapshot.spent_tonight);
    let today = seconds_of(config.day_caps(), snapshot.spent_today);
    tonight.into_iter().chain(today).min().unwrap_or(u64::MAX)
}

fn seconds_of(caps: Caps, spent: Spent) -> Option<u64> {
    Some(caps.minutes?.saturating_mul(60).saturating_sub(spent.seconds))
}

/// A wait for the end of the night or the day whose budget is used up.
pub(super) fn of_all(snapshot: &Snapshot) -> Option<Next> {
    let config = &snapshot.config;
    let night = config.settings.overnight.and_then(|hours| hours.holding(snapshot.now));
    let tonight = night.and_then(|(_, end)| {
        Some(until_morning(&used_up(config.night_caps(), snapshot.spent_tonight)?, end))
    });
    let today = || used_up(config.day_caps(), snapshot.spent_today).map(|why| until_tomorrow(&why));
    tonight.or_else(today)
}

pub(super) fn until_tomorrow(why: &str) -> Next {
    Next::pause(
        "budget",
        format!("today's budget is used up: {why}"),
        "it goes on at 00:00 UTC; or raise `day_budget_usd`, `day_budget_tokens` or another `day_…` in \
         `00_system/Settings.md`",
    )
}

pub(super) fn until_morning(why: &str, end: Timestamp) -> Next {
    Next::pause(
        "budget",
        format!("tonight's budget is used up until {end:.0}: {why}"),
        "it goes on when the night ends; or raise the `overnight_…` caps in `00_system/Settings.md`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_used_up_when_the_smallest_call_would_pass_it() {
        let caps =
            Caps { usd: Some(Usd::from_dollars(1.0)), tokens: Some(100), calls: Some(3), ..Caps::default() };
        let spent =
            |usd, tokens, calls| Spent { usd: Usd::from_dollars(usd), tokens, calls, ..Spent::default() };
        assert_eq!(used_up(caps, spent(0.99, 99, 2)), None);
        assert_eq!(used_up(caps, spent(1.0, 0, 0)).unwrap(), "$1.00 of $1.00 spent");
        assert_eq!(used_up(caps, spent(0.0, 100, 0)).unwrap(), "100 of 100 tokens used");
        assert_eq!(used_up(caps, spent(0.0, 0, 3)).unwrap(), "3 of 3 model calls made");
        let time = Caps { sessions: Some(2), minutes: Some(3), ..Caps::default() };
        let worked = |sessions, seconds| Spent { sessions, seconds, ..Spent::default() };
        assert_eq!(used_up(time, worked(1, 179)), None);
        assert_eq!(used_up(time, worked(2, 0)).unwrap(), "2 of 2 agent sessions begun");
        assert_eq!(used_up(time, worked(1, 180)).unwrap(), "3 of 3 minutes worked");
        let nothing = Caps { usd: Some(Usd::ZERO), ..Caps::default() };
        assert_eq!(used_up(nothing, spent(0.0, 500, 5)), None, "free models cost nothing");
    }
}
