//! `ado-vault review`: a pull request that somebody else wrote, read by the reviewer.

use std::sync::Arc;

use clap::Args;

use super::args::{Format, Global};
use super::progress::Progress;
use super::session::{open_vault, options, review};
use super::{Exit, Failure, output};
use crate::domain::{Finding, RepoName};
use crate::engine::{ReviewOrder, ReviewReport, Reviewed};
use crate::note;

/// Review a pull request that somebody else wrote; nothing of it is run, merged or approved
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault review https://github.com/acme/app/pull/7
  ado-vault review 7 --repo app --post     say there what was found, once for each head
  ado-vault review 7 --format json

Exit code 0 when nothing was found that blocks it, 1 when something was, 3 when it could not be reviewed now, as when the
day's budget is used up. The costs count as those of any run.")]
pub struct ReviewArgs {
    /// Its address, or its number
    #[arg(value_name = "URL|NUMBER")]
    pub pull_request: String,
    /// Name of the repository note, where a number alone does not say which is meant
    #[arg(long, value_name = "NAME")]
    pub repo: Option<String>,
    /// Write what was found as one comment below the pull request
    #[arg(long)]
    pub post: bool,
    /// Review this head anew although it was reviewed before
    #[arg(long)]
    pub again: bool,
}

pub fn run(global: &Global, args: &ReviewArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let repo = args.repo.as_deref().map(str::parse::<RepoName>).transpose();
    let order = ReviewOrder {
        name: args.pull_request.trim().to_owned(),
        repo: repo.map_err(|error| Failure::usage(error.to_string()))?,
        post: args.post,
        again: args.again,
    };
    let options = options(Arc::new(Progress::new()), vec![], false, "review")?;
    match review(&vault, options, &order)? {
        None => Ok(Exit::Waiting),
        Some(Reviewed::Waits(wait)) => {
            output::say(format!("not reviewed: {}", note::plain(&wait.why)));
            output::say(format!("  to go on: {}", note::plain(&wait.unblock)));
            Ok(Exit::Waiting)
        }
        Some(Reviewed::Done(report)) => {
            match global.format {
                Format::Json => output::json(&report)?,
                _ => print(&report),
            }
            Ok(match (report.review.template, report.blocks) {
                (true, _) => Exit::Waiting,
                (false, true) => Exit::Errors,
                (false, false) => Exit::Done,
            })
        }
    }
}

fn print(report: &ReviewReport) {
    let from = if report.from_fork { "a fork" } else { "a branch of the repository" };
    output::line(format!(
        "{} at {} by {}, from {from}",
        report.pull_request,
        report.head.short(),
        note::plain(&report.author)
    ));
    let verdict = match (report.review.template, report.blocks) {
        (true, _) => "no model could review it",
        (false, true) => "something blocks it",
        (false, false) => "nothing found that blocks it",
    };
    output::line(format!("{verdict}: {}", one_line(&report.review.summary)));
    findings("found by the reviewer", &report.review.findings);
    findings("found by rules", &report.found);
    let known = if report.known { ", reviewed before" } else { "" };
    let posted = if report.posted { " · said there" } else { "" };
    output::line("");
    output::line(format!(
        "{}{known} · {}, {} tokens, {} calls{posted}",
        report.run, report.spent.usd, report.spent.tokens, report.spent.calls
    ));
}

fn findings(title: &str, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    output::line("");
    output::line(format!("{title}:"));
    for finding in findings {
        let place = match (finding.file.as_str(), finding.line) {
            ("", _) => String::new(),
            (file, Some(line)) => format!("{file}:{line}: "),
            (file, None) => format!("{file}: "),
        };
        let rule = if finding.rule.is_empty() { String::new() } else { format!(" ({})", finding.rule) };
        let line = format!("{place}{}{rule}", finding.message);
        output::line(format!("  {} {}", output::severity_mark(finding.severity), one_line(&line)));
        if !finding.suggestion.trim().is_empty() {
            output::line(format!("      → {}", one_line(&finding.suggestion)));
        }
    }
}

fn one_line(text: &str) -> String {
    note::plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
