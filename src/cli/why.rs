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
    let why = report::why(view, &seen.plan);
    if global.format == Format::Json {
        output::json(&why)?;
        return Ok(Exit::Done);
    }
    let status = why.status.map(|status| status.to_string()).unwrap_or_default();
    println!("{} {} · {status}", why.feature, why.title);
    println!("  {}", why.path);
    println!("  next: {}", why.next);
    if !why.reason.is_empty() {
        println!("  because: {}", why.reason);
    }
    if let Some(wait) = &why.wait {
        println!("  why: {}", note::plain(&wait.why));
        println!("  to go on: {}", note::plain(&wait.unblock));
    }
    if let Some(brake) = &why.brake {
        println!("  stopped by: {brake}");
    }
    if let Some(triage) = &why.triage {
        println!("  tier: {} (complexity {} of 100, risk {})", triage.tier, triage.complexity, triage.risk);
    }
    println!("  spent: {}, {} tokens, {} calls", why.spent.usd, why.spent.tokens, why.spent.calls);
    for diagnostic in why.diagnostics.iter().chain(&seen.observation.snapshot.config.problems) {
        println!("  {} {diagnostic}", output::severity_mark(diagnostic.severity));
    }
    Ok(Exit::Done)
}
