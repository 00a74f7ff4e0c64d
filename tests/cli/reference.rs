//! `docs/cli.md` is what the program's own help says. `UPDATE_DOCS=1 cargo test --test cli reference` writes it.

use std::fmt::Write;
use std::path::Path;

use ado_vault::cli::Cli;
use clap::{Command, CommandFactory};

const HEAD: &str = "# Commands

What `ado-vault COMMAND --help` says, command by command; `ado-vault man` has the same as manual pages, and
`ado-vault completions SHELL` makes a shell know it. Results go to standard output, progress and logs to standard error.
`ADO_LOG` sets what is logged (`ADO_LOG=ado_vault=debug`), `NO_COLOR` turns colours off.

";

const EXIT_CODES: &str = "## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | the vault or the work has errors |
| 2 | wrong usage |
| 3 | stopped by a brake or a signal, or waiting for a human |
| 255 | a bug in ado-vault |
";

fn help(command: &Command) -> String {
    let text = command.clone().term_width(100).render_long_help().to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn reference() -> String {
    let mut program = Cli::command();
    program.build();
    let mut text = format!("{HEAD}## ado-vault\n\n```text\n{}```\n", help(&program));
    for command in program.get_subcommands() {
        let shown = command.clone().mut_args(|arg| {
            let everywhere = arg.is_global_set() || arg.get_id() == "help" || arg.get_id() == "version";
            if everywhere { arg.hide(true) } else { arg }
        });
        write!(text, "\n## {}\n\n```text\n{}```\n", command.get_name(), help(&shown)).unwrap();
    }
    format!("{text}\n{EXIT_CODES}")
}

#[test]
fn the_reference_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference(),
        "docs/cli.md is stale: run UPDATE_DOCS=1 cargo test --test cli reference"
    );
}

#[test]
fn every_command_shows_examples_of_itself() {
    let program = Cli::command();
    assert!(program.get_subcommands().count() > 10);
    for command in program.get_subcommands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut examples = after.lines().skip_while(|line| *line != "Examples:").skip(1);
        let example = format!("  ado-vault {}", command.get_name());
        assert!(examples.next().is_some_and(|line| line.starts_with(&example)), "{}", command.get_name());
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}
