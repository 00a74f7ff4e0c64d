//! `ado-vault sync`: one reconcile without agents, for CI.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use similar::TextDiff;

use super::args::{Format, Global};
use super::session::{Work, open_vault, options, work};
use super::{Exit, Failure, output};
use crate::domain::{Decision, Diagnostic, Effect, NotePath};
use crate::engine::{Quiet, Rewrite, see};
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
    let remote = see(&vault, &[])?.observation.snapshot.config.settings.sync_remote
        && History::open(&vault)?.has_remote()?;
    keep_books(&vault)?;
    if remote && pull(&vault)? == Pulled::Updated {
        keep_books(&vault)?;
    }
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

fn keep_books(vault: &Vault) -> Result<(), Failure> {
    work(vault, options(Arc::new(Quiet), vec![], true, "sync")?, &Work::Bookkeeping)?;
    Ok(())
}

#[derive(Serialize)]
struct WouldDo {
    would: Vec<String>,
    changes: Vec<NoteDiff>,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct NoteDiff {
    path: NotePath,
    to: NotePath,
    diff: String,
}

fn check(global: &Global, vault: &Vault) -> Result<Exit, Failure> {
    let seen = see(vault, &[])?;
    let in_words = |(decision, effect): (&Decision, &Effect)| {
        format!("{}: would {}, because {}", decision.feature, effect.in_words(), decision.reason)
    };
    let report = WouldDo {
        would: seen.plan.effects().filter(|(_, effect)| effect.is_bookkeeping()).map(in_words).collect(),
        changes: seen.rewrites(vault)?.iter().map(NoteDiff::of).collect(),
        problems: problems(vault)?,
    };
    if global.format == Format::Json {
        output::json(&report)?;
    } else {
        for line in &report.would {
            output::line(line);
        }
        for change in &report.changes {
            output::line(change.diff.trim_end());
        }
        for problem in &report.problems {
            output::line(problem);
        }
    }
    let would = !report.would.is_empty() || !report.changes.is_empty();
    let clean = !would && !report.problems.iter().any(Diagnostic::is_error);
    Ok(if clean { Exit::Done } else { Exit::Errors })
}

impl NoteDiff {
    fn of(rewrite: &Rewrite) -> Self {
        let Rewrite { path, to, before, after } = rewrite;
        let (from, into) = (format!("a/{path}"), format!("b/{to}"));
        let lines = TextDiff::from_lines(before, after);
        let mut diff = lines.unified_diff().context_radius(1).header(&from, &into).to_string();
        if diff.is_empty() {
            diff = format!("--- {from}\n+++ {into}\n");
        }
        Self { path: path.clone(), to: to.clone(), diff }
    }
}

fn problems(vault: &Vault) -> Result<Vec<Diagnostic>, Failure> {
    let seen = see(vault, &[])?;
    let notes = &seen.observation.scan.notes;
    let text =
        |path: &crate::domain::NotePath| notes.iter().find(|note| note.path == *path).map(|note| &*note.text);
    Ok(report::check(&seen.observation.snapshot, &seen.plan, &text))
}

/// Fetches and rebases. What a human changed since the last commit is committed first, in the human's name: a rebase
/// goes over nothing uncommitted. Notes that are being typed stay as they are.
fn pull(vault: &Vault) -> Result<Pulled, Failure> {
    let seen = see(vault, &[])?;
    let being_typed = |path: &NotePath| seen.observation.at(path).is_some_and(|view| view.settling);
    let lock = VaultLock::acquire(vault)?;
    let history = History::open(vault)?;
    let mut changed = history.uncommitted()?;
    changed.retain(|path| !being_typed(path));
    history.commit_human(&lock, &changed)?;
    Ok(history.pull(&lock, None)?)
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
