//! What a job of GitHub Actions gets besides the usual output: marks on files and a summary of the job.
//!
//! Knows the runner's environment; does not know what was done.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use super::{Failure, output};
use crate::domain::{ContentHash, Diagnostic};
use crate::note;
use crate::report;

/// Rows and lines of a summary; GitHub takes at most 1 MiB a step.
const MOST_ROWS: usize = 200;
const MOST_DIFF_BYTES: usize = 200 * 1024;

/// The job that this program runs in.
pub struct Job {
    summary: Option<PathBuf>,
}

impl Job {
    /// `None` outside of GitHub Actions.
    pub fn of_environment() -> Option<Self> {
        let inside = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        inside.then(|| Self { summary: std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) })
    }

    /// Prints text of others so that no line of it is taken for a command to the runner.
    pub fn print_quoted(&self, lines: impl IntoIterator<Item = String>) {
        let seed = format!("{:?} {}", std::time::SystemTime::now(), std::process::id());
        let word = ContentHash::of(seed);
        output::line(format!("::stop-commands::{}", word.as_str()));
        lines.into_iter().for_each(output::line);
        output::line(format!("::{}::", word.as_str()));
    }

    /// Marks the files that findings are about.
    pub fn annotate(&self, found: &[Diagnostic], folder: &str) {
        for diagnostic in found {
            output::line(report::annotation(diagnostic, folder));
        }
    }

    /// Adds to the job's summary: a heading, what there is to say, a diff, the findings.
    pub fn summarise(
        &self,
        heading: &str,
        said: &[String],
        diff: &str,
        found: &[Diagnostic],
    ) -> Result<(), Failure> {
        let Some(path) = &self.summary else { return Ok(()) };
        let text = summary(heading, said, diff, found);
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(file.write_all(text.as_bytes())?)
    }
}

fn summary(heading: &str, said: &[String], diff: &str, found: &[Diagnostic]) -> String {
    let mut text = format!("### {}\n\n", cell(heading));
    for line in said.iter().take(MOST_ROWS) {
        text.push_str(&format!("- {}\n", cell(line)));
    }
    if !said.is_empty() {
        text.push('\n');
    }
    if !diff.is_empty() {
        let mut end = diff.len().min(MOST_DIFF_BYTES);
        while !diff.is_char_boundary(end) {
            end -= 1;
        }
        let shown: String = diff[..end].lines().map(|line| note::plain(line) + "\n").collect();
        let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        text.push_str(&format!("{fence}diff\n{shown}{fence}\n\n"));
    }
    if !found.is_empty() {
        text.push_str("| | where | what | remedy |\n|---|---|---|---|\n");
        for diagnostic in found.iter().take(MOST_ROWS) {
            let place = diagnostic.path.as_ref().map(|path| match diagnostic.line {
                0 => path.to_string(),
                line => format!("{path}:{line}"),
            });
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                diagnostic.severity,
                cell(&place.unwrap_or_default()),
                cell(&diagnostic.message),
                cell(&diagnostic.remedy)
            ));
        }
        text.push('\n');
    }
    let left_out = said.len().saturating_sub(MOST_ROWS) + found.len().saturating_sub(MOST_ROWS);
    if left_out > 0 {
        text.push_str(&format!("… and {left_out} more\n\n"));
    }
    text
}

/// Text of others on one line, as text: no table cell, no tag, no picture begins in it.
fn cell(text: &str) -> String {
    let line: String = note::plain(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    line.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('|', "\\|")
        .replace("](", "]\\(")
        .replace("![", "!\\[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_shows_what_notes_say_as_text() {
        let found = Diagnostic::error("x", "a | b\n<img src=x> ![](y)", "mend it").at(3, 1);
        let text = summary("2 notes would change", &["FR-001: would align".into()], "-a\n+```b\n", &[found]);
        assert_eq!(
            text,
            "### 2 notes would change\n\n- FR-001: would align\n\n````diff\n-a\n+```b\n````\n\n\
             | | where | what | remedy |\n|---|---|---|---|\n\
             | error |  | a \\| b &lt;img src=x> !\\[]\\(y) | mend it |\n\n"
        );
    }
}
