//! The place in which an external agent works: sandbox, gateway, a folder for prompt and result. Starts the program and
//! tells the recorder; does not judge what came of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use crate::agents::fence::Fence;
use crate::agents::gateway::{Desk, Standing, Token, serve};
use crate::agents::opening::{opening, prompt_room};
use crate::agents::recorder::AGENT;
use crate::agents::source::Source;
use crate::agents::tool::{OUTPUT_BYTES, bounded};
use crate::agents::worktree::Worktree;
use crate::agents::{AgentError, AgentJob, AgentTools, PromptVars, ToolRecord, contract, vars};
use crate::domain::{AgentConfig, Backend, EditFormat, Role, StepKey, fill, placeholders, redact_secrets};
use crate::models::secrets_held;
use crate::note::plain;
use crate::sandbox::{Attendance, Pulse, SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy};

/// Bytes of prompt that an external agent is given: as one word of a command it must stay below 128 KiB.
const PROMPT_BYTES: usize = 64 << 10;
/// The longest word that a program can be started with (`MAX_ARG_STRLEN` of Linux).
const WORD_BYTES: usize = (128 << 10) - 1;
const PROMPT_FILE: &str = "prompt.md";
const ANSWER_FILE: &str = "answer.json";
const LABEL_BYTES: usize = 60;

pub(super) struct Station<'a> {
    pub agent: &'a AgentConfig,
    pub job: &'a AgentJob<'a>,
    pub tools: &'a AgentTools<'a>,
    desk: Arc<Desk>,
    pulse: Pulse,
    /// Ends the program: on the step's cancellation, or when it asks the gateway in vain without end.
    stop: CancellationToken,
    policy: SandboxPolicy,
    fence: Arc<Fence>,
    /// Holds the prompt and the result. Gone with the station.
    folder: tempfile::TempDir,
    /// The same folder, links resolved.
    shared: PathBuf,
}

/// How a program's run ended.
pub(super) struct Run {
    /// What it wrote to stdout.
    pub said: String,
    /// In a few words.
    pub ended: String,
    /// Whether it was ended from here: for its stillness, a limit, or asking in vain.
    pub was_ended: bool,
}

impl<'a> Station<'a> {
    /// # Errors
    /// `NoAgent`, `Worktree`, `Start` when the machine has no room or no random bytes.
    pub(super) fn open(job: &'a AgentJob<'a>, tools: &'a AgentTools<'a>) -> Result<Self, AgentError> {
        let agent = job.request.agent.as_ref().ok_or(AgentError::NoAgent { step: job.request.key })?;
        let failed = |error: std::io::Error| start_error(agent, &error.to_string());
        let mut held = secrets_held().to_vec();
        let token = Token::new().map_err(failed)?;
        held.push(token.as_str().to_owned());
        let fence = Arc::new(Fence::new(held).map_err(failed)?);
        let (pulse, stop) = (Pulse::default(), tools.cancel.child_token());
        let desk = Desk::open(
            token,
            tools.router.clone(),
            (job.request.key, agent),
            fence.clone(),
            pulse.clone(),
            (tools.cancel.child_token(), stop.clone()),
        );
        let folder = tempfile::Builder::new().prefix("ado-agent-").tempdir().map_err(failed)?;
        let shared = folder.path().canonicalize().map_err(failed)?;
        let mut policy = job.policy.clone();
        policy.write.push(shared.clone());
        policy.read.extend(agent.read_paths.iter().map(PathBuf::from));
        // Before the step's own end, which would leave what was done uncommitted.
        policy.limits.wall = Duration::from_secs(job.request.timeout_seconds) * 9 / 10;
        // What the repository passes on to its commands may hold the very key that agents are not to have.
        let keys: Vec<&String> =
            job.request.models.iter().filter_map(|model| model.api_key_env.as_ref()).collect();
        policy.env.retain(|name, _| !keys.contains(&name));
        Ok(Self { agent, job, tools, desk: Arc::new(desk), pulse, stop, policy, fence, folder, shared })
    }

    pub(super) fn key(&self) -> StepKey {
        self.job.request.key
    }

    pub(super) fn standing(&self) -> Standing {
        self.desk.standing()
    }

    /// The whole prompt.
    ///
    /// # Errors
    /// `Prompt`.
    pub(super) fn prompt(&self) -> Result<String, AgentError> {
        let model = self.tools.router.first();
        let room = prompt_room(model.context_tokens).min(PROMPT_BYTES);
        let vars = vars::vars(self.job, self.agent, EditFormat::Tools, &self.fence, room);
        // It has tools of its own, which nobody here knows.
        let vars = PromptVars { tools: String::new(), edit_format: String::new(), ..vars };
        let prompt = opening(self.job, self.agent, &vars, &self.fence, room)?;
        let finish = contract::external(self.agent.role, &self.file(ANSWER_FILE));
        Ok(format!("{}\n{prompt}\n\n{finish}\n", contract::system(self.agent)))
    }

    /// The folder that it works in.
    pub(super) fn worktree(&self) -> &Path {
        self.job.worktree
    }

    /// What is wrong with a result, as data: it quotes what the agent was led to say.
    pub(super) fn problem(&self, problem: &str) -> String {
        self.fence.wrap(&Source::Problem, problem, OUTPUT_BYTES)
    }

    /// Starts the program and waits for its end. `talk` is the other end of its standard streams, for a program that is
    /// spoken with.
    ///
    /// # Errors
    /// `Cancelled`; `Start` when it cannot be started.
    pub(super) async fn start(&self, prompt: &str, talk: Option<DuplexStream>) -> Result<Run, AgentError> {
        let failed = |detail: String| start_error(self.agent, &detail);
        self.lay_out(prompt).map_err(|error| failed(error.to_string()))?;
        let (inlet, arrival) = self.tools.sandbox.inlet().map_err(|error| failed(error.to_string()))?;
        let command = self.command(prompt, inlet.port())?;
        let answering = async {
            if let Ok(listener) = arrival.await {
                let _serving = serve(listener, self.desk.clone());
                std::future::pending::<()>().await;
            }
        };
        let attendance = Attendance {
            inlet: Some(inlet),
            talk,
            pulse: Some((self.pulse.clone(), Duration::from_secs(self.agent.stall_seconds))),
        };
        self.tools.tell_found(self.key(), &self.fence).await;
        self.pulse.beat();
        let running = self.tools.sandbox.attend(&command, &self.policy, &self.stop, attendance);
        let mut running = std::pin::pin!(running);
        let ended = tokio::select! {
            biased;
            ended = &mut running => ended,
            // It only ends where no program was started, which the other one tells.
            () = answering => running.await,
        };
        self.tools.tell_found(self.key(), &self.fence).await;
        match ended {
            Ok(output) => Ok(self.tell(output).await),
            Err(SandboxError::Cancelled) if self.tools.cancel.is_cancelled() => Err(AgentError::Cancelled),
            Err(SandboxError::Cancelled) => {
                let ended = match self.standing().in_vain() {
                    true => "ended because it went on asking for model calls after its last one",
                    false => "ended after its work was done",
                };
                self.record(AGENT, &self.words(), ended, false, None, 0).await;
                Ok(Run { said: String::new(), ended: ended.to_owned(), was_ended: true })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// What the program left as its result, if anything. The folder is its own: nothing in it is followed out of it.
    pub(super) fn left_behind(&self) -> Option<String> {
        Worktree::open(&self.shared).ok()?.read(ANSWER_FILE).ok()
    }

    /// Ends the program, if it still runs.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }

    /// Tells the recorder of something that the agent did.
    pub(super) async fn record(
        &self,
        tool: &str,
        input: &str,
        output: &str,
        ok: bool,
        exit_code: Option<i32>,
        millis: u64,
    ) {
        let record = ToolRecord {
            key: self.key(),
            agent: self.agent.name.clone(),
            tool: self.clean(tool, LABEL_BYTES).replace('\n', " "),
            folder: String::new(),
            input: self.clean(input, OUTPUT_BYTES / 4),
            output: self.clean(output, OUTPUT_BYTES),
            ok,
            exit_code,
            millis,
        };
        self.tools.recorder.tool(record).await;
    }

    /// The text without control characters and secrets, the token among them.
    pub(super) fn clean(&self, text: &str, most: usize) -> String {
        bounded(&redact_secrets(&plain(text), self.fence.held()), most)
    }

    /// Lays out the prompt and makes room for a result.
    fn lay_out(&self, prompt: &str) -> std::io::Result<()> {
        let home = self.folder.path().join("home");
        std::fs::create_dir_all(home)?;
        let shared = Worktree::open(&self.shared)?;
        shared.write(PROMPT_FILE, prompt).map_err(std::io::Error::other)?;
        shared.write(ANSWER_FILE, "").map_err(std::io::Error::other)
    }

    fn command(&self, prompt: &str, port: u16) -> Result<SandboxCommand, AgentError> {
        let gateway = format!("http://127.0.0.1:{port}");
        let base = format!("{gateway}/v1");
        // Without a box there is no private home but this one.
        let home = match self.tools.sandbox.home() {
            Some(home) => home.display().to_string(),
            None => self.file("home"),
        };
        let values = BTreeMap::from([
            ("prompt", prompt.to_owned()),
            ("prompt_file", self.file(PROMPT_FILE)),
            ("answer_file", self.file(ANSWER_FILE)),
            ("model", self.desk.model().to_owned()),
            ("base_url", base.clone()),
            ("gateway_url", gateway.clone()),
            ("worktree", self.worktree().display().to_string()),
            ("home", home.clone()),
        ]);
        let argv: Vec<String> = self.agent.command.iter().map(|word| fill(word, &values)).collect();
        if argv.iter().any(|word| word.len() > WORD_BYTES) {
            let detail = "its prompt is too long for a word of its command; use `{{prompt_file}}`";
            return Err(start_error(self.agent, detail));
        }
        let mut env = BTreeMap::from(
            [
                ("OPENAI_BASE_URL", base.as_str()),
                ("OPENAI_API_BASE", &base),
                ("OPENAI_API_KEY", self.desk.token()),
                ("ANTHROPIC_BASE_URL", &gateway),
                ("ANTHROPIC_API_KEY", self.desk.token()),
                ("GOOGLE_GEMINI_BASE_URL", &gateway),
                ("GEMINI_API_KEY", self.desk.token()),
                ("HOME", &home),
                ("NO_COLOR", "1"),
                ("TERM", "dumb"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        for variable in &self.agent.env {
            let value = match &variable.value {
                Some(value) => Some(fill(value, &values)),
                // A key that stands in a variable with a harmless name stays here too.
                None => std::env::var(&variable.name).ok().filter(|value| !self.fence.held().contains(value)),
            };
            env.extend(value.map(|value| (variable.name.clone(), value)));
        }
        let named = self.agent.command.iter().flat_map(|word| placeholders(word));
        let by_input =
            self.agent.backend == Backend::Command && !named.clone().any(|name| name.starts_with("prompt"));
        let stdin = if by_input { prompt.to_owned() } else { String::new() };
        Ok(SandboxCommand { argv, cwd: self.worktree().to_owned(), env, stdin })
    }

    /// Records a run and puts its end into words.
    async fn tell(&self, output: SandboxOutput) -> Run {
        for refusal in &output.refused {
            self.tools.recorder.refused(self.key(), self.agent.name.as_str(), refusal).await;
        }
        let ended = match output.exit_code {
            _ if output.stalled => format!(
                "ended after {} seconds without output and without a model call",
                self.agent.stall_seconds
            ),
            _ if output.timed_out => format!("ended after {} seconds", output.millis / 1000),
            Some(code) => format!("exit code {code}"),
            None => "ended by a signal".to_owned(),
        };
        let standing = self.standing();
        let mut text = format!("{ended}; {} model calls", standing.calls);
        if standing.refused > 0 {
            let reason = self.clean(&standing.reason, 300);
            text.push_str(&format!("; {} requests refused, the last: {reason}", standing.refused));
        }
        let room = OUTPUT_BYTES / 2 - 400;
        for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            // What the protocol carries is recorded as what it means.
            let is_protocol = self.agent.backend == Backend::Acp && name == "stdout";
            if !stream.trim().is_empty() && !is_protocol {
                text.push_str(&format!("\n[{name}]\n{}", self.clean(stream.trim_end(), room)));
            }
        }
        let ok = output.success();
        self.record(AGENT, &self.words(), &text, ok, output.exit_code, output.millis).await;
        let last = self.clean(output.stderr.trim(), 400);
        let ended = if last.is_empty() { ended } else { format!("{ended}; {last}") };
        Run { said: output.stdout, ended, was_ended: output.exit_code.is_none() }
    }

    /// The command as its note says it: without the prompt, which is in the transcript.
    fn words(&self) -> String {
        serde_json::json!({"command": self.agent.command, "model": self.desk.model()}).to_string()
    }

    fn file(&self, name: &str) -> String {
        self.shared.join(name).display().to_string()
    }

    /// Whether its work is in the files rather than in a result.
    pub(super) fn may_write(&self) -> bool {
        self.agent.role.may_write()
    }

    pub(super) fn role(&self) -> Role {
        self.agent.role
    }
}

pub(super) fn start_error(agent: &AgentConfig, detail: &str) -> AgentError {
    AgentError::Start { agent: agent.name.clone(), detail: detail.to_owned() }
}
