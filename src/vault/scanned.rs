//! A note as a scan saw it: what is remembered of it, and its text, which is read when somebody asks for it.
//!
//! Does not know when a file must be looked at again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{TextId, Vault};
use crate::domain::{Feature, NotePath, Shared, Text};

/// A note of a scan.
#[derive(Debug, Clone)]
pub struct ScannedNote {
    pub path: NotePath,
    /// Of its text.
    pub blob: TextId,
    /// The file's modification time.
    pub modified: Timestamp,
    /// What the note says, where it lies in a status folder.
    pub feature: Option<Shared<Feature>>,
    /// Whether it may hold a link that a move of another note breaks, without a change of that note's name.
    pub(super) links_by_path: bool,
    pub(super) text: Arc<NoteText>,
}

impl ScannedNote {
    /// The note's text, which is kept from now on. Where the file was changed since the scan it is what stands there now,
    /// and empty where it is gone: the next scan says so.
    pub fn text(&self) -> Arc<str> {
        self.text.get()
    }

    /// The same without keeping it: for going through many notes once.
    pub fn text_once(&self) -> Arc<str> {
        self.text.read()
    }
}

/// A note's text, in memory or not.
pub(super) struct NoteText {
    vault: Vault,
    path: NotePath,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    text: Option<Arc<str>>,
    is_asked_for: bool,
}

impl NoteText {
    /// Not in memory.
    pub(super) fn on_disk(vault: &Vault, path: &NotePath) -> Self {
        Self { vault: vault.clone(), path: path.clone(), held: Mutex::default() }
    }

    /// In memory until [`NoteText::let_go`].
    pub(super) fn read_now(vault: &Vault, path: &NotePath, text: Arc<str>) -> Self {
        let held = Held { text: Some(text), is_asked_for: false };
        Self { held: Mutex::new(held), ..Self::on_disk(vault, path) }
    }

    fn get(&self) -> Arc<str> {
        let mut held = self.held();
        held.is_asked_for = true;
        let read = || self.vault.read(&self.path).unwrap_or_default().into();
        Arc::clone(held.text.get_or_insert_with(read))
    }

    /// Forgets the text unless somebody asked for it: it can be read again.
    pub(super) fn let_go(&self) {
        let mut held = self.held();
        if !held.is_asked_for {
            held.text = None;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Text for NoteText {
    /// The text in memory, else what stands in the file.
    fn read(&self) -> Arc<str> {
        let held = self.held().text.clone();
        held.unwrap_or_else(|| self.vault.read(&self.path).unwrap_or_default().into())
    }
}

impl fmt::Debug for NoteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteText").field(&self.path.as_str()).finish()
    }
}
