//! The loop: look, decide, perform, until nothing is left to do; then wait for a change, a finished step or the time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::bell::Bell;
use super::boxes::choose_sandbox;
use super::errand::Abroad;
use super::failure::Failure;
use super::flight::{Ended, Finished, Flight};
use super::issues::IssueDesk;
use super::looking::Looking;
use super::observe::{Circumstances, Observation, Observer, fatal_problems};
use super::outside::OutsideDesk;
use super::preview::stale;
use super::progress::NO_SANDBOX;
use super::transition::{NoteChange, Scribe};
use super::{EngineError, InProcess, Listener, RunBook, Said, StepExecutor};
use crate::decide;
use crate::domain::{Effect, FeatureId, Hold, NotePath, Plan, RunId, SandboxMode, Settings};
use crate::forge::Forges;
use crate::models::{self, Health};
use crate::sandbox::Sandbox;
use crate::vault::{History, OwnTexts, Sweeper, Vault, VaultLock, WatchLock};

/// How an engine is opened.
pub struct Options {
    /// The `ado-vault` binary, which the sandbox starts again inside the box.
    pub binary: PathBuf,
    /// Run agents without a sandbox, whatever the settings say.
    pub no_sandbox: bool,
    /// Work only on these; empty means all.
    pub only: Vec<FeatureId>,
    pub listener: Arc<dyn Listener>,
    /// What the lock says of its holder: `watch`, `run`.
    pub what: &'static str,
}

/// How a foreground run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do.
    Idle,
    /// Nothing can go on without a human.
    WaitsForHuman,
    /// Something could not be done; what, was said.
    Failed,
    /// Stopped by a signal; state is saved.
    Stopped,
}

/// The vault after everything that could be done was done.
pub struct Settled {
    pub look: Observation,
    pub plan: Plan,
}

/// How often `watch` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    debounce: Duration,
    poll: Duration,
}

fn pace(settings: &Settings) -> Pace {
    Pace {
        debounce: Duration::from_millis(settings.debounce_ms),
        poll: Duration::from_secs(settings.poll_seconds.max(1)),
    }
}

/// The one engine of a vault. Holds its lock as long as it lives.
pub struct Engine {
    pub(super) vault: Vault,
    pub(super) history: History,
    pub(super) book: Arc<RunBook>,
    pub(super) sandbox: Sandbox,
    pub(super) forges: Arc<Forges>,
    pub(super) in_flight: BTreeMap<RunId, Flight>,
    pub(super) abroad: Abroad,
    pub(super) issues: IssueDesk,
    pub(super) outside: OutsideDesk,
    pub(super) bell: Bell,
    /// When a look was last rung for.
    pub(super) rang: Option<Instant>,
    pub(super) observer: Observer,
    pub(super) sweeper: Sweeper,
    pub(super) executor: Arc<dyn StepExecutor>,
    pub(super) no_sandbox: Option<String>,
    pub(super) only: Vec<FeatureId>,
    listener: Arc<dyn Listener>,
    pub(super) done_sender: mpsc::UnboundedSender<Ended>,
    pub(super) done: mpsc::UnboundedReceiver<Ended>,
    pub(super) failures: BTreeMap<String, Failure>,
    /// Problems of configuration notes that were said.
    problems: BTreeSet<String>,
    /// Other problems that were said and are not said again.
    standing: BTreeSet<String>,
    pub(super) books_only: bool,
    /// Runs that are this machine's, or nobody else can have.
    pub(super) claimed: BTreeSet<RunId>,
    /// Notes whose move would write into one that is being typed.
    pub(super) held: BTreeMap<NotePath, Hold>,
    /// Runs that did more than their notes show: those were written too lately.
    pub(super) owed: Mutex<BTreeSet<RunId>>,
    /// Whether a note was still being typed at the last look.
    settling: bool,
    /// Whether a note was written too lately at the last look to say what it waits for.
    pub(super) unsaid: bool,
    pub(super) looking: Looking,
    /// As the settings of the last look say.
    pace: Pace,
    /// What a crash left uncommitted of ado's own writing.
    pub(super) own: OwnTexts,
    /// Why nothing can be written now, and since when.
    paused: Option<(String, Instant)>,
    /// Whether something was cut off that is to be finished before anything else, by a crash or for want of room.
    pub(super) cut_off: bool,
    /// Ends of steps that could not be journalled yet.
    pub(super) unrecorded: Vec<Finished>,
    _lock: WatchLock,
}

/// Looks in a row that may each perform something before the loop yields to events.
const MOST_LOOKS: u32 = 1_000;
/// How long a run in the foreground waits before it looks again for waits that end by themselves.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// How long a run in the foreground waits until the vault can be written again.
pub const PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Takes the vault's lock, reads the journals, probes the sandbox, finishes what a crash cut off.
    ///
    /// # Errors
    /// `VaultError::Held` when another engine works on the vault; `InvalidConfig` when settings or policies have
    /// errors at the start.
    pub async fn open(vault: &Vault, options: Options) -> Result<Self, EngineError> {
        let lock = WatchLock::acquire(vault, options.what)?;
        models::install_tls();
        let history = History::open(vault)?;
        let (book, damage) = RunBook::load(vault, options.listener.clone())?;
        let mut observer = Observer::new(vault);
        let first = observer.look(&book, &history, &Circumstances::default())?;
        let fatal = fatal_problems(&first.snapshot.config, &first.folders);
        if !fatal.is_empty() {
            return Err(EngineError::InvalidConfig(fatal));
        }
        let settings = &first.snapshot.config.settings;
        let mode = if options.no_sandbox { SandboxMode::None } else { settings.sandbox };
        let (sandbox, no_sandbox) = choose_sandbox(&options.binary, mode, settings);
        let forges = Arc::new(Forges::new(vault));
        let health = Arc::new(Health::default());
        health.recall(&first.snapshot.config.models, book.call_ends());
        let (done_sender, done) = mpsc::unbounded_channel();
        let mut engine = Self {
            vault: vault.clone(),
            history,
            book: Arc::new(book),
            executor: Arc::new(InProcess { sandbox: sandbox.clone(), forges: forges.clone(), health }),
            sandbox,
            forges,
            in_flight: BTreeMap::new(),
            abroad: Abroad::default(),
            issues: IssueDesk::new(vault),
            outside: OutsideDesk::default(),
            bell: Bell::default(),
            rang: None,
            observer,
            sweeper: Sweeper::new(vault),
            no_sandbox,
            only: options.only,
            listener: options.listener,
            done_sender,
            done,
            failures: BTreeMap::new(),
            problems: BTreeSet::new(),
            standing: BTreeSet::new(),
            books_only: false,
            claimed: BTreeSet::new(),
            held: BTreeMap::new(),
            owed: Mutex::default(),
            settling: false,
            unsaid: false,
            looking: Looking::default(),
            pace: pace(&first.snapshot.config.settings),
            own: OwnTexts::default(),
            paused: None,
            cut_off: true,
            unrecorded: vec![],
            _lock: lock,
        };
        for problem in damage {
            engine.say(&Said::Problem { what: problem.to_string() });
        }
        if !engine.sandbox.is_enforcing() && engine.no_sandbox.is_none() {
            engine.say(&Said::Problem { what: NO_SANDBOX.to_owned() });
        }
        if !engine.is_paused(&first) {
            engine.finish_cut_off(&first)?;
        }
        engine.sweep_worktrees(&first).await;
        Ok(engine)
    }

    /// Opens the engine as soon as the vault can be written; `None` when stopped before. Where `patience` is given it is
    /// tried for that long.
    ///
    /// # Errors
    /// As [`Engine::open`], and what stands in the way when the patience is at its end.
    pub async fn open_when_writable(
        vault: &Vault,
        options: Options,
        stop: &CancellationToken,
        patience: Option<Duration>,
    ) -> Result<Option<Self>, EngineError> {
        let begun = Instant::now();
        let mut said = None;
        while let Some(why) = vault.unwritable() {
            if patience.is_some_and(|patience| begun.elapsed() > patience) {
                return Err(EngineError::Unwritable(why));
            }
            if said.as_ref() != Some(&why) {
                options.listener.hear(&Said::Problem { what: format!("paused: {why}") });
                said = Some(why);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(SHORT_WAIT) => {}
            }
        }
        Self::open(vault, options).await.map(Some)
    }

    /// Works until nothing is left to do without a human.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        self.hear_of_claims().await?;
        loop {
            let plan = self.settle(stop).await?;
            if stop.is_cancelled() {
                return self.stop().await;
            }
            if self.paused.as_ref().is_some_and(|(_, since)| since.elapsed() > PAUSE) {
                return Ok(Outcome::Failed);
            }
            if self.is_still()
                && !self.issues.is_busy()
                && !self.outside.is_busy()
                && !self.waits_on_time(&plan)
            {
                let human = plan.waits().any(|(_, wait)| wait.needs_human);
                return Ok(match (human, self.failures.is_empty()) {
                    (_, false) => Outcome::Failed,
                    (true, true) => Outcome::WaitsForHuman,
                    (false, true) => Outcome::Idle,
                });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.done.recv(), if self.paused.is_none() => self.take_ended(ended)?,
                () = self.issues.round() => {}
                () = tokio::time::sleep(short_wait(&plan)) => {}
            }
        }
    }

    /// Works until stopped.
    pub async fn watch(&mut self, stop: &CancellationToken) -> Result<Outcome, EngineError> {
        let mut pace = self.pace;
        self.hear_of_claims().await?;
        let mut _watch = self.looking.watch(&self.vault, pace.debounce, pace.poll)?;
        loop {
            let plan = self.settle(stop).await?;
            if stop.is_cancelled() {
                return self.stop().await;
            }
            if self.pace != pace {
                pace = self.pace;
                _watch = self.looking.watch(&self.vault, pace.debounce, pace.poll)?;
            }
            let poll = pace.poll;
            let pause = if self.waits_on_time(&plan) { short_wait(&plan) } else { poll };
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.done.recv(), if self.paused.is_none() => self.take_ended(ended)?,
                () = self.issues.round() => {}
                () = self.bell.heard(self.rang) => self.ask_forges_again(),
                look = self.looking.recv() => {
                    if look.is_none() {
                        tokio::time::sleep(pause).await;
                    }
                    self.looking.take_hint(look, &self.vault);
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Keeps the books once: aligns, notes moves, finishes what is merged, writes anew what should stand in notes and does
    /// not; starts no agent, pushes and merges nothing.
    pub async fn keep_books(&mut self, stop: &CancellationToken) -> Result<Settled, EngineError> {
        self.books_only = true;
        let mut settled = self.settle_and_see(stop).await?;
        while self.issues.is_busy() && self.paused.is_none() && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.issues.round() => {}
                () = tokio::time::sleep(SHORT_WAIT) => {}
            }
            settled = self.settle_and_see(stop).await?;
        }
        if let Some((why, _)) = &self.paused {
            let has_work = settled.plan.effects().any(|(_, effect)| effect.is_bookkeeping());
            return if has_work { Err(EngineError::HistoryBlocked(why.clone())) } else { Ok(settled) };
        }
        let stale = stale(&settled.look, &self.book, &self.vault)?;
        for run in &stale {
            let what = "written anew from the journal";
            self.project(&settled.look, run, NoteChange::default(), what, "rebuilt")?;
        }
        if stale.is_empty() { Ok(settled) } else { self.seen_now(settled.plan) }
    }

    /// Performs everything that can be performed now, one look at a time, and gives the last plan.
    pub async fn settle(&mut self, stop: &CancellationToken) -> Result<Plan, EngineError> {
        Ok(self.settle_and_see(stop).await?.plan)
    }

    fn seen_now(&mut self, plan: Plan) -> Result<Settled, EngineError> {
        Ok(Settled { look: self.look()?, plan })
    }

    async fn settle_and_see(&mut self, stop: &CancellationToken) -> Result<Settled, EngineError> {
        for finished in std::mem::take(&mut self.unrecorded) {
            self.take_finished(finished)?;
        }
        for _ in 0..MOST_LOOKS {
            let mut look = self.look()?;
            if self.is_paused(&look) {
                let plan = self.pause(&look).await?;
                return Ok(Settled { look, plan });
            }
            if self.cut_off
                && let Err(error) = self.finish_cut_off(&look)
            {
                self.complain("the vault", &error, true);
                return Ok(Settled { look, plan: Plan::default() });
            }
            if let Ok(ended) = self.done.try_recv() {
                self.take_ended(Some(ended))?;
                continue;
            }
            if self.take_late_saves(&look.snapshot.config.settings)? {
                look = self.look()?;
            }
            match self.look_at_issues(&look).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    self.cut_off |= matches!(error, EngineError::Vault(_) | EngineError::HistoryBlocked(_));
                    self.complain("issues", &error, error.may_pass());
                }
            }
            if self.tend_outside(&look) {
                continue;
            }
            self.look_at_pull_requests(&look).await;
            if self.books_only {
                self.wait_for_forge(stop).await?;
            }
            look.put_pull_requests(&self.abroad.seen);
            self.cancel_orphans(&look);
            self.pace = pace(&look.snapshot.config.settings);
            self.settling = look.snapshot.features.iter().any(|view| view.settling);
            let plan = decide::decide(&look.snapshot);
            self.say_problems(&plan);
            if stop.is_cancelled() {
                return Ok(Settled { look, plan });
            }
            // However many commits are made, the index is written once.
            self.history.hold_index();
            let performed = self.perform_all(&look, &plan).await;
            let released = VaultLock::acquire(&self.vault).and_then(|lock| self.history.release_index(&lock));
            if let Err(error) = released {
                tracing::warn!(%error, "the git index is updated later");
            }
            let waits = self.books_only && !self.in_flight.is_empty();
            if performed? {
                if !self.cut_off {
                    self.looking.at_what_was_written(&self.vault);
                }
            } else if waits || self.looking.may_have_missed_something() {
                continue;
            } else {
                return Ok(Settled { look, plan });
            }
        }
        self.seen_now(Plan::default())
    }

    /// Whether nothing can be written now; what changed of that is said.
    fn is_paused(&mut self, look: &Observation) -> bool {
        match (&look.paused, &self.paused) {
            (Some(why), None) => {
                self.say(&Said::Problem { what: format!("paused: {why}") });
                self.paused = Some((why.clone(), Instant::now()));
            }
            (None, Some((_, since))) => {
                tracing::info!(seconds = since.elapsed().as_secs(), "the vault can be written again");
                self.paused = None;
            }
            _ => {}
        }
        self.paused.is_some()
    }

    /// What is done while nothing can be written: steps that a human stopped are stopped, locks of a killed process of ours
    /// removed. Ends of steps wait.
    async fn pause(&mut self, look: &Observation) -> Result<Plan, EngineError> {
        self.cancel_orphans(look);
        let plan = decide::decide(&look.snapshot);
        for (decision, effect) in plan.effects() {
            if matches!(effect, Effect::Cancel { .. }) {
                self.perform(look, decision, effect).await?;
            }
        }
        Ok(plan)
    }

    /// Finishes what a crash, or a disk without room, cut off.
    fn finish_cut_off(&mut self, look: &Observation) -> Result<(), EngineError> {
        let (cut_off, wrote) = self.finish_writing(look)?;
        let fresh = if wrote { Some(self.look()?) } else { None };
        self.recover(fresh.as_ref().unwrap_or(look), &cut_off)?;
        self.cut_off = false;
        self.find_owed()?;
        Ok(())
    }

    /// Says a problem that stands, the first time.
    pub(super) fn say_once(&mut self, what: String) {
        if self.standing.insert(what.clone()) {
            self.say(&Said::Problem { what });
        }
    }

    /// Says what is wrong with the vault's configuration, each problem once until it is mended.
    fn say_problems(&mut self, plan: &Plan) {
        let standing: BTreeSet<String> =
            plan.problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
        for what in standing.difference(&self.problems) {
            self.say(&Said::Problem { what: what.clone() });
        }
        self.problems = standing;
    }

    /// Performs the effects of a plan and writes its waits. Says whether anything changed.
    async fn perform_all(&mut self, look: &Observation, plan: &Plan) -> Result<bool, EngineError> {
        let mut changed = false;
        for (decision, effect) in plan.effects() {
            let too_early = self.failures.get(&decision.feature).is_some_and(Failure::rests);
            let is_told = matches!(effect, Effect::Cancel { run } if self.is_cancelled(run));
            if too_early || is_told || (self.books_only && !effect.is_bookkeeping()) {
                continue;
            }
            if let Some(hold) = self.link_being_typed(look, &decision.path, effect)? {
                self.held.insert(decision.path.clone(), hold);
                changed = true;
                continue;
            }
            tracing::debug!(feature = %decision.feature, ?effect, reason = %decision.reason, "perform");
            match self.perform(look, decision, effect).await {
                Ok(()) => {
                    self.failures.remove(&decision.feature);
                    changed = true;
                    // A move may have changed links in other notes: look again before touching those.
                    if effect.moves_notes() {
                        return Ok(true);
                    }
                }
                Err(error) => {
                    // What was half done is finished like after a crash.
                    let cut_off = matches!(error, EngineError::Vault(_) | EngineError::HistoryBlocked(_));
                    self.cut_off |= cut_off;
                    changed |= self.failed(look, &decision.feature, effect, &error)?;
                    if cut_off {
                        return Ok(changed);
                    }
                }
            }
        }
        self.unsaid = false;
        for decision in &plan.decisions {
            if matches!(decision.verdict, crate::domain::DecisionKind::Do { .. }) {
                continue;
            }
            match self.explain(look, decision) {
                Ok(written) => changed |= written,
                Err(error) => self.complain(&decision.feature, &error, error.may_pass()),
            }
        }
        Ok(changed)
    }

    /// Whether something waits only for time to pass: a retry, a quota, a note that is being typed.
    fn waits_on_time(&self, plan: &Plan) -> bool {
        let by_time = |on: &str| on.starts_with("quota") || on.starts_with("retry");
        let trying = self.failures.values().any(Failure::is_tried_again);
        self.settling
            || self.unsaid
            || self.paused.is_some()
            || self.cut_off
            || trying
            || plan.wake.is_some()
            || plan.waits().any(|(_, wait)| by_time(&wait.on))
    }

    /// Whether nothing is at work beside the loop.
    pub(super) fn is_still(&self) -> bool {
        self.in_flight.is_empty() && self.abroad.looking.is_empty()
    }

    pub(super) fn scribe(&self) -> Scribe<'_> {
        Scribe { vault: &self.vault, history: &self.history, book: &self.book, own: &self.own }
    }

    pub(super) fn say(&self, said: &Said) {
        self.listener.hear(said);
    }
}

/// Until the first note that is left alone may be written, if that is soon.
fn short_wait(plan: &Plan) -> Duration {
    let until = plan.wake.map(|wake| wake.duration_since(jiff::Timestamp::now()));
    let until = until.map(|until| Duration::try_from(until).unwrap_or_default());
    until.map_or(SHORT_WAIT, |until| until.clamp(Duration::from_millis(10), SHORT_WAIT))
}
