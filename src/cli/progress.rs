//! Progress of a run on standard error: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output;
use crate::domain::{Event, RunId, Step, StepResult};
use crate::engine::{Listener, Said};
use crate::note;
use crate::report;

/// Shows what the engine says: one spinner for each step at work, one line for each thing done.
pub struct Progress {
    bars: Option<MultiProgress>,
    at_work: Mutex<HashMap<RunId, ProgressBar>>,
}

impl Progress {
    /// Bars where standard error is a terminal.
    pub fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, at_work: Mutex::new(HashMap::new()) }
    }

    fn line(&self, text: &str) {
        let text = note::plain(text);
        match &self.bars {
            // A terminal that went away is no reason to stop working.
            Some(bars) => {
                let _ = bars.println(text);
            }
            None => output::say(text),
        }
    }

    fn begin(&self, run: &RunId, what: String) {
        match &self.bars {
            Some(bars) => {
                let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
                let bar = bars.add(ProgressBar::new_spinner().with_style(style).with_message(what));
                bar.enable_steady_tick(Duration::from_millis(120));
                self.at_work().insert(run.clone(), bar);
            }
            None => tracing::info!(%run, "{what} begins"),
        }
    }

    fn end(&self, run: &RunId) {
        if let Some(bar) = self.at_work().remove(run) {
            bar.finish_and_clear();
        }
    }

    fn at_work(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, ProgressBar>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Progress {
    fn hear(&self, said: &Said) {
        match said {
            Said::Did { feature, what } if what.starts_with(feature.as_str()) => {
                self.line(&format!("  {what}"))
            }
            Said::Did { feature, what } => self.line(&format!("  {feature}: {what}")),
            Said::StepStarted { run, key, attempt } => {
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                self.begin(run, format!("{}: {key}{again}", run.feature));
            }
            Said::StepFinished { run, outcome, spent, key } => {
                self.end(run);
                let fixes = key.step == Step::Code && key.round > 1;
                let seconds = outcome.millis as f64 / 1000.0;
                let cost = if spent.calls > 0 { format!(", {}", spent.usd) } else { String::new() };
                let what = outcome.result.in_words();
                tracing::info!(%run, %key, seconds, result = %what, "step finished");
                let key = key.to_string();
                self.line(&format!("  {}: {key:<9} {what} ({seconds:.1} s{cost})", run.feature));
                if let Some(why) = why(&outcome.result, fixes) {
                    self.line(&output::cut(&format!("      {why}")));
                }
            }
            Said::Waits { feature, on, unblock } => {
                self.line(&format!("  {feature}: waits for {on}"));
                self.line(&format!("    to go on: {unblock}"));
            }
            Said::Recorded { run, record } => {
                if let Event::ToolCalled { key, tool, .. } = &record.event
                    && let Some(bar) = self.at_work().get(run)
                {
                    bar.set_message(note::plain(&format!("{}: {key} · {tool}", run.feature)));
                }
            }
            Said::Problem { what } => self.line(&format!("! {what}")),
        }
    }
}

/// The line below a step: the fault that it found, or how it answered one.
fn why(result: &StepResult, fixes: bool) -> Option<String> {
    if let Some((by, fault)) = report::fault(result) {
        return Some(format!("✗ {by}: {fault}"));
    }
    report::answer(result).filter(|_| fixes).map(|answer| format!("→ {answer}"))
}
