//! Files of the vault as people name them: by path, by a note's name, by a feature's id.

use std::path::Path;

use super::Failure;
use crate::domain::{FeatureId, NotePath};
use crate::engine::see;
use crate::note::Places;
use crate::vault::{Scan, Vault};

/// The path in the vault that a path from its root, or an absolute one, says. It need not exist.
pub fn path_in(vault: &Vault, text: &str) -> Result<NotePath, Failure> {
    let inner = Path::new(text).strip_prefix(vault.root()).ok().and_then(Path::to_str).unwrap_or(text);
    let inner = inner.trim_end_matches('/');
    let inner = inner.strip_prefix("./").unwrap_or(inner);
    NotePath::new(inner).map_err(|error| Failure::usage(error.to_string()))
}

/// The file or folder that is named; for a note `.md` may be left out.
pub fn file_named(vault: &Vault, scan: &Scan, text: &str) -> Result<NotePath, Failure> {
    let path = path_in(vault, text)?;
    for path in [path.clone(), NotePath::new(format!("{path}.md"))?] {
        if vault.absolute(&path)?.exists() {
            return Ok(path);
        }
    }
    if let Ok(id) = text.parse::<FeatureId>()
        && let Some(view) = see(vault, &[])?.observation.feature(&id)
    {
        return Ok(view.feature.path.clone());
    }
    let places = Places::of(scan.notes.iter().map(|note| &note.path));
    let root = NotePath::new("note")?;
    match places.all_ending_in(text, &root).as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::errors(format!("no note, file or feature of the vault is named `{text}`"))),
        several => {
            let paths: Vec<&str> = several.iter().map(|path| path.as_str()).collect();
            Err(Failure::usage(format!("`{text}` names several notes: `{}`", paths.join("`, `"))))
        }
    }
}
