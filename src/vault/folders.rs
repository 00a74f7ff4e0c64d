//! Which folder of the vault is which, by name without the number prefix, so that a vault may renumber them.
//!
//! Does not know what the notes inside mean.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::VaultError;
use super::root::is_absent;
use crate::domain::{NotePath, Status, is_below, without_number};

/// Vault-relative folder names such as `10_features/03_planned`. A folder that is not there has its default name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    top: BTreeMap<&'static str, String>,
    status: BTreeMap<Status, String>,
    review_rules: String,
    repositories: String,
    models: String,
}

const TOP: [(&str, &str); 10] = [
    ("system", "00_system"),
    ("features", "10_features"),
    ("agents", "20_agents"),
    ("policy", "30_policy"),
    ("playbooks", "40_playbooks"),
    ("memory", "50_memory"),
    ("runs", "60_runs"),
    ("reports", "70_reports"),
    ("pull_requests", "80_pull_requests"),
    ("templates", "90_templates"),
];

impl Folders {
    pub(crate) fn of(root: &Path) -> Result<Self, VaultError> {
        let names = folder_names(root)?;
        let top: BTreeMap<_, _> =
            TOP.into_iter().map(|(slug, default)| (slug, pick(&names, slug, default))).collect();
        let features = &top["features"];
        let stages = folder_names(&root.join(features))?;
        let status = Status::ALL
            .into_iter()
            .enumerate()
            .map(|(at, status)| {
                let default = format!("{:02}_{status}", at + 1);
                (status, format!("{features}/{}", pick(&stages, status.slug(), &default)))
            })
            .collect();
        let within = |parent: &str, slugs: [&str; 2]| -> Result<String, VaultError> {
            let names = folder_names(&root.join(parent))?;
            let found = slugs.iter().map(|slug| pick(&names, slug, "")).find(|name| !name.is_empty());
            Ok(format!("{parent}/{}", found.as_deref().unwrap_or(slugs[0])))
        };
        Ok(Self {
            review_rules: within(&top["policy"], ["review-rules", "review_rules"])?,
            repositories: within(&top["system"], ["repos", "repositories"])?,
            models: within(&top["system"], ["models", "model"])?,
            status,
            top,
        })
    }

    pub fn system(&self) -> &str {
        &self.top["system"]
    }
    pub fn features(&self) -> &str {
        &self.top["features"]
    }
    pub fn agents(&self) -> &str {
        &self.top["agents"]
    }
    pub fn policy(&self) -> &str {
        &self.top["policy"]
    }
    pub fn playbooks(&self) -> &str {
        &self.top["playbooks"]
    }
    pub fn memory(&self) -> &str {
        &self.top["memory"]
    }
    pub fn runs(&self) -> &str {
        &self.top["runs"]
    }
    pub fn reports(&self) -> &str {
        &self.top["reports"]
    }
    pub fn pull_requests(&self) -> &str {
        &self.top["pull_requests"]
    }
    pub fn templates(&self) -> &str {
        &self.top["templates"]
    }
    pub fn review_rules(&self) -> &str {
        &self.review_rules
    }
    pub fn repositories(&self) -> &str {
        &self.repositories
    }
    pub fn models(&self) -> &str {
        &self.models
    }

    /// `10_features/03_planned`.
    pub fn status(&self, status: Status) -> String {
        self.status[&status].clone()
    }

    /// The status whose folder holds the note, at any depth.
    pub fn status_of(&self, path: &NotePath) -> Option<Status> {
        self.status.iter().find(|(_, folder)| is_below(path.as_str(), folder)).map(|(status, _)| *status)
    }
}

/// The folder with this slug; the exact default name first, then the first by name.
fn pick(names: &[String], slug: &str, default: &str) -> String {
    let mut found = names.iter().filter(|name| without_number(name) == slug);
    if names.iter().any(|name| name == default) {
        return default.to_owned();
    }
    found.next().map_or(default, String::as_str).to_owned()
}

/// Sorted names of the folders in `dir`; none when `dir` is missing.
fn folder_names(dir: &Path) -> Result<Vec<String>, VaultError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(VaultError::io("list", dir, source)),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
