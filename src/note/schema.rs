//! JSON Schemas of what notes and journals hold, made from the types. It does not know where they are written.

use serde_json::Value;

/// File name and JSON Schema of each kind of note and of a journal record.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![]
}

/// What is wrong with `value` by the schema with this file name (with or without `.schema.json`), in words; empty when
/// nothing is.
pub fn validate(schema: &str, value: &Value) -> Vec<String> {
    let _ = (schema, value);
    vec![]
}
