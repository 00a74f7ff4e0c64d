//! Reads a feature note. It does not know the other notes of the vault.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::feature_properties::{FeatureReader, id_in, leading_id};
use super::phases::status_cells;
use super::preflight::preflight;
use super::sections::Body;
use super::{blocks, split, without_blocks};
use crate::domain::{
    ContentHash, Diagnostic, Feature, FeatureId, FeatureProperties, Lazy, NotePath, Sections, Status, Text,
};

/// What a feature note says apart from its body: what a look at all notes needs of each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeatureHead<'a> {
    folder: Option<Status>,
    title: Cow<'a, str>,
    #[serde(with = "compact")]
    properties: Cow<'a, FeatureProperties>,
    blocks: Cow<'a, BTreeMap<String, ContentHash>>,
    diagnostics: Cow<'a, [Diagnostic]>,
}

impl<'a> FeatureHead<'a> {
    pub fn of(feature: &'a Feature) -> Self {
        Self {
            folder: feature.folder,
            title: Cow::Borrowed(&feature.title),
            properties: Cow::Borrowed(&feature.properties),
            blocks: Cow::Borrowed(&feature.blocks),
            diagnostics: Cow::Borrowed(&feature.diagnostics),
        }
    }
}

/// Properties without their names, for formats that write fields in order.
mod compact {
    use serde::{Deserializer, Serializer};

    use super::*;
    use crate::domain::{FeatureType, RareProperties};

    type Fields = (
        Option<FeatureId>,
        Option<String>,
        Option<FeatureType>,
        Option<Status>,
        Option<u8>,
        Option<String>,
        Vec<String>,
        Option<RareProperties>,
    );

    pub(super) fn serialize<S: Serializer>(
        all: &FeatureProperties,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let FeatureProperties { id, title, kind, status, priority, repo, depends_on, rare } = all;
        (id, title, kind, status, priority, repo, depends_on, rare.present()).serialize(serializer)
    }

    pub(super) fn deserialize<'a, 'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Cow<'a, FeatureProperties>, D::Error> {
        let (id, title, kind, status, priority, repo, depends_on, rare) = Fields::deserialize(deserializer)?;
        let rare = rare.unwrap_or_default().into();
        Ok(Cow::Owned(FeatureProperties { id, title, kind, status, priority, repo, depends_on, rare }))
    }
}

/// Reads a feature note; never fails. `folder` is the status folder that the note lies in. A note that is too large or
/// holds git's conflict markers gives one diagnostic and is not read further.
pub fn parse_feature(path: &NotePath, text: &str, folder: Option<Status>) -> Feature {
    let kept: Arc<str> = text.into();
    parse_feature_lazily(path, text, folder, Arc::new(kept))
}

/// The same without keeping the text; `source` gives it again when somebody looks at the body.
pub fn parse_feature_lazily(
    path: &NotePath,
    text: &str,
    folder: Option<Status>,
    source: Arc<dyn Text>,
) -> Feature {
    let mut diagnostics = Vec::new();
    let head = |title: String, properties, blocks, diagnostics: Vec<Diagnostic>| {
        let diagnostics: Vec<Diagnostic> =
            diagnostics.into_iter().map(|diagnostic| diagnostic.in_note(path)).collect();
        let (properties, blocks) = (Cow::Owned(properties), Cow::Owned(blocks));
        let head =
            FeatureHead { folder, title: title.into(), properties, blocks, diagnostics: diagnostics.into() };
        feature_of_head(head, path, Arc::clone(&source))
    };
    let stem = || title_of_stem(path.stem());
    if let Some(diagnostic) = preflight(text) {
        return head(stem(), FeatureProperties::default(), BTreeMap::new(), vec![diagnostic]);
    }
    let mut properties = FeatureProperties::default();
    match split(text) {
        Ok(parts) => {
            let reader = FeatureReader::read(parts.front.map_or("", |front| &text[front]));
            properties = reader.properties;
            let has_no_id = properties.id.is_none() && !reader.has_id;
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
    let mut hashes = BTreeMap::new();
    match blocks(text) {
        Ok(found) => hashes.extend(found.into_iter().map(|block| (block.name, block.hash))),
        Err(damage) => diagnostics.extend(damage),
    }
    let title = properties.title.clone().or_else(|| heading(text)).unwrap_or_else(stem);
    let title = super::plain(&title).split_whitespace().collect::<Vec<_>>().join(" ");
    head(title, properties, hashes, diagnostics)
}

/// The feature that a head was made of; `source` gives the note's text when somebody looks at the body.
pub fn feature_of_head(head: FeatureHead<'_>, path: &NotePath, source: Arc<dyn Text>) -> Feature {
    let properties = head.properties.into_owned();
    Feature {
        id: properties.id.clone(),
        path: path.clone(),
        folder: head.folder,
        title: head.title.into_owned(),
        properties,
        sections: Lazy::new(Arc::clone(&source), sections),
        brief: Lazy::new(Arc::clone(&source), brief),
        marks: Lazy::new(source, marks),
        blocks: head.blocks.into_owned(),
        diagnostics: head.diagnostics.into_owned(),
    }
}

fn sections(text: &str) -> Sections {
    with_body(text, |body| body.sections()).unwrap_or_default()
}

fn brief(text: &str) -> String {
    match preflight(text) {
        Some(_) => String::new(),
        None => without_blocks(&text[body_start(text)..]).trim().to_owned(),
    }
}

/// Places in the brief that are ado's to change.
fn marks(text: &str) -> Vec<Range<usize>> {
    let has_phases = with_body(text, |body| !body.sections().phases.is_empty()).unwrap_or(false);
    if has_phases { status_cells(&Body::new(&brief(text), 1)) } else { vec![] }
}

/// What a reader makes of the body, with ado's blocks blanked out; `None` for a note that is not to be read.
fn with_body<T>(text: &str, read: impl FnOnce(&Body<'_>) -> T) -> Option<T> {
    if preflight(text).is_some() {
        return None;
    }
    let start = body_start(text);
    let first_line = 1 + text[..start].matches('\n').count() as u32;
    let masked = masked_body(&text[start..]);
    Some(read(&Body::new(&masked, first_line)))
}

/// The whole text where the front matter is never closed.
fn body_start(text: &str) -> usize {
    split(text).map_or(0, |parts| parts.body)
}

/// The title that the first heading tells.
fn heading(text: &str) -> Option<String> {
    with_body(text, |body| body.title().map(without_id).filter(|title| !title.is_empty()).map(str::to_owned))?
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
