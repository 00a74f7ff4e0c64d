//! stub
use super::{Scan, Vault, VaultError, VaultLock};
use crate::domain::{Diagnostic, NotePath};
#[derive(Debug, Clone, Default)]
pub struct Moved {
    pub touched: Vec<NotePath>,
    pub problems: Vec<Diagnostic>,
}
pub fn move_note(
    _lock: &VaultLock,
    _vault: &Vault,
    from: &NotePath,
    _to: &NotePath,
    _scan: &Scan,
) -> Result<Moved, VaultError> {
    Err(VaultError::Busy { path: from.to_string() })
}
