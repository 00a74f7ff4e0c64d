//! `ado-vault run`: works in the foreground until nothing is left to do.

use std::sync::Arc;

use clap::Args;

use super::args::{Format, Global};
use super::progress::Progress;
use super::session::{Work, feature_ids, find, open_vault, options, work};
use super::{Exit, Failure, output};
use crate::domain::{DecisionKind, FeatureId};
use crate::engine::{Outcome, see};
use crate::note;
use crate::report;
use crate::vault::Vault;

/// Work in the foreground until nothing is left to do
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault run                 everything in `planned` and `in_progress`
  ado-vault run FR-001          this one alone, first in the queue
  ado-vault run --dry-run       what would be done, and why")]
pub struct RunArgs {
    /// Work on these alone
    #[arg(value_name = "FR")]
    pub features: Vec<String>,
    /// Print what would be done, with reasons, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Let agents run without a sandbox; every run says so
    #[arg(long)]
    pub no_sandbox: bool,
}

pub fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let only = feature_ids(&args.features)?;
    let seen = see(&vault, &only)?;
    for id in &only {
        find(&seen.observation, id)?;
    }
    if args.dry_run {
        return dry_run(global, &seen.plan);
    }
    let options = options(Arc::new(Progress::new()), only.clone(), args.no_sandbox, "run")?;
    let outcome = work(&vault, options, &Work::UntilIdle)?;
    summary(global, &vault, &only)?;
    Ok(match outcome {
        Outcome::Idle => Exit::Done,
        Outcome::Failed => Exit::Errors,
        Outcome::WaitsForHuman | Outcome::Stopped => Exit::Waiting,
    })
}

fn dry_run(global: &Global, plan: &crate::domain::Plan) -> Result<Exit, Failure> {
    if global.format == Format::Json {
        output::json(plan)?;
        return Ok(Exit::Done);
    }
    for decision in &plan.decisions {
        let what = match &decision.verdict {
            DecisionKind::Do { effect } => effect.in_words(),
            DecisionKind::Wait { wait } => format!("wait for {}", wait.on),
            DecisionKind::Rest => continue,
        };
        output::line(format!("{}: {}", note::plain(&decision.feature), note::plain(&what)));
        output::line(format!("    because {}", note::plain(&decision.reason)));
    }
    Ok(Exit::Done)
}

fn summary(global: &Global, vault: &Vault, only: &[FeatureId]) -> Result<(), Failure> {
    let seen = see(vault, only)?;
    let rows = report::status(&seen.observation.snapshot, &seen.plan, true);
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| {
            if only.is_empty() {
                !row.waiting_on.is_empty()
            } else {
                row.id.as_ref().is_some_and(|id| only.contains(id))
            }
        })
        .collect();
    if global.format == Format::Json {
        return output::json(&rows);
    }
    super::status::print_rows(&rows);
    Ok(())
}
