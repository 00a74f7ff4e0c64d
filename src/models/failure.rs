//! What a failed exchange with a provider means, in our words. Details are cut short, cleaned of control characters and
//! freed of the key before anyone sees them.

use std::error::Error as _;

use genai::webc;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::domain::{ModelName, Tokens};

use super::{ModelError, exhausted::exhausted, retry_after::retry_after};

/// Characters of a provider's words that are kept.
const DETAIL: usize = 300;

/// How providers say that a conversation is too long.
const OVERFLOW: [&str; 12] = [
    "context_length",
    "context length",
    "context window",
    "context limit",
    "context size",
    "maximum context",
    "prompt is too long",
    "input is too long",
    "input length",
    "input token count",
    "too many tokens",
    "reduce the length",
];

/// Puts failures of one model into words.
pub(super) struct Failures<'a> {
    pub model: &'a ModelName,
    /// Never shown; `None` where there is none.
    pub key: Option<&'a SecretString>,
    /// What an answer that was lost may have taken.
    pub most: Tokens,
}

impl Failures<'_> {
    /// The meaning of an error of the library at the time `now`.
    pub(super) fn read(&self, error: &genai::Error, now: Timestamp) -> ModelError {
        use genai::Error;
        match error {
            Error::WebModelCall { webc_error, .. } | Error::WebAdapterCall { webc_error, .. } => {
                self.of_web(webc_error, now)
            }
            Error::HttpError { status, body, headers, .. } => {
                self.of_status(status.as_u16(), headers, body, now)
            }
            Error::ChatResponseGeneration { response_body, cause, .. } => {
                self.of_body(response_body, now).unwrap_or_else(|| {
                    self.rejected(&format!("its answer does not have the form of this provider: {cause}"))
                })
            }
            other => self.rejected(&other.to_string()),
        }
    }

    /// The meaning of an answer in pieces that stopped after this much of it.
    pub(super) fn of_stream(&self, error: &genai::Error, tokens: Tokens) -> ModelError {
        use genai::Error;
        let now = Timestamp::now();
        match error {
            Error::ChatResponse { body, .. } => self
                .of_body(&json!({ "error": body.get("error").unwrap_or(body) }), now)
                .unwrap_or_else(|| self.broken_off(tokens, &body.to_string())),
            Error::WebStream { error, cause, .. } => {
                if let Some(error) = error.downcast_ref::<Error>() {
                    return self.read(error, now);
                }
                match error.downcast_ref::<reqwest::Error>() {
                    Some(error) => self.of_exchange(error, tokens),
                    None => self.broken_off(tokens, cause),
                }
            }
            Error::StreamParse { serde_error, .. } => {
                self.broken_off(tokens, &format!("a piece of it is broken JSON: {serde_error}"))
            }
            other => self.read(other, now),
        }
    }

    /// The error that a body reports although its status says success, if it does.
    pub(super) fn of_body(&self, body: &Value, now: Timestamp) -> Option<ModelError> {
        let error = body.get("error").filter(|error| !error.is_null())?;
        let status = ["code", "status"].iter().find_map(|name| error.get(name)?.as_u64());
        let status = status.and_then(|code| u16::try_from(code).ok()).unwrap_or(400);
        Some(self.of_status(status, &HeaderMap::new(), &body.to_string(), now))
    }

    /// The meaning of an exchange that failed below the answer's content.
    pub(super) fn of_web(&self, error: &webc::Error, now: Timestamp) -> ModelError {
        match error {
            webc::Error::ResponseFailedStatus { status, body, headers } => {
                self.of_status(status.as_u16(), headers, body, now)
            }
            webc::Error::ResponseFailedNotJson { content_type, .. } => self.rejected(&format!(
                "it answered with `{content_type}`, not JSON; check the model note's `base_url`"
            )),
            webc::Error::ResponseFailedInvalidJson { cause, .. } => {
                self.broken_off(self.most, &format!("it is broken JSON: {cause}"))
            }
            webc::Error::Reqwest(error) if error.is_builder() => self.rejected(&format!(
                "the request cannot be made; check the model note's `base_url` and the key: {}",
                causes(error)
            )),
            webc::Error::Reqwest(error) => self.of_exchange(error, self.most),
            webc::Error::JsonValueExt(error) => self.rejected(&error.to_string()),
        }
    }

    /// The meaning of an exchange that ended early, with what it may have taken.
    pub(super) fn of_exchange(&self, error: &reqwest::Error, tokens: Tokens) -> ModelError {
        if error.is_timeout() && !error.is_connect() {
            return self.broken_off(tokens, &format!("no answer in time: {}", causes(error)));
        }
        if error.is_body() || error.is_decode() {
            return self.broken_off(tokens, &causes(error));
        }
        self.unreachable(&causes(error))
    }

    pub(super) fn broken_off(&self, tokens: Tokens, detail: &str) -> ModelError {
        ModelError::BrokenOff { model: self.model.clone(), tokens, detail: self.clean(detail) }
    }

    fn of_status(&self, status: u16, headers: &HeaderMap, text: &str, now: Timestamp) -> ModelError {
        let body = serde_json::from_str(text).unwrap_or(Value::Null);
        let words = said(&body).unwrap_or(text).trim();
        let lower = text.to_lowercase();
        let detail = if words.is_empty() { format!("status {status}") } else { format!("{status}: {words}") };
        let model = self.model.clone();
        if let Some(until) = exhausted(status, &body, text, now) {
            return ModelError::Exhausted { model, until, detail: self.clean(&detail) };
        }
        match status {
            401 | 403 => ModelError::Auth { model, detail: self.clean(&detail) },
            400 if lower.contains("api_key_invalid") || lower.contains("api key not valid") => {
                ModelError::Auth { model, detail: self.clean(&detail) }
            }
            429 => ModelError::RateLimited {
                model,
                retry_after: retry_after(headers, &body, now),
                detail: self.clean(&detail),
            },
            503 | 529 if status == 529 || says_overloaded(&lower) => ModelError::Overloaded {
                model,
                retry_after: retry_after(headers, &body, now),
                detail: self.clean(&detail),
            },
            400 | 413 | 422 | 500 if OVERFLOW.iter().any(|words| lower.contains(words)) => {
                ModelError::ContextOverflow { model, detail: self.clean(&detail) }
            }
            408 | 425 | 500..=599 => self.unreachable(&detail),
            300..=399 => self.rejected(&format!(
                "{detail}; redirects are not followed, check the model note's `base_url`"
            )),
            404 => self.rejected(&format!("{detail}; check the model note's `model` and `base_url`")),
            _ => self.rejected(&detail),
        }
    }

    pub(super) fn rejected(&self, detail: &str) -> ModelError {
        ModelError::Rejected { model: self.model.clone(), detail: self.clean(detail) }
    }

    fn unreachable(&self, detail: &str) -> ModelError {
        ModelError::Unreachable { model: self.model.clone(), detail: self.clean(detail) }
    }

    /// One short line without the key, control and bidirectional characters.
    pub(super) fn clean(&self, text: &str) -> String {
        // A key this short is a placeholder; replacing it would only garble words.
        match self.key.map(ExposeSecret::expose_secret).filter(|key| key.len() >= 8) {
            Some(key) => one_line(&text.replace(key, "[key]"), DETAIL),
            None => one_line(text, DETAIL),
        }
    }
}

/// How Google and others say with a 503 what Anthropic says with a 529.
fn says_overloaded(lower: &str) -> bool {
    lower.contains("overloaded") || lower.contains("\"unavailable\"")
}

/// At most `longest` characters on one line, without control and bidirectional characters.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(longest * 4)
        .collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The provider's own words in an error body.
fn said(body: &Value) -> Option<&str> {
    ["/error/message", "/0/error/message", "/error", "/message", "/detail"]
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())
}

/// The causes below an error, without its own text: that one names the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if parts.is_empty() { "the exchange broke off".into() } else { parts.join(": ") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn meaning(status: u16, body: &str) -> ModelError {
        let key = SecretString::from("sk-very-secret");
        let model = "m".parse().unwrap();
        Failures { model: &model, key: Some(&key), most: Tokens::default() }.of_status(
            status,
            &HeaderMap::new(),
            body,
            Timestamp::UNIX_EPOCH,
        )
    }

    fn kind(error: &ModelError) -> &'static str {
        match error {
            ModelError::Auth { .. } => "auth",
            ModelError::RateLimited { .. } => "limited",
            ModelError::Overloaded { .. } => "overloaded",
            ModelError::Exhausted { .. } => "exhausted",
            ModelError::Unreachable { .. } => "unreachable",
            ModelError::ContextOverflow { .. } => "overflow",
            ModelError::Rejected { .. } => "rejected",
            _ => "other",
        }
    }

    #[test]
    fn a_status_and_its_words_decide_what_happens_next() {
        for (status, body, expected) in [
            (401, r#"{"error":{"message":"bad key"}}"#, "auth"),
            (403, "", "auth"),
            (400, r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#, "auth"),
            (429, "{}", "limited"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                "overloaded",
            ),
            (
                429,
                r#"{"error":{"code":"insufficient_quota","message":"You exceeded your quota"}}"#,
                "exhausted",
            ),
            (500, "oops", "unreachable"),
            (503, "", "unreachable"),
            (
                503,
                r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
                "overloaded",
            ),
            (408, "", "unreachable"),
            (400, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, "overflow"),
            (
                400,
                r#"{"error":{"message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
                "overflow",
            ),
            (400, r#"{"error":{"message":"The input token count (2) exceeds the maximum"}}"#, "overflow"),
            (400, r#"{"error":{"message":"the request exceeds the available context size"}}"#, "overflow"),
            (400, r#"{"error":{"message":"unknown field"}}"#, "rejected"),
            (402, "pay", "exhausted"),
            (404, r#"{"error":"model 'x' not found"}"#, "rejected"),
            (302, "", "rejected"),
        ] {
            assert_eq!(kind(&meaning(status, body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn details_are_short_clean_and_without_the_key() {
        let error = meaning(401, "key sk-very-secret\u{1b}[31m is\nwrong\u{202e}");
        assert_eq!(error.to_string(), "model `m` refused the key: 401: key [key] [31m is wrong");
        let ModelError::Rejected { detail, .. } = meaning(418, &"é".repeat(5000)) else { panic!() };
        assert_eq!(detail.chars().count(), DETAIL + 1);
    }

    #[test]
    fn an_error_in_a_successful_answer_is_an_error() {
        let key = SecretString::from("sk-very-secret");
        let model = "m".parse().unwrap();
        let failures = Failures { model: &model, key: Some(&key), most: Tokens::default() };
        let body = serde_json::json!({"error":{"code":429,"message":"slow","details":[{"retryDelay":"3s"}]}});
        let Some(ModelError::RateLimited { retry_after, .. }) =
            failures.of_body(&body, Timestamp::UNIX_EPOCH)
        else {
            panic!()
        };
        assert_eq!(retry_after, Some(Duration::from_secs(3)));
        assert_eq!(failures.of_body(&serde_json::json!({"error":null}), Timestamp::UNIX_EPOCH), None);
    }
}
