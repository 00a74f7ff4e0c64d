//! stub
use super::{Vault, VaultError};
pub struct VaultLock {
    _private: (),
}
impl VaultLock {
    pub fn acquire(_vault: &Vault) -> Result<Self, VaultError> {
        Ok(Self { _private: () })
    }
}
pub struct WatchLock {
    _private: (),
}
impl WatchLock {
    pub fn acquire(_vault: &Vault, _what: &str) -> Result<Self, VaultError> {
        Ok(Self { _private: () })
    }
    pub fn holder(_vault: &Vault) -> Option<(u32, String)> {
        None
    }
}
