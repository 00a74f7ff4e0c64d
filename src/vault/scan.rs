//! Reads the notes of the vault, and on the next look only those whose file changed.
//!
//! Does not parse notes: what a text means is the `note` room's business.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use walkdir::{DirEntry, WalkDir};

use super::foreign::{FileKind, is_ignored_folder, kind_of, without_copy_number};
use super::root::{into_text, read_note};
use super::{Vault, VaultError};
use crate::domain::{ContentHash, Diagnostic, NotePath};

/// A file that changed this recently is read again even if its stat says nothing: clocks of file systems are coarse.
const RACY: Duration = Duration::from_secs(2);

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

#[derive(Debug, Clone)]
struct Seen {
    stat: Stat,
    /// Whether the stat can be trusted to change with the next save.
    settled: bool,
    content: Result<(Arc<str>, ContentHash), Box<Diagnostic>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    inode: u64,
    device: u64,
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
        let mut seen = HashMap::with_capacity(self.seen.len());
        let walk = WalkDir::new(&root).follow_links(false).into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_looked_into(entry)) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => self.look_at(&root, &entry, &mut scan, &mut seen),
                Err(error) if error.depth() == 0 => {
                    return Err(VaultError::io("list", &root, error.into()));
                }
                Err(error) => scan.problems.extend(listing_problem(&root, &error)),
            }
        }
        self.seen = seen;
        scan.notes.sort_by(|one, other| one.path.cmp(&other.path));
        set_numbered_copies_aside(&mut scan);
        scan.problems.sort_by(|one, other| (&one.path, &one.code).cmp(&(&other.path, &other.code)));
        Ok(scan)
    }

    fn look_at(
        &mut self,
        root: &Path,
        entry: &DirEntry,
        scan: &mut Scan,
        seen: &mut HashMap<NotePath, Seen>,
    ) {
        let Some(name) = entry.file_name().to_str() else {
            if entry.path().extension().is_some_and(|extension| extension == "md") {
                scan.problems.push(Diagnostic::error(
                    "file-name",
                    format!("the name of `{}` is not UTF-8", entry.path().to_string_lossy()),
                    "rename the file",
                ));
            }
            return;
        };
        let kind = kind_of(name);
        if kind == FileKind::Other && !entry.path_is_symlink() {
            return;
        }
        let Some(path) = note_path(root, entry.path()) else {
            if kind != FileKind::Other {
                scan.problems.push(Diagnostic::error(
                    "file-name",
                    format!("`{}` is not a usable name in a vault", entry.path().to_string_lossy()),
                    "rename the file",
                ));
            }
            return;
        };
        if entry.path_is_symlink() {
            scan.problems.extend(link_problem(&self.vault, &path));
            return;
        }
        if let FileKind::ConflictCopy(maker) = kind {
            scan.problems.push(
                Diagnostic::warning(
                    "conflict-copy",
                    format!("`{name}` is a conflict copy made by {maker}; it is left alone"),
                    "take over what is missing in the note, then delete the copy",
                )
                .in_note(&path),
            );
            return;
        }
        let Ok(metadata) = entry.metadata() else { return };
        if !metadata.is_file() {
            scan.problems.push(
                Diagnostic::error("not-a-file", format!("`{path}` is not a regular file"), "remove it")
                    .in_note(&path),
            );
            return;
        }
        let before = self.seen.remove(&path);
        let now = self.read(&path, entry.path(), &metadata, before.as_ref());
        let Some(now) = now else { return };
        match &now.content {
            Ok((text, hash)) => scan.notes.push(ScannedNote {
                path: path.clone(),
                text: Arc::clone(text),
                hash: hash.clone(),
                modified: modified(&metadata),
                changed: !matches!(&before, Some(Seen { content: Ok((_, old)), .. }) if old == hash),
            }),
            Err(problem) => scan.problems.push(problem.as_ref().clone()),
        }
        seen.insert(path, now);
    }

    /// What the file holds; from memory when its stat is the same. `None` when it is gone.
    fn read(
        &self,
        path: &NotePath,
        absolute: &Path,
        metadata: &Metadata,
        before: Option<&Seen>,
    ) -> Option<Seen> {
        let stat = Stat::of(metadata);
        if let Some(before) = before
            && before.stat == stat
            && before.settled
        {
            return Some(before.clone());
        }
        let started = SystemTime::now();
        let read = read_note(path.as_str(), absolute)
            .and_then(|(metadata, bytes)| Ok((metadata, into_text(path.as_str(), bytes)?)));
        Some(match read {
            Ok((metadata, text)) => {
                let hash = ContentHash::of(&text);
                let text = match before.map(|seen| &seen.content) {
                    Some(Ok((old, old_hash))) if *old_hash == hash => Arc::clone(old),
                    _ => Arc::from(text),
                };
                let stat = Stat::of(&metadata);
                Seen { stat, settled: stat.is_older_than(started), content: Ok((text, hash)) }
            }
            Err(VaultError::Missing { .. }) => return None,
            Err(error) => Seen {
                stat,
                settled: stat.is_older_than(started),
                content: Err(Box::new(file_problem(path, &error))),
            },
        })
    }
}

impl Scan {
    /// The note at `path`.
    pub fn note(&self, path: &NotePath) -> Option<&ScannedNote> {
        self.notes.binary_search_by(|note| note.path.cmp(path)).ok().map(|at| &self.notes[at])
    }
}

impl Stat {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    fn is_older_than(&self, moment: SystemTime) -> bool {
        let newest = self.modified.max(self.changed);
        let seconds = u64::try_from(newest.0).unwrap_or(0);
        let newest = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        moment.duration_since(newest).is_ok_and(|age| age > RACY)
    }
}

fn is_looked_into(entry: &DirEntry) -> bool {
    !entry.file_type().is_dir() || entry.file_name().to_str().is_some_and(|name| !is_ignored_folder(name))
}

fn note_path(root: &Path, absolute: &Path) -> Option<NotePath> {
    NotePath::new(absolute.strip_prefix(root).ok()?.to_str()?).ok()
}

fn modified(metadata: &Metadata) -> Timestamp {
    let nanos = i32::try_from(metadata.mtime_nsec()).unwrap_or(0);
    Timestamp::new(metadata.mtime(), nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn file_problem(path: &NotePath, error: &VaultError) -> Diagnostic {
    let (code, remedy) = match error {
        VaultError::TooLarge { .. } => ("note-too-large", "split the note"),
        VaultError::NotText { .. } => ("not-utf8", "save the note as UTF-8"),
        VaultError::NotAFile { .. } => ("not-a-file", "remove it"),
        _ => ("unreadable", "make the file readable for this user"),
    };
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Diagnostic::error(code, format!("{error}{cause}"), remedy).in_note(path)
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
