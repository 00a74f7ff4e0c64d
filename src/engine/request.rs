//! Makes the `StepRequest` of a step from what is known: everything the step needs, nothing it must look up.

use super::EngineError;
use super::observe::{repository_of, worktrees_folder};
use crate::decide;
use crate::domain::{
    AgentConfig, BranchName, Config, Diagnostic, FeatureBrief, FeatureView, Instruction, ModelConfig, Phase,
    PhaseRow, RunState, Sections, Snapshot, StepKey, StepRequest,
};
use crate::vault::Vault;

/// The request, or why it cannot be made.
pub fn step_request(
    vault: &Vault,
    snapshot: &Snapshot,
    view: &FeatureView,
    run: &RunState,
    key: StepKey,
    attempt: u32,
    instruction: Instruction,
) -> Result<StepRequest, Diagnostic> {
    let (config, feature) = (&snapshot.config, &view.feature);
    let missing = |what: String, remedy: &str| Diagnostic::error("missing-part", what, remedy);
    let repository = repository_of(feature, config)
        .or_else(|| config.repositories.get(&run.repo))
        .ok_or_else(|| missing(format!("repository `{}` has no note", run.repo), "add its note"))?;
    let (agent, models) = match key.step.role() {
        None => (None, vec![]),
        Some(role) => {
            let agent = config.agent(role).ok_or_else(|| {
                missing(format!("no agent has the role `{}`", role.slug()), "add a note to the agents folder")
            })?;
            let (agent, models) = with_models(config, agent, run)?;
            (Some(agent), models)
        }
    };
    Ok(StepRequest {
        run: run.id.clone(),
        key,
        attempt,
        feature: FeatureBrief {
            title: feature.title.clone(),
            kind: feature.kind(),
            body: brief(view, run),
            criteria: feature.sections.criteria.clone(),
            rows: feature.sections.rows_of_agents().collect(),
            for_people: for_people(&feature.sections),
            of_issue: feature
                .properties
                .issue
                .is_some()
                .then(|| feature.properties.issue_trust.unwrap_or_default()),
        },
        repository: repository.clone(),
        branch: run.branch.clone(),
        target_branch: run.target_branch.clone(),
        base: run.base.clone(),
        head: run.head().cloned(),
        worktrees: worktrees_folder(vault, config).to_string_lossy().into_owned(),
        agent,
        models,
        vault: vault.root().to_string_lossy().into_owned(),
        plan: run.plan.clone(),
        instruction,
        findings: run.found_by_rules(key),
        constitution: config.constitution.clone(),
        review_rules: config.review_rules.clone(),
        gates: config.gates.clone(),
        gate_results: run.gates.clone(),
        rounds_left: config.settings.max_rounds.saturating_sub(key.round),
        budget_left: budget_left(config, view, run, key),
        sandbox: config.settings.sandbox,
        sensitive_paths: config.sensitive_paths(Some(&repository.name)),
        proposal: None,
        timeout_seconds: decide::step_seconds(snapshot, view, run),
    })
}

/// The note's text, with the plan as a human rewrote it where one did.
fn brief(view: &FeatureView, run: &RunState) -> String {
    match &run.plan_text {
        Some(plan) => format!("{}\n\n## Plan as approved\n\n{plan}\n", view.feature.brief),
        None => view.feature.brief.to_string(),
    }
}

fn for_people(sections: &Sections) -> Vec<String> {
    let line = |(phase, row): (&Phase, &PhaseRow)| {
        let details = if row.item.trim().is_empty() { "" } else { row.details.trim() };
        let detail = if details.is_empty() { String::new() } else { format!(": {details}") };
        format!("phase {}, {}{detail} (done by {})", phase.number, row.name(), row.owner.trim())
    };
    sections.rows_of_people().map(line).collect()
}

fn with_models(
    config: &Config,
    agent: &AgentConfig,
    run: &RunState,
) -> Result<(AgentConfig, Vec<ModelConfig>), Diagnostic> {
    Ok((agent.clone(), decide::pick_models(config, agent, run.tier())?))
}

fn budget_left(config: &Config, view: &FeatureView, run: &RunState, key: StepKey) -> String {
    let caps = decide::caps_for(config, view, run).run;
    let spent = run.committed_before(key);
    let parts = [
        caps.usd.map(|cap| (cap - spent.usd).to_string()),
        caps.tokens.map(|cap| format!("{} tokens", cap.saturating_sub(spent.tokens))),
        caps.calls.map(|cap| format!("{} model calls", cap.saturating_sub(spent.calls))),
    ];
    let left: Vec<String> = parts.into_iter().flatten().collect();
    if left.is_empty() { "no limit is set".to_owned() } else { left.join(", ") }
}

/// The branch that a feature's work is merged into.
pub fn target_branch(view: &FeatureView, config: &Config) -> Result<BranchName, EngineError> {
    let named = view.feature.properties.target_branch.clone();
    let of_repository = || repository_of(&view.feature, config).map(|repo| repo.default_branch.clone());
    Ok(named.or_else(of_repository).unwrap_or_else(|| "main".to_owned()).parse()?)
}
