//! What a sandbox's child said on its channel, read once it ended. Does not start one.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::SandboxError;
use super::job::Message;
use super::report::Layer;

/// How long an answer may take that is already on its way.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The end of a command: neither where it was ended from here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct End {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl End {
    /// Killed from outside, by a person or for lack of memory.
    pub(super) const KILLED: Self = Self { code: None, signal: Some(9) };
}

pub(super) struct Answers {
    messages: Vec<Message>,
    /// What helps where a layer failed, by its name and the reason.
    explained: fn(&str, &str) -> String,
}

impl Answers {
    /// Reads until no process of the child is left.
    pub(super) fn read(mut channel: UnixStream, explained: fn(&str, &str) -> String) -> io::Result<Self> {
        // The door to the network may have changed it.
        channel.set_nonblocking(false)?;
        channel.set_read_timeout(Some(PATIENCE))?;
        let mut text = String::new();
        channel.read_to_string(&mut text)?;
        let messages = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { messages, explained })
    }

    /// How the command ended; nothing where that was not told.
    ///
    /// # Errors
    /// `Start` when nothing was run.
    pub(super) fn end(&self, program: &str) -> Result<Option<End>, SandboxError> {
        let failed = |reason: String| Err(SandboxError::Start { program: program.into(), reason });
        for message in &self.messages {
            match message {
                Message::Done { code, signal } => return Ok(Some(End { code: *code, signal: *signal })),
                Message::NoProgram { reason } => return failed(reason.clone()),
                Message::Failed { layer, reason } => return failed((self.explained)(layer, reason)),
                Message::Seen { .. } => {}
            }
        }
        Ok(None)
    }

    /// What a probe saw; nothing where it told nothing.
    ///
    /// # Errors
    /// `Unavailable` for a layer that is missing and not optional.
    pub(super) fn layers(&self, optional: &[&str]) -> Result<Option<Vec<Layer>>, SandboxError> {
        let unavailable = |layer: &str, reason: &str| {
            Err(SandboxError::Unavailable { reason: (self.explained)(layer, reason) })
        };
        for message in &self.messages {
            match message {
                Message::Seen { layers } => {
                    let missing = layers
                        .iter()
                        .find(|layer| !layer.enforced && !optional.contains(&layer.name.as_str()));
                    return match missing {
                        Some(layer) => unavailable(&layer.name, &layer.detail),
                        None => Ok(Some(layers.clone())),
                    };
                }
                Message::Failed { layer, reason } => return unavailable(layer, reason),
                Message::NoProgram { .. } | Message::Done { .. } => {}
            }
        }
        Ok(None)
    }
}
