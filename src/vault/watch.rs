//! stub
use super::{Vault, VaultError};
use crate::domain::NotePath;
use std::time::Duration;
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Changed(Vec<NotePath>),
    Poll,
}
pub struct Watch {
    _keep: tokio::sync::mpsc::Sender<Look>,
}
impl Watch {
    pub fn start(
        _vault: &Vault,
        _debounce: Duration,
        _poll: Duration,
    ) -> Result<(Self, tokio::sync::mpsc::Receiver<Look>), VaultError> {
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        Ok((Self { _keep: sender }, receiver))
    }
    pub fn mode(&self) -> String {
        "poll only".to_owned()
    }
}
