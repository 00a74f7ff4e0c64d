//! `ado-vault doctor`: what this machine and this vault can do.

use clap::Args;
use serde::Serialize;

use super::args::{Format, Global};
use super::{Exit, Failure, output};
use crate::domain::{Backend, Config, ModelConfig, RepoName, Repository, Role};
use crate::engine::{SandboxReport, probe_agent, probe_sandbox, repository_problem, see, try_escapes};
use crate::vault::{History, Vault};

/// What this machine and this vault can do, and what is missing
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ado-vault doctor\n  ado-vault doctor --format json\n  \
                        ado-vault doctor --escape")]
pub struct DoctorArgs {
    /// Try to get out of the sandbox, in more than sixty harmless ways, each first without one
    #[arg(long)]
    pub escape: bool,
}

#[derive(Debug, Serialize)]
struct DoctorReport {
    version: &'static str,
    git: Finding,
    sandbox: SandboxReport,
    sandbox_problem: Option<String>,
    vault: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

impl Finding {
    fn new(what: impl Into<String>, result: Result<String, String>) -> Self {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self { what: what.into(), ok, detail }
    }
}

pub fn run(global: &Global, args: &DoctorArgs) -> Result<Exit, Failure> {
    let binary = std::env::current_exe()?;
    if args.escape {
        return escape(global, &binary);
    }
    let (mut vault, config) = of_vault(global);
    let (sandbox, sandbox_problem) = probe_sandbox(&binary, &config.settings);
    let others = config.agents.values().filter(|agent| agent.backend != Backend::BuiltIn);
    vault.extend(others.map(|agent| {
        let probed = probe_agent(&binary, &config.settings, agent);
        Finding::new(format!("program of agent {}", agent.name), probed)
    }));
    let report =
        DoctorReport { version: env!("CARGO_PKG_VERSION"), git: git(), sandbox, sandbox_problem, vault };
    let fine =
        report.git.ok && report.sandbox_problem.is_none() && report.vault.iter().all(|finding| finding.ok);
    if global.format == Format::Json {
        output::json(&report)?;
    } else {
        print(&report);
    }
    Ok(if fine { Exit::Done } else { Exit::Errors })
}

/// Exit code 1 when anything got out, or when nothing could be tried.
fn escape(global: &Global, binary: &std::path::Path) -> Result<Exit, Failure> {
    let human = global.format == Format::Human;
    let (_, config) = of_vault(global);
    let cases = try_escapes(binary, &config.settings, |one| {
        if human {
            let mark = match one.result {
                "stopped" => "✓",
                "escaped" => "✗",
                _ => "-",
            };
            let reason = if one.reason.is_empty() { String::new() } else { format!(" ({})", one.reason) };
            output::line(format!("{mark} {:>2} {}: {}{reason}", one.id, one.name, one.result));
        }
    })?;
    let count = |result: &str| cases.iter().filter(|one| one.result == result).count();
    let (stopped, escaped, not_run) = (count("stopped"), count("escaped"), count("not run"));
    if human {
        output::line(format!("{stopped} stopped, {escaped} escaped, {not_run} not run"));
    } else {
        output::json(&serde_json::json!({ "cases": cases }))?;
    }
    Ok(if escaped == 0 && stopped > 0 { Exit::Done } else { Exit::Errors })
}

fn print(report: &DoctorReport) {
    let mark = |ok: bool| if ok { "✓" } else { "✗" };
    output::line(format!("ado-vault {}", report.version));
    output::line(format!("{} {}: {}", mark(report.git.ok), report.git.what, report.git.detail));
    match &report.sandbox_problem {
        None => output::line("✓ sandbox"),
        Some(problem) => output::line(format!("✗ {problem}")),
    }
    for layer in &report.sandbox.layers {
        output::line(format!("    {} {}: {}", mark(layer.enforced), layer.name, layer.detail));
    }
    for finding in &report.vault {
        output::line(format!("{} {}: {}", mark(finding.ok), finding.what, finding.detail));
    }
}

fn git() -> Finding {
    let said = std::process::Command::new("git").arg("--version").output();
    Finding::new(
        "git",
        match said {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(output) => Err(format!("`git --version` ended with {}", output.status)),
            Err(error) => Err(format!("not found: {error}; it is needed to fetch and push")),
        },
    )
}

fn of_vault(global: &Global) -> (Vec<Finding>, Config) {
    let mut config = Config::default();
    let vault = match Vault::open(&global.vault) {
        Ok(vault) => vault,
        Err(error) => return (vec![Finding::new("vault", Err(error.to_string()))], config),
    };
    let mut found = vec![Finding::new("vault", Ok(vault.root().display().to_string()))];
    found.push(Finding::new(
        "writing",
        match vault.way() {
            Ok(way) => Ok(way.limit().map_or_else(|| way.to_string(), |limit| format!("{way}; {limit}"))),
            Err(error) => Err(error.to_string()),
        },
    ));
    let history = History::open(&vault).map(|history| history.blocked());
    found.push(Finding::new(
        "history",
        match history {
            Ok(None) => Ok("commits can be made".to_owned()),
            Ok(Some(why)) => Err(why),
            Err(error) => Err(error.to_string()),
        },
    ));
    match see(&vault, &[]) {
        Ok(seen) => {
            let snapshot = &seen.observation.snapshot;
            found.extend(of_config(&snapshot.config));
            found.extend(of_repositories(&vault, &snapshot.config));
            let unwell = snapshot.unwell.iter();
            found.extend(unwell.map(|unwell| Finding::new("provider", Err(output::unwell(unwell)))));
            config = snapshot.config.clone();
        }
        Err(error) => found.push(Finding::new("notes", Err(error.to_string()))),
    }
    (found, config)
}

fn of_config(config: &Config) -> Vec<Finding> {
    let mut found = vec![];
    for problem in config.problems.iter().filter(|problem| problem.is_error()) {
        found.push(Finding::new("note", Err(problem.to_string())));
    }
    for role in Role::ALL {
        let named = config.agent(role).map(|agent| agent.name.to_string());
        found.push(Finding::new(
            format!("agent for {}", role.slug()),
            named.ok_or_else(|| "none: add a note with this role to the agents folder".to_owned()),
        ));
    }
    let default = config.settings.default_model.as_ref().and_then(|name| config.models.get(name));
    found.push(Finding::new(
        "default model",
        match default {
            Some(model) => key_of(model),
            None => Err("none: set `default_model` in Settings to the name of a model note".to_owned()),
        },
    ));
    found
}

fn of_repositories(vault: &Vault, config: &Config) -> Vec<Finding> {
    if config.repositories.is_empty() {
        let remedy = "none: copy the note `Repository` from the templates to the repositories folder";
        return vec![Finding::new("repository", Err(remedy.to_owned()))];
    }
    let checked = |(name, repository): (&RepoName, &Repository)| {
        let problem = repository_problem(vault, config, repository);
        Finding::new(format!("repository {name}"), problem.map_or_else(|| Ok(repository.path.clone()), Err))
    };
    config.repositories.iter().map(checked).collect()
}

/// Whether the model's key is there; never the key.
fn key_of(model: &ModelConfig) -> Result<String, String> {
    match &model.api_key_env {
        Some(variable) if std::env::var_os(variable).is_none() => {
            Err(format!("{}: environment variable `{variable}` is not set", model.name))
        }
        Some(variable) => Ok(format!("{} with the key in `{variable}`", model.name)),
        None => Ok(format!("{} without a key", model.name)),
    }
}
