//! What a scan remembers of one file, and when a file must be read again.
//!
//! Does not know which files are notes, nor where what it remembers is kept.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use serde::{Deserialize, Serialize};

use super::root::{into_text, read_note_at};
use super::scanned::{NoteText, ScannedNote};
use super::walk::{Listed, joined};
use super::{Folders, TextId, Vault, VaultError};
use crate::domain::{Diagnostic, NotePath};
use crate::note;

/// A file that changed this recently is read again even if its stat says nothing: clocks of file systems are coarse.
const RACY: Duration = Duration::from_secs(2);
/// From this many files on, a second thread pays for its start.
const MANY: usize = 1_000;
/// Files that a thread takes at once.
const SHARE: usize = 128;

/// A file as it was when it was last read.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub stat: Stat,
    /// Whether the stat can be trusted to change with the next save.
    pub settled: bool,
    pub content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Note(Arc<ScannedNote>),
    /// Why the file at this path is not read.
    Problem(Arc<(NotePath, Diagnostic)>),
}

impl File {
    pub(super) fn name(&self) -> &str {
        match &self.content {
            Content::Note(note) => note.path.file_name(),
            Content::Problem(problem) => problem.0.file_name(),
        }
    }
}

/// What is remembered of a folder; its files are in the order in which they were listed.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub files: Vec<File>,
    /// Names of files that are no notes. Not kept for the next process: every look lists them anyway.
    pub others: Vec<String>,
    pub problems: Vec<Diagnostic>,
}

/// Times are nanoseconds since 1970, at most as many as fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stat {
    modified: i64,
    changed: i64,
    size: u64,
    inode: u64,
    /// Its two halves as one.
    device: u32,
}

/// What became of a file since it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    /// Not read again.
    Same,
    /// Read again, and nothing is other than before.
    Confirmed,
    /// Read again, with another text than before if this says so.
    Read { changed: bool },
}

/// One look at many files, with what is remembered of them.
pub(super) struct Look<'a> {
    pub vault: &'a Vault,
    pub folders: &'a Folders,
    /// Whether the folders are others than at the last look, so that a note may have another status by its folder.
    pub folders_changed: bool,
    pub known: &'a HashMap<String, Folder>,
}

impl Look<'_> {
    /// Every listed file that is still there, folder by folder. Many files are looked at by two threads.
    pub(super) fn at_all(&self, listed: &[Listed]) -> Vec<Vec<(File, Was)>> {
        let shares: Vec<(usize, usize)> = (0..listed.len())
            .flat_map(|at| (0..listed[at].names.len()).step_by(SHARE).map(move |from| (at, from)))
            .collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = vec![];
            while let Some((at, from)) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
                let until = listed[*at].names.len().min(from + SHARE);
                done.push((*at, *from, self.at(&listed[*at], *from, until)));
            }
            done
        };
        let mut done = if listed.iter().map(|folder| folder.names.len()).sum::<usize>() < MANY {
            work()
        } else {
            thread::scope(|scope| {
                let second = scope.spawn(work);
                let mut done = work();
                match second.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
                done
            })
        };
        done.sort_unstable_by_key(|(at, from, _)| (*at, *from));
        let mut all: Vec<Vec<(File, Was)>> = listed.iter().map(|_| vec![]).collect();
        for (at, _, files) in done {
            if all[at].is_empty() {
                all[at] = files;
            } else {
                all[at].extend(files);
            }
        }
        all
    }

    fn at(&self, listed: &Listed, from: usize, until: usize) -> Vec<(File, Was)> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // A folder that is gone by now has no files; the next look sees that too.
        let Ok(dir) = openat(CWD, self.vault.root().join(&listed.folder), flags, Mode::empty()) else {
            return vec![];
        };
        let before = self.known.get(&listed.folder).map_or(&[][..], |folder| &folder.files);
        let mut by_name: Option<HashMap<&str, &File>> = None;
        let mut found = Vec::with_capacity(until - from);
        for (at, name) in listed.names[..until].iter().enumerate().skip(from) {
            // Nearly always the file stands where it stood.
            let known = before.get(at).filter(|file| file.name() == name).or_else(|| {
                if listed.names.len() < 4 {
                    return before.iter().find(|file| file.name() == name);
                }
                let by_name =
                    by_name.get_or_insert_with(|| before.iter().map(|file| (file.name(), file)).collect());
                by_name.get(name.as_str()).copied()
            });
            if let Some(known) = known.filter(|known| known.settled && self.is_in_place(known)) {
                match statat(&dir, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) if Stat::of_raw(&stat) == known.stat => {
                        found.push((known.clone(), Was::Same));
                        continue;
                    }
                    Ok(_) => {}
                    Err(_) => continue,
                }
            }
            found.extend(self.read(&dir, &listed.folder, name, known));
        }
        found
    }

    /// Whether the note's status by its folder is still the one that it was read with.
    fn is_in_place(&self, file: &File) -> bool {
        match &file.content {
            Content::Note(note) if self.folders_changed => {
                note.feature.as_ref().and_then(|feature| feature.folder) == self.folders.status_of(&note.path)
            }
            _ => true,
        }
    }

    /// `None` when the file is gone.
    fn read(
        &self,
        dir: &std::os::fd::OwnedFd,
        folder: &str,
        name: &str,
        known: Option<&File>,
    ) -> Option<(File, Was)> {
        let started = SystemTime::now();
        let path = NotePath::new(joined(folder, name)).ok()?;
        let read = read_note_at(dir, name.as_ref(), path.as_str())
            .and_then(|(metadata, bytes)| Ok((metadata, into_text(path.as_str(), bytes)?)));
        let before = known.and_then(|known| match &known.content {
            Content::Note(note) => Some(note),
            Content::Problem(_) => None,
        });
        let (stat, content, was) = match read {
            Ok((metadata, text)) => {
                let stat = Stat::of(&metadata);
                let blob = TextId::of(&text);
                let same = before.filter(|before| {
                    before.blob == blob && known.is_some_and(|known| self.is_in_place(known))
                });
                let modified = stat.modified();
                let (note, was) = match same {
                    Some(before) if before.modified == modified => (Arc::clone(before), Was::Confirmed),
                    Some(before) => {
                        let note = ScannedNote { modified, ..ScannedNote::clone(before) };
                        (Arc::new(note), Was::Read { changed: false })
                    }
                    None => {
                        let changed = before.is_none_or(|before| before.blob != blob);
                        (Arc::new(self.note(path, text, blob, stat)), Was::Read { changed })
                    }
                };
                (stat, Content::Note(note), was)
            }
            Err(VaultError::Missing { .. }) => return None,
            Err(error) => {
                let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                let problem = problem(&path, &error);
                let problem = Arc::new((path, problem));
                (Stat::of_raw(&stat), Content::Problem(problem), Was::Read { changed: false })
            }
        };
        let file = File { stat, settled: stat.is_older_than(started), content };
        Some((file, was))
    }

    fn note(&self, path: NotePath, text: String, blob: TextId, stat: Stat) -> ScannedNote {
        let text: Arc<str> = text.into();
        let place = Arc::new(NoteText::read_now(self.vault, &path, Arc::clone(&text)));
        let folder = self.folders.status_of(&path);
        let source = || Arc::<NoteText>::clone(&place);
        let feature = folder.map(|_| note::parse_feature_lazily(&path, &text, folder, source()).into());
        ScannedNote {
            blob,
            modified: stat.modified(),
            feature,
            links_by_path: note::may_link_by_path(&text),
            text: place,
            path,
        }
    }
}

impl Stat {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
            device: halves(metadata.dev()),
        }
    }

    fn of_raw(stat: &rustix::fs::Stat) -> Self {
        let nanos = |nanos| i64::try_from(nanos).unwrap_or(0);
        Self {
            modified: nanoseconds(stat.st_mtime, nanos(stat.st_mtime_nsec)),
            changed: nanoseconds(stat.st_ctime, nanos(stat.st_ctime_nsec)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            inode: stat.st_ino,
            device: halves(stat.st_dev),
        }
    }

    pub(super) fn modified(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.modified.into()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn is_older_than(&self, moment: SystemTime) -> bool {
        let newest = u64::try_from(self.modified.max(self.changed)).unwrap_or(0);
        // Clocks may count whole seconds.
        let newest = SystemTime::UNIX_EPOCH + Duration::from_secs(newest / NANOSECONDS.unsigned_abs());
        moment.duration_since(newest).is_ok_and(|age| age > RACY)
    }
}

const NANOSECONDS: i64 = 1_000_000_000;

fn nanoseconds(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(NANOSECONDS).saturating_add(nanos)
}

fn halves(device: u64) -> u32 {
    u32::try_from((device >> 32) ^ (device & u64::from(u32::MAX))).unwrap_or_default()
}

fn problem(path: &NotePath, error: &VaultError) -> Diagnostic {
    let (code, remedy) = match error {
        VaultError::TooLarge { .. } => ("note-too-large", "split the note"),
        VaultError::NotText { .. } => ("not-utf8", "save the note as UTF-8"),
        VaultError::NotAFile { .. } => ("not-a-file", "remove it"),
        _ => ("unreadable", "make the file readable for this user"),
    };
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Diagnostic::error(code, format!("{error}{cause}"), remedy).in_note(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn stats_are_believed_once_they_are_older_than_the_clock_is_coarse() {
        let stat = Stat { modified: 100 * NANOSECONDS, changed: 101 * NANOSECONDS + 5, ..Stat::default() };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!stat.is_older_than(at(103)));
        assert!(stat.is_older_than(at(104)));
        assert!(!stat.is_older_than(at(50)), "a clock that was set back is not believed");
    }

    #[test]
    fn a_file_saved_twice_within_a_tick_of_a_coarse_clock_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path()).unwrap();
        let folders = vault.folders().unwrap();
        let listed = [Listed { names: vec!["A.md".to_owned()], ..Listed::default() }];
        fs::write(folder.path().join("A.md"), "was\n").unwrap();
        let look = |known: &HashMap<String, Folder>| {
            let look = Look { vault: &vault, folders: &folders, folders_changed: false, known };
            look.at_all(&listed).remove(0).remove(0)
        };
        let (mut file, was) = look(&HashMap::new());
        assert_eq!((was, file.settled), (Was::Read { changed: true }, false));
        fs::write(folder.path().join("A.md"), "now\n").unwrap();
        file.stat = Stat::of(&fs::symlink_metadata(folder.path().join("A.md")).unwrap());
        let known = |settled| {
            let files = vec![File { settled, ..file.clone() }];
            HashMap::from([(String::new(), Folder { files, ..Folder::default() })])
        };
        assert_eq!(look(&known(false)).1, Was::Read { changed: true });
        assert_eq!(look(&known(true)).1, Was::Same, "a settled stat is believed");
    }

    #[test]
    fn two_threads_find_what_one_finds() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path()).unwrap();
        let folders = vault.folders().unwrap();
        let names: Vec<String> = (0..MANY + 1).map(|number| format!("{number}.md")).collect();
        for (number, name) in names.iter().enumerate() {
            if number % 100 != 7 {
                fs::write(folder.path().join(name), number.to_string()).unwrap();
            }
        }
        let known = HashMap::new();
        let look = Look { vault: &vault, folders: &folders, folders_changed: false, known: &known };
        let listed = [Listed { names: names.clone(), ..Listed::default() }];
        let found: Vec<String> =
            look.at_all(&listed).remove(0).iter().map(|(file, _)| file.name().to_owned()).collect();
        let expected: Vec<String> =
            names.into_iter().enumerate().filter(|(at, _)| at % 100 != 7).map(|(_, name)| name).collect();
        assert_eq!(found, expected);
    }
}
