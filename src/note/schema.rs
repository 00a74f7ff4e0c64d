//! JSON Schemas of what notes and journals hold, made from the types. It does not know where they are written.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::domain::{
    AgentConfig, ApprovalPolicy, FeatureProperties, GatePolicy, ModelConfig, Record, Repository, Routing,
    Settings,
};

const SUFFIX: &str = ".schema.json";

/// File name and JSON Schema of each kind of note and of a journal record.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("feature.schema.json", schema::<FeatureProperties>("Front matter of a feature note")),
        ("settings.schema.json", schema::<Settings>("Front matter of 00_system/Settings.md")),
        ("routing.schema.json", schema::<Routing>("Front matter of 30_policy/Routing.md")),
        ("approvals.schema.json", schema::<ApprovalPolicy>("Front matter of 30_policy/Approvals.md")),
        ("gates.schema.json", schema::<GatePolicy>("Front matter of 30_policy/Gates.md")),
        ("agent.schema.json", schema::<AgentConfig>("Front matter of a note in 20_agents/")),
        ("model.schema.json", schema::<ModelConfig>("Front matter of a note in 00_system/models/")),
        ("repository.schema.json", schema::<Repository>("Front matter of a note in 00_system/repos/")),
        ("journal-record.schema.json", schema::<Record>("One line of a run's journal.jsonl")),
    ]
}

/// A value that does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The property that is, or holds, the value; empty for the whole.
    pub property: String,
    /// In words, with the place.
    pub message: String,
}

/// What is wrong with `value` by the schema with this file name (with or without `.schema.json`); empty when nothing is.
/// An empty property (null) counts as missing. An unknown schema is said to be unknown.
pub fn validate(schema: &str, value: &Value) -> Vec<Misfit> {
    let name = schema.strip_suffix(SUFFIX).unwrap_or(schema);
    let Some(validator) = validator(name) else {
        return vec![Misfit { property: String::new(), message: format!("there is no schema `{name}`") }];
    };
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    let errors = validator.iter_errors(&value).map(|error| {
        let place = error.instance_path().to_string();
        let place = place.trim_start_matches('/');
        let message = if place.is_empty() { error.to_string() } else { format!("`{place}`: {error}") };
        let property = place.split('/').next().unwrap_or_default().to_owned();
        Misfit { property, message: super::plain(&message) }
    });
    errors.collect()
}

/// Compiled when it is first asked for.
fn validator(name: &str) -> Option<&'static Validator> {
    type Compiled = BTreeMap<&'static str, (Value, OnceLock<Option<Validator>>)>;
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let named = |(name, schema): (&'static str, Value)| {
            Some((name.strip_suffix(SUFFIX)?, (schema, OnceLock::new())))
        };
        schemas().into_iter().filter_map(named).collect()
    });
    let (schema, validator) = compiled.get(name)?;
    validator.get_or_init(|| jsonschema::validator_for(schema).ok()).as_ref()
}

fn schema<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), Value::from(title));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_schema_compiles_and_judges() {
        for (name, _) in schemas() {
            assert_ne!(validate(name, &json!("no object")), [], "{name}");
        }
        let good = json!({"id": "FR-1", "status": "planned", "priority": null, "mine": [1]});
        assert_eq!(validate("feature", &good), []);
        let errors = validate("feature.schema.json", &json!({"status": "doing"}));
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.starts_with("`status`: "), "{errors:?}");
        assert_eq!(validate("feature", &json!({"depends_on": [{}]}))[0].property, "depends_on");
        assert_eq!(validate("none", &json!({}))[0].message, "there is no schema `none`");
        assert_eq!(validate("model", &json!({"provider": "ollama", "model": "m"})), []);
        assert_eq!(validate("model", &json!({"model": "m"})).len(), 1);
    }
}
