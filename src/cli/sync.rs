//! `ado-vault sync`: one reconcile without agents, for CI.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;

use super::actions::Job;
use super::args::{Format, Global};
use super::diff::NoteDiff;
use super::session::{self, open_vault, options};
use super::{Exit, Failure, output};
use crate::domain::{Decision, Diagnostic, Effect, NotePath};
use crate::engine::{Listener, Rewrite, Said, Settled, see};
use crate::report;
use crate::vault::{History, Pulled, Pushed, ScannedNote, Vault, VaultLock};

/// Keep the books once without agents: align status and folders, refresh pull requests, commit, push
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ado-vault sync\n  ado-vault sync --check     change nothing, exit 1 if something would change"
)]
pub struct SyncArgs {
    /// Change nothing; exit 1 if something would be changed or a note has errors
    #[arg(long)]
    pub check: bool,
    /// Commit, but do not push
    #[arg(long)]
    pub no_push: bool,
}

/// Times a push is tried, each after another pull. With the pauses between them they take at most a few seconds, besides
/// what the remote takes.
const PUSH_TRIES: u32 = 6;
/// The first pause; each further one is up to twice as long.
const PAUSE: Duration = Duration::from_millis(100);

pub fn run(global: &Global, args: &SyncArgs) -> Result<Exit, Failure> {
    let vault = open_vault(global)?;
    if args.check {
        return check(global, &vault);
    }
    let history = History::open(&vault)?;
    history.repair(&VaultLock::acquire(&vault)?)?;
    if let Some(why) = history.blocked() {
        return Err(Failure::errors(why));
    }
    let before = history.head_commit()?;
    let heard = Arc::new(Heard::default());
    let mut settled = keep_books(&vault, &heard)?;
    let remote = settled.look.snapshot.config.settings.sync_remote && history.has_remote()?;
    if remote && pull(&vault)? == Pulled::Updated {
        settled = keep_books(&vault, &heard)?;
    }
    let mut problems = report::check(&settled.look.snapshot, &settled.plan);
    heard.add_to(&mut problems);
    let pushed = if remote && !args.no_push { push(&vault)? } else { "not pushed" };
    let job = Job::of_environment();
    if global.format == Format::Json {
        output::json(&serde_json::json!({ "pushed": pushed, "problems": problems }))?;
    } else {
        print_problems(&vault, job.as_ref(), &problems)?;
        output::say(format!("synced, {pushed}"));
    }
    if let Some(job) = &job {
        let done = before.as_ref().map_or(Ok(vec![]), |before| history.subjects_since(before))?;
        let heading = if done.is_empty() { "The vault is in order" } else { "The vault was put in order" };
        job.summarise(&format!("{heading}, {pushed}"), &done, "", &problems)?;
    }
    Ok(if problems.iter().any(Diagnostic::is_error) { Exit::Errors } else { Exit::Done })
}

/// What the engine called a problem: that a forge could not be asked is found out only there.
#[derive(Default)]
struct Heard(Mutex<Vec<Diagnostic>>);

impl Listener for Heard {
    fn hear(&self, said: &Said) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(said.as_warning());
    }
}

impl Heard {
    /// Adds what is not among the problems yet. The books are kept all the same, so that these are warnings.
    fn add_to(&self, problems: &mut Vec<Diagnostic>) {
        for heard in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if !problems.iter().any(|known| known.to_string() == heard.message) {
                problems.push(heard);
            }
        }
    }
}

fn keep_books(vault: &Vault, heard: &Arc<Heard>) -> Result<Settled, Failure> {
    let settled = session::keep_books(vault, options(heard.clone(), vec![], true, "sync")?)?;
    settled.ok_or_else(|| Failure::errors("stopped by a signal; what was done is committed"))
}

#[derive(Serialize)]
struct WouldDo {
    would: Vec<String>,
    changes: Vec<NoteDiff>,
    problems: Vec<Diagnostic>,
}

fn check(global: &Global, vault: &Vault) -> Result<Exit, Failure> {
    let seen = see(vault, &[])?;
    let in_words = |(decision, effect): (&Decision, &Effect)| {
        format!("{}: would {}, because {}", decision.feature, effect.in_words(), decision.reason)
    };
    let look = &seen.observation;
    let mut problems = report::check(&look.snapshot, &seen.plan);
    let text = |path: &NotePath| look.scan.note(path).map(ScannedNote::text_once);
    problems.extend(report::check_schemas(&look.snapshot, &text));
    let report = WouldDo {
        would: seen.plan.effects().filter(|(_, effect)| effect.is_bookkeeping()).map(in_words).collect(),
        changes: seen.rewrites(vault)?.iter().map(diff).collect(),
        problems: report::sorted(problems),
    };
    let job = Job::of_environment();
    let diff: String = report.changes.iter().map(|change| change.diff.as_str()).collect();
    if global.format == Format::Json {
        output::json(&report)?;
    } else {
        let lines = report.would.iter().map(String::as_str).chain(diff.lines()).map(str::to_owned);
        match &job {
            Some(job) => job.print_quoted(lines),
            None => lines.for_each(output::line),
        }
        print_problems(vault, job.as_ref(), &report.problems)?;
    }
    if let Some(job) = &job {
        let heading = match report.would.len() + report.changes.len() {
            0 => "The vault is in order".to_owned(),
            _ => format!("`sync` would change {} notes", report.changes.len()),
        };
        job.summarise(&heading, &report.would, &diff, &report.problems)?;
    }
    let would = !report.would.is_empty() || !report.changes.is_empty();
    let clean = !would && !report.problems.iter().any(Diagnostic::is_error);
    Ok(if clean { Exit::Done } else { Exit::Errors })
}

fn diff(rewrite: &Rewrite) -> NoteDiff {
    NoteDiff::of(&rewrite.path, &rewrite.to, &rewrite.before, &rewrite.after)
}

/// What is wrong: marked on the files in a job of GitHub Actions, in lines elsewhere.
fn print_problems(vault: &Vault, job: Option<&Job>, problems: &[Diagnostic]) -> Result<(), Failure> {
    match job {
        Some(job) => job.annotate(problems, History::open(vault)?.folder()),
        None => problems.iter().for_each(output::line),
    }
    Ok(())
}

/// Fetches and rebases. What a human changed since the last commit is committed first, in the human's name: a rebase
/// goes over nothing uncommitted. Notes that are being typed stay as they are.
fn pull(vault: &Vault) -> Result<Pulled, Failure> {
    let seen = see(vault, &[])?;
    let being_typed = |path: &NotePath| seen.observation.at(path).is_some_and(|view| view.settling);
    let lock = VaultLock::acquire(vault)?;
    let history = History::open(vault)?;
    let mut changed = history.uncommitted()?;
    changed.retain(|path| !being_typed(path));
    history.commit_human(&lock, &changed)?;
    Ok(history.pull(&lock, None)?)
}

fn push(vault: &Vault) -> Result<&'static str, Failure> {
    for tried in 0..PUSH_TRIES {
        match History::open(vault)?.push(None)? {
            Pushed::NoRemote => return Ok("no remote"),
            Pushed::UpToDate => return Ok("nothing to push"),
            Pushed::Pushed => return Ok("pushed"),
            Pushed::Rejected(why) => {
                tracing::info!(%why, "push rejected, pulling again");
                sleep(pause(tried));
                pull(vault)?;
            }
        }
    }
    Err(Failure::errors(format!(
        "the remote rejected {PUSH_TRIES} pushes; pull by hand and look at its rules"
    )))
}

/// How long to wait after a rejected push: doubling, and not the same on two machines that were rejected together.
fn pause(tried: u32) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let spread = u64::from(now.subsec_micros() ^ std::process::id()) % 1_000;
    let longest = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX) << tried.min(5);
    Duration::from_millis(longest / 2 + longest * spread / 2_000)
}
