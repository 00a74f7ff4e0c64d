//! Renders an agent note's Tera prompt. Knows the variables' names and no conversation.
//!
//! | variable | what it is |
//! |---|---|
//! | `feature.title` | the feature's title, one line, fenced as data |
//! | `feature.type` | `feature`, `bug`, `refactor`, … |
//! | `feature.body` | the note's text, fenced as data |
//! | `feature.criteria` | acceptance criteria as a Markdown list, fenced as data; empty if there are none |
//! | `plan` | the plan as Markdown, fenced; empty without one |
//! | `facts` | repository facts taken from the source, fenced |
//! | `diff` | unified diff of the run so far, fenced; empty for planner and first code step |
//! | `gates` | gates with status and diagnostics, fenced; empty before any ran |
//! | `findings` | findings by rules (lost assertions, refused files, words to models), fenced; empty if there are none |
//! | `instruction` | why the agent is called again: errors, failing gates, findings, unmet criteria, human words; empty in the first round |
//! | `constitution` | the vault's constitution |
//! | `review_rules` | the review rules, each under its name |
//! | `repository.name` | name of the repository note |
//! | `repository.conventions` | body of the repository note |
//! | `rounds_left` | number of fix rounds left |
//! | `budget_left` | what is left of the run's budget, in words |
//! | `tools` | names of the tools offered, comma separated; empty for edit formats without tool calls |
//! | `edit_format` | `tools`, `search-replace` or `whole-file` |
//!
//! All are text except `rounds_left`, and all always exist, so that `{% if plan %}` asks whether there is one. How to
//! finish and which JSON is expected is appended by the code and need not be in a note.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use tera::{Context, ErrorKind, Tera};

use super::AgentError;
use crate::domain::AgentConfig;

/// Everything that a prompt may name; see the module's table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PromptVars {
    pub feature: FeatureVars,
    pub plan: String,
    pub facts: String,
    pub diff: String,
    pub gates: String,
    pub findings: String,
    pub instruction: String,
    pub constitution: String,
    pub review_rules: String,
    pub repository: RepositoryVars,
    pub rounds_left: u32,
    pub budget_left: String,
    pub tools: String,
    pub edit_format: String,
}

/// The feature, as `feature.…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FeatureVars {
    pub title: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub body: String,
    pub criteria: String,
}

/// The target repository, as `repository.…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepositoryVars {
    pub name: String,
    pub conventions: String,
}

/// Renders the agent's prompt. Rendering with `PromptVars::default()` checks a note without a feature.
///
/// # Errors
/// `Prompt` with the agent's name, the line and the variable, when the template is malformed or names a variable that
/// does not exist.
pub fn render_prompt(agent: &AgentConfig, vars: &PromptVars) -> Result<String, AgentError> {
    let name = agent.name.as_str();
    let fails = |line: usize, problem: String| AgentError::Prompt {
        agent: agent.name.clone(),
        line: u32::try_from(line).unwrap_or(0),
        problem,
    };
    let told = |error: &tera::Error| match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            fails(report.span().start_line, report.message().to_owned())
        }
        other => fails(0, other.to_string()),
    };
    let mut tera = Tera::default();
    tera.autoescape_on(Vec::<&'static str>::new());
    tera.add_raw_template(name, &agent.prompt).map_err(|error| told(&error))?;
    let context = Context::from_serialize(vars).map_err(|error| told(&error))?;
    let used = tera.get_template_variables(name).map_err(|error| told(&error))?;
    let mut unknown: Vec<&str> =
        used.into_iter().filter(|variable| !context.contains_key(variable)).collect();
    unknown.sort_unstable();
    if let Some(variable) = unknown.first() {
        let line = agent.prompt.lines().position(|line| names(line, variable)).map_or(0, |index| index + 1);
        return Err(fails(line, format!("unknown variable `{variable}`")));
    }
    // Tera takes an unknown field for false in a condition.
    for (index, line) in agent.prompt.lines().enumerate() {
        for part in line.split(['{', '}']).skip(1) {
            for field in FIELDS.find_iter(part).map(|field| field.as_str()) {
                let (owner, key) = field.split_once('.').unwrap_or((field, ""));
                let known = context
                    .get(owner)
                    .and_then(|value| value.as_map())
                    .is_some_and(|map| map.keys().any(|known| known.as_str() == Some(key)));
                if !known {
                    return Err(fails(index + 1, format!("unknown variable `{field}`")));
                }
            }
        }
    }
    tera.render(name, &context).map_err(|error| told(&error))
}

static FIELDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:feature|repository)\.\w+").expect("a literal pattern"));

/// Whether a template's line has the word within `{{ … }}` or `{% … %}`.
fn names(line: &str, variable: &str) -> bool {
    line.split(['{', '}'])
        .skip(1)
        .any(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(prompt: &str) -> Result<String, String> {
        let mut agent: AgentConfig =
            serde_json::from_value(serde_json::json!({"name": "Coder", "role": "coder"})).unwrap();
        agent.prompt = prompt.into();
        let mut vars = PromptVars { rounds_left: 2, ..PromptVars::default() };
        vars.feature.title = "<T>".into();
        vars.plan = "do it".into();
        render_prompt(&agent, &vars).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_conditions_and_own_names_work_and_nothing_is_escaped() {
        let prompt = "{{ feature.title }}{% if plan %} {{ plan }}{% endif %}{% if diff %}no{% endif %} \
                      {% for i in range(end=rounds_left) %}{{ i }}{% endfor %}{% set x = 5 %}{{ x }}";
        assert_eq!(render(prompt).unwrap(), "<T> do it 015");
    }

    #[test]
    fn unknown_variables_fail_wherever_they_stand_with_name_and_line() {
        for (prompt, line, name) in [
            ("a\n{{ plan }}\n{{ pla }}", 3, "`pla`"),
            ("{% if unknown %}x{% endif %}", 1, "`unknown`"),
            ("\n{{ feature.titel }}", 2, "titel"),
            ("{{ repository.nam }}", 1, "nam"),
            ("a\n{% if feature.bodi %}x{% endif %}", 2, "`feature.bodi`"),
        ] {
            let error = render(prompt).unwrap_err();
            assert!(error.starts_with(&format!("prompt of agent `Coder` fails in line {line}: ")), "{error}");
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_malformed_template_names_its_line() {
        let error = render("a\nb\n{% if plan %}").unwrap_err();
        assert!(error.starts_with("prompt of agent `Coder` fails in line 3: "), "{error}");
    }
}
