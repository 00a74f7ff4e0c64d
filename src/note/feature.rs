//! Reads a feature note. It does not know the other notes of the vault.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::feature_properties::{FeatureReader, id_in, leading_id};
use super::phases::status_cells;
use super::preflight::preflight;
use super::sections::Body;
use super::{blocks, split, without_blocks};
use crate::domain::{
    ContentHash, Diagnostic, Feature, FeatureId, FeatureProperties, NotePath, Sections, Status,
};

/// Reads a feature note; never fails. `folder` is the status folder that the note lies in. A note that is too large or
/// holds git's conflict markers gives one diagnostic and is not read further.
pub fn parse_feature(path: &NotePath, text: &str, folder: Option<Status>) -> Feature {
    let mut feature = Feature {
        id: None,
        path: path.clone(),
        folder,
        title: title_of_stem(path.stem()),
        properties: FeatureProperties::default(),
        sections: Sections::default(),
        brief: String::new(),
        marks: vec![],
        blocks: BTreeMap::new(),
        hash: ContentHash::of(text),
        diagnostics: vec![],
    };
    if let Some(diagnostic) = preflight(text) {
        feature.diagnostics.push(diagnostic.in_note(path));
        return feature;
    }
    let mut diagnostics = Vec::new();
    let mut body_start = 0;
    match split(text) {
        Ok(parts) => {
            body_start = parts.body;
            let reader = FeatureReader::read(parts.front.map_or("", |front| &text[front]));
            feature.properties = reader.properties;
            let has_no_id = feature.properties.id.is_none() && !reader.has_id;
            diagnostics.extend(reader.diagnostics);
            if has_no_id && !matches!(folder, None | Some(Status::Ideas)) {
                diagnostics.push(
                    Diagnostic::warning(
                        "missing-id",
                        "the note has no `id`",
                        "leave it: ado-vault assigns the next free one; or add a line `id: FR-…`",
                    )
                    .at(1, 1),
                );
            }
        }
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
    match blocks(text) {
        Ok(found) => feature.blocks = found.into_iter().map(|block| (block.name, block.hash)).collect(),
        Err(damage) => diagnostics.extend(damage),
    }
    let body_text = &text[body_start..];
    let first_line = 1 + text[..body_start].matches('\n').count() as u32;
    let masked = masked_body(body_text);
    let body = Body::new(&masked, first_line);
    feature.id.clone_from(&feature.properties.id);
    let heading = body.title().map(without_id).filter(|title| !title.is_empty());
    if let Some(title) = feature.properties.title.as_deref().or(heading) {
        feature.title = title.to_owned();
    }
    feature.title = super::plain(&feature.title).split_whitespace().collect::<Vec<_>>().join(" ");
    feature.sections = body.sections();
    feature.brief = without_blocks(body_text).trim().to_owned();
    if !feature.sections.phases.is_empty() {
        feature.marks = status_cells(&Body::new(&feature.brief, 1));
    }
    feature.diagnostics = diagnostics.into_iter().map(|diagnostic| diagnostic.in_note(path)).collect();
    feature
}

/// The features that this one depends on, each once: from `[[FR-054 Some title|x]]` and `FR-054`.
pub fn dependency_ids(feature: &Feature) -> Vec<FeatureId> {
    let mut ids = Vec::new();
    for id in feature.properties.depends_on.iter().filter_map(|text| id_in(text)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// The body with ado's blocks as blank text of the same length, so that places stay true.
pub(crate) fn masked_body(body: &str) -> Cow<'_, str> {
    match super::block::scan(body, 0) {
        Ok(found) if !found.is_empty() => {
            let mut masked = String::with_capacity(body.len());
            let mut from = 0;
            for block in found {
                masked.push_str(&body[from..block.range.start]);
                masked.extend(body[block.range.clone()].bytes().map(|byte| match byte {
                    b'\n' => '\n',
                    b'\r' => '\r',
                    _ => ' ',
                }));
                from = block.range.end;
            }
            masked.push_str(&body[from..]);
            Cow::Owned(masked)
        }
        _ => Cow::Borrowed(body),
    }
}

/// `Short title` of `FR-056 Short title`, `FR-056: Short title` and `FR-056-Short title`; an id alone stays.
fn without_id(text: &str) -> &str {
    match leading_id(text.trim()) {
        Some((_, rest)) => {
            let title = rest.trim_start_matches([' ', ':', '-', '–', '—', '.']);
            if title.is_empty() { text } else { title }
        }
        None => text,
    }
}

/// The title that a file name tells: in `FR-056-short-title` the dashes are spaces.
fn title_of_stem(stem: &str) -> String {
    let title = without_id(stem);
    if stem.contains(' ') || title == stem { title.to_owned() } else { title.replace('-', " ") }
}
