//! Work that another machine has claimed is left to it (vault format, 7).
//!
//! Does not know how a claim is made.

use super::next::Next;
use crate::domain::{FeatureView, Status};

/// Why this machine leaves a feature alone; `None` where nobody else works on it, or a human asked for it here by name.
pub(super) fn held(view: &FeatureView) -> Option<Next> {
    let machine = view.claimed_by.as_ref().filter(|_| !view.asked)?;
    let begins = matches!(view.feature.folder, Some(Status::New | Status::Planned));
    if view.live_run().is_none() && !begins {
        return None;
    }
    Some(Next::pause(
        format!("machine: {machine}"),
        format!("`{machine}` claimed {} first and works on it", view.current_run()?),
        format!(
            "pull to see what it did; where it is gone for good, `ado-vault run {}` takes the run over",
            view.feature.label()
        ),
    ))
}
