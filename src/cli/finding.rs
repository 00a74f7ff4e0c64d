//! Draws findings for people, each with the lines around it.

use std::io::IsTerminal;

use miette::{
    LabeledSpan, MietteDiagnostic, MietteError, MietteHandlerOpts, MietteSpanContents, Report, SourceCode,
    SourceSpan, SpanContents,
};

use super::{Failure, output};
use crate::domain::{Diagnostic, NotePath, Severity};
use crate::engine::without_secrets;
use crate::note;
use crate::report::Source;

/// Width where no terminal says how wide it is.
const WIDTH: u16 = 80;
/// Bytes that are written at once.
const CHUNK: usize = 1 << 14;

/// Draws the findings, which are sorted by note, on standard output, without secrets. `text` gives the text of a note.
pub fn draw(found: &[Diagnostic], text: &Source<'_>) -> Result<(), Failure> {
    draw_for_terminal()?;
    let mut drawn = String::new();
    for of_note in found.chunk_by(|a, b| a.path == b.path) {
        let text = of_note[0].path.as_ref().and_then(text).map(|text| without_secrets(&text));
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
        for finding in of_note {
            drawn.push_str(&format!("{:?}\n", report(finding, &lines)));
            if drawn.len() > CHUNK {
                output::raw(drawn.as_bytes());
                drawn.clear();
            }
        }
    }
    output::raw(drawn.as_bytes());
    Ok(())
}

/// Colours only where standard output is a terminal.
fn draw_for_terminal() -> Result<(), Failure> {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let width = output::columns(std::io::stdout()).unwrap_or(WIDTH);
    let options =
        MietteHandlerOpts::new().color(colours).unicode(true).terminal_links(false).width(width.into());
    Ok(miette::set_hook(Box::new(move |_| Box::new(options.clone().build())))?)
}

/// The finding with the line it is about, of its note's.
fn report(finding: &Diagnostic, lines: &[&str]) -> Report {
    let severity = match finding.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Info => miette::Severity::Advice,
    };
    let plain = |text: &str| note::plain(&without_secrets(text));
    let mut shown = MietteDiagnostic::new(plain(&finding.message))
        .with_code(finding.code.clone())
        .with_severity(severity)
        .with_help(plain(&finding.remedy));
    match (Excerpt::of(finding, lines), &finding.path) {
        (Some(excerpt), _) => {
            shown = shown.with_label(LabeledSpan::new_with_span(None, excerpt.line));
            Report::new(shown).with_source_code(excerpt)
        }
        (None, Some(path)) => {
            shown.message = format!("{path}: {}", shown.message);
            Report::new(shown)
        }
        (None, None) => Report::new(shown),
    }
}

/// A line with its neighbours, without what a terminal would obey.
struct Excerpt {
    note: NotePath,
    text: String,
    /// Lines of the note before the text.
    before: usize,
    /// Where the line is in the text.
    line: SourceSpan,
}

impl Excerpt {
    fn of(finding: &Diagnostic, lines: &[&str]) -> Option<Self> {
        let at = usize::try_from(finding.line).ok()?.checked_sub(1)?;
        let line = note::plain(lines.get(at)?);
        let before = at.saturating_sub(1);
        let mut text: String = lines[before..at].iter().map(|line| note::plain(line) + "\n").collect();
        let span = (text.len(), line.len()).into();
        text.push_str(&line);
        if let Some(after) = lines.get(at + 1) {
            text.push_str(&format!("\n{}\n", note::plain(after)));
        }
        Some(Self { note: finding.path.clone()?, text, before, line: span })
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.text.read_span(span, lines_before, lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.note.to_string(),
            read.data(),
            *read.span(),
            self.before + read.line(),
            read.column(),
            read.line_count(),
        )))
    }
}
