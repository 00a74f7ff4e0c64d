//! Conversations in a file, one JSON object a line: replayed by `RecordedModel`, written by `Recorder`. A reply is found
//! by step, agent and turn, so a step that is started again replays from its first turn.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::{ModelConfig, ModelName, redact_secrets};

use super::failure::one_line;
use super::{CallContext, ChatReply, ChatRequest, Ear, Model, ModelError, secrets_held};

const VERSION: u32 = 1;
/// Largest recording that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A line of a recording. The first one may only say what the recording is `about`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Turn { v: u32, key: String, agent: String, turn: u32, reply: ChatReply },
    About { v: u32, about: String },
}

type Place = (String, String, u32);

/// Answers from a JSONL file. Of several replies for one place the last counts.
pub struct RecordedModel {
    name: ModelName,
    /// As the note names it.
    file: String,
    replies: HashMap<Place, ChatReply>,
}

impl RecordedModel {
    /// Reads the note's `recording`, a path relative to the vault and inside it.
    ///
    /// # Errors
    /// `NotRecorded` when the note names no file, the file lies outside the vault or a line of it cannot be read.
    pub fn open(config: &ModelConfig, vault_root: &Path) -> Result<Self, ModelError> {
        let fail = |detail: String| not_recorded(&config.name, &detail);
        let Some(file) = config.recording.as_deref().filter(|file| !file.is_empty()) else {
            return Err(fail("its note names no `recording`; set a path relative to the vault".into()));
        };
        let path = inside(config, vault_root, file)?;
        let size = path.metadata().map_err(|error| fail(format!("cannot read `{file}`: {error}")))?.len();
        if size > LARGEST {
            return Err(fail(format!("`{file}` has {size} bytes; at most {LARGEST} are read")));
        }
        let text =
            std::fs::read_to_string(&path).map_err(|error| fail(format!("cannot read `{file}`: {error}")))?;
        let mut replies = HashMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = index + 1;
            let line = serde_json::from_str(line)
                .map_err(|error| fail(format!("line {at} of `{file}` is no turn of a recording: {error}")))?;
            match line {
                Line::Turn { v: VERSION, key, agent, turn, reply } => {
                    replies.insert((key, agent, turn), reply);
                }
                Line::About { v: VERSION, .. } => {}
                Line::Turn { v, .. } | Line::About { v, .. } => {
                    return Err(fail(format!("line {at} of `{file}` has version {v}; known is {VERSION}")));
                }
            }
        }
        Ok(Self { name: config.name.clone(), file: file.to_owned(), replies })
    }
}

#[async_trait]
impl Model for RecordedModel {
    fn name(&self) -> &ModelName {
        &self.name
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let place = place(&request.context);
        self.replies.get(&place).cloned().ok_or_else(|| {
            let (key, agent, turn) = place;
            not_recorded(
                &self.name,
                &format!(
                    "`{}` has no reply for step `{key}`, agent `{agent}`, turn {turn}; record this run with another \
                     model or choose a model that is not recorded",
                    self.file
                ),
            )
        })
    }
}

/// Passes calls on to a model and appends what it answered to a JSONL file that `RecordedModel` can replay.
pub struct Recorder {
    inner: Arc<dyn Model>,
    file: Mutex<File>,
}

impl Recorder {
    /// Opens `file` for appending, and makes it and its folder when missing.
    ///
    /// # Errors
    /// `NotRecorded` when the file cannot be opened.
    pub fn create(inner: Arc<dyn Model>, file: PathBuf) -> Result<Self, ModelError> {
        let open = || {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut open = OpenOptions::new().create(true).append(true).open(&file)?;
            if open.metadata()?.len() == 0 {
                let about = format!("answers of model {}", inner.name());
                append(&mut open, &Line::About { v: VERSION, about })?;
            }
            Ok::<File, std::io::Error>(open)
        };
        let opened = open().map_err(|error| {
            not_recorded(inner.name(), &format!("cannot write `{}`: {error}", file.display()))
        })?;
        Ok(Self { inner, file: Mutex::new(opened) })
    }

    fn record(&self, request: &ChatRequest, reply: &ChatReply) -> Result<(), ModelError> {
        let (key, agent, turn) = place(&request.context);
        let line = Line::Turn { v: VERSION, key, agent, turn, reply: reply.clone() };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        append(&mut file, &line)
            .map_err(|error| not_recorded(self.inner.name(), &format!("cannot write the recording: {error}")))
    }
}

#[async_trait]
impl Model for Recorder {
    fn name(&self) -> &ModelName {
        self.inner.name()
    }

    async fn call(&self, request: &ChatRequest) -> Result<ChatReply, ModelError> {
        let reply = self.inner.call(request).await?;
        self.record(request, &reply)?;
        Ok(reply)
    }

    async fn call_aloud(&self, request: &ChatRequest, ear: Ear<'_>) -> Result<ChatReply, ModelError> {
        let reply = self.inner.call_aloud(request, ear).await?;
        self.record(request, &reply)?;
        Ok(reply)
    }
}

/// The recording's path, when it stays inside the vault whatever links lie on the way.
pub(super) fn inside(config: &ModelConfig, vault_root: &Path, file: &str) -> Result<PathBuf, ModelError> {
    let fail = |detail: String| not_recorded(&config.name, &detail);
    let relative = Path::new(file);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(fail(format!("`{file}` is not a path inside the vault; give one relative to the vault")));
    }
    let path = vault_root.join(relative);
    let existing = path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(vault_root);
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| fail(format!("cannot find `{}`: {error}", path.display())))
    };
    if real(existing)?.starts_with(real(vault_root)?) {
        Ok(path)
    } else {
        Err(fail(format!("`{file}` leads out of the vault")))
    }
}

fn append(file: &mut File, line: &Line) -> std::io::Result<()> {
    // The recording lies in the vault, and secrets do not.
    let mut text = redact_secrets(&serde_json::to_string(line)?, &secrets_held());
    text.push('\n');
    file.write_all(text.as_bytes())
}

fn place(context: &CallContext) -> Place {
    (context.key.to_string(), context.agent.to_string(), context.turn)
}

fn not_recorded(model: &ModelName, detail: &str) -> ModelError {
    ModelError::NotRecorded { model: model.clone(), detail: one_line(detail, 400) }
}
