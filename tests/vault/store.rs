//! Edits, creations and late saves: no byte of a human is lost.

use std::convert::Infallible;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ado_vault::vault::{Created, StoreError, VaultError, create, edit, sweep_kept, write_projection};
use walkdir::WalkDir;

use crate::common::{Place, note};

const NOTE: &str = "10_features/03_planned/FR-001 A.md";

fn append(text: &str, line: &str) -> Result<String, Infallible> {
    Ok(format!("{text}{line}\n"))
}

#[test]
fn an_edit_writes_once_and_only_when_something_changed() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    fs::set_permissions(place.file(NOTE), fs::Permissions::from_mode(0o640)).unwrap();
    let edited = edit(&place.lock(), &place.vault, &path, |text| append(text, "two")).unwrap();
    assert_eq!(
        (edited.before.as_str(), edited.after.as_str(), edited.changed),
        ("one\n", "one\ntwo\n", true)
    );
    assert_eq!(place.text(NOTE), "one\ntwo\n");
    assert_eq!(fs::metadata(place.file(NOTE)).unwrap().permissions().mode() & 0o777, 0o640);

    let before = fs::metadata(place.file(NOTE)).unwrap().modified().unwrap();
    let same = edit(&place.lock(), &place.vault, &path, |text| Ok::<_, Infallible>(text.to_owned())).unwrap();
    assert!(!same.changed);
    assert_eq!(fs::metadata(place.file(NOTE)).unwrap().modified().unwrap(), before);
    assert_eq!(left_overs(place.vault.root()), Vec::<String>::new());
}

#[test]
fn a_refused_edit_leaves_the_note() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    let refused = edit(&place.lock(), &place.vault, &path, |_| Err::<String, _>("no"));
    assert!(matches!(refused, Err(StoreError::Edit("no"))));
    assert_eq!(place.text(NOTE), "one\n");
}

#[test]
fn a_save_between_read_and_write_is_taken_into_the_edit() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    for in_place in [true, false] {
        fs::write(place.file(NOTE), "one\n").unwrap();
        let mut calls = 0;
        let edited = edit(&place.lock(), &place.vault, &path, |text| {
            calls += 1;
            if calls == 1 {
                save(&place.file(NOTE), "human\none\n", in_place);
            }
            append(text, "ado")
        });
        assert_eq!(edited.unwrap().before, "human\none\n");
        assert_eq!((calls, place.text(NOTE).as_str()), (2, "human\none\nado\n"));
    }
}

#[test]
fn an_edit_that_no_longer_fits_gives_the_human_s_text_back() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    let refused = edit(&place.lock(), &place.vault, &path, |text| {
        if text != "one\n" {
            return Err("marker is gone");
        }
        save(&place.file(NOTE), "human\n", false);
        Ok("ado\n".to_owned())
    });
    assert!(matches!(refused, Err(StoreError::Edit("marker is gone"))));
    assert_eq!(place.text(NOTE), "human\n");
}

#[test]
fn a_save_that_is_no_text_goes_back_where_it_was() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    let refused = edit(&place.lock(), &place.vault, &path, |text| {
        fs::write(place.file(NOTE), b"\xff\xfe").unwrap();
        append(text, "ado")
    });
    assert!(matches!(refused, Err(StoreError::Vault(VaultError::NotText { .. }))));
    assert_eq!(fs::read(place.file(NOTE)).unwrap(), b"\xff\xfe");
    assert_eq!(left_overs(place.vault.root()), Vec::<String>::new());
}

#[test]
fn a_late_save_into_the_swapped_out_file_is_merged_by_the_sweep() {
    let place = Place::bare();
    let path = place.write(NOTE, "---\nstatus: planned\n---\n\nOne.\n\nTwo.\n");
    let mut open = OpenOptions::new().read(true).write(true).open(place.file(NOTE)).unwrap();
    edit(&place.lock(), &place.vault, &path, |text| {
        Ok::<_, Infallible>(text.replace("planned", "in_progress"))
    })
    .unwrap();
    assert_eq!(sweep_kept(&place.lock(), &place.vault).unwrap(), []);

    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    open.seek(SeekFrom::Start(0)).unwrap();
    open.set_len(0).unwrap();
    open.write_all(text.replace("Two.", "Two, and late.").as_bytes()).unwrap();
    assert_eq!(sweep_kept(&place.lock(), &place.vault).unwrap(), [path]);
    assert_eq!(place.text(NOTE), "---\nstatus: in_progress\n---\n\nOne.\n\nTwo, and late.\n");
    assert_eq!(sweep_kept(&place.lock(), &place.vault).unwrap(), []);
}

#[test]
fn a_late_save_that_conflicts_becomes_a_conflict_note() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n");
    let mut open = OpenOptions::new().write(true).open(place.file(NOTE)).unwrap();
    edit(&place.lock(), &place.vault, &path, |_| Ok::<_, Infallible>("ado\n".into())).unwrap();
    open.set_len(0).unwrap();
    open.write_all(b"late\n").unwrap();
    let written = sweep_kept(&place.lock(), &place.vault).unwrap();
    assert_eq!(place.text(NOTE), "ado\n");
    assert_eq!(place.text(written[0].as_str()), "late\n");
    assert!(written[0].as_str().contains("FR-001 A (conflicted copy "), "{}", written[0]);
}

/// Saved late into the file that an edit swapped out: `before` is what the editor had, `ado` what was put in its place.
fn late(file: &str, before: &str, ado: &str, late: &str) -> (Place, Vec<String>) {
    let place = Place::bare();
    let path = place.write(file, before);
    let mut open = OpenOptions::new().write(true).open(place.file(file)).unwrap();
    edit(&place.lock(), &place.vault, &path, |_| Ok::<_, Infallible>(ado.to_owned())).unwrap();
    open.set_len(0).unwrap();
    open.write_all(late.as_bytes()).unwrap();
    let written = sweep_kept(&place.lock(), &place.vault).unwrap();
    (place, written.iter().map(ToString::to_string).collect())
}

#[test]
fn a_late_save_of_a_canvas_is_merged_where_it_stays_json_and_put_beside_it_where_not() {
    const BOARD: &str = "Board.canvas";
    let canvas = |nodes: &[&str]| format!("{{\n\"nodes\": [\n{}\n],\n\"edges\": []\n}}\n", nodes.join(",\n"));
    let (a, b, c) = ("{\"id\": \"a\"}", "{\"id\": \"b\"}", "{\"id\": \"c\"}");
    let (far, moved) = ("{\"id\": \"d\", \"x\": 1}", "{\"id\": \"d\", \"x\": 2}");
    // Lines apart: both changes are in it.
    let (place, written) = late(
        BOARD,
        &canvas(&[a, b, c, far]),
        &canvas(&["{\"id\": \"e\"}", b, c, far]),
        &canvas(&[a, b, c, moved]),
    );
    assert_eq!(
        (written, place.text(BOARD)),
        (vec![BOARD.to_owned()], canvas(&["{\"id\": \"e\"}", b, c, moved]))
    );

    // Each for itself is JSON; line by line, joined, there would be a comma too few, or a key twice.
    let keys = |one: &str, last: &str| format!("{{\n{one}\"a\": 1,\n\"b\": 2,\n\"c\": 3{last}\n}}\n");
    for (before, ado, late_text) in [
        ("[\n1,\n2,\n3\n]\n".to_owned(), "[\n1,\n2\n]\n".to_owned(), "[\n0,\n1,\n2,\n3\n".to_owned()),
        (keys("", ""), keys("\"new\": 1,\n", ""), keys("", ",\n\"new\": 2")),
    ] {
        for file in [BOARD, ".obsidian/bookmarks.json"] {
            let (place, written) = late(file, &before, &ado, &late_text);
            assert_eq!(place.text(file), ado);
            assert_eq!(place.text(&written[0]), late_text);
            let (stem, end) = file.rsplit_once('.').unwrap();
            assert!(
                written[0].starts_with(&format!("{stem} (conflicted copy ")) && written[0].ends_with(end)
            );
        }
    }
    // A canvas that is no JSON is its human's; it is treated like any text.
    let (place, _) = late(BOARD, "{\n\na\n", "{ \n\na\n", "{\n\nb\n");
    assert_eq!(place.text(BOARD), "{ \n\nb\n");
}

/// Two savers, one writing in place and one by rename, against an editor. Every token that a human saved is found
/// afterwards in the note or in a conflict note.
#[test]
fn human_saves_during_edits_are_never_lost() {
    let place = Place::bare();
    let path = place.write(NOTE, "---\nstatus: planned\n---\n\nStart.\n");
    let done = AtomicBool::new(false);
    let saves = 60;
    let human = std::sync::Mutex::new(());
    let calls = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let savers: Vec<_> = [true, false]
            .into_iter()
            .map(|in_place| {
                let (place, human, calls) = (&place, &human, &calls);
                scope.spawn(move || {
                    for count in 0..saves {
                        // After ado has read, before or while it writes.
                        let seen = calls.load(Ordering::Relaxed);
                        while calls.load(Ordering::Relaxed) == seen {
                            std::thread::yield_now();
                        }
                        // Humans do not overwrite each other here: only ado is on trial.
                        let _one_at_a_time = human.lock().unwrap();
                        let file = place.file(NOTE);
                        let text = fs::read_to_string(&file).unwrap();
                        save(&file, &format!("{text}token-{in_place}-{count}.\n"), in_place);
                    }
                })
            })
            .collect();
        let (place, done, path, calls) = (&place, &done, &path, &calls);
        let editor = scope.spawn(move || {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                count += 1;
                let edited = edit(&place.lock(), &place.vault, path, |text| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    let from = text.find("status:").unwrap_or(0);
                    let end = text[from..].find('\n').map_or(text.len(), |at| from + at);
                    Ok::<_, Infallible>(format!("{}status: {count}{}", &text[..from], &text[end..]))
                });
                match edited {
                    Ok(_) | Err(StoreError::Vault(VaultError::Busy { .. })) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        for saver in savers {
            saver.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        editor.join().unwrap();
    });
    sweep_kept(&place.lock(), &place.vault).unwrap();
    let all: String = WalkDir::new(place.vault.root())
        .into_iter()
        .filter_entry(|entry| entry.file_name() != ".ado")
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| fs::read_to_string(entry.path()).unwrap())
        .collect();
    let lost: Vec<_> = [true, false]
        .into_iter()
        .flat_map(|kind| (0..saves).map(move |count| format!("token-{kind}-{count}.")))
        .filter(|token| !all.contains(token))
        .collect();
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn create_never_overwrites_and_makes_folders() {
    let place = Place::bare();
    let path = note("70_reports/2026/Day.md");
    assert_eq!(create(&place.lock(), &place.vault, &path, "one").unwrap(), Created::New);
    assert_eq!(create(&place.lock(), &place.vault, &path, "two").unwrap(), Created::Exists);
    assert_eq!(place.text("70_reports/2026/Day.md"), "one");
    std::os::unix::fs::symlink("/nowhere", place.file("70_reports/link.md")).unwrap();
    assert!(create(&place.lock(), &place.vault, &note("70_reports/link.md"), "x").is_err());
}

#[test]
fn a_projection_is_written_when_it_differs() {
    let place = Place::bare();
    let path = note("60_runs/FR-001/1/run.md");
    assert!(write_projection(&place.lock(), &place.vault, &path, "one").unwrap());
    assert!(!write_projection(&place.lock(), &place.vault, &path, "one").unwrap());
    assert!(write_projection(&place.lock(), &place.vault, &path, "two").unwrap());
    assert_eq!(place.text(path.as_str()), "two");
}

#[test]
fn nothing_is_read_or_written_through_a_link_out_of_the_vault() {
    let place = Place::bare();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.md"), "secret").unwrap();
    std::os::unix::fs::symlink(outside.path(), place.file("10_features/out")).unwrap();
    let path = note("10_features/out/secret.md");
    assert!(matches!(place.vault.read(&path), Err(VaultError::LeavesVault { .. })));
    let created = create(&place.lock(), &place.vault, &note("10_features/out/new.md"), "x");
    assert!(matches!(created, Err(VaultError::LeavesVault { .. })));
    let projected = write_projection(&place.lock(), &place.vault, &path, "x");
    assert!(matches!(projected, Err(VaultError::LeavesVault { .. })));
    assert_eq!(fs::read_to_string(outside.path().join("secret.md")).unwrap(), "secret");
}

/// The state after kill -9 between the exchange and putting the old file away.
#[test]
fn a_crash_right_after_the_exchange_loses_no_late_save() {
    let place = Place::bare();
    let path = place.write(NOTE, "one\n\ntwo\n\nthree\n");
    edit(&place.lock(), &place.vault, &path, |text| Ok::<_, Infallible>(text.replace("one", "ado"))).unwrap();
    let kept = place.file(".ado/kept");
    let names: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    let record = names.iter().find(|path| path.extension().unwrap() == "json").unwrap();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let beside = Path::new(record["temporary"].as_str().unwrap());
    fs::rename(names.iter().find(|path| path.extension().unwrap() == "md").unwrap(), beside).unwrap();
    fs::write(beside, "one\n\ntwo\n\nlate\n").unwrap();
    sweep_kept(&place.lock(), &place.vault).unwrap();
    assert_eq!(place.text(NOTE), "ado\n\ntwo\n\nlate\n");
}

fn save(file: &Path, text: &str, in_place: bool) {
    if in_place {
        fs::write(file, text).unwrap();
    } else {
        let beside = file.with_file_name(".saving");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, file).unwrap();
    }
}

/// Temporary files beside notes.
fn left_overs(root: &Path) -> Vec<String> {
    WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".ado-tmp"))
        .collect()
}
