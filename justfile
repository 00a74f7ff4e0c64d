# `just` lists these; https://just.systems

# Show the recipes.
default:
    @just --list

# Run all tests; arguments go to `cargo test`.
test *ARGUMENTS:
    scripts/test {{ARGUMENTS}}

# Show the whole way once: a note becomes a reviewed pull request.
demo *ARGUMENTS:
    cargo run --locked -- demo {{ARGUMENTS}}

# Format check and lints.
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Everything that must hold before a merge.
ci:
    .ci/run

# Measure; arguments go to `cargo bench`.
bench *ARGUMENTS:
    cargo bench --locked {{ARGUMENTS}}
