//! Where a look has to look: at everything, or only where something is known to have happened since the last one, by what
//! this process wrote and by what the watch says.
//!
//! Does not know what is decided about what is seen.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::EngineError;
use super::event_loop::Engine;
use super::observe::{Circumstances, Observation};
use crate::domain::NotePath;
use crate::vault::{Look, Vault, VaultError, Watch};

/// How long, without a watch, nothing but what this process wrote is looked at.
const LONGEST_BLIND: Duration = Duration::from_secs(1);

/// What the next look has to look at.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// Where alone something happened since the last look; `None` where that is not known.
    changed: Option<BTreeSet<NotePath>>,
    /// What the watch says; `None` without one.
    hints: Option<mpsc::Receiver<Look>>,
    everywhere_at: Option<Instant>,
    /// Whether the last look was one at some places only.
    was_partial: bool,
}

impl Looking {
    /// Starts to hear of changes. Stops when what it gives is dropped.
    pub(super) fn watch(
        &mut self,
        vault: &Vault,
        debounce: Duration,
        poll: Duration,
    ) -> Result<Watch, VaultError> {
        let (watch, hints) = Watch::start(vault, debounce, poll)?;
        self.hints = Some(hints);
        Ok(watch)
    }

    /// The next hint; `None` when the watch has ended, or never began.
    pub(super) async fn recv(&mut self) -> Option<Look> {
        self.hints.as_mut()?.recv().await
    }

    /// The next look is where this hint, and all that came since, say.
    pub(super) fn take_hint(&mut self, hint: Option<Look>, vault: &Vault) {
        self.changed = match hint {
            Some(Look::Changed(paths)) => self.since_last_look(paths, vault),
            Some(Look::Poll) | None => None,
        };
    }

    /// The next look is where this process wrote; and where the watch says that others did. Without a watch it is at
    /// everything now and then.
    pub(super) fn at_what_was_written(&mut self, vault: &Vault) {
        let is_blind = self.hints.is_none()
            && self.everywhere_at.is_none_or(|everywhere_at| everywhere_at.elapsed() > LONGEST_BLIND);
        self.changed = if is_blind { None } else { self.since_last_look(vec![], vault) };
    }

    /// Whether a human's change may be unknown that nobody will tell of.
    pub(super) fn may_have_missed_something(&self) -> bool {
        self.was_partial && self.hints.is_none()
    }

    fn since_last_look(&mut self, mut paths: Vec<NotePath>, vault: &Vault) -> Option<BTreeSet<NotePath>> {
        while let Some(Ok(hint)) = self.hints.as_mut().map(mpsc::Receiver::try_recv) {
            match hint {
                Look::Changed(more) => paths.extend(more),
                Look::Poll => return None,
            }
        }
        let mut changed = vault.take_written();
        changed.extend(paths);
        Some(changed)
    }
}

impl Engine {
    /// One look: where something happened if that is known, else at everything.
    pub fn look(&mut self) -> Result<Observation, EngineError> {
        let circumstances = Circumstances {
            in_flight: self.in_flight.iter().map(|(run, flight)| (run.clone(), flight.key)).collect(),
            pull_requests: self.abroad.seen.clone(),
            asked: self.only.clone(),
            only_asked: !self.only.is_empty(),
            no_sandbox: self.no_sandbox.clone(),
            is_paced: !self.books_only,
            held: self.held.clone(),
            owed: self.owed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        let changed = self.looking.changed.take();
        self.looking.was_partial = changed.is_some();
        let look = match changed {
            Some(paths) => {
                let paths: Vec<NotePath> = paths.into_iter().collect();
                self.observer.look_at(&paths, &self.book, &self.history, &circumstances)
            }
            None => {
                // Whatever was written until now is seen.
                self.vault.take_written();
                self.looking.everywhere_at = Some(Instant::now());
                self.observer.look(&self.book, &self.history, &circumstances)
            }
        }?;
        self.history.set_hooks(look.snapshot.config.settings.commit_hooks);
        Ok(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{VaultLock, create, init};

    fn path(path: &str) -> NotePath {
        NotePath::new(path).unwrap()
    }

    fn places(looking: &Looking) -> Option<Vec<&str>> {
        looking.changed.as_ref().map(|changed| changed.iter().map(NotePath::as_str).collect())
    }

    #[test]
    fn after_its_own_writes_the_engine_looks_where_it_wrote_and_where_others_are_known_to_have() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path()).unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let mut looking = Looking::default();
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), None, "nothing was looked at yet");

        let lock = VaultLock::acquire(&vault).unwrap();
        vault.take_written();
        looking.everywhere_at = Some(Instant::now());
        create(&lock, &vault, &path("10_features/A.md"), "a\n").unwrap();
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), Some(vec!["10_features/A.md"]));
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), Some(vec![]), "once");
        looking.everywhere_at = Instant::now().checked_sub(LONGEST_BLIND * 2);
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), None, "without a watch others are looked for now and then");

        let (hints, receiver) = mpsc::channel(2);
        looking.hints = Some(receiver);
        create(&lock, &vault, &path("10_features/B.md"), "b\n").unwrap();
        hints.try_send(Look::Changed(vec![path("10_features/Human.md")])).unwrap();
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), Some(vec!["10_features/B.md", "10_features/Human.md"]));
        hints.try_send(Look::Poll).unwrap();
        looking.at_what_was_written(&vault);
        assert_eq!(places(&looking), None, "events were lost, or it is time");
        hints.try_send(Look::Changed(vec![path("C.md")])).unwrap();
        looking.take_hint(Some(Look::Changed(vec![path("D.md")])), &vault);
        assert_eq!(places(&looking), Some(vec!["C.md", "D.md"]));
        looking.take_hint(None, &vault);
        assert_eq!(places(&looking), None);
    }
}
