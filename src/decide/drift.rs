//! Folder and `status` property: which of the two a human changed, and what the other becomes (vault format, 4).
//!
//! Does not know runs or what a status means.

use super::next::Next;
use crate::domain::{Effect, FeatureView, Status};

/// What `waiting_on` says until a human made them agree.
const ASKED: &str = "human: status and folder disagree";

/// Says how to make folder and property agree; `None` where they do.
pub(super) fn settle(view: &FeatureView) -> Option<Next> {
    let feature = &view.feature;
    let status = feature.properties.status;
    let align = |status: Status, reason: String| {
        Some(Next::act(Effect::Align { path: feature.path.clone(), status }, reason))
    };
    let Some(folder) = feature.folder else {
        return match status {
            Some(status) => align(status, format!("the note lies in no status folder and says `{status}`")),
            None => Some(Next::rest("the note lies in no status folder and has no `status`")),
        };
    };
    let Some(status) = status else {
        // An idea needs no properties; it is left as the human wrote it.
        return match folder {
            Status::Ideas => None,
            _ => align(folder, format!("the note lies in `{folder}` and has no `status`")),
        };
    };
    if status == folder {
        return None;
    }
    let Some(committed) = &view.committed else {
        return align(folder, format!("a new note lies in `{folder}`; its folder counts"));
    };
    let moved = committed.folder != Some(folder);
    let edited = committed.status != Some(status);
    // Asking commits what the human did; until it is answered the question stands.
    let asked = feature.properties.waiting_on.as_deref() == Some(ASKED);
    match (moved, edited) {
        (false, false) if asked => Some(disagree(folder, status)),
        (true, true) => Some(disagree(folder, status)),
        (true, false) => align(folder, format!("the note was moved to `{folder}`")),
        (false, true) => align(status, format!("`status` was set to `{status}`")),
        (false, false) => {
            align(folder, format!("folder `{folder}` and `status: {status}` were committed apart"))
        }
    }
}

fn disagree(folder: Status, status: Status) -> Next {
    Next::ask_on(
        ASKED,
        format!("the note was moved to `{folder}` and its `status` was set to `{status}`"),
        format!("set `status: {folder}` or move the note to the folder of `{status}`"),
    )
}
