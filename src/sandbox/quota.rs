//! Watches what a command's writable folders take on disk: no file system here has a quota of its own. Ends nothing itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Limits;

/// How often the file system is asked for its free space.
const OFTEN: Duration = Duration::from_millis(250);
/// How often everything is counted though hardly anything changed.
const SELDOM: Duration = Duration::from_secs(30);
/// By how much the free space may change since the last count until the next: this part of the limit.
const PART: u64 = 8;

/// Bytes and files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Amount {
    bytes: u64,
    files: u64,
}

/// Waits until the folders hold more than the limits allow, and says so. Never ends before that.
pub(super) async fn exceeded(folders: Vec<PathBuf>, limits: &Limits) -> String {
    let most = Amount { bytes: limits.disk_bytes, files: limits.disk_files };
    let mut counted = (free(&folders), Instant::now());
    loop {
        tokio::time::sleep(OFTEN).await;
        let changed = changed(counted.0, free(&folders));
        let due = changed.bytes > most.bytes / PART || changed.files > most.files / PART;
        if !due && counted.1.elapsed() < SELDOM {
            continue;
        }
        counted = (free(&folders), Instant::now());
        let looked_at = folders.clone();
        let held = tokio::task::spawn_blocking(move || held(&looked_at, most)).await.unwrap_or_default();
        if held.bytes > most.bytes {
            return format!("its folders hold more than {} MiB", most.bytes >> 20);
        }
        if held.files > most.files {
            return format!("its folders hold more than {} files", most.files);
        }
    }
}

/// What is free where the folders are, all together.
fn free(folders: &[PathBuf]) -> Amount {
    let mut seen = vec![];
    let mut free = Amount::default();
    for folder in folders {
        let (Ok(found), Ok(place)) = (rustix::fs::statvfs(folder), std::fs::metadata(folder)) else {
            continue;
        };
        let device = std::os::unix::fs::MetadataExt::dev(&place);
        if !seen.contains(&device) {
            seen.push(device);
            free.bytes += found.f_bfree * found.f_frsize;
            free.files += found.f_ffree;
        }
    }
    free
}

/// In either direction: what others give back meanwhile hides what is taken.
fn changed(before: Amount, now: Amount) -> Amount {
    Amount { bytes: before.bytes.abs_diff(now.bytes), files: before.files.abs_diff(now.files) }
}

/// What the folders hold, counted until it is too much. A tree too deep to be walked counts as too much.
fn held(folders: &[PathBuf], most: Amount) -> Amount {
    let mut held = Amount::default();
    for entry in folders.iter().flat_map(|folder| walk(folder)) {
        match entry {
            Ok(bytes) => {
                held.bytes += bytes;
                held.files += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => held.files = u64::MAX,
            // It went away, or is closed to us too.
            Err(_) => {}
        }
        if held.bytes > most.bytes || held.files > most.files {
            break;
        }
    }
    held
}

/// Bytes on disk of each thing in a folder.
fn walk(folder: &Path) -> impl Iterator<Item = io::Result<u64>> {
    let entries = walkdir::WalkDir::new(folder).same_file_system(true).into_iter();
    entries.map(|entry| {
        let found = entry?.metadata()?;
        Ok(std::os::unix::fs::MetadataExt::blocks(&found) * 512)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_folders_hold_is_counted_until_it_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(name), vec![1; 8192]).unwrap();
        }
        let folders = [folder.path().to_owned()];
        let whole = held(&folders, Amount { bytes: 1 << 30, files: 100 });
        assert!(whole.files == 4 && whole.bytes >= 3 * 8192, "{whole:?}");
        assert_eq!(held(&folders, Amount { bytes: 1 << 30, files: 2 }).files, 3);
        assert_eq!(held(&[PathBuf::from("/no/such/folder")], Amount::default()), Amount::default());
    }

    #[test]
    fn space_that_others_gave_back_is_a_reason_to_count() {
        let (before, now) = (Amount { bytes: 10, files: 5 }, Amount { bytes: 20, files: 3 });
        assert_eq!(changed(before, now), Amount { bytes: 10, files: 2 });
    }
}
