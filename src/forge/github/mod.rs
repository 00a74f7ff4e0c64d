//! GitHub behind the trait of forges: github.com and GitHub Enterprise, by token or as an app.
//!
//! One `Client` for each server and account is shared by all repositories and runs, so that one set of limits
//! holds for all of them. What GitHub says is read by pure functions beside it.

mod address;
mod checks;
mod client;
mod clock;
mod credential;
mod forge;
mod issues;
mod limits;
mod own;
mod pull_request;
mod queue;
mod remarks;
mod reviews;
mod standing;
mod threads;
mod webhook;
mod words;

pub use clock::{Clock, MachineClock};
pub use forge::GithubForge;
pub use webhook::{WebhookSecret, Webhooks};

pub(crate) use credential::Environment;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use address::Address;
use client::Client;
use credential::Credential;
use standing::Standing;

use super::ForgeError;
use crate::domain::Repository;

/// The servers that this process talks to, each opened once.
pub(super) struct Servers {
    cache: PathBuf,
    clock: Arc<dyn Clock>,
    environment: Box<Environment>,
    open: Mutex<HashMap<(String, String), Arc<Client>>>,
}

impl Servers {
    /// `cache` is the vault's folder for what may be deleted at any time.
    pub fn new(cache: PathBuf, clock: Arc<dyn Clock>, environment: Box<Environment>) -> Self {
        Self { cache, clock, environment, open: Mutex::default() }
    }

    /// The forge of a repository note. Must be called within a tokio runtime.
    pub fn forge(&self, repository: &Repository) -> Result<GithubForge, ForgeError> {
        let address = Address::of(repository)?;
        let settings = repository.forge_settings.clone();
        // An app has limits and a token for each owner who installed it.
        let account = match settings.app_id {
            Some(app) => format!("app {app} {}", address.owner),
            None => settings.variables(repository.forge).join(" "),
        };
        let key = (address.base.clone(), account.clone());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(&key) {
            return Ok(GithubForge { client: client.clone(), address, settings });
        }
        let credential = Credential::read(repository, &*self.environment)?;
        let standing = Standing::at(&self.cache, &address.base, &account);
        let client = Arc::new(Client::new(&address.base, credential, self.clock.clone(), standing)?);
        open.insert(key, client.clone());
        Ok(GithubForge { client, address, settings })
    }
}
