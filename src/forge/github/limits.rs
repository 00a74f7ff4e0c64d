//! When the next call may be made, by GitHub's documented rules: `retry-after` first, then `x-ratelimit-reset` where
//! nothing remains, else at least a minute, longer each time. Pure: the time is an argument and sleeping the caller's.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// The least wait after a refusal that names none; doubled with each further one.
const LEAST: SignedDuration = SignedDuration::from_secs(60);
/// No refusal keeps longer than this, whatever it says.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// GitHub lets a client write 80 times a minute and 500 times an hour.
const WRITES: [(usize, SignedDuration); 2] =
    [(60, SignedDuration::from_secs(60)), (400, SignedDuration::from_hours(1))];

/// What an answer says about limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signs {
    pub status: u16,
    /// `retry-after`, in seconds.
    pub retry_after: Option<u64>,
    /// `x-ratelimit-remaining`.
    pub remaining: Option<u64>,
    /// `x-ratelimit-reset`, seconds since 1970 by the server's clock.
    pub reset: Option<i64>,
    /// `date`, seconds since 1970 by the server's clock.
    pub date: Option<i64>,
    /// Whether the text of a refusal speaks of a limit.
    pub speaks_of_limit: bool,
}

impl Signs {
    /// Whether the call was refused for a limit and not for a right that is missing.
    pub fn is_limit(&self) -> bool {
        matches!(self.status, 403 | 429)
            && (self.status == 429
                || self.retry_after.is_some()
                || self.remaining == Some(0)
                || self.speaks_of_limit)
    }
}

/// What is known of the limits of one account at one server; every call to it goes by this.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    not_before: Option<Timestamp>,
    /// Refusals in a row that named no time.
    unnamed: u32,
    writes: VecDeque<Timestamp>,
}

impl Limits {
    /// When the next call may be made; not before `now`.
    pub fn allowed_at(&self, now: Timestamp, writes: bool) -> Timestamp {
        let mut at = self.not_before.map_or(now, |time| time.max(now));
        if writes {
            for (most, span) in WRITES {
                let full = self.writes.len().checked_sub(most).and_then(|oldest| self.writes.get(oldest));
                if let Some(free) = full.and_then(|oldest| oldest.checked_add(span).ok()) {
                    at = at.max(free);
                }
            }
        }
        at
    }

    /// A call that may write is made now.
    pub fn wrote(&mut self, now: Timestamp) {
        self.writes.push_back(now);
        let most = WRITES.iter().map(|(most, _)| *most).max().unwrap_or(0);
        while self.writes.len() > most {
            self.writes.pop_front();
        }
    }

    /// Takes in what an answer said.
    pub fn heard(&mut self, signs: &Signs, now: Timestamp) {
        let refused = signs.is_limit();
        let used_up = signs.remaining == Some(0);
        let reset = signs.reset.filter(|_| used_up).map(|reset| until_reset(reset, signs.date, now));
        let wait = match (refused, signs.retry_after) {
            (true, Some(seconds)) => {
                Some(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
            }
            (true, None) if reset.is_none() => {
                let doubled = LEAST.checked_mul(1 << self.unnamed.min(6)).unwrap_or(LEAST);
                self.unnamed = self.unnamed.saturating_add(1);
                Some(doubled)
            }
            _ => reset,
        };
        if !refused && signs.status < 400 {
            self.unnamed = 0;
        }
        let Some(wait) = wait else { return };
        let until = now.checked_add(wait.clamp(SignedDuration::ZERO, LONGEST)).unwrap_or(now);
        self.not_before = self.not_before.max(Some(until));
    }

    /// The time before which nothing is asked, where there is one.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// What an earlier process knew.
    pub fn remember(&mut self, not_before: Timestamp, now: Timestamp) {
        let latest = now.checked_add(LONGEST).unwrap_or(now);
        self.not_before = self.not_before.max(Some(not_before.min(latest)));
    }
}

/// How long until the reset, by the server's clock where it told its time. A second more, for its fractions.
fn until_reset(reset: i64, date: Option<i64>, now: Timestamp) -> SignedDuration {
    let seconds = reset.saturating_sub(date.unwrap_or_else(|| now.as_second()));
    SignedDuration::from_secs(seconds.clamp(0, LONGEST.as_secs()).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Seconds until the next call after one answer with these signs.
    fn wait(signs: Signs) -> i64 {
        let mut limits = Limits::default();
        limits.heard(&signs, at(0));
        limits.allowed_at(at(0), false).as_second() - at(0).as_second()
    }

    #[test]
    fn a_refusal_names_its_wait_in_this_order() {
        let refused = |status| Signs { status, ..Signs::default() };
        let reset = Some(1_800_000_090);
        for (signs, expected) in [
            (refused(429), 60),
            (refused(403), 0),
            (Signs { speaks_of_limit: true, ..refused(403) }, 60),
            (Signs { retry_after: Some(7), ..refused(403) }, 7),
            (Signs { retry_after: Some(7), remaining: Some(0), reset, ..refused(429) }, 7),
            (Signs { remaining: Some(0), reset, ..refused(403) }, 91),
            // Something remains, so the reset is not what is waited for.
            (Signs { remaining: Some(12), reset, ..refused(429) }, 60),
            // The server's clock is ten minutes ahead: what counts is the span between its times.
            (
                Signs {
                    remaining: Some(0),
                    reset: Some(1_800_000_690),
                    date: Some(1_800_000_600),
                    ..refused(403)
                },
                91,
            ),
            (Signs { remaining: Some(0), reset: Some(i64::MAX), ..refused(403) }, 86_400),
            (Signs { remaining: Some(0), reset: Some(0), ..refused(403) }, 1),
            (Signs { retry_after: Some(u64::MAX), ..refused(429) }, 86_400),
            // Granted, but nothing remains: the next call would be refused.
            (Signs { remaining: Some(0), reset, ..refused(200) }, 91),
            (Signs { remaining: Some(1), reset, ..refused(200) }, 0),
            (refused(500), 0),
        ] {
            assert_eq!(wait(signs.clone()), expected, "{signs:?}");
        }
    }

    #[test]
    fn refusals_without_a_time_double_the_wait_until_a_call_succeeds() {
        let mut limits = Limits::default();
        let refused = Signs { status: 429, ..Signs::default() };
        let mut now = at(0);
        for expected in [60, 120, 240, 480] {
            limits.heard(&refused, now);
            let next = limits.allowed_at(now, false);
            assert_eq!(next.as_second() - now.as_second(), expected);
            now = next;
        }
        limits.heard(&Signs { status: 200, ..Signs::default() }, now);
        limits.heard(&refused, now);
        assert_eq!(limits.allowed_at(now, false).as_second() - now.as_second(), 60);
    }

    #[test]
    fn a_shorter_wait_never_shortens_a_longer_one() {
        let mut limits = Limits::default();
        limits.heard(&Signs { status: 429, retry_after: Some(100), ..Signs::default() }, at(0));
        limits.heard(&Signs { status: 429, retry_after: Some(1), ..Signs::default() }, at(1));
        assert_eq!(limits.allowed_at(at(2), false), at(100));
        assert_eq!(limits.allowed_at(at(200), false), at(200));
    }

    #[test]
    fn writes_are_spread_and_reads_are_not() {
        let mut limits = Limits::default();
        for second in 0..60 {
            assert_eq!(limits.allowed_at(at(second / 10), true), at(second / 10));
            limits.wrote(at(second / 10));
        }
        assert_eq!(limits.allowed_at(at(6), true), at(60));
        assert_eq!(limits.allowed_at(at(6), false), at(6));
    }
}
