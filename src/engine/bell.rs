//! Asks a watching engine to look again, from outside of its loop. Rings that come in a row are one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::EngineError;
use super::event_loop::Engine;
use crate::forge::github::{WebhookSecret, Webhooks};
use crate::models::hold_variables;

/// Between two looks that were rung for.
const PAUSE: Duration = Duration::from_secs(1);

/// What rings.
#[derive(Clone, Default)]
pub(super) struct Bell {
    rung: Arc<AtomicBool>,
    news: Arc<Notify>,
}

impl Bell {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.news.notify_one();
    }

    /// Waits until it rang, and until the pause since `last` is over. Nothing is lost when the wait is given up.
    pub(super) async fn heard(&self, last: Option<Instant>) {
        while !self.rung.load(Ordering::Acquire) {
            self.news.notified().await;
        }
        if let Some(last) = last {
            tokio::time::sleep_until((last + PAUSE).into()).await;
        }
        self.rung.store(false, Ordering::Release);
    }
}

impl Engine {
    /// Takes webhooks at this address until the handle is dropped: each asks for a look, and none is believed. Gives the
    /// address, whose port is chosen by the machine where it was 0.
    ///
    /// # Errors
    /// `Listen` where the address cannot be had.
    pub async fn take_webhooks(
        &self,
        address: SocketAddr,
        secret: WebhookSecret,
    ) -> Result<(SocketAddr, AbortOnDropHandle<()>), EngineError> {
        let failed = |source| EngineError::Listen { address, source };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let bell = self.bell.clone();
        let webhooks = Webhooks::new(secret, &self.vault.root().join(".ado"), move || bell.ring());
        Ok((bound, AbortOnDropHandle::new(tokio::spawn(webhooks.serve(listener)))))
    }

    /// Forges are asked at the next look, however fresh their last answers are.
    pub(super) fn ask_forges_again(&mut self) {
        self.rang = Some(Instant::now());
        self.abroad.forge_asked.clear();
        self.issues.forget();
    }
}

/// The webhooks' secret from a variable, which no agent or check then sees.
pub fn webhook_secret_of(variable: &str) -> Option<WebhookSecret> {
    hold_variables([variable]);
    std::env::var(variable).ok().and_then(|text| WebhookSecret::new(&text))
}
