//! `ado-vault set`: sets properties of a note without touching anything else in it.

use clap::Args;

use super::args::{Format, Global};
use super::named::file_named;
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::domain::NotePath;
use crate::note::{self, PropertyValue};
use crate::vault::{Scanner, Vault, VaultLock, edit};

/// Set properties of a note; nothing else in it changes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault set FR-001 status=planned priority=1
  ado-vault set FR-001 depends_on='[FR-002, FR-003]'
  ado-vault set \"Dark mode\" tags='[ui, \"a, b\"]'   any note, by name or path
  ado-vault set FR-001 risk=                     remove a property

A value is a number, true, false or a [list] where it reads as one, else text; in double quotes it is always text.")]
pub struct SetArgs {
    /// Feature id, or any note by its name or its path in the vault
    #[arg(value_name = "FR|NOTE")]
    pub note: String,
    /// key=value; an empty value removes the property
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub sets: Vec<String>,
}

pub fn run(global: &Global, args: &SetArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let path = note_path(&vault, &args.note)?;
    let sets = args.sets.iter().map(|pair| parse(pair)).collect::<Result<Vec<_>, _>>()?;
    let changed = set_in(&vault, &path, &sets)?;
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "path": path, "changed": changed }))?;
    } else {
        output::line(format!("{path}: {}", if changed { "changed" } else { "already so" }));
    }
    Ok(Exit::Done)
}

/// Sets properties in a note; says whether the note changed.
pub fn set_in(
    vault: &Vault,
    path: &NotePath,
    sets: &[(String, Option<PropertyValue>)],
) -> Result<bool, Failure> {
    let sets: Vec<(&str, Option<PropertyValue>)> =
        sets.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let lock = VaultLock::acquire(vault)?;
    let edited = edit(&lock, vault, path, |text| note::set_properties(text, &sets))
        .map_err(|error| Failure::errors(format!("{path}: {error}")))?;
    Ok(edited.changed)
}

/// The note that an id, a name or a path names.
pub fn note_path(vault: &Vault, name: &str) -> Result<NotePath, Failure> {
    let path = file_named(vault, &Scanner::new(vault).scan()?, name)?;
    if !path.is_markdown() {
        return Err(Failure::usage(format!("`{path}` is no note: only notes have properties")));
    }
    vault.read(&path)?;
    Ok(path)
}

fn parse(pair: &str) -> Result<(String, Option<PropertyValue>), Failure> {
    let (key, value) = pair
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or_else(|| Failure::usage(format!("`{pair}` is not KEY=VALUE")))?;
    Ok((key.trim().to_owned(), value_of(value.trim())))
}

fn value_of(text: &str) -> Option<PropertyValue> {
    if text.is_empty() {
        return None;
    }
    let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let value = match (list, text) {
        (Some(items), _) if !text.starts_with("[[") || text.starts_with("[[[") => {
            PropertyValue::List(items_of(items))
        }
        _ if is_quoted(text) => PropertyValue::Text(text[1..text.len() - 1].to_owned()),
        (_, "true") => PropertyValue::Bool(true),
        (_, "false") => PropertyValue::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) if number.to_string() == text => PropertyValue::Integer(number),
            (_, Ok(number)) if number.to_string() == text => PropertyValue::Number(number),
            _ => PropertyValue::Text(text.to_owned()),
        },
    };
    Some(value)
}

/// The items between commas; a comma between double quotes is text.
fn items_of(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut quoted = false;
    for char in text.chars() {
        match char {
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(String::new()),
            _ => {}
        }
        if let Some(last) = items.last_mut().filter(|_| char != ',' || quoted) {
            last.push(char);
        }
    }
    let plain = |item: &String| {
        let item = item.trim();
        if is_quoted(item) { item[1..item.len() - 1].to_owned() } else { item.to_owned() }
    };
    items.iter().map(plain).filter(|item| !item.is_empty()).collect()
}

fn is_quoted(text: &str) -> bool {
    text.len() >= 2 && text.starts_with('"') && text.ends_with('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_number_like_texts_stay_texts() {
        assert_eq!(value_of("true"), Some(PropertyValue::Bool(true)));
        assert_eq!(value_of("3"), Some(PropertyValue::Integer(3)));
        assert_eq!(value_of("2.5"), Some(PropertyValue::Number(2.5)));
        assert_eq!(value_of("1.10"), Some(PropertyValue::Text("1.10".into())));
        assert_eq!(value_of("007"), Some(PropertyValue::Text("007".into())));
        assert_eq!(value_of("[a, b]"), Some(PropertyValue::List(vec!["a".into(), "b".into()])));
        assert_eq!(value_of("[[FR-1]]"), Some(PropertyValue::Text("[[FR-1]]".into())));
        assert_eq!(value_of(""), None);
        assert_eq!(value_of("\"true\""), Some(PropertyValue::Text("true".into())));
        assert_eq!(value_of("\"1\""), Some(PropertyValue::Text("1".into())));
        assert_eq!(
            value_of("[[[FR-1 x]], \"a, b\", , c]"),
            Some(PropertyValue::List(vec!["[[FR-1 x]]".into(), "a, b".into(), "c".into()]))
        );
        assert_eq!(value_of("[]"), Some(PropertyValue::List(vec![])));
    }
}
