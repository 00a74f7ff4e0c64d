//! What one run's journal spent by day and by hour, and what its step at work may still take. Knows no caps.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::book::date_of;
use crate::domain::{Event, Record, Spent};

/// What a run spent by day (UTC), and in the last hours one by one. A call counts at the moment that it was reserved, also
/// when it ends on another day: it was held against that day's cap. A session and a step's time count when it began.
#[derive(Debug, Default)]
pub(super) struct Days {
    settled: BTreeMap<Date, Spent>,
    /// Within [`KEPT`], by time.
    recent: Vec<(Timestamp, Spent)>,
    open: BTreeMap<u64, (Timestamp, Spent)>,
    /// When the step at work began, and the last record.
    step: Option<Timestamp>,
    last: Timestamp,
    /// Seconds that the step at work may take, if it was given a limit: held until it ends. In memory alone: a step does
    /// not outlive its process.
    granted: u64,
}

/// How long spending is kept one by one: a night is shorter.
const KEPT: SignedDuration = SignedDuration::from_hours(25);

impl Days {
    pub(super) fn apply(&mut self, record: &Record) {
        let last = std::mem::replace(&mut self.last, record.at);
        match &record.event {
            Event::ModelCallStarted { call, reserved, .. } => {
                self.open.insert(*call, (record.at, *reserved));
            }
            Event::ModelCallFinished { call, tokens, cost, .. } => {
                let at = self.open.remove(call).map_or(record.at, |(at, _)| at);
                self.spend(at, Spent::of_call(*cost, tokens.total()));
            }
            Event::StepStarted { key, .. } => {
                self.granted = 0;
                if let Some(begun) = self.step.replace(record.at) {
                    self.spend(begun, Spent::of_time(begun, last));
                }
                if key.step.role().is_some() {
                    self.spend(record.at, Spent::of_session());
                }
            }
            Event::StepFinished { .. } => {
                self.granted = 0;
                if let Some(begun) = self.step.take() {
                    self.spend(begun, Spent::of_time(begun, record.at));
                }
            }
            _ => {}
        }
    }

    fn spend(&mut self, at: Timestamp, spent: Spent) {
        *self.settled.entry(date_of(at)).or_default() += spent;
        self.recent.push((at, spent));
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        let begin = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        self.recent.retain(|(at, _)| *at >= begin);
    }

    pub(super) fn spent_on(&self, day: Date) -> Spent {
        let reserved = self.open.values().filter(|(at, _)| date_of(*at) == day).map(|(_, most)| *most).sum();
        self.settled.get(&day).copied().unwrap_or_default()
            + reserved
            + self.working(|begun| date_of(begun) == day)
    }

    pub(super) fn spent_since(&self, begin: Timestamp) -> Spent {
        let all = self.recent.iter().chain(self.open.values());
        let spent: Spent = all.filter(|(at, _)| *at >= begin).map(|(_, spent)| *spent).sum();
        spent + self.working(|begun| begun >= begin)
    }

    /// Holds so many seconds for the step that just began.
    pub(super) fn grant(&mut self, seconds: u64) {
        self.granted = seconds;
    }

    /// The time of a step without an end up to the last record, if it began at such a time.
    fn working(&self, counts: impl Fn(Timestamp) -> bool) -> Spent {
        self.step
            .filter(|begun| counts(*begun))
            .map(|begun| Spent::of_time(begun, self.last))
            .unwrap_or_default()
    }

    /// What the step at work may take besides, if it began on that day.
    pub(super) fn granted_on(&self, day: Date) -> Spent {
        self.granted(|begun| date_of(begun) == day)
    }

    /// What the step at work may take besides, if it began at that moment or later.
    pub(super) fn granted_since(&self, begin: Timestamp) -> Spent {
        self.granted(|begun| begun >= begin)
    }

    /// What is left of the time that the step at work was given, if it began at such a time.
    fn granted(&self, counts: impl Fn(Timestamp) -> bool) -> Spent {
        let is_meant = self.step.is_some_and(counts);
        let given = Spent { seconds: if is_meant { self.granted } else { 0 }, ..Spent::default() };
        given - self.working(|_| is_meant)
    }
}
