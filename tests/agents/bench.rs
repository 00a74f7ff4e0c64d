//! A worktree, a scripted model and everything else that an agent needs. Knows no expectations.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ado_vault::agents::{self, AgentAnswer, AgentError, AgentJob, AgentTools, ToolRecord, ToolRecorder};
use ado_vault::domain::{Finding, ModelConfig, ModelName, Spent, StepKey, StepRequest, Tokens};
use ado_vault::models::{
    CallContext, CallId, ChatReply, ChatRequest, Ear, Ledger, Message, Model, ModelError, RetryPolicy,
    Router, Settlement, ToolCall, build,
};
use ado_vault::sandbox::{Limits, Refusal, Sandbox, SandboxPolicy};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// One agent's test: files, what the model will say, and what came of it.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub request: StepRequest,
    pub model: Value,
    pub diff: String,
    pub cancel: CancellationToken,
    pub records: Records,
    pub sandbox: Sandbox,
    /// Model calls that the budget allows.
    pub affordable: u64,
    /// A file of the worktree that must be there before the second half of an answer in pieces is told.
    pub awaits: Option<String>,
    /// A last link of the chain that asks nobody.
    pub has_template: bool,
}

#[derive(Default)]
pub struct Records(pub Mutex<Vec<ToolRecord>>, pub Mutex<Vec<Finding>>);

#[async_trait]
impl ToolRecorder for Records {
    async fn tool(&self, call: ToolRecord) {
        self.0.lock().unwrap().push(call);
    }

    async fn refused(&self, _: StepKey, by: &str, refusal: &Refusal) {
        panic!("{by}: {refusal}");
    }

    async fn noticed(&self, _: StepKey, finding: Finding) {
        self.1.lock().unwrap().push(finding);
    }
}

/// Answers in order; keeps every request.
struct Scripted {
    name: ModelName,
    replies: Mutex<VecDeque<Result<ChatReply, ModelError>>>,
    asked: Arc<Mutex<Vec<ChatRequest>>>,
    /// Stops the agent in the middle of the first call.
    stops: Option<CancellationToken>,
    /// A file that must be there before the second half of an answer in pieces is told.
    awaits: Option<PathBuf>,
}

/// Characters of one piece.
const PIECE: usize = 5;

#[async_trait]
impl Model for Scripted {
    fn name(&self) -> &ModelName {
        &self.name
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        self.asked.lock().unwrap().push(request.clone());
        if let Some(cancel) = &self.stops {
            cancel.cancel();
            std::future::pending::<()>().await;
        }
        let next = self.replies.lock().unwrap().pop_front();
        next.unwrap_or_else(|| {
            Err(ModelError::NotRecorded { model: self.name.clone(), detail: "the script is over".into() })
        })
    }

    /// The same in pieces; an answer that breaks off was half told before.
    async fn call_aloud(&self, request: &ChatRequest, ear: Ear<'_>) -> Result<ChatReply, ModelError> {
        let reply = self.call(request).await;
        let text = match &reply {
            Ok(reply) => reply.text.clone(),
            Err(ModelError::BrokenOff { .. }) => "half of what was to be said ".repeat(20),
            Err(_) => String::new(),
        };
        let chars: Vec<char> = text.chars().collect();
        for (index, piece) in chars.chunks(PIECE).enumerate() {
            if index == chars.len() / PIECE / 2
                && let Some(file) = &self.awaits
            {
                while !file.exists() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
            ear(&piece.iter().collect::<String>());
        }
        reply
    }
}

/// A budget of this many calls.
struct Purse(AtomicU64);

#[async_trait]
impl Ledger for Purse {
    async fn reserve(&self, _: &CallContext, _: &ModelName, _: Spent) -> Result<CallId, ModelError> {
        let less = |left: u64| left.checked_sub(1);
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
            Ok(left) => Ok(CallId(left)),
            Err(_) => Err(ModelError::OutOfBudget { detail: "the run has no calls left".into() }),
        }
    }

    async fn settle(&self, _: CallId, _: Settlement) -> Result<(), ModelError> {
        Ok(())
    }
}

/// What an agent came to, and what the model was asked on the way.
pub struct Outcome {
    pub answer: Result<AgentAnswer, AgentError>,
    pub asked: Vec<ChatRequest>,
}

impl Outcome {
    /// The summary of a coder that finished.
    pub fn summary(&self) -> &str {
        match &self.answer {
            Ok(AgentAnswer::Changed { summary }) => summary,
            other => panic!("not changed: {other:?}"),
        }
    }

    /// Text of the newest message that is not the model's, in the given call, from 1.
    pub fn told(&self, call: usize) -> &str {
        match self.asked[call - 1].messages.last().unwrap() {
            Message::User { text } => text,
            Message::Tool { content, .. } => content,
            Message::Assistant { .. } => panic!("the model speaks last"),
        }
    }
}

impl Bench {
    /// A bench for an agent of the role with these files in its worktree.
    pub fn new(role: &str, format: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let worktree = folder.path().join("worktree");
        std::fs::create_dir(&worktree).unwrap();
        std::fs::write(worktree.join(".git"), "gitdir: /nowhere\n").unwrap();
        std::fs::write(folder.path().join("outside.txt"), "outside\n").unwrap();
        for (path, text) in files {
            let path = worktree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let request = json!({
            "run": {"feature": "FR-001", "number": 1},
            "key": {"step": "code", "round": 1},
            "attempt": 1,
            "feature": {"title": "Greet politely", "kind": "feature", "body": "Say good day.",
                "criteria": [{"text": "greets", "done": false, "line": 9}]},
            "repository": {"name": "shop", "path": "/nowhere"},
            "branch": "agent/ado/feature/FR-001-x", "target_branch": "main", "base": null, "head": null,
            "worktrees": "", "models": [], "vault": "", "plan": null, "instruction": {},
            "agent": {"name": "Worker", "role": role, "commands": ["sh", "echo"], "max_turns": 8,
                "prompt": "Do it: {{ feature.title }}\n{{ feature.body }}\n{{ instruction }}"},
            "constitution": "", "review_rules": [], "gates": {}, "rounds_left": 3, "budget_left": "$1.00",
            "sandbox": "none", "timeout_seconds": 60,
        });
        let model = json!({"name": "scripted", "provider": "recorded", "edit_format": format,
            "context_tokens": 100_000, "max_output_tokens": 1000});
        Self {
            folder,
            request: serde_json::from_value(request).unwrap(),
            model,
            diff: String::new(),
            cancel: CancellationToken::new(),
            records: Records::default(),
            sandbox: Sandbox::none(),
            affordable: u64::MAX,
            awaits: None,
            has_template: false,
        }
    }

    pub fn worktree(&self) -> std::path::PathBuf {
        self.folder.path().join("worktree")
    }

    pub fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.worktree().join(path)).unwrap_or_default()
    }

    /// Names and success of the recorded tool calls.
    pub fn recorded(&self) -> Vec<(String, bool)> {
        self.records.0.lock().unwrap().iter().map(|record| (record.tool.clone(), record.ok)).collect()
    }

    /// Lets the model say these things, in order.
    pub async fn run(&self, replies: Vec<Result<ChatReply, ModelError>>) -> Outcome {
        self.drive(replies, None).await
    }

    /// Stops the agent while the model is being asked.
    pub async fn run_and_stop(&self) -> Outcome {
        self.drive(vec![], Some(self.cancel.clone())).await
    }

    async fn drive(
        &self,
        replies: Vec<Result<ChatReply, ModelError>>,
        stops: Option<CancellationToken>,
    ) -> Outcome {
        let asked = Arc::new(Mutex::new(vec![]));
        let config: ModelConfig = serde_json::from_value(self.model.clone()).unwrap();
        let worktree = self.worktree();
        let model = Scripted {
            name: config.name.clone(),
            replies: Mutex::new(replies.into()),
            asked: Arc::clone(&asked),
            stops,
            awaits: self.awaits.as_ref().map(|file| worktree.join(file)),
        };
        let mut models: Vec<(ModelConfig, Arc<dyn Model>)> = vec![(config, Arc::new(model))];
        if self.has_template {
            let last: ModelConfig =
                serde_json::from_value(json!({"name": "last", "provider": "template"})).unwrap();
            let template = build(&last, Path::new("/nowhere")).unwrap();
            models.push((last, template));
        }
        let retry = RetryPolicy { tries: 1, ..RetryPolicy::default() };
        let router = Router::new(models, Arc::new(Purse(self.affordable.into()))).with_retry(retry);
        let router = Arc::new(router);
        let policy = SandboxPolicy {
            write: vec![worktree.clone()],
            read: vec![],
            protect: vec![worktree.join(".git")],
            limits: Limits::default(),
            ..Default::default()
        };
        let writes = self.request.agent.as_ref().is_some_and(|agent| agent.role.may_write());
        let policy = if writes { policy } else { policy.read_only() };
        let answer = self.answer(&worktree, &policy, &router).await;
        let asked = asked.lock().unwrap().clone();
        Outcome { answer, asked }
    }

    async fn answer(
        &self,
        worktree: &Path,
        policy: &SandboxPolicy,
        router: &Arc<Router>,
    ) -> Result<AgentAnswer, AgentError> {
        let job = AgentJob {
            request: &self.request,
            worktree,
            policy,
            facts: "A small shop.".into(),
            diff: self.diff.clone(),
            gates: &[],
            findings: &[],
        };
        let tools =
            AgentTools { router, sandbox: &self.sandbox, recorder: &self.records, cancel: &self.cancel };
        agents::run(&job, &tools).await
    }
}

/// A reply of text alone.
pub fn says(text: &str) -> Result<ChatReply, ModelError> {
    Ok(ChatReply { text: text.into(), tool_calls: vec![], tokens: Tokens::default(), ended: "stop".into() })
}

/// A reply with tool calls.
pub fn calls(calls: &[(&str, Value)]) -> Result<ChatReply, ModelError> {
    let tool_calls = calls
        .iter()
        .map(|(name, arguments)| ToolCall {
            id: String::new(),
            name: (*name).into(),
            arguments: arguments.clone(),
        })
        .collect();
    Ok(ChatReply { text: String::new(), tool_calls, tokens: Tokens::default(), ended: "tool_calls".into() })
}

/// A coder's or tester's last call.
pub fn finish() -> Result<ChatReply, ModelError> {
    calls(&[("finish", json!({"summary": "done"}))])
}
