//! `ado-vault completions`: shell completions.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, Failure, output};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ado-vault completions bash > ~/.local/share/bash-completion/completions/ado-vault"
)]
pub struct CompletionsArgs {
    pub shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "ado-vault", &mut script);
    output::raw(&script);
    Ok(Exit::Done)
}
