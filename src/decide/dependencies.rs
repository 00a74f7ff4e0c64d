//! `depends_on`: which features a feature waits for, which of them exist, and which wait for each other in a circle.
//!
//! Does not know what else a feature needs in order to start.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Feature, FeatureId, FeatureView, Snapshot, Status};

/// The features' dependencies, read once a look.
pub(super) struct Dependencies<'a> {
    views: BTreeMap<&'a FeatureId, &'a FeatureView>,
    unmet: BTreeMap<&'a FeatureId, Vec<FeatureId>>,
    /// Features that stand in a circle or wait for one that does.
    stuck: BTreeSet<FeatureId>,
}

/// What keeps a feature waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// An entry that names no feature.
    Unreadable(String),
    Unknown(FeatureId),
    /// The feature itself, those between, and itself again.
    Circle(Vec<FeatureId>),
    Waiting(Vec<FeatureId>),
}

impl<'a> Dependencies<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let views: BTreeMap<&FeatureId, &FeatureView> = snapshot
            .features
            .iter()
            .filter_map(|view| view.feature.id.as_ref().map(|id| (id, view)))
            .collect();
        let unmet = views
            .iter()
            .filter(|(_, view)| view.feature.folder != Some(Status::Done))
            .map(|(id, view)| {
                let open = named(&view.feature)
                    .filter_map(Result::ok)
                    .filter(|other| views.get(other).is_none_or(|other| !is_done(other)))
                    .collect();
                (*id, open)
            })
            .collect();
        let stuck = stuck(&unmet);
        Self { views, unmet, stuck }
    }

    /// What `feature` waits for; `None` where all it depends on is done.
    pub(super) fn unmet(&self, feature: &Feature) -> Option<Unmet> {
        for entry in named(feature) {
            match entry {
                Err(text) => return Some(Unmet::Unreadable(text)),
                Ok(id) if !self.views.contains_key(&id) => return Some(Unmet::Unknown(id)),
                Ok(_) => {}
            }
        }
        let id = feature.id.as_ref()?;
        let open = self.unmet.get(id).filter(|open| !open.is_empty())?;
        Some(match self.circle(id) {
            Some(circle) => Unmet::Circle(circle),
            None => Unmet::Waiting(open.clone()),
        })
    }

    /// The way from `id` back to itself, if there is one.
    fn circle(&self, id: &FeatureId) -> Option<Vec<FeatureId>> {
        if !self.stuck.contains(id) {
            return None;
        }
        let mut came_from: BTreeMap<&FeatureId, &FeatureId> = BTreeMap::new();
        let mut open = vec![id];
        while let Some(here) = open.pop() {
            for next in self.unmet.get(here)? {
                if next == id {
                    let mut way = vec![here.clone()];
                    while let Some(before) = way.last().and_then(|last| came_from.get(last)) {
                        way.push((*before).clone());
                    }
                    way.reverse();
                    way.push(id.clone());
                    return Some(way);
                }
                if self.stuck.contains(next) && !came_from.contains_key(next) {
                    came_from.insert(next, here);
                    open.push(next);
                }
            }
        }
        None
    }
}

fn is_done(view: &FeatureView) -> bool {
    view.feature.folder == Some(Status::Done)
}

/// Takes away, again and again, what waits for nothing that is left; circles remain.
fn stuck(unmet: &BTreeMap<&FeatureId, Vec<FeatureId>>) -> BTreeSet<FeatureId> {
    let mut waiting_for: BTreeMap<&FeatureId, Vec<&FeatureId>> = BTreeMap::new();
    let mut open: BTreeMap<&FeatureId, usize> = BTreeMap::new();
    for (id, others) in unmet {
        let known: Vec<&FeatureId> = others.iter().filter(|other| unmet.contains_key(other)).collect();
        open.insert(id, known.len());
        for other in known {
            waiting_for.entry(other).or_default().push(id);
        }
    }
    let mut free: Vec<&FeatureId> =
        open.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        open.remove(id);
        for waiting in waiting_for.remove(id).into_iter().flatten() {
            if let Some(count) = open.get_mut(waiting) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.push(waiting);
                }
            }
        }
    }
    open.into_keys().cloned().collect()
}

/// The ids in `depends_on`, an `Err` with the text for an entry without one. Empty entries are skipped.
fn named(feature: &Feature) -> impl Iterator<Item = Result<FeatureId, String>> {
    let entries = feature.properties.depends_on.iter().filter(|entry| !entry.trim().is_empty());
    entries.map(|entry| first_id(entry).ok_or_else(|| entry.clone()))
}

/// The first feature id in a text: `FR-054` of `[[FR-054 Dark mode|dark]]`.
pub(super) fn first_id(text: &str) -> Option<FeatureId> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.into_iter().find_map(|word| {
        // A slug such as `FR-054-dark-mode`: the id is its first two parts.
        let mut parts = word.splitn(3, '-');
        format!("{}-{}", parts.next()?, parts.next()?).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_links_and_file_names() {
        for text in
            ["FR-054", "[[FR-054 Dark mode|x]]", "[[10_features/06_done/FR-054-dark-mode]]", "see FR-054."]
        {
            assert_eq!(first_id(text).unwrap().as_str(), "FR-054", "{text}");
        }
        assert_eq!(first_id("[[Dark mode]]"), None);
        assert_eq!(first_id("fr-054"), None);
    }
}
