//! What a scan kept for the next process, or was told to look at alone, never changes what a scan gives.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ado_vault::domain::{Diagnostic, Feature, NotePath, Shared};
use ado_vault::vault::{Scan, Scanner, TextId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{Place, note};

/// Enough for a scan to keep what it saw.
const NOTES: usize = 130;
const FOLDERS: [&str; 5] =
    ["10_features/02_new", "10_features/03_planned", "10_features/03_planned/deep/er", "20_notes", "x y"];
const TEXTS: [&str; 6] = [
    "---\nid: FR-007\nstatus: planned\n---\n# Title\n\n## Summary\n\nWords.\n",
    "---\nid: FR-008\ntitle: \"T\"\ndepends_on: [FR-007]\n---\n<!-- ado:begin plan -->\n\nx\n\n<!-- ado:end plan -->\n",
    "---\nid: [\n---\nbroken\n",
    "no front matter, [a](b.md)\n",
    "",
    "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n",
];

#[derive(Debug, Clone)]
enum Change {
    Write(usize, usize, usize),
    Delete(usize, usize),
    Move(usize, usize, usize),
    MoveFolder(usize),
    NotText(usize, usize),
    NumberedCopy(usize, usize),
    /// A file that is no note comes, or goes.
    Picture(usize, usize),
    NoIndex,
    CutIndex(usize),
    FlipIndex(usize),
    /// The index of another vault.
    OtherIndex,
    OldIndex,
}

fn change() -> impl Strategy<Value = Change> {
    let (folder, file, text) = (0..FOLDERS.len(), 0..NOTES / FOLDERS.len(), 0..TEXTS.len());
    prop_oneof![
        6 => (folder.clone(), file.clone(), text).prop_map(|(folder, file, text)| Change::Write(folder, file, text)),
        3 => (folder.clone(), file.clone()).prop_map(|(folder, file)| Change::Delete(folder, file)),
        3 => (folder.clone(), file.clone(), folder.clone()).prop_map(|(from, file, to)| Change::Move(from, file, to)),
        1 => folder.clone().prop_map(Change::MoveFolder),
        1 => (folder.clone(), file.clone()).prop_map(|(folder, file)| Change::NotText(folder, file)),
        1 => (folder.clone(), file.clone()).prop_map(|(folder, file)| Change::NumberedCopy(folder, file)),
        2 => (folder, file).prop_map(|(folder, file)| Change::Picture(folder, file)),
        1 => Just(Change::NoIndex),
        1 => any::<usize>().prop_map(Change::CutIndex),
        2 => any::<usize>().prop_map(Change::FlipIndex),
        1 => Just(Change::OtherIndex),
        1 => Just(Change::OldIndex),
    ]
}

fn path(folder: usize, file: usize) -> String {
    format!("{}/FR-{file} note.md", FOLDERS[folder])
}

fn filled() -> Place {
    let place = Place::bare();
    for file in 0..NOTES / FOLDERS.len() {
        for folder in 0..FOLDERS.len() {
            let text = TEXTS[(file + folder) % TEXTS.len()];
            place.write(&path(folder, file), &format!("{text}{file}"));
        }
    }
    place
}

fn index(place: &Place) -> PathBuf {
    place.file(".ado/index")
}

/// Makes the change; gives the paths that a file watcher would name.
fn make(place: &Place, other: &[u8], old: &[u8], change: &Change) -> Vec<NotePath> {
    let file = |folder, file| place.file(&path(folder, file));
    let index = index(place);
    match change {
        Change::Write(folder, at, text) => vec![place.write(&path(*folder, *at), TEXTS[*text])],
        Change::Delete(folder, at) => {
            let _ = fs::remove_file(file(*folder, *at));
            vec![note(&path(*folder, *at))]
        }
        Change::Move(from, at, to) => {
            fs::create_dir_all(place.file(FOLDERS[*to])).unwrap();
            let _ = fs::rename(file(*from, *at), file(*to, *at));
            vec![note(&path(*from, *at)), note(&path(*to, *at))]
        }
        Change::MoveFolder(folder) => {
            let to = format!("{} moved", FOLDERS[*folder]);
            let _ = fs::remove_dir_all(place.file(&to));
            let _ = fs::rename(place.file(FOLDERS[*folder]), place.file(&to));
            vec![note(FOLDERS[*folder]), note(&to)]
        }
        Change::NotText(folder, at) => {
            let text = place.write(&path(*folder, *at), "");
            fs::write(file(*folder, *at), b"caf\xe9").unwrap();
            vec![text]
        }
        Change::NumberedCopy(folder, at) => {
            vec![place.write(&path(*folder, *at).replace(".md", " 2.md"), "---\nid: FR-007\n---\n")]
        }
        Change::Picture(folder, at) => {
            let picture = path(*folder, at % 3).replace(".md", ".png");
            if fs::remove_file(place.file(&picture)).is_err() {
                place.write(&picture, "");
            }
            vec![note(&picture)]
        }
        Change::NoIndex => {
            let _ = fs::remove_file(index);
            vec![]
        }
        Change::CutIndex(at) => {
            if let Ok(bytes) = fs::read(&index) {
                fs::write(index, &bytes[..at % (bytes.len() + 1)]).unwrap();
            }
            vec![]
        }
        Change::FlipIndex(at) => {
            if let Ok(mut bytes) = fs::read(&index)
                && !bytes.is_empty()
            {
                let bit = at % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(index, bytes).unwrap();
            }
            vec![]
        }
        Change::OtherIndex => {
            fs::write(index, other).unwrap();
            vec![]
        }
        Change::OldIndex => {
            fs::write(index, old).unwrap();
            vec![]
        }
    }
}

type Seen = (Vec<(String, TextId, String, Option<Shared<Feature>>)>, Vec<Diagnostic>, Vec<NotePath>);

fn seen(scan: &Scan) -> Seen {
    let notes = scan
        .notes
        .iter()
        .map(|note| (note.path.to_string(), note.blob, note.text_once().to_string(), note.feature.clone()));
    let mut files: Vec<NotePath> = scan.files().cloned().collect();
    files.sort();
    (notes.collect(), scan.problems.to_vec(), files)
}

/// What a walk of the disk finds.
fn files(place: &Place) -> Vec<NotePath> {
    let is_hidden = |entry: &walkdir::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let walk = walkdir::WalkDir::new(place.vault.root()).min_depth(1).into_iter();
    let walk = walk.filter_entry(|entry| !is_hidden(entry)).map(Result::unwrap);
    let files = walk.filter(|entry| !entry.file_type().is_dir());
    let inside = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(place.vault.root()).unwrap().to_str().unwrap().to_owned();
        note(&path)
    };
    let mut files: Vec<NotePath> = files.map(inside).collect();
    files.sort();
    files
}

/// A scan that knows nothing; the index stays as it was.
fn cold(place: &Place) -> Seen {
    let kept = fs::read(index(place)).ok();
    let _ = fs::remove_file(index(place));
    let seen = seen(&Scanner::new(&place.vault).scan().unwrap());
    match kept {
        Some(kept) => fs::write(index(place), kept).unwrap(),
        None => drop(fs::remove_file(index(place))),
    }
    seen
}

/// Scans until no file is so young that it is read again whatever its stat says.
fn settled(place: &Place) {
    let begun = Instant::now();
    while !Scanner::new(&place.vault).scan().unwrap().changed.is_empty() || begun.elapsed().as_secs() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the index is never believed");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn scans_with_an_index_or_of_some_paths_give_what_a_cold_scan_gives() {
    let elsewhere = filled();
    Scanner::new(&elsewhere.vault).scan().unwrap();
    let other = fs::read(index(&elsewhere)).unwrap();
    let place = filled();
    settled(&place);
    let old = fs::read(index(&place)).unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    // Each case goes on with the vault and the index that the one before left.
    let result = runner.run(&proptest::collection::vec(change(), 1..8), |changes| {
        let mut watching = Scanner::new(&place.vault);
        watching.scan().unwrap();
        for change in &changes {
            let paths = make(&place, &other, &old, change);
            let expected = cold(&place);
            prop_assert_eq!(&expected.2, &files(&place), "all files");
            prop_assert_eq!(&seen(&watching.scan_at(&paths).unwrap()), &expected, "told of {:?}", paths);
            prop_assert_eq!(&seen(&Scanner::new(&place.vault).scan().unwrap()), &expected, "a new process");
            prop_assert_eq!(&seen(&watching.scan().unwrap()), &expected, "a second look");
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_copy_that_was_set_aside_is_a_note_once_the_note_beside_it_is_gone() {
    let place = Place::bare();
    let original = place.write("20_notes/A.md", TEXTS[0]);
    let copy = place.write("20_notes/A 2.md", TEXTS[0]);
    let mut scanner = Scanner::new(&place.vault);
    let notes = |scan: Scan| scan.in_folder("20_notes").map(|note| note.path.clone()).collect::<Vec<_>>();
    assert_eq!(notes(scanner.scan().unwrap()), std::slice::from_ref(&original));
    fs::remove_file(place.file(original.as_str())).unwrap();
    assert_eq!(notes(scanner.scan_at(&[original]).unwrap()), [copy]);
}

#[test]
fn a_new_process_reads_only_what_changed_since_the_last_one() {
    let place = filled();
    settled(&place);
    let changed = place.write(&path(1, 3), "---\nid: FR-099\n---\nother\n");
    let scan = Scanner::new(&place.vault).scan().unwrap();
    assert_eq!(scan.changed, [changed]);
    assert_eq!(seen(&scan), cold(&place));
}

#[test]
fn small_vaults_and_read_only_ones_keep_nothing() {
    let place = Place::bare();
    place.write(&path(0, 0), TEXTS[0]);
    Scanner::new(&place.vault).scan().unwrap();
    assert!(!place.file(".ado").exists());
}
