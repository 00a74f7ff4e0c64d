//! `ado-vault check`: what is wrong with the vault's notes.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::args::{Format, Global};
use super::diff::NoteDiff;
use super::session::open_vault;
use super::{Exit, Failure, finding, output};
use crate::domain::{Diagnostic, NotePath, Severity, is_within};
use crate::engine::see;
use crate::note;
use crate::report::{self, Source, Texts};
use crate::vault::{History, Scanner, Vault, VaultError, VaultLock, edit};

/// What is wrong with the vault's notes, with line and remedy
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault check
  ado-vault check \"10_features/02_new/FR-001 Dark mode.md\"
  ado-vault check --fix --dry-run      show what could be mended
  ado-vault check --format sarif > check.sarif

Exit code 1 when there are errors; warnings and hints leave it 0.")]
pub struct CheckArgs {
    /// Notes or folders [default: the whole vault]
    pub paths: Vec<PathBuf>,
    /// Mend what can be mended in one way only: broken links whose file has moved or whose heading was written otherwise,
    /// `tags` written as text. Shows what it wrote and commits nothing
    #[arg(long)]
    pub fix: bool,
    /// With --fix: write nothing, only show
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
}

pub fn run(global: &Global, args: &CheckArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let wanted: Vec<String> = args.paths.iter().map(|path| inside(&vault, path)).collect::<Result<_, _>>()?;
    let is_wanted = |path: &NotePath| {
        wanted.is_empty() || wanted.iter().any(|below| below.is_empty() || is_within(path.as_str(), below))
    };
    if args.fix {
        let fixed = fix(&vault, args.dry_run, &is_wanted)?;
        if args.dry_run {
            return show_fixes(global, &fixed);
        }
        for change in &fixed {
            output::say(change.diff.trim_end());
        }
    }
    let seen = see(&vault, &[])?;
    let look = &seen.observation;
    let texts: Vec<(&NotePath, Arc<str>)> =
        look.scan.notes.iter().map(|note| (&note.path, note.text_once())).collect();
    let text = |path: &NotePath| {
        let at = texts.binary_search_by(|(other, _)| (*other).cmp(path)).ok()?;
        Some(Arc::clone(&texts[at].1))
    };
    let mut found = report::check(&look.snapshot, &seen.plan);
    found.extend(report::check_schemas(&look.snapshot, &text));
    found.extend(seen.damage.iter().cloned());
    let files: Vec<NotePath> = look.scan.files().cloned().collect();
    found.extend(report::check_texts(&Texts {
        notes: texts.iter().map(|(path, text)| (*path, &**text)).collect(),
        files: &files,
        features: look.folders.features(),
        runs: look.folders.runs(),
        templates: look.folders.templates(),
        agents: look.folders.agents(),
    }));
    found.retain(|diagnostic| match &diagnostic.path {
        Some(path) => is_wanted(path),
        None => wanted.is_empty(),
    });
    let found = report::sorted(found);
    print(global, &vault, &found, &text, look.scan.notes.len())?;
    if args.fix {
        say_left(&found);
    }
    Ok(if found.iter().any(Diagnostic::is_error) { Exit::Errors } else { Exit::Done })
}

fn print(
    global: &Global,
    vault: &Vault,
    found: &[Diagnostic],
    text: &Source<'_>,
    notes: usize,
) -> Result<(), Failure> {
    let folder = || match History::open(vault) {
        Ok(history) => Ok(history.folder().to_owned()),
        Err(VaultError::NoRepository { .. }) => Ok(String::new()),
        Err(error) => Err(error),
    };
    match global.format {
        Format::Json => return output::json(&found),
        Format::Sarif => return output::json(&report::sarif(found, &folder()?)),
        Format::Github => {
            let folder = folder()?;
            for diagnostic in found {
                output::line(report::annotation(diagnostic, &folder));
            }
            return Ok(());
        }
        Format::Human => {}
    }
    finding::draw(found, text)?;
    let count = |severity| found.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    output::line(format!(
        "{notes} notes, {} errors, {} warnings, {} hints",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Info)
    ));
    Ok(())
}

/// Mends what can be mended in one way only, under the vault's lock. Notes that cannot be edited are left alone.
fn fix(
    vault: &Vault,
    dry_run: bool,
    is_wanted: &dyn Fn(&NotePath) -> bool,
) -> Result<Vec<NoteDiff>, Failure> {
    let lock = VaultLock::acquire(vault)?;
    let (scan, folders) = (Scanner::new(vault).scan()?, vault.folders()?);
    let files: Vec<NotePath> = scan.files().cloned().collect();
    let other = |path: &NotePath| scan.note(path).map(|note| note.text_once().to_string());
    let left_alone = [folders.templates(), folders.agents(), folders.runs()];
    let mut fixed = vec![];
    for note in scan.notes.iter().filter(|note| is_wanted(&note.path)) {
        if left_alone.iter().any(|folder| is_within(note.path.as_str(), folder)) {
            continue;
        }
        let text = note.text_once();
        let Some(after) = mended(&note.path, &text, &files, &other) else { continue };
        if !dry_run {
            let written = edit(&lock, vault, &note.path, |text| {
                Ok::<_, Infallible>(
                    mended(&note.path, text, &files, &other).unwrap_or_else(|| text.to_owned()),
                )
            });
            if let Err(error) = written {
                output::say(format!("{}: {error}", note.path));
                continue;
            }
        }
        fixed.push(NoteDiff::of(&note.path, &note.path, &text, &after));
    }
    Ok(fixed)
}

/// The note's text with its broken links and its text-like lists mended; `None` when there is nothing to mend.
fn mended(
    path: &NotePath,
    text: &str,
    files: &[NotePath],
    other: &dyn Fn(&NotePath) -> Option<String>,
) -> Option<String> {
    let linked = report::mended_links(path, text, files);
    let headed = report::mended_headings(path, linked.as_deref().unwrap_or(text), files, other).or(linked);
    let listed = note::with_lists(headed.as_deref().unwrap_or(text));
    listed.or(headed)
}

/// Links that lead nowhere still, because they can mean more than one thing or none.
fn say_left(found: &[Diagnostic]) {
    let is_link = |diagnostic: &&Diagnostic| {
        ["broken-link", "broken-heading", "broken-block"].contains(&diagnostic.code.as_str())
    };
    let left = found.iter().filter(is_link).count();
    if left > 0 {
        output::say(format!(
            "{left} links are left to mend by hand: none or more than one place can be meant"
        ));
    }
}

fn show_fixes(global: &Global, fixed: &[NoteDiff]) -> Result<Exit, Failure> {
    if global.format == Format::Json {
        output::json(&fixed)?;
    } else {
        for change in fixed {
            output::line(change.diff.trim_end());
        }
    }
    Ok(Exit::Done)
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
