//! `ado-vault new`: writes a feature note with the next free id.

use std::path::PathBuf;

use clap::Args;
use gray_matter::Matter;
use gray_matter::engine::YAML;

use super::args::{Format, Global};
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
    /// Take title and text from this Markdown file (YAML front matter is read, the file is left alone)
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
        let body = match &imported {
            Some(imported) => imported.body.clone(),
            None => template_body(&vault, look.folders.templates(), &title),
        };
        let text = note::set_properties(&body, &properties(&id, &title, kind, status, args.repo.as_deref()))?;
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
        ("aliases", Some(PropertyValue::List(vec![id.to_string()]))),
        ("title", text(title)),
        ("type", text(kind.slug())),
        ("status", text(status.slug())),
    ];
    if let Some(repo) = repo {
        sets.push(("repo", text(repo)));
    }
    sets
}

/// The feature template of the vault with Obsidian's `{{title}}` and `{{date}}` filled in.
fn template_body(vault: &Vault, templates: &str, title: &str) -> String {
    let path = NotePath::new(format!("{templates}/Feature request.md"));
    let text = path.ok().and_then(|path| vault.read(&path).ok());
    let text = text.unwrap_or_else(|| "\n## Summary\n\n## Acceptance criteria\n\n- [ ] \n".to_owned());
    let today = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    text.replace("{{title}}", title).replace("{{date}}", &today)
}

/// A foreign note: gray_matter reads what others write; our own notes are read strictly.
struct Imported {
    title: String,
    body: String,
}

impl Imported {
    fn read(file: &std::path::Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::errors(format!("cannot read `{}`: {error}", file.display()))
        };
        let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
        let matter = Matter::<YAML>::new();
        let parsed = matter.parse::<serde_json::Value>(&text).map_err(|error| cannot(&error))?;
        let of_property = parsed
            .data
            .as_ref()
            .and_then(|data| data.get("title"))
            .and_then(|title| title.as_str())
            .map(str::to_owned);
        let heading = parsed.content.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned);
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let title = of_property.or(heading).or(stem).unwrap_or_default();
        Ok(Self { title, body: format!("\n{}\n", parsed.content.trim()) })
    }
}

fn report(global: &Global, vault: &Vault, id: &FeatureId, path: &NotePath) -> Result<(), Failure> {
    if global.format == Format::Json {
        return output::json(&serde_json::json!({ "id": id, "path": path }));
    }
    output::line(format!("{id}: {}", vault.root().join(path.as_str()).display()));
    Ok(())
}
