//! Money and usage. Whole micro-dollars inside, so that sums are exact; a plain number of dollars outside.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Overnight;

/// US dollars, in millionths. Never negative in practice; subtraction saturates at zero.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Usd(u64);

impl Usd {
    pub const ZERO: Self = Self(0);

    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Dollars rounded to the nearest millionth; not-a-number and negatives are zero.
    pub fn from_dollars(dollars: f64) -> Self {
        if dollars.is_finite() && dollars > 0.0 {
            Self((dollars * 1e6).round().min(u64::MAX as f64) as u64)
        } else {
            Self::ZERO
        }
    }

    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Dollars to four places: what a person reads in a property or a table.
    pub fn rounded(self) -> f64 {
        (self.0 as f64 / 1e2).round() / 1e4
    }

    /// What `tokens` cost at `price` dollars a million tokens, rounded up to the next millionth of a dollar.
    pub fn of_tokens(tokens: u64, price_per_million: Usd) -> Self {
        Self(((u128::from(tokens) * u128::from(price_per_million.0)).div_ceil(1_000_000)) as u64)
    }
}

impl From<f64> for Usd {
    fn from(dollars: f64) -> Self {
        Self::from_dollars(dollars)
    }
}

impl From<Usd> for f64 {
    fn from(usd: Usd) -> Self {
        usd.dollars()
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// `$0.0042` below a cent, `$1.27` above.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 && self.0 < 10_000 {
            write!(f, "${:.4}", self.dollars())
        } else {
            write!(f, "${:.2}", self.dollars())
        }
    }
}

/// Tokens of one or more model calls, absolute counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// The part of `input` that was read from the provider's cache.
    pub cached: u64,
    /// The part of `input` that was written to the provider's cache.
    pub cache_written: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

impl Tokens {
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            cache_written: self.cache_written.saturating_add(other.cache_written),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// What was spent: money, tokens, calls, sessions, time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Spent {
    pub usd: Usd,
    pub tokens: u64,
    pub calls: u64,
    /// Steps that an agent began.
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions: u64,
    /// Seconds that steps were at work.
    #[serde(skip_serializing_if = "is_zero")]
    pub seconds: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Spent {
    /// One model call.
    pub fn of_call(usd: Usd, tokens: u64) -> Self {
        Self { usd, tokens, calls: 1, ..Self::default() }
    }

    /// The beginning of one agent's work.
    pub fn of_session() -> Self {
        Self { sessions: 1, ..Self::default() }
    }

    /// Time at work.
    pub fn of_time(from: Timestamp, until: Timestamp) -> Self {
        let seconds = u64::try_from(until.duration_since(from).as_secs()).unwrap_or(0);
        Self { seconds, ..Self::default() }
    }
}

impl Add for Spent {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            usd: self.usd + other.usd,
            tokens: self.tokens.saturating_add(other.tokens),
            calls: self.calls.saturating_add(other.calls),
            sessions: self.sessions.saturating_add(other.sessions),
            seconds: self.seconds.saturating_add(other.seconds),
        }
    }
}

impl Sub for Spent {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            usd: self.usd - other.usd,
            tokens: self.tokens.saturating_sub(other.tokens),
            calls: self.calls.saturating_sub(other.calls),
            sessions: self.sessions.saturating_sub(other.sessions),
            seconds: self.seconds.saturating_sub(other.seconds),
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// Upper limits; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Caps {
    pub usd: Option<Usd>,
    pub tokens: Option<u64>,
    pub calls: Option<u64>,
    pub sessions: Option<u64>,
    pub minutes: Option<u64>,
}

impl Caps {
    /// The first limit that `spent` plus `next` would pass, in words: `$4.98 of $5.00 spent`.
    pub fn exceeded_by(&self, spent: Spent, next: Spent) -> Option<String> {
        let after = spent + next;
        if let Some(cap) = self.usd.filter(|cap| after.usd > *cap) {
            return Some(format!("{} of {cap} spent, the next call may cost {}", spent.usd, next.usd));
        }
        if let Some(cap) = self.tokens.filter(|cap| after.tokens > *cap) {
            return Some(format!(
                "{} of {cap} tokens used, the next call may take {}",
                spent.tokens, next.tokens
            ));
        }
        if let Some(cap) = self.calls.filter(|cap| after.calls > *cap) {
            return Some(format!("{} of {cap} model calls made", spent.calls));
        }
        if let Some(cap) = self.sessions.filter(|cap| after.sessions > *cap) {
            return Some(format!("{} of {cap} agent sessions begun", spent.sessions));
        }
        self.minutes
            .filter(|cap| after.seconds > cap.saturating_mul(60))
            .map(|cap| format!("{} of {cap} minutes worked", spent.seconds / 60))
    }

    /// Whether `words`, as [`Caps::exceeded_by`] gave them once, speak of one of these limits. When not, the limits were
    /// changed since.
    pub fn are_named_in(&self, words: &str) -> bool {
        self.usd.is_some_and(|cap| words.contains(&format!(" of {cap} spent")))
            || self.tokens.is_some_and(|cap| words.contains(&format!(" of {cap} tokens used")))
            || self.calls.is_some_and(|cap| words.contains(&format!(" of {cap} model calls made")))
            || self.sessions.is_some_and(|cap| words.contains(&format!(" of {cap} agent sessions begun")))
            || self.minutes.is_some_and(|cap| words.contains(&format!(" of {cap} minutes worked")))
    }
}

/// The limits that one model call is held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeCaps {
    pub run: Caps,
    /// The feature's whole life.
    pub feature: Caps,
    /// All runs of a day, UTC.
    pub day: Caps,
    /// All runs of a night, within its hours.
    pub night: Caps,
    pub overnight: Option<Overnight>,
}

/// What counts against each of them: settled calls, and the reservations of open ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSpent {
    pub run: Spent,
    pub feature: Spent,
    pub day: Spent,
    /// Nothing in the daytime.
    pub night: Spent,
}

impl ScopeCaps {
    /// The limits that hold at this moment: those of a night only within its hours.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let is_night = self.overnight.is_some_and(|hours| hours.holding(now).is_some());
        Self { night: if is_night { self.night } else { Caps::default() }, ..self }
    }

    /// Each limit by name with what counts against it, the narrowest first.
    pub fn against(&self, spent: ScopeSpent) -> [(&'static str, Caps, Spent); 4] {
        [
            ("run", self.run, spent.run),
            ("feature", self.feature, spent.feature),
            ("night", self.night, spent.night),
            ("day", self.day, spent.day),
        ]
    }

    /// The first limit that `next` would pass: its name, and [`Caps::exceeded_by`]'s words.
    pub fn exceeded_by(&self, spent: ScopeSpent, next: Spent) -> Option<(&'static str, String)> {
        self.against(spent)
            .into_iter()
            .find_map(|(name, caps, spent)| Some((name, caps.exceeded_by(spent, next)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_limit_speak_of_it_until_it_is_changed() {
        let caps = |dollars| Caps { usd: Some(Usd::from_dollars(dollars)), ..Caps::default() };
        let next = Spent::of_call(Usd::from_dollars(3.0), 10);
        let words = caps(2.0).exceeded_by(Spent::default(), next).unwrap();
        assert!(caps(2.0).are_named_in(&words));
        assert!(!caps(5.0).are_named_in(&words) && !caps(12.0).are_named_in(&words));
        assert!(!Caps::default().are_named_in(&words));
    }

    #[test]
    fn token_prices_round_up_and_sums_are_exact() {
        let price = Usd::from_dollars(3.0);
        assert_eq!(Usd::of_tokens(1, price).micros(), 3);
        assert_eq!(Usd::of_tokens(1, Usd::from_dollars(0.15)).micros(), 1);
        let tenth = Usd::from_dollars(0.1);
        assert_eq!((0..10).map(|_| tenth).sum::<Usd>(), Usd::from_dollars(1.0));
    }

    #[test]
    fn a_cap_counts_the_next_call_before_it_is_made() {
        let caps = Caps { usd: Some(Usd::from_dollars(1.0)), ..Caps::default() };
        let spent = Spent::of_call(Usd::from_dollars(0.9), 10);
        let next = |usd| Spent::of_call(Usd::from_dollars(usd), 1);
        assert_eq!(caps.exceeded_by(spent, next(0.1)), None);
        assert_eq!(
            caps.exceeded_by(spent, next(0.2)).unwrap(),
            "$0.90 of $1.00 spent, the next call may cost $0.20"
        );
    }
}
