//! stub
use super::{Vault, VaultError};
use crate::domain::{Diagnostic, Event, FeatureId, NotePath, Record, RunId};
use jiff::Timestamp;
pub struct Journal {
    path: NotePath,
}
impl Journal {
    pub fn open(_vault: &Vault, run: &RunId) -> Result<(Self, Vec<Record>, Vec<Diagnostic>), VaultError> {
        Ok((Self { path: NotePath::new(format!("60_runs/{run}/journal.jsonl"))? }, Vec::new(), Vec::new()))
    }
    pub fn append(&mut self, _at: Timestamp, _event: Event) -> Result<Record, VaultError> {
        Err(VaultError::Busy { path: self.path.to_string() })
    }
    pub fn path(&self) -> NotePath {
        self.path.clone()
    }
}
pub fn read_journal(_vault: &Vault, _run: &RunId) -> Result<(Vec<Record>, Vec<Diagnostic>), VaultError> {
    Ok((Vec::new(), Vec::new()))
}
pub fn runs_of(_vault: &Vault, _feature: &FeatureId) -> Result<Vec<u32>, VaultError> {
    Ok(Vec::new())
}
pub fn all_runs(_vault: &Vault) -> Result<Vec<RunId>, VaultError> {
    Ok(Vec::new())
}
pub fn write_transcript(
    _vault: &Vault,
    run: &RunId,
    name: &str,
    _text: &str,
) -> Result<NotePath, VaultError> {
    Ok(NotePath::new(format!("60_runs/{run}/transcript/{name}.jsonl"))?)
}
