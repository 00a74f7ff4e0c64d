//! The built-in loop: ask the model, answer its tool calls or apply its blocks, until it finishes.

use async_trait::async_trait;
use serde_json::Value;

use super::backend::{AgentBackend, MOST_REPAIRS};
use super::blocks::{self, Block};
use super::evidence;
use super::fence::Fence;
use super::history::History;
use super::opening::{opening, prompt_room};
use super::recorder::APPLY;
use super::source::Source;
use super::tool::{self, Toolbox, bounded};
use super::worktree::Worktree;
use super::{AgentAnswer, AgentError, AgentJob, AgentTools, ToolRecord, contract, schema, shown, vars};
use crate::domain::{AgentConfig, EditFormat, redact_secrets};
use crate::models::{CallContext, Message, ModelError, RoutedReply, ToolCall, secrets_held};
use crate::note::plain;

/// Times that an answer without anything usable is asked for again.
const MOST_NUDGES: u32 = 2;
/// Tool calls answered in one turn.
const MOST_CALLS: usize = 24;
/// Files that one answer may ask to see.
const MOST_READS: usize = 12;
const SUMMARY_BYTES: usize = 4 << 10;
/// Bytes of what is wrong with an answer that the model is told.
const PROBLEM_BYTES: usize = 8 << 10;

/// The agent that `ado-vault` itself is: its own conversation and its own tools.
pub(super) struct BuiltIn;

#[async_trait]
impl AgentBackend for BuiltIn {
    async fn run(&self, job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
        converse(job, tools).await
    }
}

async fn converse(job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
    let agent = job.request.agent.as_ref().ok_or(AgentError::NoAgent { step: job.request.key })?;
    let worktree = Worktree::open(job.worktree)
        .map_err(|error| AgentError::Worktree { agent: agent.name.clone(), detail: error.to_string() })?;
    let fence = Fence::new(secrets_held().to_vec())
        .map_err(|error| AgentError::Start { agent: agent.name.clone(), detail: error.to_string() })?
        .of_proposal(job.request.proposal.is_some());
    let toolbox = Toolbox { agent, job, tools, worktree: &worktree, fence: &fence };
    let mut talk = Talk::begin(&toolbox, &fence)?;
    let ended = talk.go_on().await;
    tools.tell_found(job.request.key, &fence).await;
    ended
}

/// One agent's conversation.
struct Talk<'a> {
    toolbox: &'a Toolbox<'a>,
    agent: &'a AgentConfig,
    fence: &'a Fence,
    history: History,
    /// The format that the prompt asks for.
    format: EditFormat,
    /// The only file shown at the start, meant where a fence names none.
    only: Option<String>,
    repairs: u32,
    nudges: u32,
    /// Files that blocks changed so far.
    applied: Vec<String>,
}

impl<'a> Talk<'a> {
    fn begin(toolbox: &'a Toolbox<'a>, fence: &'a Fence) -> Result<Self, AgentError> {
        let (agent, job) = (toolbox.agent, toolbox.job);
        let model = toolbox.tools.router.first();
        let format = model.edit_format;
        let room = prompt_room(model.context_tokens);
        let vars = vars::vars(job, agent, format, fence, room);
        let mut prompt = opening(job, agent, &vars, fence, room)?;
        let mut only = None;
        if format != EditFormat::Tools {
            let shown = shown::shown(job, toolbox.worktree, fence, room / 2);
            prompt.push_str(&format!("\n\n{}", shown.text));
            only = if let [file] = shown.files.as_slice() { Some(file.clone()) } else { None };
        }
        prompt.push_str(&format!("\n\n{}\n", contract::suffix(agent.role, format)));
        let specs = if format == EditFormat::Tools { tool::specs(agent) } else { vec![] };
        let context = CallContext { key: job.request.key, agent: agent.name.clone(), turn: 1 };
        let limits = (model.context_tokens, model.max_output_tokens);
        let history = History::new(agent, context, contract::system(agent), prompt, specs, limits);
        Ok(Self { toolbox, agent, fence, history, format, only, repairs: 0, nudges: 0, applied: vec![] })
    }

    /// Asks and answers until there is a result or the turns are used up.
    async fn go_on(&mut self) -> Result<AgentAnswer, AgentError> {
        let (tools, agent) = (self.toolbox.tools, self.agent);
        for turn in 1..=agent.max_turns.max(1) {
            if tools.cancel.is_cancelled() {
                return Err(AgentError::Cancelled);
            }
            tools.tell_found(self.toolbox.job.request.key, self.fence).await;
            let routed = self.ask(turn).await?;
            let calls = named_calls(&routed.reply.tool_calls, turn);
            self.remember(&routed.reply.text, &calls);
            let answer = if calls.is_empty() {
                self.hear(&routed).await?
            } else {
                self.answer_calls(&calls, turn).await?
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(AgentError::TurnsUsedUp {
            agent: agent.name.clone(),
            turns: agent.max_turns,
            partial: agent.role.may_write(),
        })
    }

    /// What the model said, as it is told again; without the secrets in it.
    fn remember(&mut self, text: &str, calls: &[ToolCall]) {
        let clean = |text: &str| redact_secrets(text, self.fence.held());
        let tool_calls = calls.iter().map(|call| {
            let text = call.arguments.to_string();
            let arguments =
                serde_json::from_str(&clean(&text)).unwrap_or_else(|_| Value::String(clean(&text)));
            ToolCall { arguments, ..call.clone() }
        });
        self.history.push(Message::Assistant { text: clean(text), tool_calls: tool_calls.collect() });
    }

    async fn ask(&mut self, turn: u32) -> Result<RoutedReply, AgentError> {
        let tools = self.toolbox.tools;
        let first = tools.router.call(self.history.request(turn), tools.cancel).await;
        let reply = match first {
            Err(ModelError::ContextOverflow { .. }) => {
                tools.router.call(self.history.shortened(), tools.cancel).await
            }
            other => other,
        };
        let reply = match reply {
            Err(error @ ModelError::ContextOverflow { .. }) => match self.history.restarted() {
                Some(anew) => tools.router.call(anew, tools.cancel).await,
                None => Err(error),
            },
            other => other,
        };
        reply.map_err(|error| match error {
            ModelError::Cancelled => AgentError::Cancelled,
            other => AgentError::Model(other),
        })
    }

    /// Answers each call in order; a valid `finish` ends the work.
    async fn answer_calls(
        &mut self,
        calls: &[ToolCall],
        turn: u32,
    ) -> Result<Option<AgentAnswer>, AgentError> {
        self.nudges = 0;
        let left = self.agent.max_turns.saturating_sub(turn);
        for (index, call) in calls.iter().enumerate() {
            let mut content = if index >= MOST_CALLS {
                format!("error: more than {MOST_CALLS} calls in one answer; this one was not run")
            } else if call.name == "finish" {
                match self.finish(&call.arguments).await? {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(problem) => problem,
                }
            } else {
                tool::answer(self.toolbox, call).await?
            };
            if left <= 2 && index + 1 == calls.len() {
                content.push_str(&format!("\n({left} turns left; finish now)"));
            }
            self.history.push(Message::Tool { call_id: call.id.clone(), name: call.name.clone(), content });
        }
        Ok(None)
    }

    /// The result in the arguments of `finish`; `Ok(Err)` is what to tell the model.
    async fn finish(&mut self, arguments: &Value) -> Result<Result<AgentAnswer, String>, AgentError> {
        let parsed = match arguments {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        match schema::read(self.agent.role, &parsed).and_then(|answer| self.covering(answer)) {
            Ok(answer) => {
                self.record("finish", &parsed.to_string(), "accepted", true).await;
                Ok(Ok(answer))
            }
            Err(problem) => {
                self.record("finish", &parsed.to_string(), &problem, false).await;
                self.repair(&problem)?;
                let problem = self.problem(&problem);
                Ok(Err(format!(
                    "error: the result does not fit its schema:\n{problem}\nCall `finish` again."
                )))
            }
        }
    }

    /// An answer without tool calls.
    async fn hear(&mut self, routed: &RoutedReply) -> Result<Option<AgentAnswer>, AgentError> {
        let text = &routed.reply.text;
        // A fallback model may need another format than the one that was asked for.
        let format = if self.format == EditFormat::Tools { routed.edit_format } else { self.format };
        if self.agent.role.may_write() && format != EditFormat::Tools {
            let answer = blocks::parse(text, self.only.as_deref());
            if !answer.blocks.is_empty() || !answer.problems.is_empty() {
                return self.apply(answer, format).await;
            }
        }
        let found = schema::find(self.agent.role, text);
        match found.map(|found| found.and_then(|answer| self.covering(answer))) {
            Some(Ok(answer)) => {
                self.record("finish", text, "accepted", true).await;
                return Ok(Some(answer));
            }
            Some(Err(problem)) if !self.agent.role.may_write() => {
                self.record("finish", text, &problem, false).await;
                self.repair(&problem)?;
                let problem = self.problem(&problem);
                let say =
                    format!("The result does not fit its schema:\n{problem}\nGive the whole result again.");
                self.history.push(Message::User { text: say });
                return Ok(None);
            }
            _ => {}
        }
        let reads = blocks::parse(text, None).reads;
        if format != EditFormat::Tools && !reads.is_empty() {
            self.show(&reads).await;
            return Ok(None);
        }
        self.nudge(routed, format)?;
        Ok(None)
    }

    /// Applies blocks; what cannot be applied is sent back.
    async fn apply(
        &mut self,
        answer: blocks::Answer,
        format: EditFormat,
    ) -> Result<Option<AgentAnswer>, AgentError> {
        let mut problems = answer.problems;
        let mut failed = vec![];
        for block in &answer.blocks {
            let done = blocks::apply(self.toolbox.worktree, block, format);
            let (ok, said) = match &done {
                Ok(said) => (true, said),
                Err(problem) => (false, problem),
            };
            self.record(APPLY, &block_text(block), said, ok).await;
            match done {
                Ok(_) => self.applied.push(block.path().to_owned()),
                Err(problem) => {
                    failed.push(block.path().to_owned());
                    problems.push(problem);
                }
            }
        }
        if problems.is_empty() {
            return Ok(Some(AgentAnswer::Changed { summary: self.summary(&answer.prose) }));
        }
        let problem = problems.join("\n");
        if self.repairs >= MOST_REPAIRS && !self.applied.is_empty() {
            // What could be applied stands; gates and review judge it.
            let summary = format!("{}\n\nNot applied: {problem}", self.summary(&answer.prose));
            return Ok(Some(AgentAnswer::Changed { summary: bounded(&plain(&summary), SUMMARY_BYTES) }));
        }
        self.repair(&problem)?;
        let mut say = format!(
            "Not everything could be applied:\n{}\n\nWhat is not named here was applied. Give only what failed again.",
            self.problem(&problem)
        );
        failed.dedup();
        for path in failed.iter().take(MOST_READS) {
            if let Ok(content) = self.toolbox.worktree.read(path) {
                say.push_str(&format!("\n\n{}", shown::file(self.fence, path, &content)));
            }
        }
        self.history.push(Message::User { text: say });
        Ok(None)
    }

    /// Shows files that the model asked for by `READ path`.
    async fn show(&mut self, reads: &[String]) {
        let mut parts = vec![];
        for path in reads.iter().take(MOST_READS) {
            let read = self.toolbox.worktree.read(path);
            let said =
                read.as_ref().map_or_else(|problem| problem.clone(), |text| format!("{} bytes", text.len()));
            self.record("read", path, &said, read.is_ok()).await;
            parts.push(match read {
                Ok(content) => {
                    shown::file(self.fence, path, &bounded(&content, prompt_room(self.history.context()) / 3))
                }
                Err(problem) => format!("error: {}", self.fence.line(&problem)),
            });
        }
        parts.push("Now answer.".to_owned());
        self.history.push(Message::User { text: parts.join("\n\n") });
    }

    fn covering(&self, answer: AgentAnswer) -> Result<AgentAnswer, String> {
        evidence::covering_all(answer, &self.toolbox.job.request.feature)
    }

    /// What is wrong with an answer, as data: it quotes files and what the model was led to say.
    fn problem(&self, problem: &str) -> String {
        self.fence.wrap(&Source::Problem, problem, PROBLEM_BYTES)
    }

    fn repair(&mut self, problem: &str) -> Result<(), AgentError> {
        if self.repairs >= MOST_REPAIRS {
            let detail = plain(problem).chars().take(500).collect();
            return Err(AgentError::BadAnswer { agent: self.agent.name.clone(), detail });
        }
        self.repairs += 1;
        Ok(())
    }

    fn nudge(&mut self, routed: &RoutedReply, format: EditFormat) -> Result<(), AgentError> {
        if self.nudges >= MOST_NUDGES {
            let said: String = plain(&routed.reply.text).chars().take(120).collect();
            let detail = if said.trim().is_empty() {
                "its answers are empty".to_owned()
            } else {
                format!("its answers end nothing, the last begins with `{}`", said.trim())
            };
            return Err(AgentError::NoAnswer { agent: self.agent.name.clone(), detail });
        }
        self.nudges += 1;
        let why = if routed.reply.ended == "length" {
            "Your answer was cut off at its greatest length; answer in smaller pieces."
        } else {
            "Your answer held nothing that could be used."
        };
        let text = format!("{why}\n\n{}", contract::suffix(self.agent.role, format));
        self.history.push(Message::User { text });
        Ok(())
    }

    fn summary(&self, prose: &str) -> String {
        let mut files = self.applied.clone();
        files.sort();
        files.dedup();
        let prose = plain(prose);
        let text = if prose.trim().is_empty() { format!("Changed {}.", files.join(", ")) } else { prose };
        bounded(text.trim(), SUMMARY_BYTES)
    }

    async fn record(&self, tool: &str, input: &str, output: &str, ok: bool) {
        let clean = |text: &str| bounded(&redact_secrets(&plain(text), self.fence.held()), SUMMARY_BYTES);
        let record = ToolRecord {
            key: self.toolbox.job.request.key,
            agent: self.agent.name.clone(),
            tool: tool.to_owned(),
            folder: String::new(),
            input: clean(input),
            output: clean(output),
            ok,
            exit_code: None,
            millis: 0,
        };
        self.toolbox.tools.recorder.tool(record).await;
    }
}

/// The calls with an id each: some servers give none.
fn named_calls(calls: &[ToolCall], turn: u32) -> Vec<ToolCall> {
    let mut calls = calls.to_vec();
    for (index, call) in calls.iter_mut().enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = format!("call-{turn}-{}", index + 1);
    }
    calls
}

fn block_text(block: &Block) -> String {
    match block {
        Block::Replace { path, old, new } => {
            serde_json::json!({"path": path, "old": old, "new": new}).to_string()
        }
        Block::Whole { path, text } => serde_json::json!({"path": path, "content": text}).to_string(),
    }
}
