//! `ado-vault init`: writes the vault template.

use std::path::PathBuf;

use clap::Args;

use super::args::{Format, Global};
use super::{Exit, Failure, output};
use crate::vault::{RepositoryState, init};

/// Make a vault, or add what is missing to one; existing files are never overwritten
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault init\n  ado-vault init ~/vault")]
pub struct InitArgs {
    /// Where; made if it does not exist [default: the current folder]
    pub dir: Option<PathBuf>,
}

pub fn run(global: &Global, args: &InitArgs) -> Result<Exit, Failure> {
    let dir = args.dir.clone().unwrap_or_else(|| global.vault.clone());
    let report = init(&dir)?;
    if global.format == Format::Json {
        let repository = match &report.repository {
            RepositoryState::Made => serde_json::json!("made"),
            RepositoryState::Joined(path) => serde_json::json!({ "joined": path }),
        };
        output::json(&serde_json::json!({
            "created": report.created,
            "kept": report.kept,
            "repository": repository,
            "commit": report.commit,
        }))?;
        return Ok(Exit::Done);
    }
    let repository = match &report.repository {
        RepositoryState::Made => "a new git repository".to_owned(),
        RepositoryState::Joined(path) => format!("the git repository `{}`", path.display()),
    };
    output::line(format!(
        "{}: {} files written, {} kept, in {repository}",
        dir.display(),
        report.created.len(),
        report.kept.len()
    ));
    if let Some(commit) = &report.commit {
        output::line(format!("committed as {}", commit.short()));
    }
    output::line(
        "next: open the folder in Obsidian and read `Home`; add a repository note; `ado-vault doctor`",
    );
    Ok(Exit::Done)
}
