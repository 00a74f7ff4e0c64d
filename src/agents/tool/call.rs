//! Answers one tool call: checks its arguments, does it, bounds and cleans what comes out.

use std::time::Instant;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{edit, look, offered};
use crate::agents::fence::Fence;
use crate::agents::source::Source;
use crate::agents::worktree::Worktree;
use crate::agents::{AgentError, AgentJob, AgentTools, ToolRecord};
use crate::domain::{AgentConfig, Tool, redact_secrets};
use crate::models::ToolCall;
use crate::note::plain;
use crate::sandbox::{SandboxCommand, SandboxError};

/// Bytes of one tool answer.
pub(in crate::agents) const OUTPUT_BYTES: usize = 16 << 10;
/// Bytes of one call's arguments.
const ARGUMENT_BYTES: usize = 512 << 10;
/// Bytes of arguments that are recorded.
const RECORD_BYTES: usize = 4 << 10;

/// What the tools of one agent work on.
pub(in crate::agents) struct Toolbox<'a> {
    pub(in crate::agents) agent: &'a AgentConfig,
    pub(in crate::agents) job: &'a AgentJob<'a>,
    pub(in crate::agents) tools: &'a AgentTools<'a>,
    pub(in crate::agents) worktree: &'a Worktree,
    pub(in crate::agents) fence: &'a Fence,
}

/// What a call came to. `Err` texts are for the model.
struct Outcome {
    text: Result<String, String>,
    exit_code: Option<i32>,
    folder: String,
}

impl Outcome {
    fn of(text: Result<String, String>) -> Self {
        Self { text, exit_code: None, folder: String::new() }
    }
}

/// Does one call other than `finish`, records it, and gives the text for the model, fenced. A call that is unknown, malformed
/// or too large is answered with what is wrong and never run.
pub(in crate::agents) async fn answer(toolbox: &Toolbox<'_>, call: &ToolCall) -> Result<String, AgentError> {
    let started = Instant::now();
    let outcome = match known(toolbox.agent, call) {
        Ok((Tool::Run, arguments)) => run(toolbox, &arguments).await?,
        Ok((tool, arguments)) => Outcome::of(look_or_change(toolbox.worktree, tool, &arguments)),
        Err(problem) => Outcome::of(Err(problem)),
    };
    let ok = outcome.text.is_ok();
    let text = match outcome.text {
        Ok(text) => text,
        Err(problem) => format!("error: {problem}"),
    };
    let name: String = plain(&call.name).chars().take(60).collect();
    let about = call.arguments.get("path").and_then(Value::as_str).map(str::to_owned);
    let told = toolbox.fence.wrap(&Source::Tool { name: name.clone(), about }, &text, OUTPUT_BYTES);
    let clean = |text: &str, most: usize| bounded(&redact_secrets(&plain(text), toolbox.fence.held()), most);
    toolbox
        .tools
        .recorder
        .tool(ToolRecord {
            key: toolbox.job.request.key,
            agent: toolbox.agent.name.clone(),
            tool: name,
            folder: outcome.folder,
            input: clean(&call.arguments.to_string(), RECORD_BYTES),
            output: clean(&text, OUTPUT_BYTES),
            ok,
            exit_code: outcome.exit_code,
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
        .await;
    Ok(told)
}

/// The tool and its arguments as an object, if this agent was offered it.
fn known(agent: &AgentConfig, call: &ToolCall) -> Result<(Tool, Value), String> {
    let names: Vec<&str> = offered(agent).iter().map(|(_, name)| *name).collect();
    let Some((tool, _)) = offered(agent).into_iter().find(|(_, name)| *name == call.name) else {
        let name: String = plain(&call.name).chars().take(60).collect();
        return Err(format!("there is no tool `{name}`; the tools are {}", names.join(", ")));
    };
    // Some servers hand the arguments on as the text that the model wrote.
    let arguments = match &call.arguments {
        Value::String(text) if text.trim().is_empty() => Value::Object(serde_json::Map::new()),
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| format!("the arguments are not JSON: {error}"))?
        }
        Value::Null => Value::Object(serde_json::Map::new()),
        other => other.clone(),
    };
    if !arguments.is_object() {
        return Err("the arguments must be a JSON object".into());
    }
    let size = arguments.to_string().len();
    if size > ARGUMENT_BYTES {
        return Err(format!("the arguments have {size} bytes; at most {ARGUMENT_BYTES} are taken"));
    }
    Ok((tool, arguments))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    pattern: String,
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    path: String,
    from_line: Option<usize>,
    to_line: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    path: String,
    old: String,
    new: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    path: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    argv: Vec<String>,
    folder: Option<String>,
}

fn look_or_change(worktree: &Worktree, tool: Tool, arguments: &Value) -> Result<String, String> {
    match tool {
        Tool::List => look::list(worktree, typed::<List>(arguments)?.path.as_deref()),
        Tool::Search => {
            let search: Search = typed(arguments)?;
            look::search(worktree, &search.pattern, search.path.as_deref())
        }
        Tool::Read => {
            let read: Read = typed(arguments)?;
            look::read(worktree, &read.path, read.from_line, read.to_line)
        }
        Tool::Edit => {
            let edit: Edit = typed(arguments)?;
            let text = worktree.read(&edit.path)?;
            worktree.write(&edit.path, &edit::replace_once(&text, &edit.old, &edit.new)?)?;
            Ok(format!("changed `{}`", edit.path))
        }
        Tool::Write => {
            let write: Write = typed(arguments)?;
            worktree.write(&write.path, &write.content)?;
            Ok(format!("wrote `{}`, {} lines", write.path, write.content.lines().count()))
        }
        Tool::Run | Tool::Finish => Err("this tool is answered elsewhere".into()),
    }
}

fn typed<T: DeserializeOwned>(arguments: &Value) -> Result<T, String> {
    serde_json::from_value(arguments.clone()).map_err(|error| format!("the arguments do not fit: {error}"))
}

async fn run(toolbox: &Toolbox<'_>, arguments: &Value) -> Result<Outcome, AgentError> {
    let refused = |problem: String| Ok(Outcome::of(Err(problem)));
    let (argv, folder) = match typed::<Run>(arguments) {
        Ok(run) => (run.argv, run.folder),
        Err(problem) => return refused(problem),
    };
    let folder = match toolbox.worktree.folder(folder.as_deref()) {
        Ok(folder) => folder,
        Err(problem) => return refused(problem),
    };
    if argv.iter().any(|word| word.contains('\0')) {
        return refused("an argument holds a NUL character".into());
    }
    let allowed = argv.first().is_some_and(|program| toolbox.agent.commands.iter().any(|one| one == program));
    if !allowed {
        return refused(format!(
            "`{}` is not allowed; the programs are {}",
            argv.first().map_or("", String::as_str),
            toolbox.agent.commands.join(", ")
        ));
    }
    let program = argv.first().cloned().unwrap_or_default();
    let command = SandboxCommand {
        argv,
        cwd: toolbox.worktree.root().join(&folder),
        env: [("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "never"), ("TERM", "dumb")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        stdin: String::new(),
    };
    let output = match toolbox.tools.sandbox.run(&command, toolbox.job.policy, toolbox.tools.cancel).await {
        Ok(output) => output,
        Err(SandboxError::Cancelled) => return Err(AgentError::Cancelled),
        Err(error) => return refused(format!("`{program}` cannot be run: {error}")),
    };
    for refusal in &output.refused {
        let by = toolbox.agent.name.as_str();
        toolbox.tools.recorder.refused(toolbox.job.request.key, by, refusal).await;
    }
    let ended = match output.exit_code {
        _ if output.timed_out => format!("stopped after {} seconds", output.millis / 1000),
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    // The end of the output says what failed; what is left out is the middle.
    let room = OUTPUT_BYTES / 2 - 100;
    let stdout = bounded(&plain(&output.stdout), room);
    let stderr = bounded(&plain(&output.stderr), room);
    let mut text = ended;
    for (name, stream) in [("stdout", stdout), ("stderr", stderr)] {
        if !stream.trim().is_empty() {
            text.push_str(&format!("\n[{name}]\n{}", stream.trim_end()));
        }
    }
    Ok(Outcome { text: Ok(text), exit_code: output.exit_code, folder })
}

/// At most `most` bytes: a third from the head, the rest from the tail, and how much was left out between.
pub(in crate::agents) fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut head = most / 3;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - (most - head - 60);
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n… {} bytes left out …\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounding_keeps_head_and_tail_and_whole_characters() {
        let text = format!("HEAD{}TAIL", "é".repeat(5000));
        let short = bounded(&text, 1000);
        assert!(short.len() <= 1000);
        assert!(short.starts_with("HEAD") && short.ends_with("TAIL") && short.contains("bytes left out"));
        assert_eq!(bounded("short", 1000), "short");
    }

    #[test]
    fn calls_that_are_unknown_malformed_or_too_large_are_not_known() {
        let agent: AgentConfig =
            serde_json::from_value(serde_json::json!({"name": "P", "role": "planner"})).unwrap();
        let call = |name: &str, arguments: Value| ToolCall { id: "1".into(), name: name.into(), arguments };
        assert!(known(&agent, &call("rm", Value::Null)).unwrap_err().contains("no tool `rm`"));
        assert!(
            known(&agent, &call("write", Value::Null)).unwrap_err().contains("no tool `write`"),
            "read-only role"
        );
        assert!(known(&agent, &call("list", "{".into())).unwrap_err().contains("not JSON"));
        assert!(known(&agent, &call("list", serde_json::json!([1]))).unwrap_err().contains("JSON object"));
        let large = serde_json::json!({"path": "x".repeat(ARGUMENT_BYTES)});
        assert!(known(&agent, &call("list", large)).unwrap_err().contains("at most"));
        assert_eq!(known(&agent, &call("read", "{\"path\":\"a\"}".into())).unwrap().0, Tool::Read);
        assert!(typed::<Read>(&serde_json::json!({"file": "a"})).is_err());
    }
}
