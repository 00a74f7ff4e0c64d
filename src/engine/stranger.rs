//! The review step of a pull request that somebody else wrote. What they wrote is read and never run: no `setup`, no hook, no
//! check, no filter, no submodule. What the agent may start at all runs in a box without a network, without variables of this
//! machine and without the repository's git data. Secrets are used by git alone, to fetch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::execute::{DIFF_BYTES, InProcess, StepError, StepServices, blocking};
use crate::agents::{self, AgentAnswer, AgentError, AgentJob, AgentTools};
use crate::domain::{Finding, GateDiagnostic, GitId, Proposal, Severity, StepRequest, StepResult};
use crate::models;
use crate::sandbox::{Limits, SandboxPolicy};
use crate::workspace::{Workspace, Worktree};

/// What is read of a proposal before the agent begins.
struct Reading {
    worktree: Worktree,
    /// Of the commit that it and its target have in common.
    facts: String,
    diff: String,
    /// What rules found.
    found: Vec<Finding>,
}

/// Reviews a proposal; its files are gone again afterwards.
pub(super) async fn review(
    here: &InProcess,
    request: &StepRequest,
    proposal: &Proposal,
    services: &StepServices,
) -> Result<StepResult, StepError> {
    if !here.sandbox.is_enforcing() {
        return Ok(StepResult::Failed {
            error: "somebody else's change is read in a sandbox alone, and there is none".to_owned(),
            remedy: "`ado-vault doctor` says what is missing for one".to_owned(),
            retry: false,
        });
    }
    let credential = here.forges.of(request.repository.forge, &request.repository)?.credential().await?;
    let (vault, root) = (PathBuf::from(&request.vault), PathBuf::from(&request.worktrees));
    let workspace =
        Arc::new(Workspace::open(&request.repository, &vault, &root)?.with_credential(credential));
    let (to_read, wanted, asked) = (workspace.clone(), proposal.clone(), request.clone());
    let reading = blocking(move || read(&to_read, &wanted, &asked)).await?;
    for finding in &reading.found {
        services.recorder.noticed(request.key, finding.clone()).await;
    }
    let reviewed = ask(here, request, &reading, services).await;
    let run = request.run.clone();
    blocking(move || Ok(workspace.remove_proposal(&run)?)).await?;
    reviewed
}

fn read(workspace: &Workspace, proposal: &Proposal, request: &StepRequest) -> Result<Reading, StepError> {
    let (run, head) = (&request.run, &proposal.head);
    let base = workspace.fetch_proposal(run, &proposal.reference, head, &proposal.target)?;
    let worktree = workspace.lay_out_proposal(run, &request.branch, head)?;
    let mut found = workspace.proposal_findings(&base, head)?;
    found.extend(secrets(workspace, &base, head, request)?);
    Ok(Reading {
        facts: super::facts::in_words(&workspace.facts_of(&base)?),
        diff: workspace.diff(&base, head, DIFF_BYTES)?,
        worktree,
        found,
    })
}

fn secrets(
    workspace: &Workspace,
    base: &GitId,
    head: &GitId,
    request: &StepRequest,
) -> Result<Vec<Finding>, StepError> {
    let finding = |found: GateDiagnostic| Finding {
        severity: Severity::Error,
        file: found.file.unwrap_or_default(),
        line: found.line,
        rule: found.code.unwrap_or_else(|| "secret".to_owned()),
        message: found.message,
        suggestion: String::new(),
    };
    let found = super::secrets::added(workspace, Some(base), head, &request.repository.allow_secrets)?;
    Ok(found.into_iter().map(finding).collect())
}

async fn ask(
    here: &InProcess,
    request: &StepRequest,
    reading: &Reading,
    services: &StepServices,
) -> Result<StepResult, StepError> {
    let router = models::chain(&request.models, Path::new(&request.vault), services.ledger.clone())?;
    let router = Arc::new(router.with_health(here.health.clone()));
    let wall = Duration::from_secs(request.gates.timeout_seconds);
    let policy = SandboxPolicy {
        read: vec![reading.worktree.path.clone()],
        limits: Limits { wall, ..Limits::default() },
        ..SandboxPolicy::default()
    };
    let job = AgentJob {
        request,
        worktree: &reading.worktree.path,
        policy: &policy,
        facts: reading.facts.clone(),
        diff: reading.diff.clone(),
        gates: &[],
        findings: &reading.found,
    };
    let tools = AgentTools {
        router: &router,
        sandbox: &here.sandbox,
        recorder: services.recorder.as_ref(),
        cancel: &services.cancel,
    };
    match agents::run(&job, &tools).await? {
        AgentAnswer::Review(review) => Ok(StepResult::Reviewed { review }),
        _ => Err(AgentError::NoAgent { step: request.key }.into()),
    }
}
