//! Bends what people and Obsidian write towards the type that a property has: `[[name]]` for a name, a single value for
//! a list, `test: cargo test` for a line of text. It does not know the properties; the types' JSON Schemas tell it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// The type of a property, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    /// The name of another note.
    Name,
    Integer,
    List(Box<Shape>),
    Other,
}

/// The properties of a type.
#[derive(Debug)]
pub(crate) struct Shapes(BTreeMap<String, Shape>);

impl Shapes {
    /// From the type's JSON Schema.
    pub fn of<T: JsonSchema>() -> Self {
        let schema = schemars::schema_for!(T).to_value();
        let properties = schema.get("properties").and_then(Value::as_object);
        Self(
            properties
                .into_iter()
                .flatten()
                .map(|(key, property)| (key.clone(), shape(property, &schema)))
                .collect(),
        )
    }

    pub fn get(&self, key: &str) -> Option<&Shape> {
        self.0.get(key)
    }

    /// The known property that `key` is most likely a slip of.
    pub fn nearest(&self, key: &str) -> Option<&str> {
        let key = key.to_lowercase().replace(['-', ' '], "_");
        let scored = self.0.keys().map(|known| (distance(&key, known), known));
        let (distance, known) = scored.min()?;
        (distance <= 1 + key.len() / 4).then_some(known.as_str())
    }
}

fn shape(property: &Value, root: &Value) -> Shape {
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        if matches!(name, "ModelName" | "RepoName" | "AgentName") {
            return Shape::Name;
        }
        return root.get("$defs").and_then(|all| all.get(name)).map_or(Shape::Other, |def| shape(def, root));
    }
    for key in ["anyOf", "allOf", "oneOf"] {
        if let Some(choices) = property.get(key).and_then(Value::as_array) {
            let first = choices.iter().find(|choice| choice.get("type") != Some(&Value::from("null")));
            return first.map_or(Shape::Other, |choice| shape(choice, root));
        }
    }
    let kind = match property.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ => "",
    };
    match kind {
        "string" => Shape::Text,
        "integer" => Shape::Integer,
        "array" => {
            Shape::List(Box::new(property.get("items").map_or(Shape::Other, |item| shape(item, root))))
        }
        _ => Shape::Other,
    }
}

/// The value in the given shape where that is plainly meant; else unchanged, for the parser to refuse.
pub(crate) fn coerce(value: Value, shape: &Shape) -> Value {
    match (shape, value) {
        (Shape::List(item), Value::Array(items)) => {
            Value::Array(items.into_iter().map(|value| coerce(value, item)).collect())
        }
        (Shape::List(item), Value::Object(map)) if **item == Shape::Text => Value::Array(
            map.into_iter().map(|pair| line(pair).map_or_else(Value::Object, Value::from)).collect(),
        ),
        (Shape::List(item), value) => Value::Array(vec![coerce(value, item)]),
        (Shape::Name, value) => match link_text(&value) {
            Some(text) => Value::from(unlinked(&text)),
            None => coerce(value, &Shape::Text),
        },
        (Shape::Text, Value::Number(number)) => Value::from(number.to_string()),
        (Shape::Text, Value::Object(map)) if map.len() == 1 => {
            let mut pairs = map.into_iter();
            pairs.next().map_or(Value::Null, |pair| line(pair).map_or_else(Value::Object, Value::from))
        }
        (Shape::Integer, Value::Number(number)) => match number.as_f64() {
            Some(float)
                if !number.is_u64() && !number.is_i64() && float.fract() == 0.0 && float.abs() < 9e15 =>
            {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        (_, value) => value,
    }
}

/// `test: cargo test`, which YAML reads as a mapping, as the line that was meant.
fn line((key, value): (String, Value)) -> Result<String, serde_json::Map<String, Value>> {
    match value {
        Value::String(text) => Ok(format!("{key}: {text}")),
        Value::Number(_) | Value::Bool(_) => Ok(format!("{key}: {value}")),
        other => Err([(key, other)].into_iter().collect()),
    }
}

/// The text of a value that may be an unquoted `[[link]]`, which YAML reads as a list in a list.
pub(crate) fn link_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(outer) => match outer.as_slice() {
            [Value::Array(inner)] if !inner.is_empty() => {
                let words: Option<Vec<String>> = inner
                    .iter()
                    .map(|word| match word {
                        Value::String(text) => Some(text.clone()),
                        Value::Number(number) => Some(number.to_string()),
                        _ => None,
                    })
                    .collect();
                words.map(|words| format!("[[{}]]", words.join(", ")))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `sonnet` of `[[00_system/models/sonnet.md#x|alias]]`; text that is no wikilink as it is.
pub(crate) fn unlinked(text: &str) -> &str {
    let Some(inner) = text.trim().strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) else {
        return text.trim();
    };
    let path = inner.split(['|', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().trim();
    name.strip_suffix(".md").unwrap_or(name)
}

/// Edits (insert, delete, replace) between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a_char) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b_char) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a_char != *b_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AgentConfig, Repository, Settings};

    #[test]
    fn shapes_come_from_the_types() {
        let settings = Shapes::of::<Settings>();
        assert_eq!(settings.get("default_repo"), Some(&Shape::Name));
        assert_eq!(settings.get("max_parallel"), Some(&Shape::Integer));
        assert_eq!(settings.get("sandbox").map(|shape| *shape == Shape::Text), Some(true));
        assert_eq!(settings.nearest("max-paralel"), Some("max_parallel"));
        assert_eq!(settings.nearest("weather"), None);
        assert_eq!(Shapes::of::<AgentConfig>().get("models"), Some(&Shape::List(Box::new(Shape::Name))));
        assert_eq!(Shapes::of::<Repository>().get("name"), None);
    }

    #[test]
    fn what_people_write_becomes_what_is_meant() {
        let names = Shape::List(Box::new(Shape::Name));
        let lines = Shape::List(Box::new(Shape::Text));
        let cases = [
            (json!("[[models/sonnet|S]]"), &names, json!(["sonnet"])),
            (json!(["[[sonnet.md#x]]", "gpt"]), &names, json!(["sonnet", "gpt"])),
            (json!([["sonnet"]]), &Shape::Name, json!("sonnet")),
            (json!([{"test": "cargo test"}, "lint: x"]), &lines, json!(["test: cargo test", "lint: x"])),
            (json!({"test": "a", "lint": "b"}), &lines, json!(["test: a", "lint: b"])),
            (json!(4), &Shape::Text, json!("4")),
            (json!(3.0), &Shape::Integer, json!(3)),
            (json!(3.5), &Shape::Integer, json!(3.5)),
        ];
        for (value, shape, expected) in cases {
            assert_eq!(coerce(value, shape), expected);
        }
    }
}
