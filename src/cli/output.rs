//! Printing: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::domain::Severity;

/// Logs go to standard error; `ADO_LOG` overrides what `-v` says.
pub fn set_up(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "ado_vault=info",
        _ => "ado_vault=debug",
    };
    let filter = EnvFilter::try_from_env("ADO_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // A second call, as tests may make, leaves the first in place.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// One line on standard output. A reader that went away, as `head` does, ends the program quietly.
pub fn line(text: impl Display) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("error: cannot write to standard output: {error}");
        std::process::exit(1);
    }
}

/// One JSON document on standard output.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table without lines, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// Prints a table without trailing spaces.
pub fn print_table(table: &Table) {
    for row in table.to_string().lines() {
        line(row.trim_end());
    }
}

pub fn severity_mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Info => "·",
    }
}
