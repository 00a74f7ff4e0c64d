//! Which answers mean that a plan, a credit or a long quota is used up, and until when. Pure: the time is an argument.
//!
//! Sources: OpenAI `insufficient_quota` and `usage_limit_reached` (429), Anthropic's credit and spend limits (400, 402, 429
//! with `enforced_spend_limit_reached`), Gemini's `RESOURCE_EXHAUSTED` with a violated quota per day (its `RetryInfo` then
//! names seconds and is not to be believed), 402 of OpenRouter and DeepSeek.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

/// Words and codes, in small letters, that speak of money or a plan and not of pace.
const USED_UP: [&str; 9] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "credit_balance_exhausted",
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "usage_limit_reached",
    "specified api usage limits",
    MONTHLY,
];
/// Anthropic's cap on a month's spending.
const MONTHLY: &str = "enforced_spend_limit_reached";

/// `Some` where the answer means it; inside, when it ends, if that is known.
pub(super) fn exhausted(status: u16, body: &Value, text: &str, now: Timestamp) -> Option<Option<Timestamp>> {
    if !matches!(status, 400 | 402 | 403 | 429) {
        return None;
    }
    let lower = text.to_lowercase();
    if status == 429 && is_per_day(body) {
        return Some(midnight_of_google(now));
    }
    if status != 402 && !USED_UP.iter().any(|words| lower.contains(words)) {
        return None;
    }
    let until = named(body, now).or_else(|| date_in(&lower));
    Some(until.or_else(|| lower.contains(MONTHLY).then(|| next_month(now)).flatten()).filter(|at| *at > now))
}

/// `resets_at` in seconds since 1970, or `resets_in_seconds`.
fn named(body: &Value, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| {
        let value = body.pointer(&format!("/error/{name}")).or_else(|| body.get(name))?;
        value.as_i64().filter(|number| *number > 0)
    };
    let later = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok();
    number("resets_at")
        .and_then(|at| Timestamp::from_second(at).ok())
        .or_else(|| number("resets_in_seconds").and_then(later))
}

/// `you will regain access on 2026-12-01 at 00:00 utc`.
fn date_in(lower: &str) -> Option<Timestamp> {
    let (_, rest) = lower.split_once("regain access on ")?;
    let date: Date = rest.get(..10)?.parse().ok()?;
    let time: Option<Time> =
        rest.get(10..).and_then(|rest| rest.strip_prefix(" at ")?.get(..5)?.parse().ok());
    let at = date.to_datetime(time.unwrap_or(Time::midnight())).to_zoned(TimeZone::UTC).ok()?;
    Some(at.timestamp())
}

fn is_per_day(body: &Value) -> bool {
    let details = body.pointer("/error/details").and_then(Value::as_array);
    let violations = details.into_iter().flatten().filter_map(|detail| detail.get("violations")?.as_array());
    let mut quotas = violations.flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
    quotas.any(|quota| quota.contains("PerDay"))
}

/// Google's quotas of a day begin at midnight Pacific time.
fn midnight_of_google(now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::get("America/Los_Angeles").unwrap_or(TimeZone::fixed(jiff::tz::offset(-8)));
    Some(now.to_zoned(zone).tomorrow().ok()?.start_of_day().ok()?.timestamp())
}

fn next_month(now: Timestamp) -> Option<Timestamp> {
    let month = now.to_zoned(TimeZone::UTC).date().first_of_month().checked_add(1.month()).ok()?;
    Some(month.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_of_the_providers_about_money_and_plans_are_told_from_those_about_pace() {
        let now: Timestamp = "2026-11-21T18:00:00Z".parse().unwrap();
        let openai = json!({"error": {"message": "You exceeded your current quota, please check your plan and billing details.",
            "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}});
        let plan = |name: &str, value: i64| json!({"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached", name: value}});
        let credit = json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "Your credit balance is too low to access the Anthropic API."}});
        let monthly = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "spend cap",
            "details": {"error_code": "enforced_spend_limit_reached"}}});
        let own_limit = json!({"type": "error", "error": {"type": "invalid_request_error", "message":
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}});
        let gemini = |quota: &str| {
            json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota",
                "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
                            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]}})
        };
        let pace = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
        let at = |text: &str| Some(Some(text.parse::<Timestamp>().unwrap()));
        for (status, body, expected) in [
            (429, openai, Some(None)),
            (429, plan("resets_in_seconds", 5400), at("2026-11-21T19:30:00Z")),
            (429, plan("resets_at", 1_795_289_400), at("2026-11-21T19:30:00Z")),
            (429, plan("resets_at", 1), Some(None)),
            (400, credit, Some(None)),
            (429, monthly, at("2026-12-01T00:00:00Z")),
            (400, own_limit, at("2026-12-01T00:00:00Z")),
            (429, gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), at("2026-11-22T08:00:00Z")),
            (429, gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), None),
            (402, json!({"error": {"message": "Insufficient Balance"}}), Some(None)),
            (402, json!("pay"), Some(None)),
            (429, pace, None),
            (500, json!({"error": "insufficient_quota"}), None),
        ] {
            assert_eq!(exhausted(status, &body, &body.to_string(), now), expected, "{status} {body}");
        }
    }
}
