//! `ado-vault score`: the complexity of a feature, point by point.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, find, open_vault};
use super::{Exit, Failure, output};
use crate::engine::see;
use crate::note;

/// The complexity, risk and novelty of a feature, with the facts they rest on
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault score FR-001")]
pub struct ScoreArgs {
    #[arg(value_name = "FR")]
    pub feature: String,
}

pub fn run(global: &Global, args: &ScoreArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let seen = see(&vault, &[])?;
    let view = find(&seen.observation, &feature_id(&args.feature)?)?;
    let triage = seen.triage(view);
    if global.format == Format::Json {
        output::json(&triage)?;
        return Ok(Exit::Done);
    }
    output::line(format!("{} {}", view.feature.label(), note::plain(&view.feature.title)));
    output::line(format!(
        "  complexity {} of 100 → {}, strategy {}",
        triage.complexity, triage.tier, triage.strategy
    ));
    let mut table = output::table(&["criterion", "points", "because"]);
    for points in &triage.points {
        table.add_row([
            points.criterion.clone(),
            format!("{} of {}", points.points, points.of),
            note::plain(&points.because),
        ]);
    }
    output::print_table(&table);
    output::line(format!("  risk {}: {}", triage.risk, note::plain(&triage.risk_reasons.join("; "))));
    output::line(format!("  novelty {}: {}", triage.novelty, note::plain(&triage.novelty_reason)));
    output::line(format!("  plan approval: {}", if triage.plan_approval { "asked" } else { "not asked" }));
    Ok(Exit::Done)
}
