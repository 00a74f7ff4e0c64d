//! Agents that speak the Agent Client Protocol on their standard streams (<https://agentclientprotocol.com>): the one
//! module that knows the protocol's crate. It offers them neither files nor terminals, which they have in their sandbox,
//! and answers what they ask by the agent's note.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    ContentBlock, ContentChunk, InitializeRequest, NewSessionRequest, PermissionOptionKind, PromptRequest,
    RequestPermissionOutcome, RequestPermissionRequest, RequestPermissionResponse, SelectedPermissionOutcome,
    SessionNotification, SessionUpdate, StopReason, TextContent, ToolCallContent, ToolCallStatus,
    ToolCallUpdate, ToolKind,
};
use agent_client_protocol::{Agent, Client, Lines};
use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use globset::GlobSet;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};

use super::ending::{Ending, judge, not_repaired};
use super::permission::{Kind, Permissions, Wish};
use super::station::{Run, Station};
use crate::agents::backend::{AgentBackend, MOST_REPAIRS};
use crate::agents::recorder::PERMISSION;
use crate::agents::{AgentAnswer, AgentError, AgentJob, AgentTools};
use crate::domain::sensitive_globs;

/// Bytes of one message of the protocol.
const LINE_BYTES: usize = 8 << 20;
/// Bytes of the agent's last words that are kept.
const SAID_BYTES: usize = 64 << 10;
/// Tool calls that are recorded and kept in mind; more are the agent's alone.
const MOST_CALLS: usize = 500;
/// How long an agent may take to end once its work is done.
const GRACE: Duration = Duration::from_secs(5);

pub(in crate::agents) struct Acp;

#[async_trait]
impl AgentBackend for Acp {
    async fn run(&self, job: &AgentJob<'_>, tools: &AgentTools<'_>) -> Result<AgentAnswer, AgentError> {
        let station = Station::open(job, tools)?;
        let prompt = station.prompt()?;
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (asking, asked) = mpsc::channel(1);
        let (tell, mut heard) = mpsc::channel(64);
        let mut session = Session::new(&station, asking);
        let mut program = pin!(station.start(&prompt, Some(theirs)));
        let mut ended = None;
        let answer = {
            let mut wire = pin!(wire(ours, station.worktree().to_owned(), Rules::of(&station), asked, tell));
            let mut is_open = true;
            session.ask(prompt.clone()).await;
            loop {
                tokio::select! {
                    biased;
                    said = heard.recv() => match said {
                        Some(said) => if let Some(answer) = session.hear(said).await? {
                            break answer;
                        },
                        // The program closed its side, or said what is no protocol.
                        None => {
                            let run = match ended.take() {
                                Some(run) => run,
                                None => program.as_mut().await?,
                            };
                            return session.cut_off(run).await;
                        }
                    },
                    run = &mut program, if ended.is_none() => ended = Some(run?),
                    () = &mut wire, if is_open => is_open = false,
                }
            }
        };
        // Its input is closed by now.
        if ended.is_none() && tokio::time::timeout(GRACE, program.as_mut()).await.is_err() {
            station.end();
            program.await?;
        }
        Ok(answer)
    }
}

/// What comes from the agent.
enum Heard {
    Update(Box<SessionUpdate>),
    Permission {
        wish: Wish,
        title: String,
        refusal: Option<String>,
    },
    TurnEnded(StopReason),
    /// A request of ours was answered with an error.
    Failed(String),
}

/// What the agent may do, with nothing borrowed.
struct Rules {
    worktree: PathBuf,
    may_write: bool,
    commands: Vec<String>,
    sensitive: GlobSet,
    asked_for: Vec<String>,
}

impl Rules {
    fn of(station: &Station<'_>) -> Self {
        let request = station.job.request;
        let feature = &request.feature;
        let planned = request.plan.iter().flat_map(|plan| plan.files.iter().map(|file| &file.path));
        Self {
            worktree: station.worktree().to_owned(),
            may_write: station.may_write(),
            commands: station.agent.commands.clone(),
            sensitive: sensitive_globs(&request.sensitive_paths),
            asked_for: planned.cloned().chain([feature.title.clone(), feature.body.clone()]).collect(),
        }
    }

    fn permissions(&self) -> Permissions<'_> {
        Permissions {
            worktree: &self.worktree,
            may_write: self.may_write,
            commands: &self.commands,
            sensitive: &self.sensitive,
            asked_for: &self.asked_for,
        }
    }
}

/// Carries prompts to the agent and everything that it says back, until one side closes.
async fn wire(
    stream: DuplexStream,
    worktree: PathBuf,
    rules: Rules,
    mut prompts: mpsc::Receiver<String>,
    tell: mpsc::Sender<Heard>,
) {
    let (incoming, outgoing) = tokio::io::split(stream);
    let lines = || LinesCodec::new_with_max_length(LINE_BYTES);
    let incoming = FramedRead::new(incoming, lines()).map(|line| line.map_err(std::io::Error::other));
    let outgoing: FramedWrite<_, LinesCodec> = FramedWrite::new(outgoing, lines());
    let outgoing = SinkExt::<String>::sink_map_err(outgoing, std::io::Error::other);
    let (updates, permissions, failed) = (tell.clone(), tell.clone(), tell.clone());
    let done = Client
        .v1()
        .name("ado-vault")
        .on_receive_notification(
            async move |told: SessionNotification, _| {
                // Nobody listens any more once the work is done.
                let _ = updates.send(Heard::Update(Box::new(told.update))).await;
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |asked: RequestPermissionRequest, responder, _| {
                let wish = wish(&asked.tool_call);
                let refusal = rules.permissions().allow(&wish).err();
                let outcome = chosen(&asked, refusal.is_none());
                let title = asked.tool_call.fields.title.clone().unwrap_or_default();
                let _ = permissions.send(Heard::Permission { wish, title, refusal }).await;
                responder.respond(RequestPermissionResponse::new(outcome))
            },
            agent_client_protocol::on_receive_request!(),
        )
        .connect_with(Lines::new(outgoing, incoming), async |agent: ConnectionTo<Agent>| {
            agent.send_request(InitializeRequest::new(ProtocolVersion::V1)).block_task().await?;
            let session = agent.send_request(NewSessionRequest::new(worktree)).block_task().await?.session_id;
            while let Some(prompt) = prompts.recv().await {
                let content = vec![ContentBlock::Text(TextContent::new(prompt))];
                let turn =
                    agent.send_request(PromptRequest::new(session.clone(), content)).block_task().await?;
                if tell.send(Heard::TurnEnded(turn.stop_reason)).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await;
    if let Err(error) = done {
        let _ = failed.send(Heard::Failed(error.to_string())).await;
    }
}

fn wish(call: &ToolCallUpdate) -> Wish {
    let kind = match call.fields.kind.unwrap_or_default() {
        ToolKind::Read | ToolKind::Search => Kind::Read,
        ToolKind::Edit | ToolKind::Delete | ToolKind::Move => Kind::Change,
        ToolKind::Execute => Kind::Execute,
        ToolKind::Think => Kind::Nothing,
        _ => Kind::Other,
    };
    let located = call.fields.locations.iter().flatten().map(|location| location.path.clone());
    let changed = call.fields.content.iter().flatten().filter_map(|content| match content {
        ToolCallContent::Diff(diff) => Some(diff.path.clone()),
        _ => None,
    });
    let input = call.fields.raw_input.clone().unwrap_or(Value::Null);
    Wish { kind, paths: located.chain(changed).collect(), input }
}

/// The option for this once; where there is none, the question counts as cancelled.
fn chosen(asked: &RequestPermissionRequest, allowed: bool) -> RequestPermissionOutcome {
    let wanted = if allowed { PermissionOptionKind::AllowOnce } else { PermissionOptionKind::RejectOnce };
    match asked.options.iter().find(|option| option.kind == wanted) {
        Some(option) => {
            RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(option.option_id.clone()))
        }
        None => RequestPermissionOutcome::Cancelled,
    }
}

/// A conversation, as the step follows it.
struct Session<'a> {
    station: &'a Station<'a>,
    asking: mpsc::Sender<String>,
    /// The agent's words since its last tool call.
    said: String,
    calls: BTreeMap<String, Call>,
    recorded: usize,
    repairs: u32,
    /// Why a request of ours failed.
    failed: Option<String>,
}

#[derive(Default)]
struct Call {
    title: String,
    kind: ToolKind,
    input: Value,
    output: String,
}

impl<'a> Session<'a> {
    fn new(station: &'a Station<'a>, asking: mpsc::Sender<String>) -> Self {
        let (said, calls) = (String::new(), BTreeMap::new());
        Self { station, asking, said, calls, recorded: 0, repairs: 0, failed: None }
    }

    async fn ask(&mut self, prompt: String) {
        self.said.clear();
        // If the wire is cut, its end is heard.
        let _ = self.asking.send(prompt).await;
    }

    /// Follows what was heard; gives the answer when there is one.
    async fn hear(&mut self, heard: Heard) -> Result<Option<AgentAnswer>, AgentError> {
        match heard {
            Heard::Update(update) => self.follow(*update).await,
            Heard::Permission { wish, title, refusal } => {
                let asked = serde_json::json!({"title": title, "paths": wish.paths, "input": wish.input});
                let answer = refusal
                    .as_ref()
                    .map_or_else(|| "allowed once".to_owned(), |why| format!("refused: {why}"));
                self.record(PERMISSION, &asked.to_string(), &answer, refusal.is_none()).await;
            }
            Heard::TurnEnded(reason) => return self.turn_ended(reason).await,
            Heard::Failed(error) => self.failed = Some(error),
        }
        Ok(None)
    }

    async fn turn_ended(&mut self, reason: StopReason) -> Result<Option<AgentAnswer>, AgentError> {
        let was_ended = reason != StopReason::EndTurn;
        let ended = format!("its turn ended with `{}`", name_of(&reason));
        let run = Run { said: String::new(), ended, was_ended };
        match judge(self.station, &run, &self.said)? {
            Ending::Answer(answer) => Ok(Some(answer)),
            Ending::Repair(problem) if self.repairs >= MOST_REPAIRS => {
                Err(not_repaired(self.station, &problem))
            }
            Ending::Repair(problem) => {
                self.repairs += 1;
                let problem = self.station.problem(&problem);
                let again =
                    format!("Your result does not fit its schema:\n{problem}\nGive the whole result again.");
                self.ask(again).await;
                Ok(None)
            }
        }
    }

    /// The agent ended, or stopped making sense, before its turn was over.
    async fn cut_off(&mut self, run: Run) -> Result<AgentAnswer, AgentError> {
        let ended = match &self.failed {
            Some(failed) => format!("{failed}; {}", run.ended),
            None => run.ended,
        };
        let run = Run { said: String::new(), ended, was_ended: true };
        match judge(self.station, &run, &self.said)? {
            Ending::Answer(answer) => Ok(answer),
            Ending::Repair(problem) => Err(not_repaired(self.station, &problem)),
        }
    }

    async fn follow(&mut self, update: SessionUpdate) {
        match update {
            SessionUpdate::AgentMessageChunk(ContentChunk { content: ContentBlock::Text(text), .. }) => {
                self.said.push_str(&text.text);
                if self.said.len() > SAID_BYTES * 2 {
                    self.said = self.station.clean(&self.said, SAID_BYTES);
                }
            }
            SessionUpdate::ToolCall(call) => {
                self.said.clear();
                let mut known = Call { title: call.title, kind: call.kind, ..Call::default() };
                known.input = call.raw_input.unwrap_or_default();
                known.output = shown(&call.content);
                self.know(call.tool_call_id.to_string(), known, call.status).await;
            }
            SessionUpdate::ToolCallUpdate(ToolCallUpdate { tool_call_id, fields, .. }) => {
                let id = tool_call_id.to_string();
                let mut known = self.calls.remove(&id).unwrap_or_default();
                known.title = fields.title.unwrap_or(known.title);
                known.kind = fields.kind.unwrap_or(known.kind);
                known.input = fields.raw_input.unwrap_or(known.input);
                if let Some(content) = &fields.content {
                    known.output = shown(content);
                }
                if let (true, Some(raw)) = (known.output.is_empty(), fields.raw_output) {
                    known.output = raw.to_string();
                }
                self.know(id, known, fields.status.unwrap_or_default()).await;
            }
            _ => {}
        }
    }

    /// Records a call that is over, and keeps any other in mind.
    async fn know(&mut self, id: String, call: Call, status: ToolCallStatus) {
        if matches!(status, ToolCallStatus::Completed | ToolCallStatus::Failed) {
            let input = serde_json::json!({"title": call.title, "input": call.input}).to_string();
            let ok = status == ToolCallStatus::Completed;
            self.record(&name_of(&call.kind), &input, &call.output, ok).await;
        } else if self.calls.len() < MOST_CALLS {
            self.calls.insert(id, call);
        }
    }

    async fn record(&mut self, tool: &str, input: &str, output: &str, ok: bool) {
        if self.recorded < MOST_CALLS {
            self.recorded += 1;
            self.station.record(tool, input, output, ok, None, 0).await;
        }
    }
}

/// A word of the protocol as it stands on the wire.
fn name_of(word: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(word).unwrap_or_default();
    value.as_str().unwrap_or("other").to_owned()
}

fn shown(content: &[ToolCallContent]) -> String {
    let texts = content.iter().filter_map(|one| match one {
        ToolCallContent::Content(content) => match &content.content {
            ContentBlock::Text(text) => Some(text.text.clone()),
            _ => None,
        },
        ToolCallContent::Diff(diff) => Some(format!("changes {}", Path::display(&diff.path))),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
