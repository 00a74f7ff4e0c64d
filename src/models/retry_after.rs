//! When a provider that is over its limit says it can be asked again. Pure: the time is an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Nothing waits longer than this for a provider, whatever it says.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The wait that the answer asks for, if it names one: `retry-after-ms`, `retry-after` (seconds or an HTTP date), the
/// reset headers of Anthropic and OpenAI, Google's `retryDelay`.
pub(super) fn retry_after(headers: &HeaderMap, body: &Value, now: Timestamp) -> Option<Duration> {
    milliseconds(headers)
        .or_else(|| header(headers, "retry-after").and_then(|text| seconds_or_date(text, now)))
        .or_else(|| retry_delay(body))
        .or_else(|| resets(headers, now))
        .map(|wait| wait.min(LONGEST))
}

fn milliseconds(headers: &HeaderMap) -> Option<Duration> {
    header(headers, "retry-after-ms")?.parse::<f64>().ok().and_then(|ms| seconds(ms / 1000.0))
}

fn seconds_or_date(text: &str, now: Timestamp) -> Option<Duration> {
    text.parse::<f64>().ok().and_then(seconds).or_else(|| {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(until(date, now))
    })
}

fn retry_delay(body: &Value) -> Option<Duration> {
    let details = body.pointer("/error/details")?.as_array()?;
    details.iter().filter_map(|detail| detail.get("retryDelay")?.as_str()).find_map(span)
}

/// The longest wait of the limits that are used up; of all limits when none says that it is.
fn resets(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let mut used_up = None;
    let mut any = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.contains("ratelimit") || !name.contains("reset") {
            continue;
        }
        let Some(wait) = value.to_str().ok().and_then(|text| reset(text.trim(), now)) else { continue };
        any = any.max(Some(wait));
        if header(headers, &name.replacen("reset", "remaining", 1)) == Some("0") {
            used_up = used_up.max(Some(wait));
        }
    }
    used_up.or(any)
}

/// A reset as an RFC 3339 time, a span (`6m0s`), seconds from now, or seconds or milliseconds since 1970.
fn reset(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return if number > 1e11 {
            Timestamp::from_millisecond(number as i64).ok().map(|at| until(at, now))
        } else if number > 1e9 {
            Timestamp::from_second(number as i64).ok().map(|at| until(at, now))
        } else {
            seconds(number)
        };
    }
    span(text).or_else(|| Some(until(text.parse().ok()?, now)))
}

fn span(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>().ok().map(|span| Duration::try_from(span).unwrap_or_default())
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn wait(pairs: &[(&str, &str)], body: Value) -> Option<Duration> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        retry_after(&headers, &body, "2026-03-01T12:00:00Z".parse().unwrap())
    }

    fn millis(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn every_way_of_naming_a_wait_is_understood() {
        for (headers, expected) in [
            (&[("retry-after", "7")][..], millis(7000)),
            (&[("retry-after", "1.5")], millis(1500)),
            (&[("retry-after", "Sun, 01 Mar 2026 12:01:30 GMT")], millis(90_000)),
            (&[("retry-after", "Sun, 01 Mar 2026 11:00:00 GMT")], millis(0)),
            (&[("retry-after", "7"), ("retry-after-ms", "250")], millis(250)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-4")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "999999999")], Some(LONGEST)),
            (&[("x-ratelimit-reset-requests", "6m0s")], millis(360_000)),
            (&[("x-ratelimit-reset-tokens", "120ms")], millis(120)),
            (&[("anthropic-ratelimit-tokens-reset", "2026-03-01T12:00:42Z")], millis(42_000)),
            (&[("x-ratelimit-reset", "1772366410000")], millis(10_000)),
            (&[("x-ratelimit-reset", "1772366405")], millis(5000)),
            (&[("x-ratelimit-reset", "12")], millis(12_000)),
            (&[], None),
        ] {
            assert_eq!(wait(headers, Value::Null), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_limit_that_is_used_up_decides() {
        let headers = [
            ("x-ratelimit-reset-requests", "1h0m0s"),
            ("x-ratelimit-remaining-requests", "90"),
            ("x-ratelimit-reset-tokens", "8s"),
            ("x-ratelimit-remaining-tokens", "0"),
        ];
        assert_eq!(wait(&headers, Value::Null), millis(8000));
        assert_eq!(wait(&headers[..3], Value::Null), millis(3_600_000));
    }

    #[test]
    fn google_names_the_wait_in_the_body() {
        let body = json!({"error":{"details":[{"@type":"x"},{"retryDelay":"34.5s"}]}});
        assert_eq!(wait(&[], body), millis(34_500));
    }
}
