//! Options that every command knows, and the list of commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    approve::ApproveArgs, audit::AuditArgs, check::CheckArgs, completions::CompletionsArgs, demo::DemoArgs,
    doctor::DoctorArgs, init::InitArgs, log::LogArgs, man::ManArgs, mv::MvArgs, new::NewArgs,
    review::ReviewArgs, run::RunArgs, score::ScoreArgs, serve::ServeArgs, set::SetArgs, status::StatusArgs,
    sync::SyncArgs, watch::WatchArgs, why::WhyArgs,
};

/// Feature-request notes in a Markdown vault become reviewed, merged pull requests.
#[derive(Debug, Parser)]
#[command(name = "ado-vault", version, about, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  ado-vault demo                     see the whole way once, in a temporary folder
  ado-vault init ~/vault             make a vault
  ado-vault new \"Dark mode\"          write a feature note
  ado-vault watch                    work on everything in `planned` until stopped
  ado-vault why FR-001               why is nothing happening?

Exit codes: 0 done, 1 the vault or the work has errors, 2 usage, 3 stopped by a brake or waiting for a human,
255 a bug in ado-vault.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// Say more on standard error; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder of the vault, or any folder in it
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ADO_VAULT",
        hide_env_values = true,
        default_value = "."
    )]
    pub vault: PathBuf,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Json,
    /// SARIF 2.1.0; only `check`
    Sarif,
    /// Annotations of GitHub Actions; only `check`
    Github,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    New(NewArgs),
    Watch(WatchArgs),
    Serve(ServeArgs),
    Run(RunArgs),
    Review(ReviewArgs),
    Sync(SyncArgs),
    Status(StatusArgs),
    Why(WhyArgs),
    Log(LogArgs),
    Audit(AuditArgs),
    Check(CheckArgs),
    Mv(MvArgs),
    Set(SetArgs),
    Approve(ApproveArgs),
    Score(ScoreArgs),
    Doctor(DoctorArgs),
    Demo(DemoArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}
