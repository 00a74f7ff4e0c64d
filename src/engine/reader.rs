//! A look without an engine: for commands that only show. Takes no lock and changes nothing.

use super::observe::{Circumstances, Observation, Observer, worktrees_folder};
use super::{EngineError, RunBook};
use crate::decide;
use crate::domain::{Diagnostic, FeatureId, Plan};
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
    let (book, damage) = RunBook::load(vault)?;
    let circumstances =
        Circumstances { asked: asked.to_vec(), only_asked: !asked.is_empty(), ..Circumstances::default() };
    let observation = Observer::new(vault).look(&book, &history, &circumstances)?;
    let plan = decide::decide(&observation.snapshot);
    Ok(Seen { observation, plan, book, damage })
}

impl Seen {
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
