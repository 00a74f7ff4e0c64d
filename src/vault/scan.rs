//! stub
use super::{Vault, VaultError};
use crate::domain::{ContentHash, Diagnostic, NotePath};
use std::sync::Arc;

pub struct Scanner {
    vault: Vault,
}
impl Scanner {
    pub fn new(vault: &Vault) -> Self {
        Self { vault: vault.clone() }
    }
    pub fn scan(&mut self) -> Result<Scan, VaultError> {
        Err(VaultError::NotAVault { dir: self.vault.root().to_owned() })
    }
}
#[derive(Debug, Clone, Default)]
pub struct Scan {
    pub notes: Vec<ScannedNote>,
    pub problems: Vec<Diagnostic>,
}
#[derive(Debug, Clone)]
pub struct ScannedNote {
    pub path: NotePath,
    pub text: Arc<str>,
    pub hash: ContentHash,
    pub modified: jiff::Timestamp,
    pub changed: bool,
}
