//! Lossless edits of front matter: one property differs, every other byte stays. It does not know what properties mean.
//!
//! The edit is a splice of text; the strict parser judges it. Read again, the front matter must differ in that property
//! alone, in the same order, or the edit is refused.

use serde_json::{Map, Value};

use super::edit_error::editable;
use super::entry::{Entry, Shape, entries, is_only_comment};
use super::scalar::{Style, key_text, scalar_text, text};
use super::yaml::parse_front;
use super::{EditError, Split, list, split};

/// A value that a flat property can hold.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyValue {
    Text(String),
    Integer(i64),
    /// Must be finite.
    Number(f64),
    Bool(bool),
    List(Vec<String>),
}

impl PropertyValue {
    /// The value as the strict parser gives it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Integer(integer) => Value::from(*integer),
            Self::Number(number) => Value::from(*number),
            Self::Bool(bool) => Value::from(*bool),
            Self::List(items) => Value::from(items.clone()),
        }
    }
}

/// The line of the note, from 1, on which this property stands; that of the front matter's start where it is not there.
pub fn property_line(text: &str, key: &str) -> u32 {
    let front = split(text).ok().and_then(|split| split.front).map(|range| entries(&text[range]));
    front.unwrap_or_default().line_of(key)
}

/// The text with one property set, or removed with `None`. An equal value gives the text unchanged. A property that is
/// written in other case (`Status`) is the same property unless both are there. Front matter is created if there is none.
///
/// # Errors
/// [`EditError::Unsafe`] when the front matter cannot be read, when more than that property would change, or when the
/// note is not to be touched (conflict markers, over 1 MiB).
pub fn set_property(text: &str, key: &str, value: Option<&PropertyValue>) -> Result<String, EditError> {
    let parts = editable(text)?;
    if let Some(PropertyValue::Number(number)) = value
        && !number.is_finite()
    {
        return Err(EditError::refused(0, format!("`{number}` is not a finite number"), "give a number"));
    }
    let Some(range) = parts.front.clone() else {
        return created(text, &parts, key, value);
    };
    let front = &text[range.clone()];
    let before = parse_front(front)?;
    let key = actual_key(&before, key);
    let wanted = value.map(PropertyValue::to_json);
    let is_equal = match (before.get(key), &wanted) {
        (None, None) => true,
        (Some(old), Some(new)) => same(old, new),
        _ => false,
    };
    if is_equal {
        return Ok(text.to_owned());
    }
    let edited = edit(front, newline(front, &parts), key, before.get(key), value)?;
    judge(&before, &edited, key, wanted.as_ref(), entries(front).line_of(key))?;
    Ok([&text[..range.start], &edited, &text[range.end..]].concat())
}

/// [`set_property`] for each pair in order; all or nothing.
///
/// # Errors
/// As [`set_property`].
pub fn set_properties(text: &str, sets: &[(&str, Option<PropertyValue>)]) -> Result<String, EditError> {
    sets.iter().try_fold(text.to_owned(), |text, (key, value)| set_property(&text, key, value.as_ref()))
}

/// Equal as values: `1` and `1.0` are the same number.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        _ => a == b,
    }
}

fn actual_key<'a>(map: &'a Map<String, Value>, key: &'a str) -> &'a str {
    if map.contains_key(key) {
        return key;
    }
    let lower = key.to_lowercase();
    let mut alike = map.keys().filter(|other| other.to_lowercase() == lower);
    match (alike.next(), alike.next()) {
        (Some(one), None) => one,
        _ => key,
    }
}

fn newline<'a>(front: &str, parts: &Split) -> &'a str {
    match front.strip_suffix('\n') {
        Some(rest) if rest.ends_with('\r') => "\r\n",
        Some(_) => "\n",
        None => parts.newline,
    }
}

fn created(text: &str, parts: &Split, key: &str, value: Option<&PropertyValue>) -> Result<String, EditError> {
    let Some(value) = value else {
        return Ok(text.to_owned());
    };
    let newline = parts.newline;
    let front = edit("", newline, key, None, Some(value))?;
    judge(&Map::new(), &front, key, Some(&value.to_json()), 1)?;
    let (head, body) = text.split_at(parts.body);
    Ok(format!("{head}---{newline}{front}---{newline}{body}"))
}

/// Refuses an edit that did more, or other, than it should.
fn judge(
    before: &Map<String, Value>,
    edited: &str,
    key: &str,
    wanted: Option<&Value>,
    line: u32,
) -> Result<(), EditError> {
    let refuse = || {
        EditError::refused(
            line,
            format!("setting `{key}` would change more than this property"),
            format!("write `{key}` on one line of its own, or set it by hand"),
        )
    };
    let after = parse_front(edited).map_err(|_| refuse())?;
    let has_wanted = match (after.get(key), wanted) {
        (Some(new), Some(wanted)) => same(new, wanted),
        (None, None) => true,
        _ => false,
    };
    let others = |map: &Map<String, Value>| -> Vec<(String, Value)> {
        map.iter()
            .filter(|(name, _)| *name != key)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    // A fence inside the front matter would end it early: the parser of YAML alone does not see that.
    let has_fence = edited.lines().any(|line| line.trim_end() == "---");
    if has_wanted && !has_fence && others(before) == others(&after) { Ok(()) } else { Err(refuse()) }
}

fn edit(
    front: &str,
    newline: &str,
    key: &str,
    old: Option<&Value>,
    value: Option<&PropertyValue>,
) -> Result<String, EditError> {
    let found = entries(front);
    if let Some(line) = found.unsure {
        return Err(EditError::refused(
            line,
            "this front matter is not written as one `name: value` a line",
            "write each property as `name: value` on a line of its own",
        ));
    }
    match (found.all.iter().find(|entry| entry.key == key), value) {
        (Some(entry), None) => {
            refuse_own_comments(front, entry)?;
            Ok([&front[..entry.lines.start], &front[entry.lines.end..]].concat())
        }
        (Some(entry), Some(value)) => replace(front, newline, entry, old, value, found.indent),
        (None, None) => Ok(front.to_owned()),
        (None, Some(value)) if old.is_some() => Err(EditError::refused(
            1,
            format!("the property `{key}` was not found in the text"),
            format!("write `{key}: {}` by hand", short(value)),
        )),
        (None, Some(value)) => Ok(format!("{front}{}", new_lines(key, value, found.indent, newline))),
    }
}

fn short(value: &PropertyValue) -> String {
    value.to_json().to_string().chars().take(60).collect()
}

fn new_lines(key: &str, value: &PropertyValue, indent: usize, newline: &str) -> String {
    let space = " ".repeat(indent);
    let key = key_text(key);
    match value {
        PropertyValue::List(items) if !items.is_empty() => {
            format!("{space}{key}:{newline}{}", list::fresh_lines(items, indent, newline))
        }
        other => format!("{space}{key}: {}{newline}", scalar_text(other, Style::Plain)),
    }
}

fn replace(
    front: &str,
    newline: &str,
    entry: &Entry,
    old: Option<&Value>,
    value: &PropertyValue,
    indent: usize,
) -> Result<String, EditError> {
    if entry.shape == Shape::Tagged {
        return Err(EditError::refused(
            entry.line,
            format!("the value of `{}` has an anchor, alias or tag", entry.key),
            "write the plain value",
        ));
    }
    if let (PropertyValue::List(items), Some(Value::Array(_))) = (value, old)
        && let Some(edited) = list::edited(front, entry, items, newline)?
    {
        return Ok(edited);
    }
    let style = match entry.shape {
        Shape::DoubleQuoted => Style::Double,
        Shape::SingleQuoted => Style::Single,
        _ => Style::Plain,
    };
    let (inline, below) = match value {
        PropertyValue::List(items) if items.is_empty() => ("[]".to_owned(), String::new()),
        PropertyValue::List(items) => (String::new(), list::fresh_lines(items, indent, newline)),
        PropertyValue::Text(value) => (text(value, style), String::new()),
        other => (scalar_text(other, Style::Plain), String::new()),
    };
    // Where the one-line part of the old value stands, and where its other lines begin.
    let (token, rest) = match entry.shape {
        Shape::Empty => (entry.after_colon..entry.after_colon, entry.lines.end),
        Shape::Nested => {
            refuse_comments(front, entry)?;
            (entry.after_colon..entry.after_colon, entry.value.start)
        }
        Shape::BlockScalar => {
            (entry.value.clone(), first_line_end(front, entry.value.start).min(entry.lines.end))
        }
        _ => {
            if front[entry.value.clone()].contains('\n') {
                refuse_comments(front, entry)?;
            }
            (entry.value.clone(), entry.lines.end)
        }
    };
    let head = match (inline.is_empty(), token.start == entry.after_colon) {
        (true, _) => front[..token.start].trim_end_matches([' ', '\t']).to_owned(),
        (false, true) => format!("{} {inline}", &front[..token.start]),
        (false, false) => format!("{}{inline}", &front[..token.start]),
    };
    let between = &front[token.end..rest];
    let end = if between.ends_with('\n') || front[..rest].is_empty() { "" } else { newline };
    Ok(format!(
        "{head}{between}{}{below}{}",
        if below.is_empty() { "" } else { end },
        &front[entry.lines.end..]
    ))
}

fn first_line_end(front: &str, from: usize) -> usize {
    front[from..].find('\n').map_or(front.len(), |at| from + at + 1)
}

/// Comments on lines of their own are the human's; they never go with a value that is removed.
fn refuse_own_comments(front: &str, entry: &Entry) -> Result<(), EditError> {
    let holds = entry.shape != Shape::BlockScalar
        && front[entry.lines.clone()].lines().any(|line| line.trim_start().starts_with('#'));
    if holds { Err(comments(entry)) } else { Ok(()) }
}

fn refuse_comments(front: &str, entry: &Entry) -> Result<(), EditError> {
    let holds = front[entry.value.clone()].lines().any(|line| {
        line.trim_start().starts_with('#')
            || line.match_indices('#').any(|(at, _)| is_only_comment(&line[line[..at].trim_end().len()..]))
    });
    if holds { Err(comments(entry)) } else { Ok(()) }
}

fn comments(entry: &Entry) -> EditError {
    EditError::refused(
        entry.line,
        format!("the value of `{}` holds comments that would be lost", entry.key),
        "move the comments above the property",
    )
}
