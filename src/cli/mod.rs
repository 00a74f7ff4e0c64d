//! The command line: arguments in, reports out. One file a command; nothing here decides anything about features.

mod actions;
mod approve;
mod args;
mod audit;
mod check;
mod completions;
mod demo;
mod diff;
mod doctor;
mod exit;
mod finding;
mod import;
mod init;
mod log;
mod man;
mod mv;
mod named;
mod new;
mod output;
mod progress;
mod review;
mod run;
mod score;
mod serve;
mod session;
mod set;
mod status;
mod sync;
mod watch;
mod why;

pub use args::Cli;
pub use exit::{Exit, Failure};

use args::{Command, Format};
use clap::Parser;

/// Parses the arguments, runs the command, prints a failure with its remedy, and gives the exit code.
pub fn main() -> Exit {
    exit::explain_panics();
    exit::guarded(run_command)
}

fn run_command() -> Exit {
    let cli = Cli::parse();
    output::set_up(cli.verbose);
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print();
            failure.exit
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    let is_of_check = matches!(global.format, Format::Sarif | Format::Github);
    if is_of_check && !matches!(cli.command, Command::Check(_)) {
        return Err(Failure::usage("the formats `sarif` and `github` are those of `check`"));
    }
    match cli.command {
        Command::Init(args) => init::run(&global, &args),
        Command::New(args) => new::run(&global, &args),
        Command::Watch(args) => watch::run(&global, &args),
        Command::Serve(args) => serve::run(&global, &args),
        Command::Run(args) => run::run(&global, &args),
        Command::Review(args) => review::run(&global, &args),
        Command::Sync(args) => sync::run(&global, &args),
        Command::Status(args) => status::run(&global, &args),
        Command::Why(args) => why::run(&global, &args),
        Command::Log(args) => log::run(&global, &args),
        Command::Audit(args) => audit::run(&global, &args),
        Command::Check(args) => check::run(&global, &args),
        Command::Mv(args) => mv::run(&global, &args),
        Command::Set(args) => set::run(&global, &args),
        Command::Approve(args) => approve::run(&global, &args),
        Command::Score(args) => score::run(&global, &args),
        Command::Doctor(args) => doctor::run(&global, &args),
        Command::Demo(args) => demo::run(&global, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
