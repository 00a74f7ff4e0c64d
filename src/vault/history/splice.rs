//! Changes a few entries of a git index in its bytes; all others are copied as they are. Knows the index versions 2 and
//! 3 with SHA-1 names and without parts elsewhere, which is what git writes unless it is told otherwise.
//!
//! Reads no files, and does not know what an entry should become.

use std::ops::Range;

use git2::{IndexEntry, Oid};
use sha1::{Digest, Sha1};

const SIGNATURE: &[u8] = b"DIRC";
const HEADER: usize = 12;
/// Bytes of an entry before its name.
const FIXED: usize = 62;
const HASH: usize = 20;
/// Where in an entry its modification time (seconds), size, name and flags stand.
const MODIFIED: usize = 8;
const SIZE: usize = 36;
const NAME_OF_BLOB: usize = 40;
const FLAGS: usize = 60;
const LONGEST_NAME: u16 = 0x0fff;

/// An index whose entries at some paths can be changed.
pub(super) struct Spliceable<'i> {
    bytes: &'i [u8],
    places: Vec<Place>,
    /// Where entries begin that are as young as the index.
    racy: Vec<usize>,
    /// After the last entry.
    end: usize,
}

/// Where the entries of one path stand.
struct Place {
    path: String,
    /// All stages; empty where the path has none, and then it is where one would stand.
    range: Range<usize>,
    entries: u32,
    present: Option<Oid>,
}

/// What a path's entries become; `None` takes them away.
pub(super) type Edit = (String, Option<IndexEntry>);

impl<'i> Spliceable<'i> {
    /// Finds the entries of `paths`. `written_at` is when the index was written, in seconds. `None` where the index is of
    /// another kind than is known here, or damaged, or has a file where a path has a folder.
    pub(super) fn of(bytes: &'i [u8], paths: &[String], written_at: i64) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let (version, count) = (number(&header[4..])?, number(&header[8..])?);
        if &header[..4] != SIGNATURE || !(2..=3).contains(&version) || bytes.len() < HEADER + HASH {
            return None;
        }
        let last = bytes.len() - HASH;
        let mut wanted: Vec<&String> = paths.iter().collect();
        wanted.sort();
        wanted.dedup();
        let mut barred = barred(&wanted).into_iter().peekable();
        let mut wanted = wanted.into_iter().peekable();
        let mut found = Self { bytes, places: vec![], racy: vec![], end: HEADER };
        for _ in 0..count {
            let at = found.end;
            let entry = bytes.get(at..last)?;
            let flags = u16::from_be_bytes([*entry.get(FLAGS)?, *entry.get(FLAGS + 1)?]);
            let is_extended = flags & 0x4000 != 0;
            let start = if is_extended { FIXED + 2 } else { FIXED };
            let length = match flags & LONGEST_NAME {
                LONGEST_NAME => entry.get(start..)?.iter().position(|byte| *byte == 0)?,
                length => usize::from(length),
            };
            let name = entry.get(start..start + length)?;
            let next = at + ((start + length + 8) & !7);
            if next > last {
                return None;
            }
            // The low 32 bits are stored; a time after 2038 is not negative.
            if i64::from(number(&entry[MODIFIED..])?) >= written_at {
                found.racy.push(at);
            }
            while let Some(barred) = barred.next_if(|barred| barred.as_bytes() <= name) {
                if barred.as_bytes() == name || (barred.ends_with('/') && name.starts_with(barred.as_bytes()))
                {
                    return None;
                }
            }
            while let Some(path) = wanted.next_if(|path| path.as_bytes() < name) {
                found.places.push(Place::none(path, at));
            }
            if wanted.peek().is_some_and(|path| path.as_bytes() == name) {
                let path = wanted.next().expect("it was just looked at");
                found.places.push(Place::none(path, at));
            }
            if let Some(place) = found.places.last_mut().filter(|place| place.path.as_bytes() == name) {
                place.range.end = next;
                place.entries += 1;
                if flags & 0x3000 == 0 {
                    place.present = Oid::from_bytes(&entry[NAME_OF_BLOB..NAME_OF_BLOB + HASH]).ok();
                }
            }
            found.end = next;
        }
        found.places.extend(wanted.map(|path| Place::none(path, found.end)));
        // Lower-case parts change what the entries mean: a split or a sparse index.
        let is_known = parts(&bytes[found.end..last])?.iter().all(|(name, _)| name[0].is_ascii_uppercase());
        is_known.then_some(found)
    }

    /// The blob that is staged at one of the paths; `None` where there is none, or a conflict.
    pub(super) fn present(&self, path: &str) -> Option<Oid> {
        self.places.iter().find(|place| place.path == path)?.present
    }

    /// The index with these changes. Entries as young as the old index lose their size, so that git looks into their files
    /// itself, as it does whenever it writes an index.
    pub(super) fn with(&self, edits: &[Edit]) -> Vec<u8> {
        let mut head = self.bytes[..self.end].to_vec();
        for at in &self.racy {
            head[at + SIZE..at + SIZE + 4].fill(0);
        }
        let mut out = Vec::with_capacity(self.bytes.len() + 256 * edits.len());
        let mut count = number(&self.bytes[8..]).unwrap_or_default();
        let mut from = 0;
        for place in &self.places {
            let Some((_, entry)) = edits.iter().find(|(path, _)| *path == place.path) else { continue };
            out.extend_from_slice(&head[from..place.range.start]);
            from = place.range.end;
            count -= place.entries;
            if let Some(entry) = entry {
                count += 1;
                push(&mut out, entry);
            }
        }
        out.extend_from_slice(&head[from..]);
        out[8..HEADER].copy_from_slice(&count.to_be_bytes());
        let last = self.bytes.len() - HASH;
        for (name, data) in parts(&self.bytes[self.end..last]).unwrap_or_default() {
            // All other parts are caches of what was, which git makes anew.
            let kept = match name {
                b"TREE" => without_trees(data, edits),
                b"REUC" => Some(data.to_vec()),
                _ => None,
            };
            if let Some(kept) = kept {
                out.extend_from_slice(name);
                out.extend_from_slice(&u32::try_from(kept.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(&kept);
            }
        }
        // Git may be set to leave the hash out; it is zero then.
        let is_hashed = self.bytes[last..].iter().any(|byte| *byte != 0);
        let hash = if is_hashed { Sha1::digest(&out).into() } else { [0; HASH] };
        out.extend_from_slice(&hash);
        out
    }
}

impl Place {
    fn none(path: &str, at: usize) -> Self {
        Self { path: path.to_owned(), range: at..at, entries: 0, present: None }
    }
}

/// An index without entries.
pub(super) fn empty() -> Vec<u8> {
    let mut bytes = [SIGNATURE, &2_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    let hash: [u8; HASH] = Sha1::digest(&bytes).into();
    bytes.extend_from_slice(&hash);
    bytes
}

/// What may not be in the index beside these paths, sorted: a file where they have a folder, and, with a `/` at its end,
/// a folder where they have a file.
fn barred(paths: &[&String]) -> Vec<String> {
    let folders =
        |path: &String| path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect::<Vec<_>>();
    let mut barred: Vec<String> =
        paths.iter().flat_map(|path| folders(path).into_iter().chain([format!("{path}/")])).collect();
    barred.sort();
    barred.dedup();
    barred
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn push(out: &mut Vec<u8>, entry: &IndexEntry) {
    let begin = out.len();
    let times = [entry.ctime, entry.mtime].map(|time| [time.seconds() as u32, time.nanoseconds()]);
    let rest = [entry.dev, entry.ino, entry.mode, entry.uid, entry.gid, entry.file_size];
    for number in times.concat().into_iter().chain(rest) {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(entry.id.as_bytes());
    let length = u16::try_from(entry.path.len()).unwrap_or(LONGEST_NAME).min(LONGEST_NAME);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&entry.path);
    let length = out.len() - begin;
    out.resize(begin + ((length + 8) & !7), 0);
}

/// The parts behind the entries by their names.
fn parts(mut bytes: &[u8]) -> Option<Vec<(&[u8; 4], &[u8])>> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let name = bytes.first_chunk()?;
        let length = usize::try_from(number(bytes.get(4..)?)?).ok()?;
        found.push((name, bytes.get(8..8 + length)?));
        bytes = &bytes[8 + length..];
    }
    Some(found)
}

/// The cache of trees without the names of those that an edit changes. `None` where it cannot be read.
fn without_trees(mut data: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    // Folders that are open, each with how many folders in it are still to come.
    let mut open: Vec<(Vec<u8>, usize)> = vec![];
    while !data.is_empty() {
        let name_end = data.iter().position(|byte| *byte == 0)?;
        let line_end = name_end + data[name_end..].iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&data[name_end + 1..line_end]).ok()?;
        let (entries, folders) = line.split_once(' ')?;
        let (entries, folders): (i64, usize) = (entries.parse().ok()?, folders.parse().ok()?);
        let hash_end = line_end + 1 + if entries >= 0 { HASH } else { 0 };
        let mut path = open.last().map(|(path, _)| path.clone()).unwrap_or_default();
        path.extend_from_slice(&data[..name_end]);
        if !path.is_empty() {
            path.push(b'/');
        }
        if edits.iter().any(|(edited, _)| edited.as_bytes().starts_with(&path)) {
            out.extend_from_slice(&data[..name_end]);
            out.extend_from_slice(format!("\0-1 {folders}\n").as_bytes());
        } else {
            out.extend_from_slice(data.get(..hash_end)?);
        }
        data = data.get(hash_end..)?;
        open.push((path, folders));
        while let Some((_, left)) = open.last_mut() {
            if *left > 0 {
                *left -= 1;
                break;
            }
            open.pop();
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use git2::{Index, IndexTime, Repository};
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &str, id: u8) -> IndexEntry {
        let time = IndexTime::new(100, 5);
        IndexEntry {
            ctime: time,
            mtime: time,
            dev: 1,
            ino: 2,
            mode: 0o100_644,
            uid: 3,
            gid: 4,
            file_size: 5,
            id: Oid::from_bytes(&[id; HASH]).unwrap(),
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        }
    }

    /// What libgit2 reads from an index file: paths with blob, size and stage.
    fn read(file: &Path) -> Vec<(Vec<u8>, Oid, u32, u16)> {
        let index = Index::open(file).unwrap();
        index.iter().map(|entry| (entry.path, entry.id, entry.file_size, entry.flags >> 12 & 3)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Libgit2 makes the same changes entry by entry and is the judge of the result.
        #[test]
        fn a_spliced_index_is_what_libgit2_writes(
            present in proptest::collection::btree_map("([ab]{1,3}/){0,2}[a-c]{1,9}", 1..9_u8, 0..12),
            edits in proptest::collection::btree_map("([ab]{1,3}/){0,2}[a-c]{1,9}", proptest::option::of(10..19_u8), 0..6),
            some in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("index");
            fs::write(&file, empty()).unwrap();
            let mut index = Index::open(&file).unwrap();
            let mut names: Vec<String> = vec![];
            for (path, id) in &present {
                // A file cannot be where a folder is.
                if !names.iter().any(|name| name.starts_with(&format!("{path}/")) || path.starts_with(&format!("{name}/"))) {
                    index.add(&entry(path, *id)).unwrap();
                    names.push(path.clone());
                }
            }
            index.write().unwrap();
            let mut edits: Vec<Edit> = edits.into_iter().map(|(path, id)| {
                let entry = id.map(|id| entry(&path, id));
                (path, entry)
            }).collect();
            for at in some {
                if !names.is_empty() {
                    let path = at.get(&names).clone();
                    if !edits.iter().any(|(other, _)| *other == path) {
                        edits.push((path, None));
                    }
                }
            }
            let is_below = |one: &str, other: &str| one.starts_with(&format!("{other}/"));
            let all: Vec<String> = edits.iter().map(|(path, _)| path.clone()).collect();
            edits.retain(|(path, _)| !all.iter().any(|other| is_below(path, other)));
            let paths: Vec<String> = edits.iter().map(|(path, _)| path.clone()).collect();
            let bytes = fs::read(&file).unwrap();
            let clash = names.iter().any(|name| paths.iter().any(|path| is_below(name, path) || is_below(path, name)));
            let Some(spliced) = Spliceable::of(&bytes, &paths, 1_000) else {
                prop_assert!(clash);
                return Ok(());
            };
            prop_assert!(!clash);
            for path in &paths {
                let known = index.get_path(Path::new(path), 0).map(|entry| entry.id);
                prop_assert_eq!(spliced.present(path), known);
            }
            let out = folder.path().join("spliced");
            fs::write(&out, spliced.with(&edits)).unwrap();
            for (path, entry) in &edits {
                match entry {
                    Some(entry) => index.add(entry).unwrap(),
                    None => { let _ = index.remove(Path::new(path), 0); }
                }
            }
            index.write().unwrap();
            let mut expected = read(&file);
            expected.sort();
            let mut found = read(&out);
            prop_assert!(found.is_sorted_by_key(|(path, ..)| path.clone()));
            found.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn damage_is_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..300_usize, flip in 0..2_000_usize) {
            Spliceable::of(&bytes, &["a".to_owned()], 0);
            let whole = Spliceable::of(&empty(), &[], 0).unwrap().with(&[]);
            let spliced = Spliceable::of(&whole, &["a/b".to_owned()], 0).unwrap();
            let mut whole = spliced.with(&[("a/b".to_owned(), Some(entry("a/b", 1)))]);
            if let Some(byte) = whole.get_mut(flip / 8) {
                *byte ^= 1 << (flip % 8);
            }
            whole.truncate(cut);
            if let Some(spliced) = Spliceable::of(&whole, &["a/b".to_owned()], 0) {
                spliced.with(&[("a/b".to_owned(), None)]);
            }
        }
    }

    #[test]
    fn trees_above_a_change_are_forgotten_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        let blob = repository.blob(b"x").unwrap();
        let mut index = repository.index().unwrap();
        for path in ["a/one", "b/c/two", "d"] {
            index.add(&IndexEntry { id: blob, ..entry(path, 0) }).unwrap();
        }
        index.write_tree().unwrap();
        index.write().unwrap();
        let bytes = fs::read(folder.path().join(".git/index")).unwrap();
        let cached = |bytes: &[u8]| -> Vec<(String, bool)> {
            let index = Spliceable::of(bytes, &[], 0).unwrap();
            let parts = parts(&bytes[index.end..bytes.len() - HASH]).unwrap();
            let (_, tree) = parts.into_iter().find(|(name, _)| *name == b"TREE").unwrap();
            let text = String::from_utf8_lossy(tree);
            ["a", "b", "c"].map(|name| (name.to_owned(), text.contains(&format!("{name}\0-1 ")))).to_vec()
        };
        let is_gone = |a, b, c| vec![("a".to_owned(), a), ("b".to_owned(), b), ("c".to_owned(), c)];
        assert_eq!(cached(&bytes), is_gone(false, false, false));
        let path = "b/c/two".to_owned();
        let spliced = Spliceable::of(&bytes, std::slice::from_ref(&path), 0).unwrap();
        assert_eq!(cached(&spliced.with(&[(path, None)])), is_gone(false, true, true));
    }

    #[test]
    fn entries_as_young_as_the_index_are_not_trusted() {
        let paths = ["a".to_owned()];
        let bytes = empty();
        let index = Spliceable::of(&bytes, &paths, 0).unwrap().with(&[("a".to_owned(), Some(entry("a", 1)))]);
        let size = |written_at| {
            let bytes = Spliceable::of(&index, &[], written_at).unwrap().with(&[]);
            number(&bytes[HEADER + SIZE..]).unwrap()
        };
        assert_eq!((size(101), size(100)), (5, 0));
    }
}
