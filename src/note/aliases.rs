//! A note's other names: one is added, none is lost. It does not know what they are for.

use serde_json::Value;

use super::{EditError, PropertyValue, properties, set_property};

const ALIASES: &str = "aliases";

/// The text with `alias` among its `aliases`. A single name, or names between commas, become a list with it; what is
/// neither names nor a list of them is left as it is.
///
/// # Errors
/// As [`set_property`].
pub fn with_alias(text: &str, alias: &str) -> Result<String, EditError> {
    let map = properties(text).unwrap_or_default();
    let present = map.iter().find(|(key, _)| key.to_lowercase() == ALIASES).map(|(_, value)| value);
    let Some(mut names) = present.map_or(Some(vec![]), names) else { return Ok(text.to_owned()) };
    if !names.iter().any(|name| name == alias) {
        names.push(alias.to_owned());
    } else if present.is_some_and(Value::is_array) {
        return Ok(text.to_owned());
    }
    set_property(text, ALIASES, Some(&PropertyValue::List(names)))
}

/// `None` where the value cannot be a list of texts without becoming another one.
fn names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(vec![]),
        Value::String(text) => {
            Some(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
        Value::Number(number) if !number.is_f64() => Some(vec![number.to_string()]),
        Value::Array(items) => items.iter().map(name).collect(),
        _ => None,
    }
}

fn name(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_added_to_those_that_are_there_however_they_are_written() {
        let cases = [
            ("text\n", "---\naliases:\n  - FR-1\n---\ntext\n"),
            ("---\naliases:\n---\n", "---\naliases:\n  - FR-1\n---\n"),
            ("---\naliases: []\n---\n", "---\naliases: [FR-1]\n---\n"),
            ("---\naliases: Night\n---\n", "---\naliases:\n  - Night\n  - FR-1\n---\n"),
            ("---\naliases: Night, dark\n---\n", "---\naliases:\n  - Night\n  - dark\n  - FR-1\n---\n"),
            ("---\naliases: [a, \"b, c\"] # mine\n---\n", "---\naliases: [a, \"b, c\", FR-1] # mine\n---\n"),
            ("---\naliases:\n  - 'a' # one\n---\n", "---\naliases:\n  - 'a' # one\n  - 'FR-1'\n---\n"),
            ("---\nAliases: [FR-1]\n---\n", "---\nAliases: [FR-1]\n---\n"),
            ("---\naliases: FR-1\n---\n", "---\naliases:\n  - FR-1\n---\n"),
            ("---\naliases: {a: b}\n---\n", "---\naliases: {a: b}\n---\n"),
            ("---\naliases: [1.10]\n---\n", "---\naliases: [1.10]\n---\n"),
        ];
        for (before, after) in cases {
            assert_eq!(with_alias(before, "FR-1").as_deref(), Ok(after), "{before}");
        }
        let listed = with_alias("---\naliases: [2024, b]\n---\n", "FR-1").unwrap();
        assert_eq!(properties(&listed).unwrap()[ALIASES], serde_json::json!(["2024", "b", "FR-1"]));
    }
}
