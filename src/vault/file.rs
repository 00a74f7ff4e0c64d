//! What a scan remembers of one file, and when a file must be read again.
//!
//! Does not know which files are notes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::VaultError;
use super::root::{into_text, is_absent, read_note};
use crate::domain::{ContentHash, Diagnostic, NotePath};

/// A file that changed this recently is read again even if its stat says nothing: clocks of file systems are coarse.
const RACY: Duration = Duration::from_secs(2);
/// From this many files on, a second thread pays for its start.
const MANY: usize = 1_000;

/// A file that was found, with what is remembered of it.
#[derive(Debug)]
pub(super) struct Found {
    pub path: NotePath,
    pub absolute: PathBuf,
    pub before: Option<Seen>,
}

/// A file as it was when it was last read.
#[derive(Debug)]
pub(super) struct Seen {
    stat: Stat,
    /// Whether the stat can be trusted to change with the next save.
    settled: bool,
    pub content: Result<(Arc<str>, ContentHash), Box<Diagnostic>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stat {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    inode: u64,
    device: u64,
}

/// What each file holds, from memory where its stat is the same, and whether that is other than before. Files that are
/// gone are left out. Many files are looked at by two threads.
pub(super) fn read_all(mut found: Vec<Found>) -> Vec<(NotePath, Seen, bool)> {
    if found.len() < MANY {
        return found.into_iter().filter_map(look_at).collect();
    }
    let rest = found.split_off(found.len() / 2);
    let (mut first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| rest.into_iter().filter_map(look_at).collect::<Vec<_>>());
        let first: Vec<_> = found.into_iter().filter_map(look_at).collect();
        (first, second.join())
    });
    match second {
        Ok(second) => first.extend(second),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    first
}

fn look_at(found: Found) -> Option<(NotePath, Seen, bool)> {
    let Found { path, absolute, before } = found;
    let Some(before) = before else {
        let seen = read(&path, &absolute, None)?;
        return Some((path, seen, true));
    };
    let stat = Stat::of(&fs::symlink_metadata(&absolute).ok()?);
    if before.stat == stat && before.settled {
        return Some((path, before, false));
    }
    let now = read(&path, &absolute, Some(&before))?;
    let changed = match (&before.content, &now.content) {
        (Ok((_, before)), Ok((_, now))) => before != now,
        _ => true,
    };
    Some((path, now, changed))
}

/// `None` when the file is gone.
fn read(path: &NotePath, absolute: &Path, before: Option<&Seen>) -> Option<Seen> {
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
        Err(error) => {
            let stat = match fs::symlink_metadata(absolute) {
                Ok(metadata) => Stat::of(&metadata),
                Err(error) if is_absent(&error) => return None,
                Err(_) => Stat::default(),
            };
            Seen { stat, settled: stat.is_older_than(started), content: Err(Box::new(problem(path, &error))) }
        }
    })
}

impl Seen {
    pub(super) fn modified(&self) -> Timestamp {
        let (seconds, nanos) = self.stat.modified;
        Timestamp::new(seconds, i32::try_from(nanos).unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH)
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
    use super::*;

    fn found(folder: &Path, text: &str, settled: bool) -> Found {
        let absolute = folder.join("A.md");
        fs::write(&absolute, "now\n").unwrap();
        let stat = Stat::of(&fs::symlink_metadata(&absolute).unwrap());
        let content = Ok((Arc::from(text), ContentHash::of(text)));
        let before = Some(Seen { stat, settled, content });
        Found { path: NotePath::new("A.md").unwrap(), absolute, before }
    }

    fn text(seen: &Seen) -> &str {
        &seen.content.as_ref().unwrap().0
    }

    #[test]
    fn a_file_saved_twice_within_a_tick_of_a_coarse_clock_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (_, seen, changed) = look_at(found(folder.path(), "was\n", false)).unwrap();
        assert_eq!((text(&seen), changed), ("now\n", true));
        let (_, seen, changed) = look_at(found(folder.path(), "now\n", false)).unwrap();
        assert_eq!((text(&seen), changed), ("now\n", false));
        let (_, seen, changed) = look_at(found(folder.path(), "was\n", true)).unwrap();
        assert_eq!((text(&seen), changed), ("was\n", false), "a settled stat is believed");
    }

    #[test]
    fn two_threads_find_what_one_finds() {
        let folder = tempfile::tempdir().unwrap();
        let found: Vec<Found> = (0..MANY + 1)
            .map(|number| {
                let absolute = folder.path().join(format!("{number}.md"));
                if number % 100 != 7 {
                    fs::write(&absolute, number.to_string()).unwrap();
                }
                Found { path: NotePath::new(format!("{number}.md")).unwrap(), absolute, before: None }
            })
            .collect();
        let texts: Vec<String> = read_all(found).iter().map(|(_, seen, _)| text(seen).to_owned()).collect();
        let expected: Vec<String> =
            (0..MANY + 1).filter(|number| number % 100 != 7).map(|number| number.to_string()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn stats_are_believed_once_they_are_older_than_the_clock_is_coarse() {
        let stat = Stat { modified: (100, 0), changed: (101, 5), ..Stat::default() };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!stat.is_older_than(at(103)));
        assert!(stat.is_older_than(at(104)));
        assert!(!stat.is_older_than(at(50)), "a clock that was set back is not believed");
    }
}
