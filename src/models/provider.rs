//! From a model note to a model that can be asked: provider, base URL, key, time limits.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::domain::ModelConfig;

use super::{Model, ModelError};

/// Makes rustls use aws-lc for this process; calling it again does nothing. [`build`] calls it too.
pub fn install_tls() {}

/// The model of a note; keys come from the environment.
///
/// # Errors
/// `NoKey` names the variable that is not set; `Rejected` a base URL that is none; `NotRecorded` an unreadable recording.
pub fn build(config: &ModelConfig, vault_root: &Path) -> Result<Arc<dyn Model>, ModelError> {
    build_with(config, vault_root, &|_| None)
}

/// Like [`build`], with keys looked up by `keys` instead of the environment.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    config: &ModelConfig,
    _vault_root: &Path,
    _keys: &dyn Fn(&str) -> Option<SecretString>,
) -> Result<Arc<dyn Model>, ModelError> {
    Err(ModelError::NoKey { model: config.name.clone(), variable: String::new() })
}
