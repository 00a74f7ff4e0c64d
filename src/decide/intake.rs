//! Which notes can be acted on at all: readable, with an id of their own, not just being typed.
//!
//! Does not know what is done with them afterwards.

use super::holds::MOMENT;
use super::next::{Next, plain};
use crate::domain::{Diagnostic, Effect, Feature, FeatureId, FeatureView, Snapshot, Status};

/// Why a note cannot be acted on now; `None` where it can. `twin` is another note with the same id.
pub(super) fn obstacle(view: &FeatureView, twin: Option<&FeatureView>) -> Option<Next> {
    if view.settling {
        return Some(Next::rest("still being edited"));
    }
    if let Some(error) = first_error(&view.feature) {
        let place = if error.line > 0 { format!("line {}: ", error.line) } else { String::new() };
        return Some(Next::ask(
            &error.message,
            plain(&format!("{place}{} [{}]", error.message, error.code)),
            plain(&error.remedy),
        ));
    }
    let other = twin?;
    if other.settling {
        // It may be a late save of this very note at the place that it was moved from.
        return Some(Next::pause(
            format!("{MOMENT}a note with its id is being saved"),
            format!("`{}` has the same id and is being saved", plain(other.feature.path.as_str())),
            "it is looked at again in a moment",
        ));
    }
    Some(Next::ask(
        &format!("id {} is used twice", view.feature.label()),
        format!("`{}` has the same id", plain(other.feature.path.as_str())),
        "give one of the two notes another `id`",
    ))
}

fn first_error(feature: &Feature) -> Option<&Diagnostic> {
    feature.diagnostics.iter().find(|diagnostic| diagnostic.is_error())
}

/// Hands out the next free ids.
pub(super) struct FreeIds {
    prefix: String,
    next: u64,
}

impl FreeIds {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self { prefix: snapshot.config.settings.id_prefix.clone(), next: snapshot.next_feature_number() }
    }

    /// Gives a note outside `ideas` its id; `None` where it has one or needs none.
    pub(super) fn assign(&mut self, view: &FeatureView) -> Option<Next> {
        let feature = &view.feature;
        if feature.id.is_some() || matches!(feature.folder, None | Some(Status::Ideas)) {
            return None;
        }
        Some(match FeatureId::new(&self.prefix, self.next) {
            Ok(id) => {
                self.next = self.next.saturating_add(1);
                let reason = format!("the note has no id; `{id}` is the next free one");
                Next::act(Effect::AssignId { path: feature.path.clone(), id }, reason)
            }
            Err(error) => Next::ask(
                "no id can be given",
                plain(&error.to_string()),
                "set `id_prefix` in `00_system/Settings.md` to upper-case letters and digits, such as `FR`",
            ),
        })
    }
}
