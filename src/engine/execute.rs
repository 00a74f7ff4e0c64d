//! Where steps run. `InProcess` runs them here: worktree, hooks, agent, gates, commit; it never writes the vault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{redact, setup, stranger};
use crate::agents::{self, AgentAnswer, AgentError, AgentJob, AgentTools, ToolRecorder};
use crate::domain::{
    ChangeSet, GateDiagnostic, GateResult, GitId, Step, StepOutcome, StepRequest, StepResult,
};
use crate::forge::{ForgeError, Forges};
use crate::gates::{self, GateError};
use crate::models::{self, Health, Ledger, ModelError};
use crate::sandbox::{Sandbox, SandboxPolicy};
use crate::workspace::{Workspace, WorkspaceError, Worktree, run_hook};

/// What a step may call back to.
#[derive(Clone)]
pub struct StepServices {
    pub ledger: Arc<dyn Ledger>,
    pub recorder: Arc<dyn ToolRecorder>,
    pub cancel: CancellationToken,
}

/// Runs steps somewhere. A step looks before it acts: running one twice gives one result.
#[async_trait]
pub trait StepExecutor: Send + Sync {
    async fn execute(&self, request: StepRequest, services: StepServices) -> StepOutcome;
}

/// Runs steps in this process.
pub struct InProcess {
    pub sandbox: Sandbox,
    pub forges: Arc<Forges>,
    /// Which providers are left alone for now; shared by all steps.
    pub health: Arc<Health>,
}

/// Bytes of diff that a reviewer or tester is shown.
pub(super) const DIFF_BYTES: usize = 200_000;

#[async_trait]
impl StepExecutor for InProcess {
    async fn execute(&self, request: StepRequest, services: StepServices) -> StepOutcome {
        let begun = Instant::now();
        let agent = request.agent.as_ref().map(|agent| agent.hash.clone());
        let limit = Duration::from_secs(request.timeout_seconds);
        let cancel = services.cancel.clone();
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => StepResult::Cancelled,
            done = tokio::time::timeout(limit, self.run(&request, &services)) => match done {
                Ok(Ok(result)) => result,
                Ok(Err(error)) => error.into_result(),
                Err(_) => StepResult::Failed {
                    error: format!("step {} took longer than {} s", request.key, limit.as_secs()),
                    remedy: "split the feature, or look at the transcript for what the agent was doing".into(),
                    retry: true,
                },
            },
        };
        StepOutcome { result, agent, millis: begun.elapsed().as_millis() as u64 }
    }
}

impl InProcess {
    async fn run(&self, request: &StepRequest, services: &StepServices) -> Result<StepResult, StepError> {
        if let Some(proposal) = &request.proposal {
            return stranger::review(self, request, proposal, services).await;
        }
        let place = Place::prepare(request, &self.forges).await?;
        self.hooks(request, &place, services).await?;
        let result = match request.key.step {
            Step::Gates => {
                let policy = place.policy(request)?;
                let root = place.worktree.path.as_path();
                let specs = gates::resolve(&request.gates, &request.repository, root)?;
                let context = request.gates.context_lines;
                let ran = gates::run(&self.sandbox, &policy, root, &specs, context, &services.cancel).await?;
                for (gate, refusal) in &ran.refused {
                    services.recorder.refused(request.key, gate, refusal).await;
                }
                let mut gates = ran.results;
                add_secrets_gate(&mut gates, place.secrets(request).await?);
                StepResult::Gated { gates }
            }
            _ => self.with_agent(request, &place, services).await?,
        };
        if let Some(command) = &request.repository.after_run {
            self.hook(request, &place, "after_run", command, services).await?;
        }
        Ok(result)
    }

    async fn with_agent(
        &self,
        request: &StepRequest,
        place: &Place,
        services: &StepServices,
    ) -> Result<StepResult, StepError> {
        let router = models::chain(&request.models, Path::new(&request.vault), services.ledger.clone())?
            .with_health(self.health.clone());
        let router = Arc::new(router);
        let read_only = !request.agent.as_ref().is_some_and(|agent| agent.role.may_write());
        let mut policy = place.policy(request)?;
        if let Some(profile) = request.agent.as_ref().and_then(|agent| agent.sandbox.as_ref()) {
            policy = policy.with_profile(profile);
        }
        if read_only {
            policy = policy.read_only();
        }
        let facts = place.facts().await?;
        let diff = place.diff(request, DIFF_BYTES).await?;
        let job = AgentJob {
            request,
            worktree: &place.worktree.path,
            policy: &policy,
            facts,
            diff,
            gates: &request.gate_results,
            findings: &request.findings,
        };
        let tools = AgentTools {
            router: &router,
            sandbox: &self.sandbox,
            recorder: services.recorder.as_ref(),
            cancel: &services.cancel,
        };
        match agents::run(&job, &tools).await {
            Ok(AgentAnswer::Plan(plan)) => Ok(StepResult::Planned { plan, base: place.base.clone() }),
            Ok(AgentAnswer::Review(review)) => Ok(StepResult::Reviewed { review }),
            Ok(AgentAnswer::Spec(draft)) => Ok(StepResult::Specified { draft }),
            Ok(AgentAnswer::Changed { summary }) => {
                Ok(StepResult::Changed { change: place.commit(request, &summary).await? })
            }
            Err(AgentError::TurnsUsedUp { partial: true, turns, .. }) if !read_only => {
                let summary = format!("stopped after {turns} turns; what was done so far");
                Ok(StepResult::Changed { change: place.commit(request, &summary).await? })
            }
            Err(AgentError::Unfinished { agent, reason, error, summary }) if !read_only => {
                let change = place.commit(request, &summary).await?;
                // Only what is in the files counts, and that is judged like any other change.
                if Some(&change.commit) != request.head.as_ref().or(Some(&place.base)) {
                    return Ok(StepResult::Changed { change });
                }
                Err(match error {
                    Some(error) => StepError::Model(*error),
                    None => AgentError::Unfinished { agent, reason, error, summary }.into(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn hooks(
        &self,
        request: &StepRequest,
        place: &Place,
        services: &StepServices,
    ) -> Result<(), StepError> {
        if !place.worktree.is_set_up() {
            setup::prepare(&self.sandbox, &place.workspace, &place.worktree, request, services).await?;
            if let Some(command) = &request.repository.after_create {
                self.hook(request, place, "after_create", command, services).await?;
            }
            place.worktree.mark_set_up()?;
        }
        if let Some(command) = &request.repository.before_run {
            self.hook(request, place, "before_run", command, services).await?;
        }
        Ok(())
    }

    async fn hook(
        &self,
        request: &StepRequest,
        place: &Place,
        name: &str,
        command: &str,
        services: &StepServices,
    ) -> Result<(), StepError> {
        let mut policy = place.policy(request)?;
        policy.limits.wall = Duration::from_secs(request.repository.hook_timeout_seconds);
        run_hook(&self.sandbox, &place.worktree, &policy, name, command, &services.cancel).await?;
        Ok(())
    }
}

/// The repository and the run's worktree in it.
struct Place {
    workspace: Arc<Workspace>,
    worktree: Arc<Worktree>,
    base: GitId,
}

impl Place {
    /// Opens the repository and puts the worktree at the state after the last completed step.
    async fn prepare(request: &StepRequest, forges: &Forges) -> Result<Self, StepError> {
        let request = request.clone();
        // Only a run without a base asks the remote.
        let credential = match request.base {
            Some(_) => None,
            None => forges.of(request.repository.forge, &request.repository)?.credential().await?,
        };
        blocking(move || {
            let root = PathBuf::from(&request.worktrees);
            let workspace = Workspace::open(&request.repository, Path::new(&request.vault), &root)?
                .with_credential(credential);
            let base = match &request.base {
                Some(base) => base.clone(),
                None => workspace.base_of(&request.target_branch)?,
            };
            let worktree = workspace.prepare(&request.run, &request.branch, &base, request.head.as_ref())?;
            Ok(Self { workspace: Arc::new(workspace), worktree: Arc::new(worktree), base })
        })
        .await
    }

    /// The run's change so far; empty before there is one.
    async fn diff(&self, request: &StepRequest, most: usize) -> Result<String, StepError> {
        match (request.base.clone(), request.head.clone()) {
            (Some(base), Some(head)) if base != head => {
                let workspace = self.workspace.clone();
                blocking(move || Ok(workspace.diff(&base, &head, most)?)).await
            }
            _ => Ok(String::new()),
        }
    }

    /// Secrets that the run's change so far adds.
    async fn secrets(&self, request: &StepRequest) -> Result<Vec<GateDiagnostic>, StepError> {
        let (Some(base), Some(head)) = (request.base.clone(), request.head.clone()) else {
            return Ok(vec![]);
        };
        let (workspace, allowed) = (self.workspace.clone(), request.repository.allow_secrets.clone());
        blocking(move || Ok(super::secrets::added(&workspace, Some(&base), &head, &allowed)?)).await
    }

    async fn facts(&self) -> Result<String, StepError> {
        let (workspace, worktree) = (self.workspace.clone(), self.worktree.clone());
        blocking(move || Ok(super::facts::in_words(&workspace.facts(&worktree)?))).await
    }

    async fn commit(&self, request: &StepRequest, summary: &str) -> Result<ChangeSet, StepError> {
        let (workspace, worktree) = (self.workspace.clone(), self.worktree.clone());
        let (request, summary, base) = (request.clone(), summary.to_owned(), self.base.clone());
        blocking(move || {
            let message = commit_message(&request, &summary);
            Ok(workspace.commit(&worktree, &base, &message, &summary)?)
        })
        .await
    }

    /// What a command of this run may touch: the worktree, and what `setup` left for it.
    fn policy(&self, request: &StepRequest) -> Result<SandboxPolicy, StepError> {
        let wall = Duration::from_secs(request.gates.timeout_seconds);
        let mut policy = self.workspace.protected_paths(&self.worktree).policy(wall);
        policy.read.extend(request.repository.read_paths.iter().map(PathBuf::from));
        policy.env = passed_on(&request.repository.env);
        setup::grant(&self.worktree, &mut policy)?;
        Ok(policy)
    }
}

/// The variables of ado-vault's own environment that the repository note passes on, where they are set.
pub(super) fn passed_on(names: &[String]) -> BTreeMap<String, String> {
    names.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
}

/// Runs file and git work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StepError::Task(error.to_string()))?
}

/// The search for secrets in what the change adds, whatever the project's own gates look for.
fn add_secrets_gate(gates: &mut Vec<GateResult>, diagnostics: Vec<GateDiagnostic>) {
    let mut found = gates::secrets_gate(diagnostics);
    if gates.iter().any(|gate| gate.name == found.name) {
        found.name.push_str("-built-in");
    }
    gates.push(found);
}

fn commit_message(request: &StepRequest, summary: &str) -> String {
    let feature = &request.run.feature;
    let subject = match request.key.step {
        Step::Test => format!("{feature}: tests for {}", request.feature.title),
        _ if request.key.round > 1 => format!("{feature}: fix round {}", request.key.round),
        _ => format!("{feature}: {}", request.feature.title),
    };
    let message = format!(
        "{subject}\n\n{}\n\nAdo-Feature: {feature}\nAdo-Run: {}\nAdo-Step: {}\n",
        summary.trim(),
        request.run,
        request.key
    );
    redact::text(&message)
}

/// Why a step gave no result of its own.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error("cannot keep what `setup` left")]
    Setup(#[from] std::io::Error),
    #[error("a background task ended unexpectedly: {0}")]
    Task(String),
}

impl StepError {
    fn into_result(self) -> StepResult {
        match self {
            Self::Model(error) | Self::Agent(AgentError::Model(error)) => from_model(error),
            Self::Agent(AgentError::Cancelled) | Self::Gate(GateError::Cancelled) => StepResult::Cancelled,
            Self::Workspace(error) => {
                StepResult::Failed { retry: error.retry(), remedy: error.remedy(), error: error.to_string() }
            }
            Self::Forge(error) => from_forge(&error),
            Self::Gate(error) => StepResult::Failed {
                error: error.to_string(),
                remedy: "mend the gate's line in the repository note or in the gates policy".into(),
                retry: false,
            },
            other => StepResult::Failed {
                error: other.to_string(),
                remedy: "look at the transcript; try another model or agent prompt".into(),
                retry: true,
            },
        }
    }
}

fn from_forge(error: &ForgeError) -> StepResult {
    match error.not_before() {
        Some(until) => StepResult::Parked { until, reason: error.to_string() },
        None => StepResult::Failed { retry: error.retry(), remedy: error.remedy(), error: error.to_string() },
    }
}

fn from_model(error: ModelError) -> StepResult {
    let text = error.to_string();
    let failed =
        |remedy: &str, retry| StepResult::Failed { error: text.clone(), remedy: remedy.into(), retry };
    match error {
        ModelError::RateLimited { .. }
        | ModelError::Overloaded { .. }
        | ModelError::Exhausted { .. }
        | ModelError::Unwell { .. } => {
            let now = Timestamp::now();
            StepResult::Parked { until: error.resumes(now).unwrap_or(now), reason: text }
        }
        ModelError::OutOfBudget { detail } => StepResult::OutOfBudget { reason: detail },
        ModelError::Unreachable { .. } | ModelError::BrokenOff { .. } => {
            failed("check that the model's server runs and its `base_url` is right", true)
        }
        ModelError::NoKey { variable, .. } => {
            failed(&format!("set the environment variable `{variable}` and start again"), false)
        }
        ModelError::Auth { .. } => failed("check the key in the variable that the model note names", false),
        ModelError::NotRecorded { .. } => {
            failed("record the conversation again, or name another model in Settings", false)
        }
        ModelError::Cancelled => StepResult::Cancelled,
        ModelError::NoModel { .. } => failed("name a model in Settings, Routing or the agent's note", false),
        ModelError::Rejected { .. } | ModelError::ContextOverflow { .. } => {
            failed("check `model` and `context_tokens` in the model note", false)
        }
        ModelError::Ledger { .. } => failed("check that the vault's disk is writable and not full", true),
    }
}
