//! Moves with their links, and moves that a crash cut short.

use std::fs;
use std::time::Duration;

use ado_vault::vault::{Foreseen, Scanner, Sweeper, VaultError, edit, relocate};

use crate::common::{Place, note};

const FROM: &str = "10_features/03_planned/FR-001 Dark mode.md";
const TO: &str = "10_features/04_in_progress/FR-001 Dark mode.md";
const CANVAS: &str = "00_system/pipeline.canvas";

fn linked() -> Place {
    let place = Place::bare();
    place.write(FROM, "See [notes](../Notes.md).\n");
    place.write("10_features/Notes.md", "By path: [[10_features/03_planned/FR-001 Dark mode]].\n");
    place.write(
        "Other.md",
        "[it](10_features/03_planned/FR-001%20Dark%20mode.md) and [[FR-001 Dark mode]].\n",
    );
    place.write(CANVAS, &format!("{{\"nodes\":[{{\"id\":\"1\",\"type\":\"file\",\"file\":\"{FROM}\"}}]}}"));
    place.write(
        ".obsidian/bookmarks.json",
        &format!("{{\"items\":[{{\"type\":\"file\",\"path\":\"{FROM}\"}}]}}"),
    );
    place
}

fn assert_mended(place: &Place) {
    assert!(!place.file(FROM).exists());
    assert_eq!(place.text(TO), "See [notes](../Notes.md).\n");
    assert_eq!(
        place.text("10_features/Notes.md"),
        "By path: [[10_features/04_in_progress/FR-001 Dark mode]].\n"
    );
    assert_eq!(
        place.text("Other.md"),
        "[it](10_features/04_in_progress/FR-001%20Dark%20mode.md) and [[FR-001 Dark mode]].\n"
    );
    assert!(place.text(CANVAS).contains(TO));
    assert!(place.text(".obsidian/bookmarks.json").contains(TO));
    assert!(!place.file(".ado/move.json").exists());
}

#[test]
fn a_move_mends_every_link_that_it_would_break() {
    let place = linked();
    let scan = Scanner::new(&place.vault).scan().unwrap();
    let a_move = (note(FROM), note(TO));
    let foreseen = Foreseen::of(&place.vault, &a_move, &scan);
    let mut foretold = foreseen.mends.clone();
    foretold.extend([note(FROM), note(TO)]);
    foretold.sort();
    // The scan knows all files: the disk is not walked again.
    place.write("Later.canvas", &place.text(CANVAS));
    let moved = foreseen.carry_out(&place.lock(), &place.vault).unwrap();
    assert!(place.text("Later.canvas").contains(FROM));
    assert_eq!(foretold, moved.touched);
    assert_mended(&place);
    let touched: Vec<_> = moved.touched.iter().map(|path| path.as_str()).collect();
    assert_eq!(touched, [".obsidian/bookmarks.json", CANVAS, FROM, TO, "10_features/Notes.md", "Other.md"]);
    assert_eq!(moved.problems, []);
}

#[test]
fn a_move_goes_on_after_a_crash_behind_the_rename() {
    let place = linked();
    let scan = Scanner::new(&place.vault).scan().unwrap();
    fs::create_dir_all(place.file(".ado")).unwrap();
    fs::rename(place.file(FROM), place.file(TO)).unwrap();
    let moved = relocate(&place.lock(), &place.vault, &note(FROM), &note(TO), &scan).unwrap();
    assert_mended(&place);
    assert!(moved.touched.contains(&note("Other.md")));
    let again = relocate(&place.lock(), &place.vault, &note(FROM), &note(TO), &scan).unwrap();
    assert_eq!(again.touched, [note(FROM), note(TO)]);
}

#[test]
fn relative_links_out_of_the_note_follow_it_to_another_depth() {
    let place = linked();
    let deep = note("70_reports/FR-001 Dark mode.md");
    let scan = Scanner::new(&place.vault).scan().unwrap();
    relocate(&place.lock(), &place.vault, &note(FROM), &deep, &scan).unwrap();
    assert_eq!(place.text(deep.as_str()), "See [notes](../10_features/Notes.md).\n");
}

#[test]
fn nothing_is_overwritten_and_a_missing_note_is_said() {
    let place = linked();
    let scan = Scanner::new(&place.vault).scan().unwrap();
    place.write(TO, "another\n");
    let refused = relocate(&place.lock(), &place.vault, &note(FROM), &note(TO), &scan);
    assert!(matches!(refused, Err(VaultError::Exists { .. })));
    assert_eq!(place.text(TO), "another\n");
    assert_eq!(place.text(FROM), "See [notes](../Notes.md).\n");
    let missing = relocate(&place.lock(), &place.vault, &note("none.md"), &note("some.md"), &scan);
    assert!(matches!(missing, Err(VaultError::Missing { .. })));
}

#[test]
fn a_folder_s_move_goes_on_after_a_crash_behind_the_rename() {
    let place = Place::bare();
    place.write("a/One.md", "[[a/Two]] [h](../Home.md)\n");
    place.write("a/Two.md", "");
    place.write("Home.md", "[one](a/One.md) [[a/Two]]\n");
    let scan = Scanner::new(&place.vault).scan().unwrap();
    let (from, to) = (note("a"), note("b/c"));
    // The record of a move that was begun, as it stands when the process is killed behind the rename.
    let hash = |text: &str| ado_vault::domain::ContentHash::of(text);
    let record = serde_json::json!({
        "from": from, "to": to, "is_folder": true, "touched": [],
        "files": [
            {"from": "a/One.md", "to": "b/c/One.md", "text": hash("[[a/Two]] [h](../Home.md)\n")},
            {"from": "a/Two.md", "to": "b/c/Two.md", "text": hash("")},
        ],
    });
    place.write(".ado/move.json", &record.to_string());
    fs::create_dir(place.file("b")).unwrap();
    fs::rename(place.file("a"), place.file("b/c")).unwrap();
    let moved = relocate(&place.lock(), &place.vault, &from, &to, &scan).unwrap();
    assert_eq!(place.text("b/c/One.md"), "[[b/c/Two]] [h](../../Home.md)\n");
    assert_eq!(place.text("Home.md"), "[one](b/c/One.md) [[b/c/Two]]\n");
    assert!(moved.touched.contains(&note("Home.md")) && moved.touched.contains(&note("a/Two.md")));
    assert!(!place.file(".ado/move.json").exists());
}

/// A feature note that ado edited and moved while an editor had it open.
fn moved_under_an_editor() -> (Place, &'static str) {
    let place = Place::bare();
    let opened = "---\nid: FR-001\nstatus: planned\n---\n\nOne.\n\nTwo.\n";
    place.write(FROM, opened);
    edit(&place.lock(), &place.vault, &note(FROM), |text| {
        Ok::<_, std::convert::Infallible>(text.replace("planned", "in_progress"))
    })
    .unwrap();
    let scan = Scanner::new(&place.vault).scan().unwrap();
    relocate(&place.lock(), &place.vault, &note(FROM), &note(TO), &scan).unwrap();
    (place, opened)
}

#[test]
fn a_save_by_rename_to_where_a_moved_note_was_goes_where_it_is() {
    let (place, opened) = moved_under_an_editor();
    place.write(FROM, &opened.replace("Two.", "Two, token."));
    let mut sweeper = Sweeper::new(&place.vault);
    let hour = Duration::from_secs(3_600);
    assert!(!sweeper.is_due(hour).unwrap(), "it is still being saved");
    assert!(sweeper.is_due(Duration::ZERO).unwrap());
    assert_eq!(sweeper.sweep(&place.lock(), Duration::ZERO).unwrap(), [note(TO)]);
    assert!(!place.file(FROM).exists());
    assert_eq!(place.text(TO), "---\nid: FR-001\nstatus: in_progress\n---\n\nOne.\n\nTwo, token.\n");

    // Once more, after ado moved it on; and saved without any change.
    let on = "10_features/05_review/FR-001 Dark mode.md";
    let scan = Scanner::new(&place.vault).scan().unwrap();
    relocate(&place.lock(), &place.vault, &note(TO), &note(on), &scan).unwrap();
    place.write(FROM, &opened.replace("One.", "One, token."));
    sweeper.sweep(&place.lock(), Duration::ZERO).unwrap();
    assert_eq!(place.text(on), "---\nid: FR-001\nstatus: in_progress\n---\n\nOne, token.\n\nTwo, token.\n");
    let before = place.text(on);
    place.write(FROM, opened);
    sweeper.sweep(&place.lock(), Duration::ZERO).unwrap();
    assert_eq!((place.file(FROM).exists(), place.text(on)), (false, before));
}

#[test]
fn another_note_where_a_moved_one_was_stays_whatever_its_id() {
    for text in [
        "---\nid: FR-002\nstatus: planned\n---\n\nOne.\n",
        "---\nid: FR-001\nstatus: done\n---\n\nSomething else.\n",
        "no id\n",
        "",
    ] {
        let (place, _) = moved_under_an_editor();
        let there = place.text(TO);
        place.write(FROM, text);
        Sweeper::new(&place.vault).sweep(&place.lock(), Duration::ZERO).unwrap();
        assert_eq!((place.text(FROM), place.text(TO)), (text.to_owned(), there));
    }
}
