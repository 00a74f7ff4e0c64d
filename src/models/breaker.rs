//! When a provider that failed is asked again. Pure: a state, an event and the time give the next state.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{CallFailure, FailureKind};

/// Failures in a row that open a breaker, where no answer named a time.
const MOST_FAILURES: u32 = 3;
/// How long it stays open the first time; doubles with each further one.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// And at most.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// How long a plan without credit is left alone: only a person ends that, and nobody says when.
const EXHAUSTED: SignedDuration = SignedDuration::from_hours(1);
/// How long the others wait for the one call that finds out.
const TRIAL: SignedDuration = SignedDuration::from_mins(1);

/// Whether calls go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// All do; so many failed in a row.
    Closed { failures: u32 },
    /// None does before this time. `times` counts how often in a row it opened.
    Open { until: Timestamp, times: u32, kind: FailureKind },
    /// One call is finding out; the others wait for it, at most until this time.
    HalfOpen { until: Timestamp, times: u32, kind: FailureKind },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// The state after a call wants to go through, and when it may come back if it may not.
    pub(super) fn asked(self, now: Timestamp) -> (Self, Result<(), (Timestamp, FailureKind)>) {
        match self {
            Self::Closed { .. } => (self, Ok(())),
            Self::Open { until, kind, .. } | Self::HalfOpen { until, kind, .. } if now < until => {
                (self, Err((until, kind)))
            }
            Self::Open { times, kind, .. } | Self::HalfOpen { times, kind, .. } => {
                (Self::HalfOpen { until: after(now, TRIAL), times, kind }, Ok(()))
            }
        }
    }

    /// The state after the provider answered.
    pub(super) fn answered(self) -> Self {
        Self::default()
    }

    /// The state after a call failed at this time.
    pub(super) fn failed(self, failure: CallFailure, now: Timestamp) -> Self {
        let kind = failure.kind;
        let (failures, times) = match self {
            Self::Closed { failures } => (failures.saturating_add(1), 0),
            Self::HalfOpen { times, .. } => (MOST_FAILURES, times),
            // Calls that were under way when it opened say nothing new, unless they name a later time.
            Self::Open { until, times, .. } => {
                return match failure.until {
                    Some(named) if named > until => Self::Open { until: named, times, kind },
                    _ => self,
                };
            }
        };
        let times = times.saturating_add(1);
        match (failure.until, kind) {
            (Some(until), _) => Self::Open { until, times, kind },
            (None, FailureKind::Exhausted) => Self::Open { until: after(now, EXHAUSTED), times, kind },
            (None, _) if failures >= MOST_FAILURES => {
                Self::Open { until: after(now, pause(times)), times, kind }
            }
            (None, _) => Self::Closed { failures },
        }
    }

    /// Until when no call goes through, as of now.
    pub(super) fn shut(self, now: Timestamp) -> Option<(Timestamp, FailureKind)> {
        self.asked(now).1.err()
    }
}

fn pause(times: u32) -> SignedDuration {
    let doubled = 2_i32.saturating_pow(times.saturating_sub(1).min(16));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

fn after(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{Exhausted, Limited, Overloaded, Unreachable};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn failure(kind: FailureKind, until: Option<i64>) -> CallFailure {
        CallFailure { kind, until: until.map(at) }
    }

    fn open(until: i64, times: u32, kind: FailureKind) -> Breaker {
        Breaker::Open { until: at(until), times, kind }
    }

    #[test]
    fn every_state_meets_every_event() {
        let closed = |failures| Breaker::Closed { failures };
        let trying = Breaker::HalfOpen { until: at(60), times: 2, kind: Unreachable };
        let cases = [
            (closed(0), failure(Unreachable, None), closed(1)),
            (closed(1), failure(Overloaded, None), closed(2)),
            (closed(2), failure(Overloaded, None), open(40, 1, Overloaded)),
            (closed(0), failure(Limited, Some(90)), open(90, 1, Limited)),
            (closed(0), failure(Exhausted, None), open(3610, 1, Exhausted)),
            (closed(0), failure(Exhausted, Some(7200)), open(7200, 1, Exhausted)),
            (trying, failure(Unreachable, None), open(130, 3, Unreachable)),
            (trying, failure(Limited, Some(50)), open(50, 3, Limited)),
            (open(40, 1, Overloaded), failure(Overloaded, None), open(40, 1, Overloaded)),
            (open(40, 1, Overloaded), failure(Limited, Some(90)), open(90, 1, Limited)),
            (open(40, 1, Overloaded), failure(Limited, Some(20)), open(40, 1, Overloaded)),
        ];
        for (before, event, expected) in cases {
            assert_eq!(before.failed(event, at(10)), expected, "{before:?} {event:?}");
        }
        for state in [closed(2), trying, open(40, 1, Limited)] {
            assert_eq!(state.answered(), closed(0));
        }
    }

    #[test]
    fn after_its_time_one_call_finds_out_and_the_others_wait_for_it() {
        let open = open(40, 1, Overloaded);
        assert_eq!(open.asked(at(39)), (open, Err((at(40), Overloaded))));
        let (trying, first) = open.asked(at(40));
        assert_eq!(first, Ok(()));
        assert_eq!(trying.asked(at(41)), (trying, Err((at(100), Overloaded))), "a second call waits");
        assert_eq!(trying.answered().asked(at(42)).1, Ok(()));
        let (again, third) = trying.asked(at(100));
        assert_eq!(third, Ok(()), "a call that never ended does not keep it shut");
        assert_eq!(again.shut(at(101)), Some((at(160), Overloaded)));
    }

    #[test]
    fn it_stays_open_longer_each_time_up_to_a_quarter_of_an_hour() {
        let mut breaker = Breaker::Closed { failures: 2 };
        let mut now = 0;
        let mut pauses = vec![];
        for _ in 0..7 {
            breaker = breaker.failed(failure(Unreachable, None), at(now));
            let Breaker::Open { until, .. } = breaker else { panic!("{breaker:?}") };
            let pause = until.duration_since(at(now)).as_secs();
            pauses.push(pause);
            now += pause;
            breaker = breaker.asked(at(now)).0;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
    }
}
