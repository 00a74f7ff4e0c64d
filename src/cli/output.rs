//! Printing: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::domain::{Severity, Unwell};
use crate::engine::{value_without_secrets, without_secrets};
use crate::note;

/// Characters of a shortened line where no terminal says how wide it is.
const WIDTH: usize = 160;

/// Logs go to standard error; `ADO_LOG` overrides what `-v` says.
pub fn set_up(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "ado_vault=info",
        _ => "ado_vault=debug",
    };
    let filter = EnvFilter::try_from_env("ADO_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // A second call, as tests may make, leaves the first in place.
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log);
    let _ = logs.with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false).try_init();
}

/// Standard error without the secrets that libraries log: of answers and headers, at `trace`.
struct Log;

impl Write for Log {
    /// One event, as tracing hands it on.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let clean = without_secrets(&String::from_utf8_lossy(event));
        std::io::stderr().lock().write_all(clean.as_bytes()).map(|()| event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// One line on standard output, without secrets and without what a terminal would obey.
pub fn line(text: impl Display) {
    raw(format!("{}\n", note::plain(&without_secrets(&text.to_string()))).as_bytes());
}

/// Who is not asked, and until when.
pub fn unwell(unwell: &Unwell) -> String {
    format!("{} {}: not asked before {:.0}", unwell.what, unwell.why, unwell.until)
}

/// One JSON document on standard output, without secrets. Control characters are escaped also where JSON would not ask for it.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = String::new();
    for char in serde_json::to_string_pretty(&value_without_secrets(serde_json::to_value(value)?))?.chars() {
        let kept = char == '\n' || note::plain(char.encode_utf8(&mut [0; 4])).contains(char);
        if kept {
            text.push(char);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(char)));
        }
    }
    raw(format!("{text}\n").as_bytes());
    Ok(())
}

/// Bytes on standard output as they are. A reader that went away, as `head` does, ends the program quietly.
pub fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        say(format!("error: cannot write to standard output: {error}"));
        std::process::exit(1);
    }
}

/// One line on standard error. Nobody may be reading there: that is no reason to stop.
pub fn say(text: impl Display) {
    let text = note::plain(&without_secrets(&text.to_string()));
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A table without lines, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    if let Some(columns) = columns(std::io::stdout()) {
        table.set_width(columns);
    }
    table
}

/// The text shortened to one line of the terminal, or to [`WIDTH`] characters.
pub fn cut(text: &str) -> String {
    let most = columns(std::io::stderr()).map_or(WIDTH, usize::from);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Width of a terminal; `None` where there is none.
pub fn columns(stream: impl AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(size.ws_col).filter(|columns| *columns > 0)
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
