//! What the sandbox of this machine enforces, layer by layer. Does not know how.

use serde::{Deserialize, Serialize};

/// What `doctor` shows of the sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Whether commands run inside the profile at all.
    pub enforcing: bool,
    pub layers: Vec<Layer>,
}

/// One layer of the profile, as seen from inside a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub name: String,
    pub enforced: bool,
    /// What was seen, or why it is not enforced.
    pub detail: String,
}
