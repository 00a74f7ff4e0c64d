//! The `ado-vault` program. Knows only where to hand over.

use ado_vault::{cli, sandbox};

fn main() -> cli::Exit {
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::CHILD_ARG) {
        sandbox::child_main();
    }
    cli::main()
}
