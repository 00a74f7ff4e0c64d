//! `ado-vault status`: where every feature stands.

use clap::Args;

use super::args::{Format, Global};
use super::session::open_vault;
use super::{Exit, Failure, output};
use crate::engine::see;
use crate::note;
use crate::report::{self, Holder, StatusReport, StatusRow};
use crate::vault::WatchLock;

/// Where every feature stands, what waits for you, and what was spent
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault status\n  ado-vault status --all --format json")]
pub struct StatusArgs {
    /// Ideas, done and dropped features too
    #[arg(long)]
    pub all: bool,
}

pub fn run(global: &Global, args: &StatusArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let seen = see(&vault, &[])?;
    let snapshot = &seen.observation.snapshot;
    let report = StatusReport {
        features: report::status(snapshot, &seen.plan, args.all),
        problems: snapshot.config.problems.iter().chain(&seen.damage).cloned().collect(),
        today: snapshot.spent_today,
        tonight: snapshot
            .config
            .settings
            .overnight
            .and_then(|hours| hours.holding(snapshot.now))
            .map(|_| snapshot.spent_tonight),
        engine: WatchLock::holder(&vault).map(|(pid, what)| Holder { pid, what }),
        paused: seen.observation.paused.clone(),
        unwell: snapshot.unwell.clone(),
        worktree_bytes: seen.worktree_bytes(&vault),
    };
    if global.format == Format::Json {
        output::json(&report)?;
        return Ok(Exit::Done);
    }
    if report.features.is_empty() {
        output::line("nothing planned or at work; `ado-vault new \"Title\"` writes a feature note");
    } else {
        print_rows(&report.features);
    }
    for problem in &report.problems {
        output::line(format!("{} {problem}", output::severity_mark(problem.severity)));
    }
    if let Some(why) = &report.paused {
        output::line(format!("paused: {}", note::plain(why)));
    }
    for unwell in &report.unwell {
        output::line(output::unwell(unwell));
    }
    output::line("");
    let engine = match &report.engine {
        Some(holder) => format!("{} runs as process {}", holder.what, holder.pid),
        None => "nothing is running; `ado-vault watch` starts work".to_owned(),
    };
    let tonight = report.tonight.map(|spent| format!(" · tonight {}, {} tokens", spent.usd, spent.tokens));
    let tonight = tonight.unwrap_or_default();
    output::line(format!(
        "today {}, {} tokens, {} calls{tonight} · worktrees {} · {engine}",
        report.today.usd,
        report.today.tokens,
        report.today.calls,
        indicatif::HumanBytes(report.worktree_bytes)
    ));
    Ok(Exit::Done)
}

/// The rows as a table.
pub fn print_rows(rows: &[StatusRow]) {
    if rows.is_empty() {
        return;
    }
    let mut table = output::table(&["id", "title", "status", "step", "waits for", "cost", "pull request"]);
    for row in rows {
        table.add_row([
            row.id.as_ref().map(ToString::to_string).unwrap_or_default(),
            row.title.clone(),
            row.status.map(|status| status.to_string()).unwrap_or_default(),
            row.step.clone().unwrap_or_default(),
            row.waiting_on.clone(),
            row.cost.to_string(),
            row.pr.clone().unwrap_or_default(),
        ]);
    }
    output::print_table(&table);
}
