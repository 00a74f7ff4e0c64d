//! `ado-vault why`: why a feature is where it is.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, find, open_vault};
use super::{Exit, Failure, output};
use crate::engine::see;
use crate::note;
use crate::report;

/// Why a feature is where it is, what comes next, and what would unblock it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault why FR-001")]
pub struct WhyArgs {
    #[arg(value_name = "FR")]
    pub feature: String,
}

pub fn run(global: &Global, args: &WhyArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let seen = see(&vault, &[])?;
    let view = find(&seen.observation, &feature_id(&args.feature)?)?;
    let mut why = report::why(view, &seen.plan);
    why.paused.clone_from(&seen.observation.paused);
    if why.wait.as_ref().is_some_and(|wait| matches!(wait.on.as_str(), "quota" | "retry")) {
        why.unwell.clone_from(&seen.observation.snapshot.unwell);
    }
    if global.format == Format::Json {
        output::json(&why)?;
        return Ok(Exit::Done);
    }
    let status = why.status.map(|status| status.to_string()).unwrap_or_default();
    output::line(format!("{} {} · {status}", why.feature, why.title));
    output::line(format!("  {}", why.path));
    output::line(format!("  next: {}", why.next));
    if let Some(paused) = &why.paused {
        output::line(format!("  paused: {}", note::plain(paused)));
    }
    if !why.reason.is_empty() {
        output::line(format!("  because: {}", why.reason));
    }
    if let Some(wait) = &why.wait {
        let more = note::plain(&wait.why);
        if more != why.reason {
            output::line(format!("  why: {more}"));
        }
        output::line(format!("  to go on: {}", note::plain(&wait.unblock)));
    }
    for unwell in &why.unwell {
        output::line(format!("  {}", output::unwell(unwell)));
    }
    if let Some(brake) = &why.brake {
        output::line(format!("  stopped by: {brake}"));
    }
    if let Some(triage) = &why.triage {
        output::line(format!(
            "  tier: {} (complexity {} of 100, risk {})",
            triage.tier, triage.complexity, triage.risk
        ));
    }
    output::line(format!(
        "  spent: {}, {} tokens, {} calls",
        why.spent.usd, why.spent.tokens, why.spent.calls
    ));
    for diagnostic in why.diagnostics.iter().chain(&seen.observation.snapshot.config.problems) {
        output::line(format!("  {} {diagnostic}", output::severity_mark(diagnostic.severity)));
    }
    Ok(Exit::Done)
}
