//! `ado-vault man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Cli, Exit, Failure, output};

/// Print the manual page, or write one page for each command
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ado-vault man | man -l -\n  ado-vault man --dir ~/.local/share/man/man1"
)]
pub struct ManArgs {
    /// Write `ado-vault.1`, `ado-vault-run.1` … into this folder
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

pub fn run(args: &ManArgs) -> Result<Exit, Failure> {
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            clap_mangen::generate_to(Cli::command(), dir)?;
        }
        None => {
            let mut page = vec![];
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            output::raw(&page);
        }
    }
    Ok(Exit::Done)
}
