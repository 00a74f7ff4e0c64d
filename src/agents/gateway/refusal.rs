//! Why a question gets no answer, in the form that each dialect's clients know. What cannot get better by asking again is
//! told with a status after which they do not.

use std::time::Duration;

use serde_json::{Value, json};

use super::question::Dialect;
use crate::models::ModelError;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's code; its type follows from the status.
    code: &'static str,
    /// Anthropic's type.
    kind: &'static str,
    pub message: String,
    /// When asking again may help.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, kind, message: message.into(), retry_after: None }
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(401, "invalid_api_key", "authentication_error", "this key is not good here")
    }

    /// The question itself cannot be asked.
    pub(super) fn of_question(problem: &str) -> Self {
        Self::new(400, "invalid_request", "invalid_request_error", format!("ado-vault: {problem}"))
    }

    /// A cap is reached; no further question will be answered.
    pub(super) fn spent(what: &str) -> Self {
        let message = format!("ado-vault: {what}; stop here, no further call will be answered");
        Self::new(403, "insufficient_quota", "billing_error", message)
    }

    /// The answer ended with no reason.
    pub(super) fn broken() -> Self {
        Self::new(503, "server_error", "overloaded_error", "ado-vault: the answer broke off")
    }

    pub(super) fn of_model(error: &ModelError) -> Self {
        let said = format!("ado-vault: {error}");
        match error {
            ModelError::OutOfBudget { .. } => Self::spent(&error.to_string()),
            // Waiting for that is the run's: it is parked once the agent has stopped.
            ModelError::Exhausted { .. } | ModelError::Unwell { .. } => Self::spent(&error.to_string()),
            ModelError::RateLimited { retry_after, .. } | ModelError::Overloaded { retry_after, .. } => {
                Self {
                    retry_after: *retry_after,
                    ..Self::new(429, "rate_limit_exceeded", "rate_limit_error", said)
                }
            }
            ModelError::Unreachable { .. } | ModelError::BrokenOff { .. } | ModelError::Cancelled => {
                Self::new(503, "server_error", "overloaded_error", said)
            }
            ModelError::ContextOverflow { .. } => Self::new(
                400,
                "context_length_exceeded",
                "invalid_request_error",
                format!("prompt is too long: {said}"),
            ),
            ModelError::Rejected { .. } => Self::new(400, "invalid_request", "invalid_request_error", said),
            ModelError::NoKey { .. }
            | ModelError::Auth { .. }
            | ModelError::NotRecorded { .. }
            | ModelError::NoModel { .. }
            | ModelError::Ledger { .. } => Self::new(403, "permission_denied", "permission_error", said),
        }
    }

    pub(super) fn body(&self, dialect: Dialect) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            403 => self.code,
            429 => "rate_limit_error",
            503 => "server_error",
            _ => "invalid_request_error",
        };
        match dialect {
            Dialect::Messages => {
                json!({"type": "error", "error": {"type": self.kind, "message": self.message}})
            }
            Dialect::Gemini => {
                let status = match self.status {
                    401 => "UNAUTHENTICATED",
                    403 => "PERMISSION_DENIED",
                    429 => "RESOURCE_EXHAUSTED",
                    503 => "UNAVAILABLE",
                    _ => "INVALID_ARGUMENT",
                };
                json!({"error": {"code": self.status, "message": self.message, "status": status}})
            }
            Dialect::Chat | Dialect::Responses => json!({
                "error": {"message": self.message, "type": kind, "param": null, "code": self.code},
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_told_in_each_dialect_with_a_status_that_nobody_repeats() {
        let refusal = Refusal::of_model(&ModelError::OutOfBudget { detail: "run: 3 calls".into() });
        let message = "ado-vault: budget: run: 3 calls; stop here, no further call will be answered";
        assert_eq!((refusal.status, refusal.message.as_str()), (403, message));
        let anthropic = json!({"type": "error", "error": {"type": "billing_error", "message": message}});
        assert_eq!(refusal.body(Dialect::Messages), anthropic);
        let openai = json!({"error": {"message": message, "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}});
        assert_eq!(refusal.body(Dialect::Chat), openai);
        assert_eq!(refusal.body(Dialect::Responses), openai);
        let gemini = json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}});
        assert_eq!(refusal.body(Dialect::Gemini), gemini);
    }

    #[test]
    fn what_may_pass_is_told_so_that_it_is_tried_again() {
        let model: crate::domain::ModelName = "m".parse().unwrap();
        let wait = Some(Duration::from_secs(9));
        let limited =
            ModelError::RateLimited { model: model.clone(), retry_after: wait, detail: "429".into() };
        let refusal = Refusal::of_model(&limited);
        assert_eq!((refusal.status, refusal.retry_after), (429, wait));
        let away = ModelError::Unreachable { model: model.clone(), detail: "refused".into() };
        assert_eq!(Refusal::of_model(&away).status, 503);
        let long = Refusal::of_model(&ModelError::ContextOverflow { model, detail: "400".into() });
        assert!(long.status == 400 && long.message.starts_with("prompt is too long"), "{}", long.message);
    }
}
