//! `ado-vault sync`: one reconcile without agents, for CI.

use std::sync::Arc;

use clap::Args;

use super::args::{Format, Global};
use super::session::{Work, open_vault, options, work};
use super::{Exit, Failure, output};
use crate::domain::Diagnostic;
use crate::engine::{Quiet, see};
use crate::report;
use crate::vault::{History, Pulled, Pushed, Vault, VaultLock};

/// Keep the books once without agents: align status and folders, refresh pull requests, commit, push
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ado-vault sync\n  ado-vault sync --check     change nothing, exit 1 if something would change"
)]
pub struct SyncArgs {
    /// Change nothing; exit 1 if something would be changed or a note has errors
    #[arg(long)]
    pub check: bool,
    /// Commit, but do not push
    #[arg(long)]
    pub no_push: bool,
}

/// Times a rejected push is tried again after another pull.
const PUSH_TRIES: u32 = 3;

pub fn run(global: &Global, args: &SyncArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    if args.check {
        return check(global, &vault);
    }
    let remote = see(&vault, &[])?.observation.snapshot.config.settings.sync_remote;
    if remote {
        pull(&vault)?;
    }
    let options = options(Arc::new(Quiet), vec![], true, "sync")?;
    work(&vault, options, &Work::Bookkeeping)?;
    let pushed = if remote && !args.no_push { push(&vault)? } else { "not pushed" };
    let problems = problems(&vault)?;
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "pushed": pushed, "problems": problems }))?;
    } else {
        for problem in &problems {
            output::line(problem);
        }
        output::say(format!("synced, {pushed}"));
    }
    Ok(if problems.iter().any(Diagnostic::is_error) { Exit::Errors } else { Exit::Done })
}

fn check(global: &Global, vault: &Vault) -> Result<Exit, Failure> {
    let seen = see(vault, &[])?;
    let would: Vec<String> = seen
        .plan
        .effects()
        .filter(|(_, effect)| effect.is_bookkeeping())
        .map(|(decision, effect)| {
            format!("{}: would {}, because {}", decision.feature, effect.in_words(), decision.reason)
        })
        .collect();
    let problems = problems(vault)?;
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "would": would, "problems": problems }))?;
    } else {
        for line in &would {
            output::line(crate::note::plain(line));
        }
        for problem in &problems {
            output::line(problem);
        }
    }
    let clean = would.is_empty() && !problems.iter().any(Diagnostic::is_error);
    Ok(if clean { Exit::Done } else { Exit::Errors })
}

fn problems(vault: &Vault) -> Result<Vec<Diagnostic>, Failure> {
    let seen = see(vault, &[])?;
    let notes = &seen.observation.scan.notes;
    let text =
        |path: &crate::domain::NotePath| notes.iter().find(|note| note.path == *path).map(|note| &*note.text);
    Ok(report::check(&seen.observation.snapshot, &seen.plan, &text))
}

fn pull(vault: &Vault) -> Result<Pulled, Failure> {
    let lock = VaultLock::acquire(vault)?;
    Ok(History::open(vault)?.pull(&lock, None)?)
}

fn push(vault: &Vault) -> Result<&'static str, Failure> {
    for _ in 0..PUSH_TRIES {
        match History::open(vault)?.push(None)? {
            Pushed::NoRemote => return Ok("no remote"),
            Pushed::UpToDate => return Ok("nothing to push"),
            Pushed::Pushed => return Ok("pushed"),
            Pushed::Rejected(why) => {
                tracing::info!(%why, "push rejected, pulling again");
                pull(vault)?;
            }
        }
    }
    Err(Failure::errors(format!(
        "the remote rejected {PUSH_TRIES} pushes; pull by hand and look at its rules"
    )))
}
