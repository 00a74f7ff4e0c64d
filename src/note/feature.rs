//! Reads a feature note. It does not know the other notes of the vault.

use crate::domain::{ContentHash, Feature, FeatureId, FeatureProperties, NotePath, Sections, Status};

/// Reads a feature note; never fails. `folder` is the status folder that the note lies in.
pub fn parse_feature(path: &NotePath, text: &str, folder: Option<Status>) -> Feature {
    Feature {
        id: None,
        path: path.clone(),
        folder,
        title: path.stem().to_owned(),
        properties: FeatureProperties::default(),
        sections: Sections::default(),
        brief: super::body(text).to_owned(),
        blocks: Default::default(),
        hash: ContentHash::of(text),
        diagnostics: vec![],
    }
}

/// The features that this one depends on: from `[[FR-054 Some title|x]]` and `FR-054`.
pub fn dependency_ids(feature: &Feature) -> Vec<FeatureId> {
    let _ = feature;
    vec![]
}
