//! `ado-vault approve`: what ticking `approved` in the note does.

use clap::Args;

use super::args::{Format, Global};
use super::session::{feature_id, find, open_vault};
use super::{Exit, Failure, output};
use crate::domain::{ApprovalAuthority, NotePath};
use crate::engine::see;
use crate::note::{self, PropertyValue};
use crate::report;
use crate::vault::{CommitMessage, History, Vault, VaultLock};

/// Pass the gate that a feature waits at, or let a stopped run go on
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault approve FR-001

Where approvals must be signed (`approval_authority: signed`) the tick is committed and signed with your git key.")]
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
    let tick = |ticked| [("approved".to_owned(), Some(PropertyValue::Bool(ticked)))];
    super::set::set_in(&vault, &view.feature.path, &tick(true))?;
    let authority = seen.observation.snapshot.config.settings.approval_authority;
    let is_of_gate = view.run().is_some_and(|run| run.asked.is_some() && run.brake.is_none());
    if authority == ApprovalAuthority::Signed
        && is_of_gate
        && let Err(error) = sign(&vault, &view.feature.path, &why.feature, &wait.on)
    {
        super::set::set_in(&vault, &view.feature.path, &tick(false))?;
        return Err(error);
    }
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "feature": why.feature, "approved": wait.on }))?;
    } else {
        output::line(format!("{}: approved; it waited on {}", why.feature, note::plain(&wait.on)));
    }
    Ok(Exit::Done)
}

/// Makes the tick a commit of its own, signed by whoever runs the command.
fn sign(vault: &Vault, path: &NotePath, feature: &str, gate: &str) -> Result<(), Failure> {
    let message = CommitMessage {
        subject: format!("{feature}: approve, it waits on {gate}"),
        ..CommitMessage::default()
    };
    let lock = VaultLock::acquire(vault)?;
    History::open(vault)?.commit_signed(&lock, std::slice::from_ref(path), &message)?;
    Ok(())
}
