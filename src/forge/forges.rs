//! Which forge a repository's pull requests live at. It opens each server once, so that its limits hold for all runs.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::github::{MachineClock, Servers};
use super::{Forge, ForgeError, Issues, LocalForge};
use crate::domain::{ForgeKind, Repository};
use crate::vault::Vault;

/// The forges of a vault.
pub struct Forges {
    vault: Vault,
    servers: Servers,
}

impl Forges {
    /// Secrets are read from this process's environment when a server is first talked to.
    pub fn new(vault: &Vault) -> Self {
        let environment = |name: &str| std::env::var(name).ok().map(SecretString::from);
        Self::with(vault, Arc::new(MachineClock), Box::new(environment))
    }

    /// The same with another clock and other secrets.
    pub fn with(
        vault: &Vault,
        clock: Arc<dyn super::github::Clock>,
        environment: Box<super::github::Environment>,
    ) -> Self {
        Self { vault: vault.clone(), servers: Servers::new(vault.root().join(".ado"), clock, environment) }
    }

    /// The forge of this kind for a repository. Must be called within a tokio runtime.
    pub fn of(&self, kind: ForgeKind, repository: &Repository) -> Result<Box<dyn Forge>, ForgeError> {
        Ok(match kind {
            ForgeKind::Local => Box::new(self.local()),
            ForgeKind::Github => Box::new(self.servers.forge(repository)?),
        })
    }

    /// The issues of a repository, where its forge has some. Must be called within a tokio runtime.
    pub fn issues_of(&self, repository: &Repository) -> Result<Option<Box<dyn Issues>>, ForgeError> {
        Ok(match repository.forge {
            ForgeKind::Local => None,
            ForgeKind::Github => Some(Box::new(self.servers.forge(repository)?)),
        })
    }

    /// The built-in one.
    pub fn local(&self) -> LocalForge {
        LocalForge::new(self.vault.clone(), Timestamp::now())
    }
}
