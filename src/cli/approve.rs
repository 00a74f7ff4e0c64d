//! `ado-vault approve`: what ticking `approved` in the note does.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, find, open_vault};
use super::{Exit, Failure, output};
use crate::engine::see;
use crate::note::{self, PropertyValue};
use crate::report;

/// Pass the gate that a feature waits at, or let a stopped run go on
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault approve FR-001")]
pub struct ApproveArgs {
    #[arg(value_name = "FR")]
    pub feature: String,
}

pub fn run(global: &Global, args: &ApproveArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    let seen = see(&vault, &[])?;
    let view = find(&seen.observation, &feature_id(&args.feature)?)?;
    let why = report::why(view, &seen.plan);
    let Some(wait) = why.wait.filter(|wait| wait.needs_human) else {
        return Err(Failure::errors(format!(
            "{} does not wait for an approval: {} ({})",
            why.feature, why.next, why.reason
        )));
    };
    let sets = [("approved".to_owned(), Some(PropertyValue::Bool(true)))];
    super::set::set_in(&vault, &view.feature.path, &sets)?;
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "feature": why.feature, "approved": wait.on }))?;
    } else {
        output::line(format!("{}: approved; it waited on {}", why.feature, note::plain(&wait.on)));
    }
    Ok(Exit::Done)
}
