//! stub
use super::{Vault, VaultError, VaultLock};
use crate::domain::{FeatureId, GitId, NotePath};
pub struct History {
    _private: (),
}
/// Path, id if the note has one, text: a feature note at HEAD.
pub type CommittedFeature = (NotePath, Option<FeatureId>, String);
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitMessage {
    pub subject: String,
    pub body: String,
    pub trailers: Vec<(String, String)>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    NoRemote,
    UpToDate,
    Updated,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    NoRemote,
    UpToDate,
    Pushed,
    Rejected(String),
}
impl History {
    pub fn open(_vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self { _private: () })
    }
    pub fn committed_text(&self, _path: &NotePath) -> Result<Option<String>, VaultError> {
        Ok(None)
    }
    pub fn committed_features(&self) -> Result<Vec<CommittedFeature>, VaultError> {
        Ok(Vec::new())
    }
    pub fn last_author(&self, _path: &NotePath) -> Result<Option<String>, VaultError> {
        Ok(None)
    }
    pub fn commit_human(&self, _lock: &VaultLock, _paths: &[NotePath]) -> Result<Option<GitId>, VaultError> {
        Ok(None)
    }
    pub fn commit(
        &self,
        _lock: &VaultLock,
        _paths: &[NotePath],
        _message: &CommitMessage,
    ) -> Result<Option<GitId>, VaultError> {
        Ok(None)
    }
    pub fn blocked(&self) -> Option<String> {
        None
    }
    /// Fetches and rebases onto the upstream of `remote`, or of the branch's own remote when `None`.
    pub fn pull(&self, _lock: &VaultLock, _remote: Option<&str>) -> Result<Pulled, VaultError> {
        Ok(Pulled::NoRemote)
    }
    pub fn push(&self, _remote: Option<&str>) -> Result<Pushed, VaultError> {
        Ok(Pushed::NoRemote)
    }
}
