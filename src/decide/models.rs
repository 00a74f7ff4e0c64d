//! Which models an agent talks to: its own chain, else its tier's model, else the default of the settings.
//!
//! Does not know providers, prices or whether a model answers.

use crate::domain::{AgentConfig, Config, Diagnostic, ModelConfig, ModelName, Tier};

/// The fallback chain of an agent for a feature of this tier, preferred model first.
///
/// # Errors
/// A diagnostic with a remedy where no model is named or a named one has no note.
pub fn pick_models(config: &Config, agent: &AgentConfig, tier: Tier) -> Result<Vec<ModelConfig>, Diagnostic> {
    let fallback = || config.routing.model(tier).or(config.settings.default_model.as_ref());
    let names: Vec<&ModelName> = if agent.models.is_empty() {
        fallback().into_iter().collect()
    } else {
        agent.models.iter().collect()
    };
    if names.is_empty() {
        return Err(Diagnostic::error(
            "no-model",
            format!("agent `{}` has no model for tier {tier}", agent.name),
            format!(
                "set `default_model` in `00_system/Settings.md`, `{tier}_model` in `30_policy/Routing.md`, or \
                 `models` in `20_agents/{}.md`",
                agent.name
            ),
        ));
    }
    names
        .into_iter()
        .map(|name| config.models.get(name).cloned().ok_or_else(|| unknown(config, agent, name)))
        .collect()
}

fn unknown(config: &Config, agent: &AgentConfig, name: &ModelName) -> Diagnostic {
    let known: Vec<&str> = config.models.keys().map(ModelName::as_str).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Diagnostic::error(
        "unknown-model",
        format!("agent `{}` names model `{name}`, which has no note", agent.name),
        format!("write `00_system/models/{name}.md` or name one that exists ({known})"),
    )
}
