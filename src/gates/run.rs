//! Runs gates in order of what they need: cheap independent ones together, then the build, then tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::clean::clean;
use super::parse::{Place, parse};
use super::{GateError, GateSpec, Parser};
use crate::domain::{GateDiagnostic, GateKind, GateResult, GateStatus, Severity};
use crate::sandbox::{Refusal, Sandbox, SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy};

/// Gates that run at the same time.
const MOST_PARALLEL: usize = 3;
const TAIL_BYTES: usize = 8 << 10;
/// A source file larger than this gives no context lines.
const SOURCE_BYTES: u64 = 1 << 20;
/// Source lines shown before and after a place that the tool showed no context for.
const AROUND: usize = 2;

/// What running gates gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GateRun {
    /// One for each gate, in order.
    pub results: Vec<GateResult>,
    /// What gates asked of the network and did not get, each with the gate's name.
    pub refused: Vec<(String, Refusal)>,
}

/// Runs the gates in the worktree at `root` and gives one result each, in the order of `specs`. Format, lint and types
/// run in parallel, then builds, then tests and the rest; when a build fails, the tests and coverage of the same folder
/// are not run. A tool that is not installed is `NotRun` with the reason in `tail`.
///
/// # Errors
/// `Cancelled`, or `Sandbox` when the sandbox itself cannot work.
pub async fn run(
    sandbox: &Sandbox,
    policy: &SandboxPolicy,
    root: &Path,
    specs: &[GateSpec],
    context_lines: u32,
    cancel: &CancellationToken,
) -> Result<GateRun, GateError> {
    let stage_of = |kind: GateKind| match kind {
        GateKind::Format | GateKind::Lint | GateKind::Types => 0,
        GateKind::Build => 1,
        GateKind::Test | GateKind::Coverage | GateKind::Secrets => 2,
    };
    let slots = Arc::new(Semaphore::new(MOST_PARALLEL));
    let mut results: BTreeMap<usize, GateResult> = BTreeMap::new();
    let mut all_refused = vec![];
    for stage in 0..3 {
        let mut running = JoinSet::new();
        for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| stage_of(spec.kind) == stage) {
            if let Some(build) = failed_build(spec, specs, &results) {
                results.insert(index, not_run(spec, format!("gate `{build}` did not pass"), 0));
                continue;
            }
            let (sandbox, policy, root) = (sandbox.clone(), policy.clone(), root.to_owned());
            let (spec, cancel, slots) = (spec.clone(), cancel.clone(), Arc::clone(&slots));
            running.spawn(async move {
                let _slot = slots.acquire_owned().await;
                (index, run_one(&sandbox, policy, &root, &spec, context_lines, &cancel).await)
            });
        }
        while let Some(done) = running.join_next().await {
            let (index, done) = done.map_err(|_| GateError::Cancelled)?;
            let (result, refused) = done?;
            all_refused.extend(refused.into_iter().map(|refusal| (result.name.clone(), refusal)));
            results.insert(index, result);
        }
    }
    Ok(GateRun { results: results.into_values().collect(), refused: all_refused })
}

/// The name of a build in the same folder that tests cannot go without.
fn failed_build(
    spec: &GateSpec,
    specs: &[GateSpec],
    results: &BTreeMap<usize, GateResult>,
) -> Option<String> {
    if !matches!(spec.kind, GateKind::Test | GateKind::Coverage) {
        return None;
    }
    results
        .iter()
        .filter(|(index, result)| result.kind == GateKind::Build && specs[**index].cwd == spec.cwd)
        .find(|(_, result)| matches!(result.status, GateStatus::Failed | GateStatus::TimedOut))
        .map(|(_, result)| result.name.clone())
}

async fn run_one(
    sandbox: &Sandbox,
    policy: SandboxPolicy,
    root: &Path,
    spec: &GateSpec,
    context_lines: u32,
    cancel: &CancellationToken,
) -> Result<(GateResult, Vec<Refusal>), GateError> {
    let mut policy = policy.with_profile(&spec.sandbox);
    policy.limits.wall = spec.timeout;
    let mut env = spec.env.clone();
    for (name, value) in [("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "never"), ("TERM", "dumb")] {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let command =
        SandboxCommand { argv: spec.argv.clone(), cwd: root.join(&spec.cwd), env, stdin: String::new() };
    match sandbox.run(&command, &policy, cancel).await {
        Ok(output) => Ok((judge(&output, spec, root, context_lines), output.refused)),
        Err(SandboxError::Cancelled) => Err(GateError::Cancelled),
        // A layer of the sandbox that fails is no missing tool: nothing would have been checked.
        Err(SandboxError::Start { program, reason })
            if program == spec.argv[0] && !reason.starts_with("layer `") =>
        {
            Ok((not_run(spec, format!("`{program}` cannot be started: {reason}"), 0), vec![]))
        }
        Err(source) => Err(GateError::Sandbox { gate: spec.name.clone(), source }),
    }
}

fn judge(output: &SandboxOutput, spec: &GateSpec, root: &Path, context_lines: u32) -> GateResult {
    let (stdout, stderr) = (clean(&output.stdout), clean(&output.stderr));
    if !output.success()
        && let Some(reason) = missing_tool(output.exit_code, &stdout, &stderr)
    {
        return not_run(spec, reason, output.millis);
    }
    // gofmt says what it found by listing it and ends in 0.
    let listed = spec.parser == Parser::Gofmt && !stdout.trim().is_empty();
    let mut diagnostics = parse(spec.parser, &stdout, &stderr, &Place { root, cwd: &spec.cwd });
    let listed = listed && !diagnostics.is_empty();
    let status = match () {
        () if output.timed_out => GateStatus::TimedOut,
        () if output.success() && !listed => GateStatus::Passed,
        () => GateStatus::Failed,
    };
    if status == GateStatus::Passed {
        diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Error);
    }
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.context.is_empty()) {
        diagnostic.context = source_lines(root, diagnostic).unwrap_or_default();
    }
    GateResult {
        name: spec.name.clone(),
        kind: spec.kind,
        command: spec.argv.join(" "),
        status,
        exit_code: output.exit_code,
        millis: output.millis,
        diagnostics,
        tail: tail(&readable(spec.parser, &stdout), &stderr, context_lines),
    }
}

fn not_run(spec: &GateSpec, reason: String, millis: u64) -> GateResult {
    GateResult {
        name: spec.name.clone(),
        kind: spec.kind,
        command: spec.argv.join(" "),
        status: GateStatus::NotRun,
        exit_code: None,
        millis,
        diagnostics: vec![],
        tail: clean(&reason),
    }
}

/// Why the output says that a tool is not there at all, rather than that it found something.
fn missing_tool(exit_code: Option<i32>, stdout: &str, stderr: &str) -> Option<String> {
    const SAYINGS: [&str; 9] = [
        "error: no such command: `",
        "is not installed for the toolchain",
        "cargo-clippy' is not installed",
        ": No module named pytest",
        ": No module named flake8",
        "npx canceled due to missing packages",
        "npm error npx canceled",
        "pyenv: ",
        "command not found in PATH",
    ];
    let said =
        stderr.lines().chain(stdout.lines()).find(|line| SAYINGS.iter().any(|saying| line.contains(saying)));
    if let Some(line) = said {
        return Some(line.trim().to_owned());
    }
    if exit_code == Some(127) {
        let line = stderr.lines().chain(stdout.lines()).find(|line| line.contains("not found"));
        return Some(line.unwrap_or("the program was not found").trim().to_owned());
    }
    None
}

/// What people would have seen where a tool was asked for JSON.
fn readable(parser: Parser, stdout: &str) -> String {
    let key = match parser {
        Parser::CargoJson => "/message/rendered",
        Parser::GoTest => "/Output",
        _ => return stdout.to_owned(),
    };
    stdout
        .lines()
        .filter_map(|line| match serde_json::from_str::<serde_json::Value>(line) {
            Ok(value) => value.pointer(key).and_then(|text| text.as_str()).map(str::to_owned),
            Err(_) => Some(format!("{line}\n")),
        })
        .collect()
}

fn tail(stdout: &str, stderr: &str, lines: u32) -> String {
    let all: Vec<&str> =
        stdout.lines().chain(stderr.lines()).filter(|line| !line.trim().is_empty()).collect();
    let from = all.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    let text = all[from..].join("\n");
    let mut start = text.len().saturating_sub(TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// Lines of the worktree around a diagnostic. Only a regular file that really lies beneath the root is read.
fn source_lines(root: &Path, diagnostic: &GateDiagnostic) -> Option<String> {
    let line = usize::try_from(diagnostic.line?).ok()?.checked_sub(1)?;
    let root = root.canonicalize().ok()?;
    let path = root.join(diagnostic.file.as_deref()?).canonicalize().ok()?;
    let meta = fs::symlink_metadata(&path).ok()?;
    if !path.starts_with(&root) || !meta.is_file() || meta.len() > SOURCE_BYTES {
        return None;
    }
    let text = clean(&fs::read_to_string(path).ok()?);
    let first = line.saturating_sub(AROUND);
    let shown: Vec<String> = text
        .lines()
        .enumerate()
        .skip(first)
        .take(line - first + AROUND + 1)
        .map(|(index, text)| format!("{:>5} | {}", index + 1, text.chars().take(200).collect::<String>()))
        .collect();
    Some(shown.join("\n"))
}
