//! Where every feature stands, as rows.

use std::collections::HashMap;

use serde::Serialize;

use crate::domain::{
    Diagnostic, FeatureId, FeatureView, NotePath, Plan, Snapshot, Spent, Status, Unwell, Usd, Wait,
};
use crate::note;

/// The state of the vault at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusReport {
    /// Features that are not at rest, then those that are, each by status and id.
    pub features: Vec<StatusRow>,
    pub problems: Vec<Diagnostic>,
    /// Spent today (UTC) over all features.
    pub today: Spent,
    /// Spent tonight, within the hours of the overnight session.
    pub tonight: Option<Spent>,
    /// The process that works on the vault now.
    pub engine: Option<Holder>,
    /// Why nothing can be written now.
    pub paused: Option<String>,
    /// Providers and models that are not asked now, and until when.
    pub unwell: Vec<Unwell>,
    /// Bytes that worktrees take.
    pub worktree_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub pid: u32,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusRow {
    pub id: Option<FeatureId>,
    pub title: String,
    pub path: String,
    pub status: Option<Status>,
    pub step: Option<String>,
    pub tier: Option<String>,
    /// What it waits for, empty when it does not.
    pub waiting_on: String,
    pub needs_human: bool,
    pub cost: Usd,
    pub pr: Option<String>,
}

/// One row for each feature that is at work, waits, or is planned; ideas, done and dropped ones only when `all`.
pub fn status(snapshot: &Snapshot, plan: &Plan, all: bool) -> Vec<StatusRow> {
    let waits: HashMap<&NotePath, &Wait> =
        plan.waits().map(|(decision, wait)| (&decision.path, wait)).collect();
    let mut rows: Vec<StatusRow> = snapshot
        .features
        .iter()
        .filter(|view| {
            all || !matches!(view.feature.folder, Some(Status::Ideas | Status::Done | Status::Dropped) | None)
        })
        .map(|view| row(view, waits.get(&view.feature.path).copied()))
        .collect();
    rows.sort_by_key(|row| (row.status.map_or(9, order), row.id.as_ref().map(FeatureId::number)));
    rows
}

fn row(view: &FeatureView, wait: Option<&Wait>) -> StatusRow {
    let feature = &view.feature;
    let run = view.live_run();
    StatusRow {
        id: feature.id.clone(),
        title: note::plain(&feature.title),
        path: feature.path.to_string(),
        status: feature.folder,
        step: run.and_then(|run| run.last_try()).map(|step| step.key.to_string()),
        tier: view.run().and_then(|run| run.triage.as_ref()).map(|triage| triage.tier.to_string()),
        waiting_on: wait.map(|wait| note::plain(&wait.on)).unwrap_or_default(),
        needs_human: wait.is_some_and(|wait| wait.needs_human),
        cost: view.spent().usd,
        pr: view.run().and_then(|run| run.pr.as_ref()).map(|pr| pr.key.clone()),
    }
}

/// What is at work first, then what comes next.
fn order(status: Status) -> u8 {
    match status {
        Status::InProgress => 0,
        Status::Review => 1,
        Status::Planned => 2,
        Status::New => 3,
        Status::Ideas => 4,
        Status::Done => 5,
        Status::Dropped => 6,
    }
}
