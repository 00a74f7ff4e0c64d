//! The first words to an agent, whoever it is: its note's prompt, and what every prompt must hold.

use super::fence::Fence;
use super::source::Source;
use super::{AgentError, AgentJob, PromptVars, contract, render_prompt};
use crate::domain::{AgentConfig, Role, redact_secrets};

/// The agent's prompt; how to finish is not in it.
///
/// # Errors
/// As `render_prompt`.
pub(super) fn opening(
    job: &AgentJob<'_>,
    agent: &AgentConfig,
    vars: &PromptVars,
    fence: &Fence,
    room: usize,
) -> Result<String, AgentError> {
    let mut prompt = render_prompt(agent, vars)?;
    // A note that leaves these out would leave its agent without its task.
    for (head, part) in [("The request", &vars.feature.body), ("What is wrong now", &vars.instruction)] {
        if !part.is_empty() && !prompt.contains(part.as_str()) {
            prompt.push_str(&format!("\n\n## {head}\n\n{part}"));
        }
    }
    let feature = &job.request.feature;
    let judged = if agent.role == Role::Reviewer { feature.rows.as_slice() } else { &[] };
    for (head, rows) in [(contract::ROWS, judged), (contract::FOR_PEOPLE, feature.for_people.as_slice())] {
        let rows: Vec<String> = rows.iter().map(|row| format!("- {row}")).collect();
        if !rows.is_empty() {
            let rows = fence.wrap(
                &Source::Request("rows of the feature note"),
                &rows.join("\n"),
                (room / 8).max(400),
            );
            prompt.push_str(&format!("\n\n{head}\n\n{rows}"));
        }
    }
    // Conventions, constitution and the agent note's own words are not fenced.
    Ok(redact_secrets(&prompt, fence.held()))
}

/// Bytes of prompt for a model with this context: about half of it.
pub(super) fn prompt_room(context_tokens: u64) -> usize {
    usize::try_from(context_tokens.saturating_mul(7) / 4).unwrap_or(usize::MAX).clamp(4 << 10, 400 << 10)
}
