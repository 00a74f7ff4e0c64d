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
use crate::domain::{NotePath, is_within};

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

#[derive(Debug, PartialEq, Eq)]
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
        let watcher = notify::recommended_watcher(move |event| {
            // Sending fails only while the watch is being dropped.
            hear(event, &seen_root, &seen_runs, |hint| drop(hints.send(hint)));
        })?;
        let mut watched = Self { watcher, root, runs };
        watched.add_all()?;
        Ok(watched)
    }

    /// Watches every folder that matters, also those whose appearance was missed. A second time does no harm.
    fn add_all(&mut self) -> notify::Result<()> {
        self.watcher.watch(&self.root, RecursiveMode::NonRecursive)?;
        for entry in std::fs::read_dir(&self.root).map_err(notify::Error::io)?.filter_map(Result::ok) {
            if let Some(path) = hint(&self.root, &self.runs, &entry.path()) {
                self.add(&path)?;
            }
        }
        Ok(())
    }

    /// Watches a folder, also one that appeared later. What came into it before needs a look of its own, which the hint
    /// that led here brings; so the look must come after this.
    fn add(&mut self, path: &NotePath) -> notify::Result<()> {
        let absolute = self.root.join(path.as_str());
        if !std::fs::symlink_metadata(&absolute).is_ok_and(|metadata| metadata.is_dir()) {
            return Ok(());
        }
        match self.watcher.watch(&absolute, RecursiveMode::Recursive) {
            // A folder that is gone again needs no watch.
            Err(_) if !absolute.exists() => Ok(()),
            watched => watched,
        }
    }
}

/// What the system says happened, as hints.
fn hear(event: notify::Result<Event>, root: &Path, runs: &str, send: impl Fn(Hint)) {
    let Ok(event) = event else { return send(Hint::Lost) };
    if event.need_rescan() {
        send(Hint::Lost);
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    event.paths.iter().filter_map(|path| hint(root, runs, path)).map(Hint::Path).for_each(send);
}

/// The path in the vault, unless it is one that no look depends on.
fn hint(root: &Path, runs: &str, path: &Path) -> Option<NotePath> {
    let inside = path.strip_prefix(root).ok()?.to_str()?;
    let ignored = inside.split('/').any(|part| part.starts_with(['.', '~']) || part.ends_with(".tmp"));
    if ignored || is_within(inside, runs) { None } else { NotePath::new(inside).ok() }
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
                    Some(Hint::Lost) => {
                        // Folders may have come whose own events are lost with the rest.
                        if let Some(Err(error)) = watched.as_mut().map(Watched::add_all) {
                            tracing::warn!(%error, "not every folder is watched; polling goes on");
                        }
                        lost = true;
                    }
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

    use notify::event::{AccessKind, CreateKind, Flag};

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(3600);

    fn heard(event: notify::Result<Event>) -> Vec<Hint> {
        let hints = std::cell::RefCell::new(vec![]);
        hear(event, Path::new("/v"), "60_runs", |hint| hints.borrow_mut().push(hint));
        hints.into_inner()
    }

    fn path(path: &str) -> Hint {
        Hint::Path(NotePath::new(path).unwrap())
    }

    #[test]
    fn a_queue_that_ran_over_and_an_error_of_the_system_mean_that_events_were_lost() {
        assert_eq!(heard(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan))), [Hint::Lost]);
        assert_eq!(heard(Err(notify::Error::generic("queue"))), [Hint::Lost]);
        let created = Event::new(EventKind::Create(CreateKind::File)).add_path("/v/a.md".into());
        assert_eq!(heard(Ok(created.clone())), [path("a.md")]);
        assert_eq!(heard(Ok(created.set_flag(Flag::Rescan))), [Hint::Lost, path("a.md")]);
        let read = Event::new(EventKind::Access(AccessKind::Any)).add_path("/v/a.md".into());
        assert_eq!(heard(Ok(read)), []);
    }

    #[tokio::test(start_paused = true)]
    async fn lost_events_and_a_large_backlog_become_a_full_look() {
        let (hints, waiting) = mpsc::unbounded_channel();
        let (looks, mut receiver) = mpsc::channel(1);
        let task = tokio::spawn(gather(waiting, None, looks, SHORT, LONG));
        hints.send(path("a.md")).unwrap();
        hints.send(Hint::Lost).unwrap();
        assert_eq!(receiver.recv().await, Some(Look::Poll));
        for number in 0..=BACKLOG {
            hints.send(path(&format!("{number}.md"))).unwrap();
        }
        assert_eq!(receiver.recv().await, Some(Look::Poll));
        hints.send(path("b.md")).unwrap();
        assert_eq!(receiver.recv().await, Some(Look::Changed(vec![NotePath::new("b.md").unwrap()])));
        task.abort();
    }

    /// A receiver that is busy with a look misses nothing: what came meanwhile is said when it is free.
    #[tokio::test(start_paused = true)]
    async fn a_slow_receiver_is_told_later_and_a_burst_without_end_does_not_silence_the_watch() {
        let (hints, waiting) = mpsc::unbounded_channel();
        let (looks, mut receiver) = mpsc::channel(1);
        let task = tokio::spawn(gather(waiting, None, looks, SHORT, LONG));
        for number in 0..50 {
            hints.send(path(&format!("{number}.md"))).unwrap();
            tokio::time::sleep(SHORT * 2).await;
        }
        let mut told = BTreeSet::new();
        while told.len() < 50 {
            match receiver.recv().await {
                Some(Look::Changed(paths)) => told.extend(paths),
                other => panic!("{other:?}"),
            }
        }
        let begun = Instant::now();
        let burst = tokio::spawn(async move {
            loop {
                if hints.send(path("busy.md")).is_err() {
                    return;
                }
                tokio::time::sleep(SHORT / 5).await;
            }
        });
        assert!(matches!(receiver.recv().await, Some(Look::Changed(_))));
        assert!(begun.elapsed() <= SHORT * (LONGEST_BURST + 2));
        burst.abort();
        task.abort();
    }

    /// A dropped event costs at most one poll interval.
    #[tokio::test(start_paused = true)]
    async fn without_any_event_a_look_comes_after_each_interval() {
        let (hints, waiting) = mpsc::unbounded_channel();
        let (looks, mut receiver) = mpsc::channel(1);
        let task = tokio::spawn(gather(waiting, None, looks, SHORT, LONG));
        for _ in 0..3 {
            let begun = Instant::now();
            assert_eq!(receiver.recv().await, Some(Look::Poll));
            assert!(begun.elapsed() <= LONG);
        }
        drop(hints);
        assert_eq!(receiver.recv().await, Some(Look::Poll), "also without the system's watcher");
        task.abort();
    }

    #[test]
    fn hints_leave_out_what_no_look_depends_on() {
        let hint =
            |path: &str| hint(Path::new("/v"), "60_runs", &Path::new("/v").join(path)).map(String::from);
        assert_eq!(
            hint("10_features/03_planned/FR-1 A.md").as_deref(),
            Some("10_features/03_planned/FR-1 A.md")
        );
        for path in [
            ".git/index",
            ".ado/lock",
            ".obsidian/workspace.json",
            ".trash/FR-1 A.md",
            ".github/workflows/ado-vault.yml",
            "60_runs",
            "60_runs/FR-1/1/journal.jsonl",
            "10_features/.ado-tmp-1",
            "10_features/.DS_Store",
            "10_features/.syncthing.FR-1 A.md.tmp",
            "10_features/~syncthing~FR-1 A.md.tmp",
            "10_features/.~lock.FR-1 A.md#",
            "10_features/~$FR-1 A.md",
            "10_features/.FR-1 A.md.swp",
            "x.md.tmp",
        ] {
            assert_eq!(hint(path), None, "{path}");
        }
    }
}
