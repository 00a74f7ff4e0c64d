//! Which toolchains this machine has. Does not know what they are used for.

use std::path::PathBuf;

/// Folders of toolchains on this machine that a box shows read-only, whatever exists of them.
pub fn toolchains() -> Vec<PathBuf> {
    vec![]
}
