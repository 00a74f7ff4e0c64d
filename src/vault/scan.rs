//! Reads the notes of the vault, and on the next look only those whose file changed.
//!
//! Does not parse notes: what a text means is the `note` room's business.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use walkdir::{DirEntry, WalkDir};

use super::file::{self, Found, Seen};
use super::foreign::{FileKind, is_ignored_folder, kind_of, without_copy_number};
use super::{Vault, VaultError};
use crate::domain::{ContentHash, Diagnostic, NotePath};

/// Looks at a vault again and again, remembering what it saw.
#[derive(Debug)]
pub struct Scanner {
    vault: Vault,
    seen: HashMap<NotePath, Seen>,
}

/// All notes at one moment, sorted by path.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    pub notes: Vec<ScannedNote>,
    /// Files that are not acted on, and why.
    pub problems: Vec<Diagnostic>,
}

#[derive(Debug, Clone)]
pub struct ScannedNote {
    pub path: NotePath,
    pub text: Arc<str>,
    /// Of `text`.
    pub hash: ContentHash,
    /// The file's modification time.
    pub modified: Timestamp,
    /// Whether the text is new or other than at this scanner's last scan.
    pub changed: bool,
}

impl Scanner {
    pub fn new(vault: &Vault) -> Self {
        Self { vault: vault.clone(), seen: HashMap::new() }
    }

    /// Looks at every file's stat and reads those that changed since the last scan.
    ///
    /// # Errors
    /// When the vault's folder cannot be listed. What is wrong with a single file is a problem in the scan.
    pub fn scan(&mut self) -> Result<Scan, VaultError> {
        let root = self.vault.root().to_owned();
        let mut scan = Scan::default();
        let mut found = Vec::with_capacity(self.seen.len());
        let walk = WalkDir::new(&root).follow_links(false).into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_looked_into(entry)) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => found.extend(self.find(&root, entry, &mut scan.problems)),
                Err(error) if error.depth() == 0 => {
                    return Err(VaultError::io("list", &root, error.into()));
                }
                Err(error) => scan.problems.extend(listing_problem(&root, &error)),
            }
        }
        let read = file::read_all(found);
        self.seen = HashMap::with_capacity(read.len());
        scan.notes.reserve(read.len());
        for (path, seen, changed) in read {
            match &seen.content {
                Ok((text, hash)) => scan.notes.push(ScannedNote {
                    path: path.clone(),
                    text: Arc::clone(text),
                    hash: hash.clone(),
                    modified: seen.modified(),
                    changed,
                }),
                Err(problem) => scan.problems.push(problem.as_ref().clone()),
            }
            self.seen.insert(path, seen);
        }
        scan.notes.sort_by(|one, other| one.path.cmp(&other.path));
        set_numbered_copies_aside(&mut scan);
        scan.problems.sort_by(|one, other| (&one.path, &one.code).cmp(&(&other.path, &other.code)));
        Ok(scan)
    }

    /// The note that an entry is, with what is remembered of it; `None` where it is no note to act on.
    fn find(&mut self, root: &Path, entry: DirEntry, problems: &mut Vec<Diagnostic>) -> Option<Found> {
        let Some(name) = entry.file_name().to_str() else {
            if entry.path().extension().is_some_and(|extension| extension == "md") {
                problems.push(Diagnostic::error(
                    "file-name",
                    format!("the name of `{}` is not UTF-8", entry.path().to_string_lossy()),
                    "rename the file",
                ));
            }
            return None;
        };
        let kind = kind_of(name);
        if kind == FileKind::Other && !entry.path_is_symlink() {
            return None;
        }
        let Some(path) = note_path(root, entry.path()) else {
            if kind != FileKind::Other {
                problems.push(Diagnostic::error(
                    "file-name",
                    format!("`{}` is not a usable name in a vault", entry.path().to_string_lossy()),
                    "rename the file",
                ));
            }
            return None;
        };
        if entry.path_is_symlink() {
            problems.extend(link_problem(&self.vault, &path));
            return None;
        }
        if let FileKind::ConflictCopy(maker) = kind {
            problems.push(
                Diagnostic::warning(
                    "conflict-copy",
                    format!("`{name}` is a conflict copy made by {maker}; it is left alone"),
                    "take over what is missing in the note, then delete the copy",
                )
                .in_note(&path),
            );
            return None;
        }
        if !entry.file_type().is_file() {
            problems.push(
                Diagnostic::error("not-a-file", format!("`{path}` is not a regular file"), "remove it")
                    .in_note(&path),
            );
            return None;
        }
        let before = self.seen.remove(&path);
        Some(Found { path, absolute: entry.into_path(), before })
    }
}

impl Scan {
    /// The note at `path`.
    pub fn note(&self, path: &NotePath) -> Option<&ScannedNote> {
        self.notes.binary_search_by(|note| note.path.cmp(path)).ok().map(|at| &self.notes[at])
    }

    /// The notes right in `folder`, not those in folders below it.
    pub fn in_folder(&self, folder: &str) -> impl Iterator<Item = &ScannedNote> + use<'_> {
        let below = format!("{folder}/");
        let from = self.notes.partition_point(|note| note.path.as_str() < below.as_str());
        let own = below.len();
        self.notes[from..]
            .iter()
            .take_while(move |note| note.path.as_str().starts_with(&below))
            .filter(move |note| !note.path.as_str()[own..].contains('/'))
    }
}

fn is_looked_into(entry: &DirEntry) -> bool {
    !entry.file_type().is_dir() || entry.file_name().to_str().is_some_and(|name| !is_ignored_folder(name))
}

fn note_path(root: &Path, absolute: &Path) -> Option<NotePath> {
    NotePath::new(absolute.strip_prefix(root).ok()?.to_str()?).ok()
}

fn link_problem(vault: &Vault, path: &NotePath) -> Option<Diagnostic> {
    let error = vault.absolute(path).err()?;
    Some(
        Diagnostic::error("link-leaves-vault", error.to_string(), "replace the link by the file itself")
            .in_note(path),
    )
}

fn listing_problem(root: &Path, error: &walkdir::Error) -> Option<Diagnostic> {
    // What disappeared during the walk is no problem: the next look sees the rest.
    if error.io_error().is_some_and(super::root::is_absent) {
        return None;
    }
    let place = error.path().unwrap_or(root).to_string_lossy();
    Some(Diagnostic::error(
        "unreadable",
        format!("cannot list `{place}`: {error}"),
        "make it readable for this user",
    ))
}

/// `Name 2.md` is a conflict copy when `Name.md` beside it has the same feature id.
fn set_numbered_copies_aside(scan: &mut Scan) {
    let copies: Vec<NotePath> = scan
        .notes
        .iter()
        .filter(|note| kind_of(note.path.file_name()) == FileKind::MaybeNumberedCopy)
        .filter(|note| {
            let original = without_copy_number(note.path.as_str()).and_then(|path| NotePath::new(path).ok());
            let original = original.and_then(|path| scan.note(&path));
            original.is_some_and(|original| {
                id_line(&original.text).is_some_and(|id| id_line(&note.text) == Some(id))
            })
        })
        .map(|note| note.path.clone())
        .collect();
    for path in copies {
        scan.notes.retain(|note| note.path != path);
        scan.problems.push(
            Diagnostic::warning(
                "conflict-copy",
                format!(
                    "`{}` has the id of the note beside it; it is left alone as a sync copy",
                    path.file_name()
                ),
                "take over what is missing in the note, then delete the copy",
            )
            .in_note(&path),
        );
    }
}

/// The `id:` line of the front matter.
fn id_line(text: &str) -> Option<&str> {
    let front = text.strip_prefix("---")?;
    front.lines().skip(1).take_while(|line| line.trim_end() != "---").find(|line| line.starts_with("id:"))
}
