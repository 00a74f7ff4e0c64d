//! stub
use super::{StoreError, Vault, VaultError, VaultLock};
use crate::domain::NotePath;
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub before: String,
    pub after: String,
    pub changed: bool,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    Exists,
}
pub fn edit<E>(
    _lock: &VaultLock,
    vault: &Vault,
    path: &NotePath,
    mut f: impl FnMut(&str) -> Result<String, E>,
) -> Result<Edited, StoreError<E>> {
    let before = vault.read(path)?;
    let after = f(&before).map_err(StoreError::Edit)?;
    Ok(Edited { changed: before != after, before, after })
}
pub fn create(
    _lock: &VaultLock,
    _vault: &Vault,
    path: &NotePath,
    _text: &str,
) -> Result<Created, VaultError> {
    Err(VaultError::Busy { path: path.to_string() })
}
pub fn write_projection(
    _lock: &VaultLock,
    _vault: &Vault,
    path: &NotePath,
    _text: &str,
) -> Result<bool, VaultError> {
    Err(VaultError::Busy { path: path.to_string() })
}
pub fn sweep_kept(_lock: &VaultLock, _vault: &Vault) -> Result<Vec<NotePath>, VaultError> {
    Ok(Vec::new())
}
