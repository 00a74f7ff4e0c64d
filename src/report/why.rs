//! Why a feature is where it is, what comes next, and what would unblock it.

use serde::Serialize;

use crate::domain::{DecisionKind, Diagnostic, FeatureView, Plan, Spent, Status, Triage, Unwell, Wait};
use crate::note;

/// The answer to "why": derived from the same decision that the engine would make now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhyReport {
    pub feature: String,
    pub title: String,
    pub path: String,
    pub status: Option<Status>,
    /// What happens next, in a sentence.
    pub next: String,
    /// Why that and why now.
    pub reason: String,
    pub wait: Option<Wait>,
    /// Why nothing can be written now, whatever comes next.
    pub paused: Option<String>,
    /// Providers and models that are not asked now; filled in where it waits for one.
    pub unwell: Vec<Unwell>,
    pub triage: Option<Triage>,
    /// Spent over all runs.
    pub spent: Spent,
    /// What is wrong with the note.
    pub diagnostics: Vec<Diagnostic>,
    /// The brake that stopped the run.
    pub brake: Option<String>,
}

/// Explains one feature.
pub fn why(view: &FeatureView, plan: &Plan) -> WhyReport {
    let feature = &view.feature;
    let decision = plan.decisions.iter().find(|decision| decision.path == feature.path);
    let (next, wait) = match decision.map(|decision| &decision.verdict) {
        Some(DecisionKind::Do { effect }) => (format!("will {}", effect.in_words()), None),
        Some(DecisionKind::Wait { wait }) => (format!("waits for {}", wait.on), Some(wait.clone())),
        Some(DecisionKind::Rest) => ("nothing to do".to_owned(), None),
        None => ("not looked at: the note is outside the status folders or unreadable".to_owned(), None),
    };
    let run = view.run();
    WhyReport {
        feature: feature.label().to_owned(),
        title: note::plain(&feature.title),
        path: feature.path.to_string(),
        status: feature.folder,
        next: note::plain(&next),
        reason: decision.map(|decision| note::plain(&decision.reason)).unwrap_or_default(),
        wait,
        paused: None,
        unwell: vec![],
        triage: run.and_then(|run| run.triage.clone()),
        spent: view.spent(),
        diagnostics: feature.diagnostics.clone(),
        brake: run
            .and_then(|run| run.brake.as_ref())
            .map(|(brake, detail)| format!("{brake}: {}", note::plain(detail))),
    }
}
