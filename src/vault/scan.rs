//! Reads the notes of the vault, and on the next look only those whose file changed, also where another process looked
//! before.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;

use super::file::{Content, File, Folder, Look, Was};
use super::foreign::{FileKind, id_line, is_ignored_folder, kind_of, without_copy_number};
use super::scanned::ScannedNote;
use super::walk::{self, Listed};
use super::{Folders, Vault, VaultError, index};
use crate::domain::{Diagnostic, NotePath, is_within};

/// From this many files on that were read again, what is known is written for the next process. Fewer are read again
/// faster than all is written.
const WORTH_KEEPING: usize = 100;

/// Looks at a vault again and again, remembering what it saw.
#[derive(Debug)]
pub struct Scanner {
    vault: Vault,
    /// By folder; `None` before the first scan.
    known: Option<HashMap<String, Folder>>,
    folders: Option<Folders>,
    last: Scan,
    /// Notes whose text was read by the last scan.
    fresh: Vec<Arc<ScannedNote>>,
    /// Files that were read since the index was written.
    unsaved: usize,
}

/// All notes at one moment, sorted by path.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The same list again while nothing changes.
    pub notes: Arc<Vec<Arc<ScannedNote>>>,
    /// All other files that links may lead to.
    others: Arc<Vec<NotePath>>,
    /// Those of the others that would be notes if they were no copies of some.
    copies: Arc<Vec<NotePath>>,
    /// Files that are not acted on, and why.
    pub problems: Arc<Vec<Diagnostic>>,
    /// Notes whose text is new or other than at this scanner's last scan, sorted.
    pub changed: Vec<NotePath>,
}

/// What a look at some files found.
#[derive(Default)]
struct Changes {
    /// Notes that are there with another text, another time, or no more.
    notes: Vec<(NotePath, Option<Arc<ScannedNote>>)>,
    changed: Vec<NotePath>,
    /// Whether there are other files besides notes than before.
    others: bool,
    /// Whether anything but single notes and files besides notes is other than before.
    is_large: bool,
}

impl Scanner {
    pub fn new(vault: &Vault) -> Self {
        Self {
            vault: vault.clone(),
            known: None,
            folders: None,
            last: Scan::default(),
            fresh: vec![],
            unsaved: 0,
        }
    }

    /// Looks at every file's stat and reads those that changed since the last scan, of this process or another one.
    ///
    /// # Errors
    /// When the vault's folder cannot be listed. What is wrong with a single file is a problem in the scan.
    pub fn scan(&mut self) -> Result<Scan, VaultError> {
        let is_first = self.known.is_none();
        let mut known = self.known.take().or_else(|| index::load(&self.vault)).unwrap_or_default();
        let now = self.vault.folders()?;
        let folders_changed = self.folders.as_ref() != Some(&now);
        let listed = walk::list(&self.vault, "")?;
        let mut changes = Changes { is_large: is_first, ..Changes::default() };
        let look = Look { vault: &self.vault, folders: &now, folders_changed, known: &known };
        let found = look.at_all(&listed);
        let is_listed: HashSet<&str> = listed.iter().map(|listed| &*listed.folder).collect();
        changes.is_large |= known.keys().any(|folder| !is_listed.contains(&**folder));
        known.retain(|folder, _| is_listed.contains(&**folder));
        for (listed, files) in listed.into_iter().zip(found) {
            self.take_over(&mut known, listed, files, &mut changes);
        }
        self.known = Some(known);
        self.folders = Some(now);
        Ok(self.finish(changes))
    }

    /// Looks only at these files and folders, and at what lies below such folders.
    ///
    /// # Errors
    /// As [`Scanner::scan`].
    pub fn scan_at(&mut self, paths: &[NotePath]) -> Result<Scan, VaultError> {
        let now = self.vault.folders()?;
        let Some(mut known) = self.known.take() else { return self.scan() };
        if self.folders.as_ref() != Some(&now) {
            self.known = Some(known);
            return self.scan();
        }
        let mut changes = Changes::default();
        let mut listed_again: Vec<String> = vec![];
        for path in paths {
            let (folder, name) = (path.folder(), path.file_name());
            if path.as_str().split('/').any(is_ignored_folder) {
                continue;
            }
            let metadata = fs::symlink_metadata(self.vault.root().join(path.as_str())).ok();
            let is_folder = metadata.as_ref().is_some_and(fs::Metadata::is_dir);
            let is_alone = matches!(kind_of(name), FileKind::Note | FileKind::MaybeNumberedCopy)
                && metadata.as_ref().is_none_or(fs::Metadata::is_file)
                && !name.contains('\\');
            let mut listed = match metadata {
                _ if is_folder => self.forget_below(&mut known, path.as_str(), &mut changes),
                Some(_) if !known.contains_key(folder) => {
                    let above = highest_unknown(&known, folder);
                    self.forget_below(&mut known, &above, &mut changes)
                }
                Some(_) => vec![],
                None => self.forget_below(&mut known, path.as_str(), &mut changes),
            };
            if !is_folder && listed.is_empty() && known.contains_key(folder) {
                let has_problems = known.get(folder).is_some_and(|known| !known.problems.is_empty());
                if is_alone && !has_problems {
                    self.look_at_one(&now, &mut known, path, &mut changes);
                } else if !listed_again.iter().any(|listed| listed == folder) {
                    listed_again.push(folder.to_owned());
                    listed.extend(walk::list_one(&self.vault, folder));
                }
            }
            let look = Look { vault: &self.vault, folders: &now, folders_changed: false, known: &known };
            let found = look.at_all(&listed);
            for (listed, files) in listed.into_iter().zip(found) {
                self.take_over(&mut known, listed, files, &mut changes);
            }
        }
        self.known = Some(known);
        Ok(self.finish(changes))
    }

    /// Lists a folder and all below it, after forgetting those below it that are gone.
    fn forget_below(
        &self,
        known: &mut HashMap<String, Folder>,
        folder: &str,
        changes: &mut Changes,
    ) -> Vec<Listed> {
        let listed = walk::list(&self.vault, folder).unwrap_or_default();
        let before = known.len();
        known
            .retain(|path, _| !is_within(path, folder) || listed.iter().any(|listed| listed.folder == *path));
        changes.is_large |= known.len() != before;
        listed
    }

    /// Looks at one file of a known folder.
    fn look_at_one(
        &mut self,
        folders: &Folders,
        known: &mut HashMap<String, Folder>,
        path: &NotePath,
        changes: &mut Changes,
    ) {
        let names = vec![path.file_name().to_owned()];
        let listed = [Listed { folder: path.folder().to_owned(), names, ..Listed::default() }];
        let look = Look { vault: &self.vault, folders, folders_changed: false, known };
        let found = look.at_all(&listed).pop().unwrap_or_default();
        let Some(folder) = known.get_mut(path.folder()) else { return };
        let at = folder.files.iter().position(|file| file.name() == path.file_name());
        let before = at.map(|at| folder.files[at].clone());
        let was = Folder { files: before.into_iter().collect(), ..Folder::default() };
        match (at, found.first()) {
            (Some(at), Some((file, _))) => folder.files[at] = file.clone(),
            (Some(at), None) => drop(folder.files.remove(at)),
            (None, Some((file, _))) => folder.files.push(file.clone()),
            (None, None) => {}
        }
        self.compare(Some(&was), path.folder(), &found, changes);
    }

    /// Puts what was found in a folder in the place of what was known of it.
    fn take_over(
        &mut self,
        known: &mut HashMap<String, Folder>,
        listed: Listed,
        found: Vec<(File, Was)>,
        changes: &mut Changes,
    ) {
        let before = known.remove(&listed.folder);
        changes.is_large |= before.as_ref().is_none_or(|before| before.problems != listed.problems);
        changes.others |= before.as_ref().is_none_or(|before| before.others != listed.others);
        let is_same = before.as_ref().is_some_and(|before| before.files.len() == found.len())
            && found.iter().all(|(_, was)| *was == Was::Same);
        if !is_same {
            self.compare(before.as_ref(), &listed.folder, &found, changes);
        }
        let files = found.into_iter().map(|(file, _)| file).collect();
        known.insert(listed.folder, Folder { files, others: listed.others, problems: listed.problems });
    }

    /// Notes what differs in a folder.
    fn compare(
        &mut self,
        before: Option<&Folder>,
        folder: &str,
        found: &[(File, Was)],
        changes: &mut Changes,
    ) {
        for (file, was) in found {
            if *was == Was::Same {
                continue;
            }
            self.unsaved += 1;
            let Was::Read { changed } = was else { continue };
            match &file.content {
                Content::Note(note) => {
                    changes.notes.push((note.path.clone(), Some(Arc::clone(note))));
                    if *changed {
                        changes.changed.push(note.path.clone());
                        self.fresh.push(Arc::clone(note));
                    }
                }
                Content::Problem(_) => changes.is_large = true,
            }
        }
        let Some(before) = before else { return };
        if before.files.iter().any(|file| matches!(file.content, Content::Problem(_))) {
            changes.is_large = true;
        }
        let present: HashSet<&str> = found.iter().map(|(file, _)| file.name()).collect();
        for gone in before.files.iter().filter(|file| !present.contains(file.name())) {
            if let Ok(path) = NotePath::new(walk::joined(folder, gone.name())) {
                changes.notes.push((path, None));
            }
        }
    }

    /// The scan after these changes; texts that only the scan before had are let go.
    fn finish(&mut self, mut changes: Changes) -> Scan {
        let known = self.known.as_ref().expect("it was just put back");
        let kept = self.fresh.len().saturating_sub(changes.changed.len());
        for note in self.fresh.drain(..kept) {
            note.text.let_go();
        }
        changes.changed.sort();
        let is_copy = |path: &NotePath| kind_of(path.file_name()) == FileKind::MaybeNumberedCopy;
        // Which note is a copy depends on others.
        changes.is_large |= !changes.notes.is_empty()
            && (!self.last.copies.is_empty() || self.last.notes.iter().any(|note| is_copy(&note.path)));
        changes.is_large |= changes.notes.iter().any(|(path, _)| is_copy(path));
        if changes.is_large {
            self.last = all_of(known);
        } else if !changes.notes.is_empty() {
            let mut notes = Vec::clone(&self.last.notes);
            for (path, note) in changes.notes {
                match (notes.binary_search_by(|note| note.path.cmp(&path)), note) {
                    (Ok(at), Some(note)) => notes[at] = note,
                    (Ok(at), None) => drop(notes.remove(at)),
                    (Err(at), Some(note)) => notes.insert(at, note),
                    (Err(_), None) => {}
                }
            }
            self.last.notes = Arc::new(notes);
        }
        if changes.others && !changes.is_large {
            self.last.others = Arc::new(others_of(known, &self.last.copies));
        }
        if self.unsaved >= WORTH_KEEPING {
            match index::save(&self.vault, known) {
                Ok(()) => {}
                Err(error) => tracing::debug!(%error, "what was scanned is not kept for the next time"),
            }
            self.unsaved = 0;
        }
        Scan { changed: changes.changed, ..self.last.clone() }
    }
}

impl Scan {
    /// The note at `path`.
    pub fn note(&self, path: &NotePath) -> Option<&ScannedNote> {
        self.notes.binary_search_by(|note| note.path.cmp(path)).ok().map(|at| &*self.notes[at])
    }

    /// Whether there is a note at this path.
    pub fn has(&self, path: &str) -> bool {
        self.notes.binary_search_by(|note| note.path.as_str().cmp(path)).is_ok()
    }

    /// All files that links can lead to: the notes, then the others.
    pub fn files(&self) -> impl Iterator<Item = &NotePath> {
        self.notes.iter().map(|note| &note.path).chain(self.others())
    }

    /// The files that are no notes, or cannot be read as such.
    pub fn others(&self) -> impl Iterator<Item = &NotePath> {
        self.others.iter()
    }

    /// The notes right in `folder`, not those in folders below it.
    pub fn in_folder(&self, folder: &str) -> impl Iterator<Item = &ScannedNote> + use<'_> {
        let own = folder.len() + 1;
        self.below(folder)
            .iter()
            .map(|note| &**note)
            .filter(move |note| !note.path.as_str()[own..].contains('/'))
    }

    /// The notes in `folder` and in folders below it.
    pub fn below(&self, folder: &str) -> &[Arc<ScannedNote>] {
        let below = format!("{folder}/");
        let from = self.notes.partition_point(|note| note.path.as_str() < below.as_str());
        let count = self.notes[from..].partition_point(|note| note.path.as_str().starts_with(&below));
        &self.notes[from..from + count]
    }
}

/// The highest folder above a file that is not known yet; the file's own folder is not.
fn highest_unknown(known: &HashMap<String, Folder>, folder: &str) -> String {
    let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
    ends.map(|end| &folder[..end]).find(|above| !known.contains_key(*above)).unwrap_or(folder).to_owned()
}

fn all_of(known: &HashMap<String, Folder>) -> Scan {
    let mut problems: Vec<Diagnostic> =
        known.values().flat_map(|folder| folder.problems.iter().cloned()).collect();
    let mut folders: Vec<(&String, &Folder)> = known.iter().collect();
    folders.sort_unstable_by_key(|(path, _)| *path);
    let mut notes = Vec::with_capacity(folders.iter().map(|(_, folder)| folder.files.len()).sum());
    for file in folders.into_iter().flat_map(|(_, folder)| &folder.files) {
        match &file.content {
            Content::Note(note) => notes.push(Arc::clone(note)),
            Content::Problem(problem) => problems.push(problem.1.clone()),
        }
    }
    notes.sort_by(|one, other| one.path.cmp(&other.path));
    let copies = set_numbered_copies_aside(&mut notes, &mut problems);
    problems.sort_by(|one, other| (&one.path, &one.code).cmp(&(&other.path, &other.code)));
    Scan {
        notes: Arc::new(notes),
        others: Arc::new(others_of(known, &copies)),
        copies: Arc::new(copies),
        problems: Arc::new(problems),
        changed: vec![],
    }
}

/// Files that are no notes, notes that cannot be read, and `copies` of notes.
fn others_of(known: &HashMap<String, Folder>, copies: &[NotePath]) -> Vec<NotePath> {
    let of_folder = |(path, folder): (&String, &Folder)| {
        let unread = folder.files.iter().filter(|file| matches!(file.content, Content::Problem(_)));
        let names = folder.others.iter().map(|name| &**name).chain(unread.map(File::name));
        names.filter_map(|name| NotePath::new(walk::joined(path, name)).ok()).collect::<Vec<_>>()
    };
    let mut others: Vec<NotePath> = known.iter().flat_map(of_folder).chain(copies.iter().cloned()).collect();
    others.sort();
    others
}

/// `Name 2.md` is a conflict copy when `Name.md` beside it has the same feature id. Gives the copies.
fn set_numbered_copies_aside(
    notes: &mut Vec<Arc<ScannedNote>>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<NotePath> {
    let is_copy = |note: &ScannedNote| {
        let original = without_copy_number(note.path.as_str()).and_then(|path| NotePath::new(path).ok())?;
        let original = notes.binary_search_by(|note| note.path.cmp(&original)).ok()?;
        let (original, copy) = (notes[original].text_once(), note.text_once());
        let id = id_line(&original)?;
        (id_line(&copy) == Some(id)).then(|| note.path.clone())
    };
    let copies: Vec<NotePath> = notes
        .iter()
        .filter(|note| kind_of(note.path.file_name()) == FileKind::MaybeNumberedCopy)
        .filter_map(|note| is_copy(note))
        .collect();
    if copies.is_empty() {
        return copies;
    }
    notes.retain(|note| !copies.contains(&note.path));
    problems.extend(copies.iter().map(|path| {
        let message = format!(
            "`{}` has the id of the note beside it; it is left alone as a sync copy",
            path.file_name()
        );
        let remedy = "take over what is missing in the note, then delete the copy";
        Diagnostic::warning("conflict-copy", message, remedy).in_note(path)
    }));
    copies
}
