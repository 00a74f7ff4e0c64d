//! Takes secrets out of what is about to be written into the vault: journal events and transcripts.

use serde_json::Value;

use crate::domain::{Event, redact_secrets};
use crate::models::secrets_held;

/// The event with every secret in its free texts replaced. Names, numbers and hashes are left as they are.
pub fn event(event: Event) -> Event {
    let has_free_text = matches!(
        event,
        Event::StepFinished { .. }
            | Event::PlanEdited { .. }
            | Event::Resumed { .. }
            | Event::ReviewAsked { .. }
            | Event::Reworked { .. }
            | Event::BranchUpdated { .. }
            | Event::Braked { .. }
            | Event::Ended { .. }
    );
    if !has_free_text {
        return event;
    }
    let clean = serde_json::to_value(&event).map(|mut value| {
        redact(&mut value, &secrets_held());
        value
    });
    clean.and_then(serde_json::from_value).unwrap_or(event)
}

/// The text with every secret replaced.
pub fn text(text: &str) -> String {
    redact_secrets(text, &secrets_held())
}

/// The value with every secret in its texts replaced.
pub fn value(mut value: Value) -> Value {
    redact(&mut value, &secrets_held());
    value
}

fn redact(value: &mut Value, held: &[String]) {
    match value {
        Value::String(text) => {
            let clean = redact_secrets(text, held);
            if clean != *text {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, held)),
        Value::Object(fields) => fields.values_mut().for_each(|field| redact(field, held)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brake, GitId, Step, StepKey, StepOutcome, StepResult, WorkPlan};

    const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

    #[test]
    fn secrets_in_free_text_are_replaced_and_commits_stay() {
        let plan = WorkPlan { summary: format!("use {TOKEN}"), ..WorkPlan::default() };
        let base = GitId("9f4582a57193bdc85365502fc54e6dcb004d4fcf".into());
        let result = StepResult::Planned { plan, base: base.clone() };
        let outcome = StepOutcome { result, agent: None, millis: 1 };
        let key = StepKey::new(Step::Plan, 1);
        let clean = event(Event::StepFinished { key, attempt: 1, outcome });
        let text = serde_json::to_string(&clean).unwrap();
        assert!(!text.contains(TOKEN) && text.contains(base.as_str()), "{text}");
        let braked = event(Event::Braked { brake: Brake::StepFailed, detail: TOKEN.into() });
        assert!(!serde_json::to_string(&braked).unwrap().contains(TOKEN));
    }

    #[test]
    fn transcripts_lose_secrets_at_any_depth() {
        let clean = value(serde_json::json!({ "messages": [{ "text": format!("key {TOKEN}") }], "n": 1 }));
        assert!(!clean.to_string().contains(TOKEN) && clean["n"] == 1);
    }
}
