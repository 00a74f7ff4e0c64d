//! Strict reading of front matter as YAML: bounded, without aliases. It does not know which properties exist.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

use super::fast::plain_front;
use super::split;
use crate::domain::{Diagnostic, place_of};

/// Bytes of YAML that are read; more is refused.
const MAX_BYTES: usize = 64 * 1024;
/// Levels of lists and mappings inside each other that are read.
const MAX_DEPTH: usize = 16;
/// The note's line in which the YAML starts: the opening fence is line 1.
const FIRST_LINE: u32 = 2;

/// The front matter as a JSON object; empty when there is none.
///
/// # Errors
/// What the YAML parser rejects, aliases, duplicate keys, more than 64 KiB or 16 levels, each with line and column.
pub fn properties(text: &str) -> Result<Map<String, Value>, Vec<Diagnostic>> {
    let split = split(text).map_err(|diagnostic| vec![diagnostic])?;
    match split.front {
        Some(front) => parse_front(&text[front]).map_err(|diagnostic| vec![diagnostic]),
        None => Ok(Map::new()),
    }
}

/// Parses the text between the fences.
pub(crate) fn parse_front(front: &str) -> Result<Map<String, Value>, Diagnostic> {
    let pairs = parse_pairs(front)?;
    Ok(pairs.into_iter().map(|(key, value)| (key.into_owned(), value)).collect())
}

/// The properties in order, each name once.
pub(crate) fn parse_pairs(front: &str) -> Result<Vec<(Cow<'_, str>, Value)>, Diagnostic> {
    if front.len() > MAX_BYTES {
        return Err(invalid(
            FIRST_LINE,
            1,
            format!("the front matter has {} bytes, more than {MAX_BYTES}", front.len()),
            "move long text into the note's body",
        ));
    }
    Ok(match plain_front(front) {
        Some(pairs) => pairs.into_iter().map(|(key, value)| (Cow::Borrowed(key), value)).collect(),
        None => parse_strictly(front)?.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect(),
    })
}

/// The same by the YAML parser alone.
pub(super) fn parse_strictly(front: &str) -> Result<Map<String, Value>, Diagnostic> {
    refuse_deep_brackets(front)?;
    refuse_aliases(front)?;
    let yaml: Yaml = serde_yaml::from_str(front).map_err(|error| explain(front, &error))?;
    let mapping = match yaml {
        Yaml::Null => return Ok(Map::new()),
        Yaml::Mapping(mapping) => mapping,
        _ => {
            return Err(invalid(
                FIRST_LINE,
                1,
                "the front matter is not a list of properties",
                "write one `name: value` a line",
            ));
        }
    };
    match json(Yaml::Mapping(mapping), 0) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Ok(Map::new()),
        Err(message) => {
            Err(invalid(FIRST_LINE, 1, message, "write plain properties: text, numbers, lists of text"))
        }
    }
}

fn invalid(line: u32, column: u32, message: impl Into<String>, remedy: &str) -> Diagnostic {
    Diagnostic::error("yaml-invalid", message, remedy).at(line, column)
}

/// The parser keeps a record for each open bracket and looks at all of them for each token, so that deep nesting costs
/// quadratic time before it reports anything. Brackets in quotes and comments count too; nobody nests 64 of them there
/// without closing.
fn refuse_deep_brackets(front: &str) -> Result<(), Diagnostic> {
    let mut depth = 0_usize;
    let mut line = FIRST_LINE;
    for byte in front.bytes() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' => line += 1,
            _ => {}
        }
        if depth > 4 * MAX_DEPTH {
            return Err(invalid(
                line,
                1,
                "brackets are nested too deep to be read",
                "close the brackets or quote the text",
            ));
        }
    }
    Ok(())
}

/// Aliases repeat what an anchor names, so a few lines can expand to gigabytes. A `*` in the place of a node is an alias;
/// the same `*` inside a text is not. To tell them apart the parser is asked about a copy with `@` instead, which may
/// stand inside a text but never start a node.
fn refuse_aliases(front: &str) -> Result<(), Diagnostic> {
    let bytes = front.as_bytes();
    let is_candidate = |at: usize| {
        bytes[at] == b'*'
            && (at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r' | b'[' | b',' | b'{'))
            && bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace())
    };
    if !(0..bytes.len()).any(is_candidate) {
        return Ok(());
    }
    let probe: String = front
        .char_indices()
        .map(|(at, char)| if char == '*' && is_candidate(at) { '@' } else { char })
        .collect();
    let Some(error) = serde_yaml::from_str::<serde::de::IgnoredAny>(&probe).err() else {
        return Ok(());
    };
    let Some(place) = error.location() else { return Ok(()) };
    if front.as_bytes().get(place.index()) != Some(&b'*') {
        return Ok(());
    }
    let (line, column) = place_in(front, &place);
    Err(invalid(
        line,
        column,
        "the value is a YAML alias (`*name`)",
        "write the value itself, or quote it if the star is meant as text",
    ))
}

/// Line and column in the note. YAML takes a carriage return alone for a line's end as well; editors and git do not.
fn place_in(front: &str, place: &serde_yaml::Location) -> (u32, u32) {
    let at = if front.is_char_boundary(place.index()) { place.index() } else { front.len() };
    let (line, column) = place_of(front, at);
    (FIRST_LINE - 1 + line, column)
}

fn explain(front: &str, error: &serde_yaml::Error) -> Diagnostic {
    let full = error.to_string();
    let (line, column) = match error.location() {
        Some(place) => place_in(front, &place),
        None => (FIRST_LINE, 1),
    };
    let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
    if message.contains("duplicate entry") {
        let twice = super::entry::entries(front).second_of_a_pair();
        let (line, name) = twice.unwrap_or((line, message));
        return Diagnostic::error(
            "duplicate-key",
            format!("the property `{name}` is written twice"),
            "keep one of the two lines",
        )
        .at(line, 1);
    }
    let source = front.split('\n').nth((line.saturating_sub(FIRST_LINE)) as usize).unwrap_or_default();
    invalid(line, column, format!("this is not YAML: {message}"), remedy(source))
}

fn remedy(line: &str) -> &'static str {
    if line.contains('@') || line.contains('`') {
        "put the value in quotes: `@` and backticks cannot start a value"
    } else if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces instead of tabs"
    } else if line.matches(": ").count() > 1 {
        "put the value in quotes: it contains `: `"
    } else {
        "put the value in quotes, or close the bracket or quote that is open"
    }
}

fn json(yaml: Yaml, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("values are nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(integer), ..) => Value::from(integer),
            (_, Some(integer), _) => Value::from(integer),
            (.., Some(float)) => {
                Number::from_f64(float).map_or_else(|| Value::from(number.to_string()), Value::Number)
            }
            _ => Value::from(number.to_string()),
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(|item| json(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match json(key, depth + 1)? {
                    Value::String(text) => text,
                    Value::Array(_) | Value::Object(_) => {
                        return Err("a list or mapping is used as the name of a property".to_owned());
                    }
                    other => other.to_string(),
                };
                if map.contains_key(&key) {
                    return Err(format!("the property `{key}` is written twice"));
                }
                map.insert(key, json(value, depth + 1)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => json(tagged.value, depth + 1)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(front: &str) -> Result<Value, (String, u32, u32)> {
        properties(&format!("---\n{front}\n---\nbody"))
            .map(Value::Object)
            .map_err(|all| (all[0].code.clone(), all[0].line, all[0].column))
    }

    #[test]
    fn properties_are_read_as_yaml_says() {
        assert_eq!(
            read("a: 1\nb: 1.10\nc: 2026-03-02\nd: [x, y]\ne:\nf: \"é\"\ng: [[FR-1 x]]\nh: yes\n3: z")
                .unwrap(),
            json!({"a": 1, "b": 1.1, "c": "2026-03-02", "d": ["x", "y"], "e": null, "f": "é",
                   "g": [["FR-1 x"]], "h": "yes", "3": "z"})
        );
        assert_eq!(properties("no front matter").unwrap(), Map::new());
        assert_eq!(properties("---\n---\n").unwrap(), Map::new());
    }

    #[test]
    fn what_yaml_rejects_is_named_with_line_and_column() {
        assert_eq!(read("a: 1\nowner: @mila"), Err(("yaml-invalid".into(), 3, 8)));
        assert_eq!(read("a: 1\nb: 2\na: 3"), Err(("duplicate-key".into(), 4, 1)));
        assert_eq!(read("- a\n- b"), Err(("yaml-invalid".into(), 2, 1)));
        assert_eq!(read("a: [1").unwrap_err().0, "yaml-invalid");
        assert_eq!(read(&format!("a: {}", "x".repeat(70_000))).unwrap_err().0, "yaml-invalid");
    }

    #[test]
    fn aliases_are_refused_and_stars_in_text_are_not() {
        assert_eq!(read("a: &x 1\nb: *x"), Err(("yaml-invalid".into(), 3, 4)));
        assert_eq!(read("é: &x 1\nb: [é, *x]"), Err(("yaml-invalid".into(), 3, 8)));
        assert_eq!(read("a: &x 1\nb: a *x b # *x\nc: \" *x\"\nd: |\n  *x\n").unwrap()["b"], "a *x b");
        assert_eq!(read("a: *x").unwrap_err().1, 2);
        assert_eq!(read("a: &x 1\rb: *x\rc: [*x, *x]"), Err(("yaml-invalid".into(), 2, 12)));
    }

    #[test]
    fn depth_is_bounded_and_costs_no_time() {
        assert!(read(&format!("a: {}{}", "[".repeat(12), "]".repeat(12))).is_ok());
        assert!(read(&format!("a: {}{}", "[".repeat(20), "]".repeat(20))).is_err());
        assert!(read(&format!("a: {}", "[".repeat(60_000))).is_err());
        assert!(read(&format!("a: {}", "- ".repeat(30_000))).is_err());
        let indented: String = (0..300).map(|n| format!("{}- \n", " ".repeat(n))).collect();
        assert!(read(&format!("a:\n{indented}")).is_err());
    }
}
