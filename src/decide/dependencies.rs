//! `depends_on`: which features a feature waits for, which of them exist, and which wait for each other in a circle.
//!
//! Does not know what else a feature needs in order to start.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use crate::domain::{Feature, FeatureId, FeatureView, Snapshot, Status};

/// The features' dependencies. Only those are read that a feature leads to which somebody asks about.
pub(super) struct Dependencies<'a> {
    snapshot: &'a Snapshot,
    views: OnceCell<HashMap<&'a FeatureId, &'a FeatureView>>,
    /// Whether a feature stands in a circle or waits for one that does; `None` while that is looked at.
    stuck: RefCell<HashMap<&'a FeatureId, Option<bool>>>,
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
        Self { snapshot, views: OnceCell::new(), stuck: RefCell::default() }
    }

    /// What `feature` waits for; `None` where all it depends on is done.
    pub(super) fn unmet(&self, feature: &Feature) -> Option<Unmet> {
        if feature.properties.depends_on.is_empty() {
            return None;
        }
        for entry in named(feature) {
            match entry {
                Err(text) => return Some(Unmet::Unreadable(text)),
                Ok(id) if !self.views().contains_key(&id) => return Some(Unmet::Unknown(id)),
                Ok(_) => {}
            }
        }
        let (&id, _) = self.views().get_key_value(feature.id.as_ref()?)?;
        let open = self.open(id);
        if open.is_empty() {
            return None;
        }
        Some(match self.circle(id) {
            Some(circle) => Unmet::Circle(circle),
            None => Unmet::Waiting(open.into_iter().cloned().collect()),
        })
    }

    /// Features by id, the last one where several have it.
    fn views(&self) -> &HashMap<&'a FeatureId, &'a FeatureView> {
        self.views.get_or_init(|| {
            let views = self.snapshot.features.iter();
            views.filter_map(|view| view.feature.id.as_ref().map(|id| (id, view))).collect()
        })
    }

    /// The features that this one depends on and that are there and not done; none where it is done itself.
    fn open(&self, id: &FeatureId) -> Vec<&'a FeatureId> {
        let views = self.views();
        let Some(view) = views.get(id).filter(|view| !is_done(view)) else { return vec![] };
        let others = named(&view.feature).filter_map(|other| views.get_key_value(&other.ok()?));
        others.filter(|(_, other)| !is_done(other)).map(|(other, _)| *other).collect()
    }

    /// The way from `id` back to itself, if there is one.
    fn circle(&self, id: &'a FeatureId) -> Option<Vec<FeatureId>> {
        if !self.is_stuck(id) {
            return None;
        }
        let mut came_from: HashMap<&FeatureId, &FeatureId> = HashMap::new();
        let mut open = vec![id];
        while let Some(here) = open.pop() {
            for next in self.open(here) {
                if next == id {
                    let mut way = vec![here.clone()];
                    while let Some(before) = way.last().and_then(|last| came_from.get(last)) {
                        way.push((*before).clone());
                    }
                    way.reverse();
                    way.push(id.clone());
                    return Some(way);
                }
                if self.is_stuck(next) && !came_from.contains_key(next) {
                    came_from.insert(next, here);
                    open.push(next);
                }
            }
        }
        None
    }

    /// Whether a feature stands in a circle or waits for one that does. What was found of others on the way is kept.
    fn is_stuck(&self, id: &'a FeatureId) -> bool {
        let mut stuck = self.stuck.borrow_mut();
        if let Some(Some(known)) = stuck.get(id) {
            return *known;
        }
        // Depth first: who is met again while still being looked at closes a circle.
        stuck.insert(id, None);
        let mut way = vec![(id, self.open(id), false)];
        let mut last = false;
        while let Some((here, open, leads_to_circle)) = way.last_mut() {
            let Some(next) = open.pop() else {
                last = *leads_to_circle;
                stuck.insert(*here, Some(last));
                way.pop();
                if let Some((.., leads_to_circle)) = way.last_mut() {
                    *leads_to_circle |= last;
                }
                continue;
            };
            match stuck.get(next) {
                Some(known) => *leads_to_circle |= known.unwrap_or(true),
                None => {
                    stuck.insert(next, None);
                    way.push((next, self.open(next), false));
                }
            }
        }
        last
    }
}

fn is_done(view: &FeatureView) -> bool {
    view.feature.folder == Some(Status::Done)
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
