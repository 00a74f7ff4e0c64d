//! `ado-vault new`: writes a feature note with the next free id.

use std::path::PathBuf;

use clap::Args;

use super::args::{Format, Global};
use super::import::Imported;
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::domain::{FeatureId, FeatureType, NotePath, Status};
use crate::engine::see;
use crate::note::{self, PropertyValue};
use crate::vault::{Created, Vault, VaultLock, create};

/// Write a feature note from the template, with the next free id
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault new \"Dark mode\"
  ado-vault new \"Crash on empty input\" --type bug --repo api --status planned
  ado-vault new --from ~/Downloads/idea.md")]
pub struct NewArgs {
    /// Title of the feature; with --from it may be left out
    #[arg(required_unless_present = "from")]
    pub title: Option<String>,
    /// feature, bug, refactor, test, docs, ci, dependency, security, migration
    #[arg(long = "type", value_name = "TYPE", default_value = "feature")]
    pub kind: String,
    /// Name of the repository note
    #[arg(long)]
    pub repo: Option<String>,
    /// Status folder to write it to
    #[arg(long, default_value = "new")]
    pub status: String,
    /// Take title and text from this Markdown file (front matter in YAML, TOML or JSON is read,
    /// the file is left alone)
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

pub fn run(global: &Global, args: &NewArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let kind: FeatureType = args.kind.parse().map_err(usage)?;
    let status: Status = args.status.parse().map_err(usage)?;
    let seen = see(&vault, &[])?;
    let look = &seen.observation;
    if let Some(repo) = &args.repo
        && !look.snapshot.config.repositories.keys().any(|name| name.as_str() == repo)
    {
        return Err(Failure::errors(format!(
            "repository `{repo}` has no note in `{}`; add one from the template `Repository`",
            look.folders.repositories()
        )));
    }
    let imported = args.from.as_ref().map(|file| Imported::read(file)).transpose()?;
    let title = args
        .title
        .clone()
        .or_else(|| imported.as_ref().map(|imported| imported.title.clone()))
        .unwrap_or_default();
    let title = note::plain(&title).trim().to_owned();
    if title.is_empty() {
        return Err(Failure::usage("the title is empty"));
    }
    let settings = &look.snapshot.config.settings;
    let lock = VaultLock::acquire(&vault)?;
    let mut number = look.snapshot.next_feature_number();
    loop {
        let id = FeatureId::new(&settings.id_prefix, number)?;
        let file = note::file_name(Some(&id), &title, settings.note_name);
        let path = NotePath::new(format!("{}/{file}", look.folders.status(status)))?;
        let sets = properties(&id, &title, kind, status, args.repo.as_deref());
        let (text, aliases) = match &imported {
            Some(imported) => (imported.body.clone(), &imported.aliases[..]),
            None => (template(&vault, look.folders.templates()), &[][..]),
        };
        let mut text = note::set_properties(&text, &sets)?;
        for alias in aliases.iter().map(String::as_str).chain([id.as_str()]) {
            text = note::with_alias(&text, alias)?;
        }
        if imported.is_none() {
            text = text.replace("{{title}}", &title);
        }
        if let Created::New = create(&lock, &vault, &path, &text)? {
            report(global, &vault, &id, &path)?;
            return Ok(Exit::Done);
        }
        number += 1;
    }
}

fn usage(error: crate::domain::InvalidId) -> Failure {
    Failure::usage(error.to_string())
}

fn properties(
    id: &FeatureId,
    title: &str,
    kind: FeatureType,
    status: Status,
    repo: Option<&str>,
) -> Vec<(&'static str, Option<PropertyValue>)> {
    let text = |text: &str| Some(PropertyValue::Text(text.to_owned()));
    let mut sets = vec![
        ("id", text(id.as_str())),
        ("title", text(title)),
        ("type", text(kind.slug())),
        ("status", text(status.slug())),
    ];
    if let Some(repo) = repo {
        sets.push(("repo", text(repo)));
    }
    sets
}

/// The feature template of the vault with Obsidian's `{{date}}` filled in. Its `{{title}}` stays: a title may hold what
/// would break front matter, so that it is set as a property first.
fn template(vault: &Vault, folder: &str) -> String {
    let path = NotePath::new(format!("{folder}/Feature request.md"));
    let text = path.ok().and_then(|path| vault.read(&path).ok());
    let text = text.unwrap_or_else(|| "\n## Summary\n\n## Acceptance criteria\n\n- [ ] \n".to_owned());
    text.replace("{{date}}", &jiff::Zoned::now().strftime("%Y-%m-%d").to_string())
}

fn report(global: &Global, vault: &Vault, id: &FeatureId, path: &NotePath) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json(&serde_json::json!({ "id": id, "path": path }));
    }
    output::line(format!("{id}: {}", vault.root().join(path.as_str()).display()));
    Ok(())
}
