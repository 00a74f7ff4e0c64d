//! `ado-vault demo`: the whole way once, in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::args::{Format, Global};
use super::progress::Progress;
use super::session::{Work, options, work};
use super::{Exit, Failure, output};
use crate::demo::{Demo, lay_out};
use crate::domain::{FeatureId, FeatureView, NotePath, RunState, Status, StepKey};
use crate::engine::see;
use crate::note::{self, PropertyValue};
use crate::report;
use crate::vault::{Vault, VaultLock, edit};

/// See the whole way once: a note becomes a reviewed pull request, in a folder of its own
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ado-vault demo                              with a recorded conversation, in a temporary folder
  ado-vault demo --keep ~/ado-demo --merge    to the end, in a folder of your choice
  ado-vault demo --model anthropic            with a real model; its key in the variable that the note names")]
pub struct DemoArgs {
    /// Folder for vault and repository; a demo that was cut off there goes on
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Merge the pull request too
    #[arg(long)]
    pub merge: bool,
    /// Name of a model note of the vault template, such as anthropic, openai or ollama
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Let agents run without a sandbox
    #[arg(long)]
    pub no_sandbox: bool,
}

pub fn run(global: &Global, args: &DemoArgs) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let dir = match &args.keep {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new().prefix("ado-vault-demo-").tempdir()?.keep(),
    };
    let demo = lay_out(&dir, args.model.as_deref())?;
    let vault = Vault::open(&demo.vault)?;
    let feature: FeatureId = "FR-001".parse()?;
    if demo.recorded {
        output::say("The model is a RECORDED conversation (`--model NAME` asks a real one).");
        output::say("Agents' tools, sandbox, compiler, tests, git and merge are real.");
    } else {
        output::say(format!("The model is `{}`.", demo.model));
    }
    plan_it(&vault, &feature)?;
    drive(&vault, args)?;
    if args.merge && status_of(&vault, &feature)? == Some(Status::Review) {
        tick_merge(&vault, &feature)?;
        drive(&vault, args)?;
    }
    let seen = see(&vault, &[])?;
    let view = super::session::find(&seen.observation, &feature)?;
    tell(global, &demo, &vault, view, begun)?;
    let wanted = if args.merge { Status::Done } else { Status::Review };
    let reached = view.feature.folder == Some(wanted) || view.feature.folder == Some(Status::Done);
    Ok(if reached { Exit::Done } else { Exit::Waiting })
}

fn drive(vault: &Vault, args: &DemoArgs) -> Result<(), Failure> {
    let options = options(Arc::new(Progress::new()), vec![], args.no_sandbox, "demo")?;
    work(vault, options, &Work::UntilIdle)?;
    Ok(())
}

/// What a person does in Obsidian: drags the note to `planned`.
fn plan_it(vault: &Vault, feature: &FeatureId) -> Result<(), Failure> {
    let seen = see(vault, &[])?;
    let path = super::session::find(&seen.observation, feature)?.feature.path.clone();
    if seen.observation.folders.status_of(&path) != Some(Status::New) {
        return Ok(());
    }
    let target = path.moved_to(&seen.observation.folders.status(Status::Planned))?;
    output::say(format!("you drag `{}` to `{}`", path.file_name(), target.folder()));
    std::fs::rename(vault.absolute(&path)?, vault.absolute(&target)?)?;
    Ok(())
}

/// What a person does in the pull request's note: ticks `merge`.
fn tick_merge(vault: &Vault, feature: &FeatureId) -> Result<(), Failure> {
    let seen = see(vault, &[])?;
    let view = super::session::find(&seen.observation, feature)?;
    let Some(pr) = view.run().and_then(|run| run.pr.as_ref()) else { return Ok(()) };
    let folder = seen.observation.folders.pull_requests().to_owned();
    let note = seen
        .observation
        .scan
        .notes
        .iter()
        .find(|note| note.path.folder() == folder && note.path.file_name().starts_with(pr.key.as_str()));
    let Some(found) = note else { return Ok(()) };
    output::say(format!("you tick `merge` in `{}`", found.path.file_name()));
    let lock = VaultLock::acquire(vault)?;
    let ticked = PropertyValue::Bool(true);
    edit(&lock, vault, &found.path, |text| note::set_property(text, "merge", Some(&ticked)))
        .map_err(|error| Failure::errors(error.to_string()))?;
    Ok(())
}

fn status_of(vault: &Vault, feature: &FeatureId) -> Result<Option<Status>, Failure> {
    let seen = see(vault, &[])?;
    Ok(super::session::find(&seen.observation, feature)?.feature.folder)
}

fn tell(
    global: &Global,
    demo: &Demo,
    vault: &Vault,
    view: &FeatureView,
    begun: Instant,
) -> Result<(), Failure> {
    let steps = view.run().map(steps).unwrap_or_default();
    let setbacks = view.run().map(report::setbacks).unwrap_or_default();
    let run_note = view.run().map(|run| run_note(vault, run)).transpose()?;
    if global.format == Format::Json {
        return output::json(&serde_json::json!({
            "vault": demo.vault,
            "repository": demo.repository,
            "origin": demo.origin,
            "model": demo.model,
            "recorded": demo.recorded,
            "status": view.feature.folder,
            "note": view.feature.path,
            "run_note": run_note,
            "pull_request": view.run().and_then(|run| run.pr.as_ref()),
            "merged": view.run().and_then(|run| run.merged.as_ref()),
            "spent": view.spent(),
            "seconds": begun.elapsed().as_secs_f64(),
            "steps": steps,
            "setbacks": setbacks,
        }));
    }
    output::line("");
    if !setbacks.is_empty() {
        let mut table = output::table(&["step", "what it found, and how that was answered"]);
        for setback in &setbacks {
            let answer = setback.answer.as_deref().unwrap_or("not answered yet");
            table.add_row([setback.step.as_str(), &setback.fault]);
            table.add_row(["", &format!("→ {answer}")]);
        }
        output::print_table(&table);
    }
    output::line("");
    let status = view.feature.folder.map(|status| status.to_string()).unwrap_or_default();
    let spent = view.spent();
    let whose = if demo.recorded { " (as recorded; nothing was charged)" } else { "" };
    output::line(format!(
        "{} is in `{status}` after {:.0} s",
        view.feature.label(),
        begun.elapsed().as_secs_f64()
    ));
    output::line(format!("cost {}{whose}, {} tokens, {} model calls", spent.usd, spent.tokens, spent.calls));
    output::line("");
    output::line(format!("vault       {}", demo.vault.display()));
    output::line(format!("repository  {} (origin {})", demo.repository.display(), demo.origin.display()));
    output::line(format!("open first  {}", shown(&demo.vault, &view.feature.path)));
    if let Some(run_note) = run_note {
        output::line(format!("then        {}", shown(&demo.vault, &run_note)));
    }
    output::line(format!("the story   git -C {} log --oneline", demo.vault.display()));
    if view.feature.folder == Some(Status::Review) {
        output::line(format!(
            "to merge    tick `merge` in the pull request's note, then `ado-vault --vault {} run`",
            demo.vault.display()
        ));
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct ShownStep {
    key: StepKey,
    result: String,
    seconds: f64,
    cost: String,
}

fn steps(run: &RunState) -> Vec<ShownStep> {
    run.tries
        .iter()
        .map(|step| ShownStep {
            key: step.key,
            result: step.result.as_ref().map_or_else(|| "cut off".to_owned(), |result| result.in_words()),
            seconds: step.ended.map_or(0.0, |ended| ended.duration_since(step.started).as_secs_f64()),
            cost: if step.spent.calls > 0 { step.spent.usd.to_string() } else { String::new() },
        })
        .collect()
}

fn run_note(vault: &Vault, run: &RunState) -> Result<NotePath, Failure> {
    let runs = vault.folders()?.runs().to_owned();
    Ok(NotePath::new(format!("{runs}/{}/run.md", run.id))?)
}

fn shown(vault: &Path, path: &NotePath) -> String {
    vault.join(path.as_str()).display().to_string()
}
