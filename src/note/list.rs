//! Edits lists of a front matter item by item, so that items that stay keep their bytes. It does not know properties.

use std::ops::Range;

use super::EditError;
use super::entry::{Entry, Shape, is_only_comment, plain_length, quoted};
use super::scalar::{Style, text};

/// Lines of a new list, two spaces deeper than its property, as Obsidian writes it.
pub(crate) fn fresh_lines(items: &[String], indent: usize, newline: &str) -> String {
    let space = " ".repeat(indent + 2);
    items.iter().map(|item| format!("{space}- {}{newline}", text(item, Style::Plain))).collect()
}

/// The front matter with the list at `entry` made to hold `items`; `None` when the list must be written anew.
pub(crate) fn edited(
    front: &str,
    entry: &Entry,
    items: &[String],
    newline: &str,
) -> Result<Option<String>, EditError> {
    match entry.shape {
        Shape::Nested if !items.is_empty() => lines_edited(front, entry, items, newline),
        Shape::Flow => Ok(flow_edited(front, entry, items)),
        _ => Ok(None),
    }
}

/// One item: its bytes in the front matter and what it says; `None` when it is not a plain text.
struct Item {
    range: Range<usize>,
    value: Option<String>,
}

fn lines_edited(
    front: &str,
    entry: &Entry,
    items: &[String],
    newline: &str,
) -> Result<Option<String>, EditError> {
    let mut old = Vec::new();
    let mut lead = None;
    let mut at = entry.value.start;
    for line in front[entry.value.clone()].split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let bare = line.trim_end_matches(['\n', '\r']);
        if bare.trim().is_empty() || bare.trim_start().starts_with('#') {
            continue;
        }
        let Some(start) = item_start(bare) else { return Ok(None) };
        if *lead.get_or_insert(&bare[..start]) != &bare[..start] {
            return Ok(None);
        }
        let Some(length) = token_length(&bare[start..]) else { return Ok(None) };
        old.push(Item { range, value: value(&bare[start..start + length]) });
    }
    let Some(lead) = lead else { return Ok(None) };
    let (head, tail) = common(&old, items);
    let removed = &old[head..old.len() - tail];
    let style = style(&old, front, lead);
    let added: String = items[head..items.len() - tail]
        .iter()
        .map(|item| format!("{lead}{}{newline}", text(item, style)))
        .collect();
    let insert_at = match (removed.first(), head) {
        (Some(first), _) => first.range.start,
        (None, 0) => old.first().map_or(entry.value.start, |item| item.range.start),
        (None, head) => old[head - 1].range.end,
    };
    let mut out = front[..insert_at].to_owned();
    out.push_str(&added);
    let mut from = insert_at;
    for item in removed {
        out.push_str(&front[from..item.range.start]);
        from = item.range.end;
    }
    out.push_str(&front[from..]);
    Ok(Some(out))
}

/// Where the item's value begins after `  - `.
fn item_start(line: &str) -> Option<usize> {
    let dash = line.find('-').filter(|at| line[..*at].trim_matches(' ').is_empty())?;
    let rest = &line[dash + 1..];
    let gap = rest.len() - rest.trim_start_matches(' ').len();
    (gap > 0 && gap < rest.len()).then_some(dash + 1 + gap)
}

/// Length of a one-line value that only a comment may follow.
fn token_length(text: &str) -> Option<usize> {
    let length = match text.chars().next()? {
        '"' | '\'' => quoted(text)?,
        '[' | '{' | '&' | '*' | '!' | '|' | '>' | '-' | '?' => return None,
        _ => plain_length(text),
    };
    is_only_comment(&text[length..]).then_some(length)
}

fn value(token: &str) -> Option<String> {
    match serde_yaml::from_str::<serde_yaml::Value>(token) {
        Ok(serde_yaml::Value::String(text)) => Some(text),
        _ => None,
    }
}

/// How many items at the start and at the end stay.
fn common(old: &[Item], new: &[String]) -> (usize, usize) {
    let same = |(item, text): &(&Item, &String)| item.value.as_ref() == Some(*text);
    let head = old.iter().zip(new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    (head, tail)
}

/// New items are quoted as the first one is.
fn style(old: &[Item], front: &str, lead: &str) -> Style {
    match old.first().and_then(|item| front[item.range.clone()].strip_prefix(lead)) {
        Some(first) if first.starts_with('"') => Style::Double,
        Some(first) if first.starts_with('\'') => Style::Single,
        _ => Style::Plain,
    }
}

fn flow_edited(front: &str, entry: &Entry, items: &[String]) -> Option<String> {
    let inner = entry.value.start + 1..entry.value.end - 1;
    if !front[entry.value.clone()].starts_with('[') || front[inner.clone()].contains('#') {
        return None;
    }
    let old = flow_items(front, inner.clone())?;
    let (head, tail) = common(&old, items);
    let style = match old.first().map(|item| &front[item.range.clone()]) {
        Some(first) if first.starts_with('"') => Style::Double,
        Some(first) if first.starts_with('\'') => Style::Single,
        _ => Style::PlainInFlow,
    };
    let added: Vec<String> = items[head..items.len() - tail].iter().map(|item| text(item, style)).collect();
    let added = added.join(", ");
    let after = old.len() - tail;
    let (range, with) = if after > head && !added.is_empty() {
        (old[head].range.start..old[after - 1].range.end, added)
    } else if after > head {
        // Removed alone: the comma on one side goes too.
        match (head, tail) {
            (0, 0) => (inner, String::new()),
            (0, _) => (old[0].range.start..old[after].range.start, String::new()),
            _ => (old[head - 1].range.end..old[after - 1].range.end, String::new()),
        }
    } else if added.is_empty() {
        return None;
    } else if head > 0 {
        (old[head - 1].range.end..old[head - 1].range.end, format!(", {added}"))
    } else if tail > 0 {
        (old[0].range.start..old[0].range.start, format!("{added}, "))
    } else {
        (inner, added)
    };
    Some([&front[..range.start], &with, &front[range.end..]].concat())
}

/// The items between the brackets, trimmed; `None` when a comma or quote leaves doubt.
fn flow_items(front: &str, inner: Range<usize>) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut start = inner.start;
    let mut at = inner.start;
    let mut depth = 0_usize;
    while at < inner.end {
        let rest = &front[at..inner.end];
        let char = rest.chars().next()?;
        let starts_item = front[start..at].trim().is_empty();
        match char {
            '"' | '\'' if starts_item => {
                at += quoted(rest)?;
                continue;
            }
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                items.push(flow_item(front, start..at)?);
                start = at + 1;
            }
            _ => {}
        }
        at += char.len_utf8();
    }
    if !front[start..inner.end].trim().is_empty() {
        items.push(flow_item(front, start..inner.end)?);
    }
    Some(items)
}

fn flow_item(front: &str, range: Range<usize>) -> Option<Item> {
    let raw = &front[range.clone()];
    let start = range.start + (raw.len() - raw.trim_start().len());
    let token = raw.trim();
    let value = if token.starts_with(['[', '{']) { None } else { value(token) };
    (!token.is_empty()).then(|| Item { range: start..start + token.len(), value })
}
