//! stub
use super::VaultError;
use crate::domain::{GitId, NotePath};
use std::path::{Path, PathBuf};
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryState {
    Made,
    Joined(PathBuf),
}
#[derive(Debug, Clone)]
pub struct InitReport {
    pub created: Vec<NotePath>,
    pub kept: Vec<NotePath>,
    pub repository: RepositoryState,
    pub commit: Option<GitId>,
}
pub fn init(dir: &Path) -> Result<InitReport, VaultError> {
    Err(VaultError::NotAVault { dir: dir.to_owned() })
}
