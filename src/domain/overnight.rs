//! The hours of an overnight session: `22:00-06:00`, with an offset from UTC behind it where they are not UTC's. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::as_text::as_text;

/// When a night begins and ends, each night anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Overnight {
    from: Time,
    until: Time,
    offset: Offset,
}

impl Overnight {
    /// Begin and end of the night that this moment is in; `None` in the daytime.
    pub fn holding(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let today = at.to_zoned(TimeZone::fixed(self.offset)).date();
        let nights = [today.checked_sub(1.day()).ok(), Some(today)];
        nights.into_iter().flatten().find_map(|date| {
            let begin = date.to_datetime(self.from).to_zoned(TimeZone::fixed(self.offset)).ok()?.timestamp();
            let end = begin.checked_add(self.length()).ok()?;
            (begin <= at && at < end).then_some((begin, end))
        })
    }

    fn length(&self) -> SignedDuration {
        let length = self.until.duration_since(self.from);
        if length.is_positive() { length } else { length + SignedDuration::from_hours(24) }
    }
}

impl FromStr for Overnight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (hours, offset) = text.trim().split_once(' ').unwrap_or((text.trim(), "+00:00"));
            let (from, until) = hours.split_once('-')?;
            let (sign, offset) = match offset.trim().split_at_checked(1)? {
                ("+", offset) => (1, offset),
                ("-", offset) => (-1, offset),
                _ => return None,
            };
            let offset = clock(offset)?;
            let seconds = sign * (i32::from(offset.hour()) * 3600 + i32::from(offset.minute()) * 60);
            Some(Self {
                from: clock(from)?,
                until: clock(until)?,
                offset: Offset::from_seconds(seconds).ok().filter(|_| seconds.abs() <= 14 * 3600)?,
            })
        };
        read().ok_or_else(|| {
            format!("`{text}` names no hours; write them as `22:00-06:00` or `22:00-06:00 +02:00`")
        })
    }
}

/// `HH:MM`.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |part: &str| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten();
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

as_text!(Overnight);

impl fmt::Display for Overnight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        write!(f, "{}-{}", clock(self.from), clock(self.until))?;
        let minutes = self.offset.seconds() / 60;
        if minutes != 0 {
            let sign = if minutes < 0 { '-' } else { '+' };
            write!(f, " {sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(night: &str, at: &str) -> Option<String> {
        let night: Overnight = night.parse().unwrap();
        night.holding(at.parse().unwrap()).map(|(begin, end)| format!("{begin} {end}"))
    }

    #[test]
    fn a_moment_is_in_the_night_that_began_before_it() {
        let second = "2026-11-21T22:00:00Z 2026-11-22T06:00:00Z";
        for (night, at, expected) in [
            ("22:00-06:00", "2026-11-21T21:59:59Z", None),
            ("22:00-06:00", "2026-11-21T22:00:00Z", Some(second)),
            ("22:00-06:00", "2026-11-22T05:59:59Z", Some(second)),
            ("22:00-06:00", "2026-11-22T06:00:00Z", None),
            ("01:00-05:00", "2026-11-22T03:00:00Z", Some("2026-11-22T01:00:00Z 2026-11-22T05:00:00Z")),
            ("22:00-06:00 +02:00", "2026-11-21T20:30:00Z", Some("2026-11-21T20:00:00Z 2026-11-22T04:00:00Z")),
            ("22:00-06:00 -08:00", "2026-11-22T07:00:00Z", Some("2026-11-22T06:00:00Z 2026-11-22T14:00:00Z")),
            ("00:00-00:00", "2026-11-22T07:00:00Z", Some("2026-11-22T00:00:00Z 2026-11-23T00:00:00Z")),
        ] {
            assert_eq!(holding(night, at).as_deref(), expected, "{night} {at}");
        }
    }

    #[test]
    fn hours_are_read_and_written_and_everything_else_is_refused() {
        for text in ["22:00-06:00", "23:30-07:15 +05:30", "22:00-06:00 -08:00"] {
            assert_eq!(text.parse::<Overnight>().unwrap().to_string(), text);
        }
        for text in
            ["", "22-6", "25:00-06:00", "22:00", "22:00-06:00 CET", "22:00-06:00 +99:00", "22:00–06:00"]
        {
            assert!(text.parse::<Overnight>().is_err(), "{text}");
        }
    }
}
