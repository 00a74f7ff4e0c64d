//! What a scan remembers, kept in `.ado/index` for the next process: stats, names of texts, and what feature notes say
//! without their bodies. A cache: where it is missing, damaged, of another vault or of another build, all is read anew.
//!
//! Does not decide what must be read again.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::{Content, File, Folder, Stat};
use super::lock::private_folder;
use super::scanned::{NoteText, ScannedNote};
use super::walk::joined;
use super::{TextId, Vault, VaultError, place};
use crate::domain::{Diagnostic, NotePath};
use crate::note::{self, FeatureHead};

/// First bytes of the file; the number is the format's.
const MAGIC: &[u8; 8] = b"ado\0idx\x02";
const CHECKSUM: usize = 4;

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    /// Of which vault, and written by which build.
    of: String,
    #[serde(borrow)]
    folders: Vec<StoredFolder<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredFolder<'a> {
    path: &'a str,
    #[serde(borrow)]
    files: Vec<StoredFile<'a>>,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile<'a> {
    name: &'a str,
    stat: Stat,
    settled: bool,
    #[serde(borrow)]
    content: StoredContent<'a>,
}

#[derive(Serialize, Deserialize)]
enum StoredContent<'a> {
    Note {
        blob: TextId,
        links_by_path: bool,
        #[serde(borrow)]
        feature: Option<FeatureHead<'a>>,
    },
    Problem(Diagnostic),
}

/// What was kept for this vault; `None` where nothing can be believed.
pub(super) fn load(vault: &Vault) -> Option<HashMap<String, Folder>> {
    let bytes = fs::read(vault.root().join(".ado/index")).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (checksum, payload) = rest.split_at_checked(CHECKSUM)?;
    if checksum != crc32fast::hash(payload).to_be_bytes() {
        return None;
    }
    let stored: Stored<'_> = postcard::from_bytes(payload).ok()?;
    if stored.of != owner(vault)? {
        return None;
    }
    let folders = stored.folders.into_iter().map(|folder| {
        let files = folder.files.into_iter().map(|file| file.restored(vault, folder.path));
        let files = files.collect::<Option<Vec<File>>>()?;
        Some((folder.path.to_owned(), Folder { files, others: vec![], problems: folder.problems }))
    });
    folders.collect()
}

/// Keeps what is known for the next process. It takes the old file's place at once.
pub(super) fn save(vault: &Vault, known: &HashMap<String, Folder>) -> Result<(), VaultError> {
    let Some(of) = owner(vault) else { return Ok(()) };
    let mut folders: Vec<StoredFolder<'_>> = known
        .iter()
        .map(|(path, folder)| StoredFolder {
            path,
            files: folder.files.iter().map(StoredFile::of).collect(),
            problems: folder.problems.clone(),
        })
        .collect();
    folders.sort_unstable_by_key(|folder| folder.path);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[0; CHECKSUM]);
    let mut bytes = postcard::to_extend(&Stored { of, folders }, bytes).expect("plain data can be written");
    let begin = MAGIC.len() + CHECKSUM;
    let checksum = crc32fast::hash(&bytes[begin..]).to_be_bytes();
    bytes[MAGIC.len()..begin].copy_from_slice(&checksum);
    let path: PathBuf = private_folder(vault)?.join("index");
    let temporary = place::beside(&path);
    // Not synced: a torn file does not have its checksum.
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        VaultError::io("write", &path, source)
    })
}

/// The vault's folder itself, and this program: another one may read notes in another way.
fn owner(vault: &Vault) -> Option<String> {
    let root = fs::metadata(vault.root()).ok()?;
    let program = fs::metadata(std::env::current_exe().ok()?).ok()?;
    Some(format!(
        "{:?} {}:{} {}.{} {}",
        vault.root(),
        root.dev(),
        root.ino(),
        program.mtime(),
        program.mtime_nsec(),
        program.size()
    ))
}

impl<'a> StoredFile<'a> {
    fn of(file: &'a File) -> Self {
        let content = match &file.content {
            Content::Note(note) => StoredContent::Note {
                blob: note.blob,
                links_by_path: note.links_by_path,
                feature: note.feature.as_ref().map(|feature| FeatureHead::of(feature)),
            },
            Content::Problem(problem) => StoredContent::Problem(problem.1.clone()),
        };
        Self { name: file.name(), stat: file.stat, settled: file.settled, content }
    }

    fn restored(self, vault: &Vault, folder: &str) -> Option<File> {
        let content = match self.content {
            StoredContent::Problem(problem) => {
                Content::Problem(Arc::new((NotePath::new(joined(folder, self.name)).ok()?, problem)))
            }
            StoredContent::Note { blob, links_by_path, feature } => {
                let path = NotePath::new(joined(folder, self.name)).ok()?;
                let text = Arc::new(NoteText::on_disk(vault, &path));
                let source = || Arc::<NoteText>::clone(&text);
                let feature = feature.map(|head| note::feature_of_head(head, &path, source()).into());
                let modified = self.stat.modified();
                Content::Note(Arc::new(ScannedNote { path, blob, modified, feature, links_by_path, text }))
            }
        };
        Some(File { stat: self.stat, settled: self.settled, content })
    }
}
