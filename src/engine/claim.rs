//! Claims a run before anything is done for it, where the vault has a remote that other machines may share.
//!
//! Keeping the books once claims nothing: it looks after runs of every machine.

use super::event_loop::Engine;
use super::observe::Observation;
use super::{EngineError, Said};
use crate::domain::RunId;
use crate::vault::{Claimed, History, machine};

impl Engine {
    /// Hears who works on what. Where the remote cannot be reached nothing is known, and nothing can be claimed either.
    pub(super) async fn hear_of_claims(&mut self) -> Result<(), EngineError> {
        if !self.look()?.snapshot.config.settings.sync_remote {
            return Ok(());
        }
        let vault = self.vault.clone();
        let heard = tokio::task::spawn_blocking(move || History::open(&vault)?.hear_of_claims()).await?;
        if let Err(error) = heard {
            tracing::info!(%error, "the claims of other machines are not known");
        }
        Ok(())
    }

    /// Whether another machine has this run; claims it for this one where nobody has. The next look knows of the other.
    pub(super) async fn is_claimed_elsewhere(
        &mut self,
        look: &Observation,
        run: &RunId,
    ) -> Result<bool, EngineError> {
        if self.books_only || !look.snapshot.config.settings.sync_remote || self.claimed.contains(run) {
            return Ok(false);
        }
        let over = look.state_of(run).is_some_and(|state| state.ended.is_some());
        if over {
            return Ok(false);
        }
        let take_over = look.feature(&run.feature).is_some_and(|view| view.asked);
        let (vault, id) = (self.vault.clone(), run.clone());
        let claimed = tokio::task::spawn_blocking(move || {
            History::open(&vault)?.claim(&id, &machine(&vault), take_over)
        });
        match claimed.await? {
            Ok(Claimed::Theirs(other)) => {
                let what = format!("{run} is left to `{other}`, which claimed it first");
                self.say(&Said::Did { feature: run.feature.to_string(), what });
                Ok(true)
            }
            Ok(Claimed::Ours | Claimed::NoRemote) => {
                self.claimed.insert(run.clone());
                Ok(false)
            }
            Err(error) => Err(EngineError::NotClaimed { run: run.to_string(), source: error }),
        }
    }
}
