//! `ado-vault check`: what is wrong with the vault's notes.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use miette::{LabeledSpan, MietteDiagnostic, MietteHandlerOpts, NamedSource, Report};

use super::args::{Format, Global};
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::domain::{Diagnostic, NotePath, Severity};
use crate::engine::see;
use crate::note;
use crate::report;
use crate::vault::Vault;

/// What is wrong with the vault's notes, with line and remedy
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ado-vault check\n  ado-vault check \"10_features/02_new/FR-001 Dark mode.md\""
)]
pub struct CheckArgs {
    /// Notes or folders [default: the whole vault]
    pub paths: Vec<PathBuf>,
}

pub fn run(global: &Global, args: &CheckArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let seen = see(&vault, &[])?;
    let scan = &seen.observation.scan;
    let text = |path: &NotePath| scan.note(path).map(|note| &*note.text);
    let mut found = report::check(&seen.observation.snapshot, &seen.plan, &text);
    found.extend(seen.damage.iter().cloned());
    let wanted: Vec<String> = args.paths.iter().map(|path| inside(&vault, path)).collect::<Result<_, _>>()?;
    if !wanted.is_empty() {
        found.retain(|diagnostic| {
            diagnostic
                .path
                .as_ref()
                .is_some_and(|path| wanted.iter().any(|below| is_at(path.as_str(), below)))
        });
    }
    if global.format == Format::Json {
        output::json(&found)?;
    } else {
        draw_for_terminal()?;
        for diagnostic in &found {
            let source = diagnostic.path.as_ref().and_then(text);
            output::raw(format!("{:?}\n", in_source(diagnostic, source)).as_bytes());
        }
        let count = |severity| found.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        output::line(format!(
            "{} notes, {} errors, {} warnings",
            scan.notes.len(),
            count(Severity::Error),
            count(Severity::Warning)
        ));
    }
    Ok(if found.iter().any(Diagnostic::is_error) { Exit::Errors } else { Exit::Done })
}

/// The path below the vault, as notes are named.
fn inside(vault: &Vault, path: &std::path::Path) -> Result<String, Failure> {
    let absolute = std::fs::canonicalize(path)
        .or_else(|_| std::fs::canonicalize(vault.root().join(path)))
        .map_err(|error| Failure::usage(format!("cannot find `{}`: {error}", path.display())))?;
    absolute
        .strip_prefix(vault.root())
        .map(|inner| inner.to_string_lossy().into_owned())
        .map_err(|_| Failure::usage(format!("`{}` is not in the vault", path.display())))
}

fn is_at(path: &str, below: &str) -> bool {
    below.is_empty() || path == below || path.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'))
}

/// Colours and links only where standard output is a terminal.
fn draw_for_terminal() -> Result<(), Failure> {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let options = MietteHandlerOpts::new().color(colours).unicode(true).terminal_links(false);
    Ok(miette::set_hook(Box::new(move |_| Box::new(options.clone().build())))?)
}

/// The diagnostic with the line it is about.
fn in_source(diagnostic: &Diagnostic, source: Option<&str>) -> Report {
    let severity = match diagnostic.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Info => miette::Severity::Advice,
    };
    let mut shown = MietteDiagnostic::new(note::plain(&diagnostic.message))
        .with_code(diagnostic.code.clone())
        .with_severity(severity)
        .with_help(note::plain(&diagnostic.remedy));
    let path = diagnostic.path.as_ref().map(ToString::to_string).unwrap_or_default();
    let source = source.map(lines_for_terminal);
    match source.and_then(|text| line_span(&text, diagnostic.line).map(|span| (text, span))) {
        Some((text, (start, length))) => {
            shown = shown.with_label(LabeledSpan::new(None, start, length));
            Report::new(shown).with_source_code(NamedSource::new(path, text))
        }
        None if path.is_empty() => Report::new(shown),
        None => {
            shown.message = format!("{path}: {}", shown.message);
            Report::new(shown)
        }
    }
}

/// The text line by line without what a terminal would obey.
fn lines_for_terminal(text: &str) -> String {
    text.lines().map(|line| note::plain(line) + "\n").collect()
}

/// Start and length in bytes of a line counted from 1.
fn line_span(text: &str, line: u32) -> Option<(usize, usize)> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
    let length = text.get(start..)?.lines().next()?.len();
    Some((start, length))
}
