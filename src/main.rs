//! The `ado-vault` program. Knows only where to hand over.

fn main() {
    if std::env::args_os().nth(1).is_some_and(|first| first == ado_vault::sandbox::CHILD_ARG) {
        ado_vault::sandbox::child_main();
    }
}
