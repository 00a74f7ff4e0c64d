//! `ado-vault set`: sets properties of a note without touching anything else in it.

use clap::Args;

use super::args::{Format, Global};
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::domain::{FeatureId, NotePath};
use crate::engine::see;
use crate::note::{self, PropertyValue};
use crate::vault::{Vault, VaultLock, edit};

/// Set properties of a note; nothing else in it changes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault set FR-001 status=planned priority=1
  ado-vault set FR-001 depends_on='[FR-002, FR-003]'
  ado-vault set FR-001 risk=                     remove a property")]
pub struct SetArgs {
    /// Feature id, or a note's path in the vault
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

/// The note that an id or a path names.
pub fn note_path(vault: &Vault, name: &str) -> Result<NotePath, Failure> {
    if let Ok(id) = name.parse::<FeatureId>() {
        let seen = see(vault, &[])?;
        return Ok(super::session::find(&seen.observation, &id)?.feature.path.clone());
    }
    let path = NotePath::new(name).map_err(|error| Failure::usage(error.to_string()))?;
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
        (Some(items), _) if !text.starts_with("[[") => PropertyValue::List(
            items.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
        ),
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
    }
}
