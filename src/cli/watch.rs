//! `ado-vault watch`: works on the vault until stopped.

use std::sync::Arc;

use clap::Args;

use super::args::Global;
use super::progress::Progress;
use super::session::{Work, open_vault, options, work};
use super::{Exit, Failure, output};

/// Work on everything in `planned` until stopped by Ctrl-C or SIGTERM
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault watch\n  ado-vault --vault ~/vault watch")]
pub struct WatchArgs {
    /// Let agents run without a sandbox; every run says so
    #[arg(long)]
    pub no_sandbox: bool,
}

pub fn run(global: &Global, args: &WatchArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    output::say(format!("watching {}; Ctrl-C stops", vault.root().display()));
    let options = options(Arc::new(Progress::new()), vec![], args.no_sandbox, "watch")?;
    work(&vault, options, &Work::UntilStopped)?;
    output::say("stopped; everything is saved");
    Ok(Exit::Done)
}
