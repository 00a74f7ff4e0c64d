//! Says when to look at the vault again: file events gathered for a moment, and a full look every so often that works
//! alone where events do not (network drives).
//!
//! An event is a hint, never a fact: it does not say what happened, only where to look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::{Vault, VaultError};
use crate::domain::NotePath;

/// Above this many waiting paths a full look is cheaper, and safer.
const BACKLOG: usize = 4_096;
/// A burst that does not end is not waited for longer than this many debounce times.
const LONGEST_BURST: u32 = 20;

/// Look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Something happened at these paths: files or folders, sorted.
    Changed(Vec<NotePath>),
    /// Time for a full look, or events were lost.
    Poll,
}

/// Watches until dropped.
#[derive(Debug)]
pub struct Watch {
    task: JoinHandle<()>,
    reason: Option<String>,
}

enum Hint {
    Path(NotePath),
    Lost,
}

impl Watch {
    /// Starts to watch; must be called within a tokio runtime. Where the system gives no file events, polling goes on
    /// alone and [`Watch::mode`] says why.
    ///
    /// # Errors
    /// None today; polling always works.
    pub fn start(
        vault: &Vault,
        debounce: Duration,
        poll: Duration,
    ) -> Result<(Self, mpsc::Receiver<Look>), VaultError> {
        let (hints, waiting) = mpsc::unbounded_channel();
        let (looks, receiver) = mpsc::channel(1);
        let (watched, reason) = match Watched::start(vault, hints) {
            Ok(watched) => (Some(watched), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let task =
            tokio::spawn(gather(waiting, watched, looks, debounce, poll.max(Duration::from_millis(1))));
        Ok((Self { task, reason }, receiver))
    }

    /// `events+poll`, or `poll only: ` and the reason.
    pub fn mode(&self) -> String {
        match &self.reason {
            None => "events+poll".to_owned(),
            Some(reason) => format!("poll only: {reason}"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The system's watcher and the folders it was given. Each top-level folder that matters is watched by itself: `.git` and
/// `.ado` hold worktrees and objects without number.
struct Watched {
    watcher: RecommendedWatcher,
    root: PathBuf,
    runs: String,
}

impl Watched {
    fn start(vault: &Vault, hints: mpsc::UnboundedSender<Hint>) -> notify::Result<Self> {
        let root = vault.root().to_owned();
        let runs = vault.folders().map_or_else(|_| "60_runs".to_owned(), |folders| folders.runs().to_owned());
        let (seen_root, seen_runs) = (root.clone(), runs.clone());
        // The callback only queues: a slow one loses events without a word.
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Sending fails only while the watch is being dropped.
            let send = |hint| drop(hints.send(hint));
            let Ok(event) = event else { return send(Hint::Lost) };
            if event.need_rescan() {
                send(Hint::Lost);
            }
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            event
                .paths
                .iter()
                .filter_map(|path| hint(&seen_root, &seen_runs, path))
                .map(Hint::Path)
                .for_each(send);
        })?;
        let mut watched = Self { watcher, root, runs };
        watched.watcher.watch(&watched.root, RecursiveMode::NonRecursive)?;
        for entry in std::fs::read_dir(&watched.root).map_err(notify::Error::io)?.filter_map(Result::ok) {
            if let Some(path) = hint(&watched.root, &watched.runs, &entry.path()) {
                watched.add(&path)?;
            }
        }
        Ok(watched)
    }

    /// Watches a top-level folder, also one that appeared later. What is already in it needs a look of its own, which
    /// the hint that led here brings.
    fn add(&mut self, path: &NotePath) -> notify::Result<()> {
        let absolute = self.root.join(path.as_str());
        let is_folder = std::fs::symlink_metadata(&absolute).is_ok_and(|metadata| metadata.is_dir());
        if path.folder().is_empty() && is_folder {
            self.watcher.watch(&absolute, RecursiveMode::Recursive)?;
        }
        Ok(())
    }
}

/// The path in the vault, unless it is one that no look depends on.
fn hint(root: &Path, runs: &str, path: &Path) -> Option<NotePath> {
    let inside = path.strip_prefix(root).ok()?.to_str()?;
    let ignored = inside.split('/').any(|part| part.starts_with(['.', '~']) || part.ends_with(".tmp"));
    let is_run = inside == runs || super::folders::is_below(inside, runs);
    if ignored || is_run { None } else { NotePath::new(inside).ok() }
}

/// Gathers hints until none came for `debounce`, then says so; says `Poll` in between. A look that was not taken yet is
/// joined with the next one, so a slow receiver is never flooded.
async fn gather(
    mut waiting: mpsc::UnboundedReceiver<Hint>,
    mut watched: Option<Watched>,
    looks: mpsc::Sender<Look>,
    debounce: Duration,
    poll: Duration,
) {
    let mut paths: BTreeSet<NotePath> = BTreeSet::new();
    let mut lost = false;
    let mut events = true;
    let mut due: Option<(Instant, Instant)> = None;
    let mut timer = interval_at(Instant::now() + poll, poll);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let quiet = due.map_or_else(Instant::now, |(quiet, longest)| quiet.min(longest));
        tokio::select! {
            hint = waiting.recv(), if events => {
                match hint {
                    Some(Hint::Path(path)) => {
                        if let Some(Err(error)) = watched.as_mut().map(|watched| watched.add(&path)) {
                            tracing::warn!(%path, %error, "a new folder is not watched; polling goes on");
                        }
                        paths.insert(path);
                    }
                    Some(Hint::Lost) => lost = true,
                    None => { events = false; continue; }
                }
                lost |= paths.len() > BACKLOG;
                let now = Instant::now();
                let longest = due.map_or(now + debounce * LONGEST_BURST, |(_, longest)| longest);
                due = Some((now + debounce, longest));
            }
            () = sleep_until(quiet), if due.is_some() => {
                let look = if lost {
                    Look::Poll
                } else {
                    Look::Changed(paths.iter().cloned().collect())
                };
                match looks.try_send(look) {
                    Ok(()) => { paths.clear(); lost = false; due = None; }
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        let now = Instant::now();
                        due = Some((now + debounce.max(Duration::from_millis(1)), now + debounce * LONGEST_BURST));
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => return,
                }
            }
            _ = timer.tick() => {
                if matches!(looks.try_send(Look::Poll), Err(mpsc::error::TrySendError::Closed(_))) {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_leave_out_what_no_look_depends_on() {
        let hint =
            |path: &str| hint(Path::new("/v"), "60_runs", &Path::new("/v").join(path)).map(String::from);
        assert_eq!(
            hint("10_features/03_planned/FR-1 A.md").as_deref(),
            Some("10_features/03_planned/FR-1 A.md")
        );
        for path in
            [".git/index", ".ado/lock", "60_runs/FR-1/1/journal.jsonl", "10_features/.ado-tmp-1", "x.md.tmp"]
        {
            assert_eq!(hint(path), None, "{path}");
        }
    }
}
