//! What the last commit says of each feature note: found by the note's path, or by its id where a human moved it.
//!
//! Texts are compared by their names in git, so that only those are read which differ from what is on disk.

use std::collections::HashMap;
use std::sync::Arc;

use super::EngineError;
use crate::domain::{Committed, Feature, FeatureId, NotePath, Shared, Status};
use crate::note;
use crate::vault::{CommittedFeatures, CommittedTexts, History, Scan, ScannedNote, TextId};

/// A feature note of a scan.
pub(super) type FeatureNote<'a> = (&'a ScannedNote, &'a Shared<Feature>);

/// What the last commit says of the notes of one look.
pub(super) struct Matched {
    /// In the order of the notes.
    pub befores: Vec<Before>,
    /// Committed paths by the id that they held and hold no longer.
    pub left_behind: HashMap<FeatureId, Vec<NotePath>>,
}

/// One note's feature as the last commit has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// `None` where the commit has no such feature.
    pub committed: Option<Committed>,
    /// Whether the note's text is as committed, wherever the note lies.
    pub unchanged: bool,
}

/// Matches notes with the last commit again and again; remembers what it had to read, and the last result while neither
/// notes nor commit change.
#[derive(Default)]
pub(super) struct Matcher {
    read: HashMap<TextId, Said>,
    last: Option<(Notes, Arc<CommittedFeatures>, Arc<Matched>)>,
}

type Notes = Arc<Vec<Arc<ScannedNote>>>;

/// What a committed text says.
#[derive(Clone)]
struct Said {
    id: Option<FeatureId>,
    status: Option<Status>,
}

impl Matcher {
    /// Matches every feature note of a scan.
    pub(super) fn of(
        &mut self,
        notes: &[FeatureNote<'_>],
        scan: &Scan,
        committed: &Arc<CommittedFeatures>,
        history: &History,
    ) -> Result<Arc<Matched>, EngineError> {
        if let Some((of, with, matched)) = &self.last
            && Arc::ptr_eq(of, &scan.notes)
            && Arc::ptr_eq(with, committed)
        {
            return Ok(Arc::clone(matched));
        }
        let mut reader = Reader { known: &self.read, used: HashMap::new(), present: 0, texts: None, history };
        let mut left_behind: HashMap<FeatureId, Vec<NotePath>> = HashMap::new();
        let mut befores = Vec::with_capacity(notes.len());
        for note in notes {
            befores.push(reader.by_path(*note, committed, &mut left_behind)?);
        }
        let others = scan.notes.iter().filter(|note| note.feature.is_none());
        let present = reader.present + others.filter(|note| committed.text_at(&note.path).is_some()).count();
        if present < committed.len() {
            for (path, text) in committed.missing(|path| scan.has(path)) {
                if let Some(id) = reader.read(&path, text)?.id {
                    left_behind.entry(id).or_default().push(path);
                }
            }
            left_behind.values_mut().for_each(|paths| paths.sort());
        }
        let mut matched = Vec::with_capacity(notes.len());
        for (note, before) in notes.iter().zip(befores) {
            matched.push(match before {
                Some(before) => before,
                None => reader.by_id(*note, committed, &left_behind)?,
            });
        }
        self.read = reader.used;
        let matched = Arc::new(Matched { befores: matched, left_behind });
        self.last = Some((Arc::clone(&scan.notes), Arc::clone(committed), Arc::clone(&matched)));
        Ok(matched)
    }
}

struct Reader<'a> {
    known: &'a HashMap<TextId, Said>,
    used: HashMap<TextId, Said>,
    /// Notes found where the commit has them.
    present: usize,
    texts: Option<CommittedTexts>,
    history: &'a History,
}

impl Reader<'_> {
    /// `None` where the commit has nothing at this path, or another feature, which then is left behind.
    fn by_path(
        &mut self,
        (note, feature): FeatureNote<'_>,
        committed: &CommittedFeatures,
        left_behind: &mut HashMap<FeatureId, Vec<NotePath>>,
    ) -> Result<Option<Before>, EngineError> {
        let path = &note.path;
        let Some(text) = committed.text_at(path) else { return Ok(None) };
        self.present += 1;
        if note.blob == text {
            return Ok(Some(before(path, feature.properties.status, true)));
        }
        let said = self.read(path, text)?;
        if let (Some(was), Some(is)) = (&said.id, &feature.id)
            && was != is
        {
            left_behind.entry(was.clone()).or_default().push(path.clone());
            return Ok(None);
        }
        Ok(Some(before(path, said.status, false)))
    }

    /// The last place by path that the commit has the feature at and the disk has not.
    fn by_id(
        &mut self,
        (note, feature): FeatureNote<'_>,
        committed: &CommittedFeatures,
        left_behind: &HashMap<FeatureId, Vec<NotePath>>,
    ) -> Result<Before, EngineError> {
        let places = feature.id.as_ref().and_then(|id| left_behind.get(id));
        let place = places.and_then(|places| places.last());
        let Some((path, text)) = place.and_then(|path| Some((path, committed.text_at(path)?))) else {
            return Ok(Before::default());
        };
        let unchanged = note.blob == text;
        let status = if unchanged { feature.properties.status } else { self.read(path, text)?.status };
        Ok(before(path, status, unchanged))
    }

    fn read(&mut self, path: &NotePath, text: TextId) -> Result<Said, EngineError> {
        if let Some(said) = self.used.get(&text).or_else(|| self.known.get(&text)) {
            let said = said.clone();
            self.used.insert(text, said.clone());
            return Ok(said);
        }
        let texts = match &self.texts {
            Some(texts) => texts,
            None => self.texts.insert(self.history.committed_texts()?),
        };
        let feature = note::parse_feature(path, &texts.read(text)?, status_folder(path));
        let said = Said { id: feature.id, status: feature.properties.status };
        self.used.insert(text, said.clone());
        Ok(said)
    }
}

fn before(path: &NotePath, status: Option<Status>, unchanged: bool) -> Before {
    Before { committed: Some(Committed { folder: status_folder(path), status }), unchanged }
}

/// The status of the folders above a note, nearest first.
fn status_folder(path: &NotePath) -> Option<Status> {
    path.folder().rsplit('/').find_map(|part| part.parse().ok())
}
