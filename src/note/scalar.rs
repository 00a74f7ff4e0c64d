//! Writes single values as YAML, in the style that is asked for where that is safe. It does not know where they go.

use super::PropertyValue;

/// How a text is quoted if that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// Plain inside `[…]`, where commas and brackets end a value, and a colon may.
    PlainInFlow,
    Single,
    Double,
}

/// Words that older YAML parsers read as true or false.
const OLD_BOOLEANS: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// A value that is not a list, on one line. A list gives `[]`.
pub(crate) fn scalar_text(value: &PropertyValue, style: Style) -> String {
    match value {
        PropertyValue::Text(value) => text(value, style),
        PropertyValue::Integer(integer) => integer.to_string(),
        PropertyValue::Number(number) if number.abs() < 1e15 => number.to_string(),
        PropertyValue::Number(number) => format!("{number:?}"),
        PropertyValue::Bool(bool) => bool.to_string(),
        PropertyValue::List(_) => "[]".to_owned(),
    }
}

/// A text in this style, or in double quotes where the style cannot hold it.
pub(crate) fn text(value: &str, style: Style) -> String {
    match style {
        Style::Plain if is_plain(value) => value.to_owned(),
        Style::PlainInFlow if is_plain(value) && !value.contains([',', '[', ']', '{', '}', ':']) => {
            value.to_owned()
        }
        Style::Single if !value.contains(needs_escape) => format!("'{}'", value.replace('\'', "''")),
        _ => double_quoted(value),
    }
}

/// The name of a property, quoted where needed.
pub(crate) fn key_text(key: &str) -> String {
    if is_plain(key) && !key.contains(':') { key.to_owned() } else { double_quoted(key) }
}

/// Whether the text means itself without quotes.
fn is_plain(value: &str) -> bool {
    let starts_badly =
        value.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`=~<".contains(c) || c.is_whitespace());
    let bad = value.is_empty()
        || starts_badly
        || value.ends_with(|c: char| c == ':' || c.is_whitespace())
        || value.contains(": ")
        || value.contains(" #")
        || value.contains(needs_escape)
        || value.starts_with("...")
        || OLD_BOOLEANS.contains(&value.to_lowercase().as_str());
    !bad && matches!(serde_yaml::from_str::<serde_yaml::Value>(value), Ok(serde_yaml::Value::String(read)) if read == value)
}

/// Characters that YAML forbids as they are, folds, or that cannot be seen.
fn needs_escape(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || super::plain::is_bidi_control(char)
}

fn double_quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for char in value.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if needs_escape(char) => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_used_only_where_a_text_would_mean_something_else() {
        let plain =
            ["in_progress", "human: x".trim_end_matches(": x"), "a b", "café — 東京", "https://x.y/z", "a:b"];
        for value in plain {
            assert_eq!(text(value, Style::Plain), value);
        }
        let quoted = [
            "true", "1", "1.10", "null", "", " a", "a: b", "a #b", "[[FR-1]]", "@x", "- a", "yes", "a:",
            "*x", "0x1F",
        ];
        for value in quoted {
            assert_eq!(text(value, Style::Plain), format!("\"{value}\""));
        }
        assert_eq!(text("a\nb\u{85}\"", Style::Plain), r#""a\nb\u0085\"""#);
        assert_eq!(text("it's", Style::Single), "'it''s'");
        assert_eq!(text("a, b", Style::PlainInFlow), "\"a, b\"");
        assert_eq!(text("a:?", Style::PlainInFlow), "\"a:?\"");
    }
}
