//! The budget's and the journal's side of a step: reserves and settles model calls, records tool calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::earlier::{Earlier, Met};
use super::{RunBook, redact};
use crate::agents::{ToolRecord, ToolRecorder};
use crate::domain::{
    ContentHash, Event, Finding, ModelName, RunId, RunState, ScopeCaps, Shared, Spent, StepKey,
};
use crate::models::{CallContext, CallId, ChatReply, ChatRequest, Ledger, ModelError, Settlement};
use crate::sandbox::Refusal;
use crate::vault::{Vault, write_transcript};

/// Charges the model calls of one run to its journal and caps.
pub struct RunLedger {
    pub book: Arc<RunBook>,
    pub vault: Vault,
    pub run: RunId,
    pub caps: ScopeCaps,
    /// What the tries of this step that were cut off were answered.
    pub earlier: Earlier,
}

/// How often a disk without room is asked again.
const NO_ROOM: Duration = Duration::from_secs(1);

impl RunLedger {
    /// Waits until the journal can be written: a call that is not recorded must not be made, nor its cost forgotten.
    pub(super) async fn room(&self) {
        while self.vault.unwritable().is_some() {
            tokio::time::sleep(NO_ROOM).await;
        }
    }
}

#[async_trait]
impl Ledger for RunLedger {
    async fn reserve(
        &self,
        context: &CallContext,
        model: &ModelName,
        most: Spent,
    ) -> Result<CallId, ModelError> {
        self.room().await;
        self.book.reserve(&self.run, context.key, &context.agent, model, most, &self.caps).map(CallId)
    }

    async fn settle(&self, call: CallId, settlement: Settlement) -> Result<(), ModelError> {
        let failed = |error: String| ModelError::Ledger { detail: error };
        self.room().await;
        let (transcript, transcript_hash) = match &settlement.transcript {
            Some(value) => {
                let value = redact::value(value.clone());
                let name = format!("call-{:04}", call.0);
                let text = format!("{value}\n");
                let path = write_transcript(&self.vault, &self.run, &name, &text)
                    .map_err(|error| failed(error.to_string()))?;
                let file = path.file_name().to_owned();
                self.book.transcript_written(&self.run, path);
                (Some(file), Some(ContentHash::of(&text)))
            }
            None => (None, None),
        };
        let event = Event::ModelCallFinished {
            call: call.0,
            tokens: settlement.tokens,
            cost: settlement.cost,
            millis: settlement.millis,
            ended: settlement.ended,
            transcript,
            failure: settlement.failure,
            transcript_hash,
        };
        self.book.append(&self.run, event).map_err(|error| failed(error.to_string()))
    }

    async fn remembered(&self, request: &ChatRequest) -> Option<(ModelName, ChatReply)> {
        self.room().await;
        let key = request.context.key;
        let event = |call, used, why| Event::TurnRemembered { key, call, used, why };
        match self.earlier.meet(redact::value(request.in_transcript())) {
            Met::Nothing => None,
            Met::Same(turn) => {
                self.tell(event(turn.call, true, String::new()));
                Some((turn.model, turn.reply))
            }
            Met::Other { call, why } => {
                tracing::info!(run = %self.run, %key, call, %why, "the model is asked anew");
                self.tell(event(call, false, why));
                None
            }
        }
    }
}

impl RunLedger {
    fn tell(&self, event: Event) {
        if let Err(error) = self.book.append(&self.run, event) {
            tracing::error!(run = %self.run, %error, "cannot record what a command did");
        }
    }
}

#[async_trait]
impl ToolRecorder for RunLedger {
    async fn tool(&self, call: ToolRecord) {
        self.room().await;
        let event = Event::ToolCalled {
            key: call.key,
            agent: call.agent,
            tool: call.tool,
            folder: call.folder,
            input: call.input,
            output: call.output,
            ok: call.ok,
            exit_code: call.exit_code,
            millis: call.millis,
        };
        self.tell(event);
    }

    async fn refused(&self, key: StepKey, by: &str, refusal: &Refusal) {
        let Refusal { host, port, reason, times } = refusal.clone();
        let host = crate::domain::redact_secrets(&host, &crate::models::secrets_held());
        self.tell(Event::NetworkRefused { key, by: by.to_owned(), host, port, reason, times });
    }

    async fn noticed(&self, key: StepKey, finding: Finding) {
        let is_known = |run: Shared<RunState>| run.noticed.iter().any(|(_, known)| *known == finding);
        if !self.book.state(&self.run).is_some_and(is_known) {
            self.room().await;
            self.tell(Event::Noticed { key, finding });
        }
    }
}
