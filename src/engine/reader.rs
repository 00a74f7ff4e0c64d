//! A look without an engine: for commands that only show. Takes no lock and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::observe::{Circumstances, Observation, Observer, worktrees_folder};
use super::sighting::seen_here;
use super::{EngineError, Quiet, RunBook};
use crate::decide;
use jiff::Timestamp;

use crate::domain::{Diagnostic, FeatureId, FeatureView, ForgeKind, Plan, PullRequestView, RunId, Triage};
use crate::forge::LocalForge;
use crate::vault::{History, Vault};

/// The vault as it is now and what would be decided about it.
pub struct Seen {
    pub observation: Observation,
    pub plan: Plan,
    pub book: RunBook,
    /// Damage found in journals.
    pub damage: Vec<Diagnostic>,
}

/// Looks once. `asked` are the features that a `run FR…` would be limited to.
pub fn see(vault: &Vault, asked: &[FeatureId]) -> Result<Seen, EngineError> {
    let history = History::open(vault)?;
    let (book, damage) = RunBook::load(vault, Arc::new(Quiet))?;
    let circumstances = Circumstances {
        pull_requests: pull_requests(vault, &book)?,
        asked: asked.to_vec(),
        only_asked: !asked.is_empty(),
        ..Circumstances::default()
    };
    let observation = Observer::new(vault).look(&book, &history, &circumstances)?;
    let plan = decide::decide(&observation.snapshot);
    Ok(Seen { observation, plan, book, damage })
}

/// Open pull requests of the built-in forge. Others are asked by the engine alone, which keeps their limits.
fn pull_requests(vault: &Vault, book: &RunBook) -> Result<BTreeMap<RunId, PullRequestView>, EngineError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(EngineError::Runtime)?;
    let forge = LocalForge::new(vault.clone(), Timestamp::now());
    let mut views = BTreeMap::new();
    for state in book.all() {
        if let (Some(pr), None) = (&state.pr, &state.ended)
            && pr.forge == ForgeKind::Local
            && let Ok(view) = runtime.block_on(seen_here(&forge, &state, pr))
        {
            views.insert(state.id.clone(), view);
        }
    }
    Ok(views)
}

impl Seen {
    /// The score of a feature with everything that is known of it now.
    pub fn triage(&self, view: &FeatureView) -> Triage {
        let snapshot = &self.observation.snapshot;
        let plan = view.run().and_then(|run| run.plan.as_ref());
        decide::triage(&view.feature, &snapshot.features, &snapshot.config, plan)
    }

    /// Bytes under the worktrees folder.
    pub fn worktree_bytes(&self, vault: &Vault) -> u64 {
        let root = worktrees_folder(vault, &self.observation.snapshot.config);
        walkdir::WalkDir::new(root)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|metadata| metadata.len())
            .sum()
    }
}
