//! Names, descriptions and JSON Schemas of the tools, as models see them. Recordings depend on the exact names.

use serde_json::{Value, json};

use crate::agents::schema;
use crate::domain::{AgentConfig, SandboxProfile, Tool};
use crate::models::ToolSpec;

pub(in crate::agents) const ALL: [(Tool, &str); 7] = [
    (Tool::List, "list"),
    (Tool::Search, "search"),
    (Tool::Read, "read"),
    (Tool::Edit, "edit"),
    (Tool::Write, "write"),
    (Tool::Run, "run"),
    (Tool::Finish, "finish"),
];

/// The tools of this agent: those that its note names (all, when it names none) as far as its role may use them, and
/// always `finish`.
pub(in crate::agents) fn offered(agent: &AgentConfig) -> Vec<(Tool, &'static str)> {
    ALL.into_iter()
        .filter(|(tool, _)| {
            let named = agent.tools.is_empty() || agent.tools.contains(tool) || *tool == Tool::Finish;
            let allowed = match tool {
                Tool::Edit | Tool::Write => agent.role.may_write(),
                Tool::Run => !agent.commands.is_empty(),
                _ => true,
            };
            named && allowed
        })
        .collect()
}

/// The offered tools with their schemas.
pub(in crate::agents) fn specs(agent: &AgentConfig) -> Vec<ToolSpec> {
    offered(agent)
        .into_iter()
        .map(|(tool, name)| {
            let (description, parameters) = describe(tool, agent);
            ToolSpec { name: name.to_owned(), description, parameters }
        })
        .collect()
}

fn describe(tool: Tool, agent: &AgentConfig) -> (String, Value) {
    let path = json!({"type": "string", "description": "relative to the repository's root"});
    match tool {
        Tool::List => (
            "Lists the repository's files, without those that .gitignore names.".into(),
            object(json!({"path": {"type": "string", "description": "a folder; missing means the root"}}), &[]),
        ),
        Tool::Search => (
            "Finds lines that match a regular expression, in all files or beneath `path`.".into(),
            object(json!({"pattern": {"type": "string", "description": "regular expression"}, "path": path}), &["pattern"]),
        ),
        Tool::Read => (
            "Shows a text file with line numbers. The numbers and the tab after them are not part of the file.".into(),
            object(
                json!({
                    "path": path,
                    "from_line": {"type": "integer", "minimum": 1},
                    "to_line": {"type": "integer", "minimum": 1},
                }),
                &["path"],
            ),
        ),
        Tool::Edit => (
            "Replaces exact text in a file. `old` must stand in the file exactly once, with its white space; add lines \
             around it until it does."
                .into(),
            object(json!({"path": path, "old": {"type": "string"}, "new": {"type": "string"}}), &["path", "old", "new"]),
        ),
        Tool::Write => (
            "Makes a file, or replaces all of its content.".into(),
            object(json!({"path": path, "content": {"type": "string"}}), &["path", "content"]),
        ),
        Tool::Run => (
            format!(
                "Runs a program in the repository's root or in `folder`, without a shell and {}. Allowed programs: {}.",
                network(agent),
                agent.commands.join(", ")
            ),
            object(
                json!({"argv": {"type": "array", "items": {"type": "string"}, "minItems": 1,
                    "description": "program and arguments, such as [\"cargo\", \"test\"]"},
                    "folder": {"type": "string", "description": "relative to the repository's root"}}),
                &["argv"],
            ),
        ),
        Tool::Finish => (
            "Ends your work. The arguments are your result. Call it once, when everything is done.".into(),
            schema::of(agent.role),
        ),
    }
}

/// What of the network an agent's commands reach, in words.
fn network(agent: &AgentConfig) -> String {
    match &agent.sandbox {
        Some(SandboxProfile::Network(hosts)) => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("with no network but {} through a proxy", hosts.join(", "))
        }
        _ => "without network".to_owned(),
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agents::recorder::{AGENT, APPLY, PERMISSION};
    use crate::domain::Role;

    /// Names and callers in the table of the docs.
    fn documented() -> BTreeMap<String, String> {
        let docs = include_str!("../../../docs/security.md");
        let section = docs.split("\n## Tools\n").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            (cells[0].trim_end_matches('`').to_owned(), cells[2].trim_end_matches(" |").to_owned())
        })
        .collect()
    }

    #[test]
    fn the_docs_list_every_tool_with_who_may_call_it() {
        let agent = |role: Role| -> AgentConfig {
            let note = json!({"name": "A", "role": role.slug(), "commands": ["cargo"]});
            serde_json::from_value(note).unwrap()
        };
        let names = |roles: Vec<Role>| roles.iter().map(|role| role.slug()).collect::<Vec<_>>().join(", ");
        let roles = |may: &dyn Fn(Role) -> bool| -> String {
            let in_order = [Role::Planner, Role::Coder, Role::Tester, Role::Reviewer, Role::SpecWriter];
            names(in_order.into_iter().filter(|role| may(*role)).collect())
        };
        let mut wanted: BTreeMap<String, String> = ALL
            .iter()
            .map(|(_, name)| {
                let may = |role| offered(&agent(role)).iter().any(|(_, offered)| offered == name);
                ((*name).to_owned(), roles(&may))
            })
            .collect();
        wanted.insert(APPLY.to_owned(), roles(&Role::may_write));
        wanted.extend([AGENT, PERMISSION].map(|name| (name.to_owned(), roles(&|_| true))));
        assert_eq!(documented(), wanted);
    }
}
