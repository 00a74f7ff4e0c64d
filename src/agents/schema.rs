//! The shape of each role's result: its JSON Schema, its check, and its reading.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AgentAnswer;
use super::tool::bounded;
use crate::domain::{Review, Role, SpecDraft, WorkPlan};

/// Errors of a result that are told at once.
const MOST_ERRORS: usize = 8;

/// Bytes of one text of a result, and items of one list.
const MOST_BYTES: usize = 4 << 10;
const MOST_ITEMS: usize = 200;

/// What a coder or tester finishes with.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Done {
    /// What was done, in a few sentences; for the commit message and the pull request.
    summary: String,
}

/// The JSON Schema of a role's result, in one piece: not every provider follows references.
pub(super) fn of(role: Role) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = settings.into_generator();
    let schema = match role {
        Role::Planner => generator.into_root_schema_for::<WorkPlan>(),
        Role::Reviewer => generator.into_root_schema_for::<Review>(),
        Role::SpecWriter => generator.into_root_schema_for::<SpecDraft>(),
        Role::Coder | Role::Tester => generator.into_root_schema_for::<Done>(),
    };
    schema.to_value()
}

/// The checked result.
///
/// # Errors
/// What does not fit the schema and where, for the model to mend.
pub(super) fn read(role: Role, value: &Value) -> Result<AgentAnswer, String> {
    let validator = jsonschema::validator_for(&of(role)).map_err(|error| error.to_string())?;
    let errors: Vec<String> = validator
        .iter_errors(value)
        .take(MOST_ERRORS)
        .map(|error| {
            let at = error.instance_path().to_string();
            let said: String = error.to_string().chars().take(300).collect();
            if at.is_empty() { said } else { format!("at `{at}`: {said}") }
        })
        .collect();
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let value = &within_bounds(value);
    let read = || -> serde_json::Result<AgentAnswer> {
        Ok(match role {
            Role::Planner => AgentAnswer::Plan(serde_json::from_value(value.clone())?),
            Role::Reviewer => AgentAnswer::Review(serde_json::from_value(value.clone())?),
            Role::SpecWriter => AgentAnswer::Spec(serde_json::from_value(value.clone())?),
            Role::Coder | Role::Tester => {
                let done: Done = serde_json::from_value(value.clone())?;
                AgentAnswer::Changed { summary: done.summary }
            }
        })
    };
    read().map_err(|error| error.to_string())
}

/// The result with long texts shortened and long lists cut: it goes into journals, notes, commits and pull requests.
fn within_bounds(value: &Value) -> Value {
    match value {
        Value::String(text) => bounded(text, MOST_BYTES).into(),
        Value::Array(items) => items.iter().take(MOST_ITEMS).map(within_bounds).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), within_bounds(value))).collect()
        }
        other => other.clone(),
    }
}

/// The first JSON object in a text that reads as the role's result, in a fence or bare; else what is wrong with the
/// best candidate, or `None` where there is no JSON at all.
pub(super) fn find(role: Role, text: &str) -> Option<Result<AgentAnswer, String>> {
    let mut failure = None;
    for (start, _) in text.match_indices('{').take(50) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if value.is_object() => match read(role, &value) {
                Ok(answer) => return Some(Ok(answer)),
                Err(problem) => {
                    failure.get_or_insert(Err(problem));
                }
            },
            Some(Err(error)) if failure.is_none() && text[..start].trim_end().ends_with("```json") => {
                failure = Some(Err(format!("the JSON cannot be read: {error}")));
            }
            _ => {}
        }
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_that_does_not_fit_is_told_with_its_place() {
        let value = json!({"verdict": "maybe", "summary": "x", "findings": [{"severity": "error"}]});
        let problem = read(Role::Reviewer, &value).unwrap_err();
        assert!(problem.contains("`/verdict`") && problem.contains("`/findings/0`"), "{problem}");
    }

    #[test]
    fn a_result_is_found_in_a_fence_behind_other_braces() {
        let text = "Use `{x}`.\n```json\n{\"summary\": \"s\", \"files\": [], \"steps\": [\"a\"]}\n```\n";
        let Some(Ok(AgentAnswer::Plan(plan))) = find(Role::Planner, text) else { panic!("no plan") };
        assert_eq!(plan.steps, ["a"]);
        assert!(find(Role::Planner, "no json").is_none());
        assert!(find(Role::Planner, "```json\n{\"summary\": }\n```").unwrap().is_err());
    }
}
