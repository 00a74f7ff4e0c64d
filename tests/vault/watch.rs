//! A watch says where to look, soon after something happened, and polls in any case. With `ADO_TEST_LONG` set the checkout
//! moves 10,000 notes in place of 2,000.

use std::fs;
use std::time::Duration;

use ado_vault::vault::{Look, Watch};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::common::Place;

const LONG: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(20);

/// Waits until a look names a path that ends so, or is a poll.
async fn wait_for(looks: &mut Receiver<Look>, end: &str) -> Look {
    timeout(SOON, async {
        loop {
            let look = looks.recv().await.unwrap();
            match &look {
                Look::Changed(paths) if paths.iter().any(|path| path.as_str().ends_with(end)) => return look,
                Look::Poll if end.is_empty() => return look,
                _ => {}
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn moves_new_folders_and_saves_are_seen() {
    let place = Place::bare();
    place.write("10_features/03_planned/FR-001 A.md", "one\n");
    let (watch, mut looks) = Watch::start(&place.vault, Duration::from_millis(5), LONG).unwrap();
    assert_eq!(watch.mode(), "events+poll");
    fs::rename(
        place.file("10_features/03_planned/FR-001 A.md"),
        place.file("10_features/04_in_progress/FR-001 A.md"),
    )
    .unwrap();
    wait_for(&mut looks, "04_in_progress/FR-001 A.md").await;
    fs::write(place.file("10_features/04_in_progress/FR-001 A.md"), "two\n").unwrap();
    wait_for(&mut looks, "FR-001 A.md").await;
    fs::create_dir(place.file("10_features/08_new")).unwrap();
    wait_for(&mut looks, "08_new").await;
    fs::write(place.file("10_features/08_new/FR-002 B.md"), "x\n").unwrap();
    wait_for(&mut looks, "08_new/FR-002 B.md").await;
    // A top-level folder that was not there at the start.
    fs::create_dir(place.file("80_pull_requests")).unwrap();
    wait_for(&mut looks, "80_pull_requests").await;
    fs::write(place.file("80_pull_requests/PR-0001 A.md"), "x\n").unwrap();
    wait_for(&mut looks, "PR-0001 A.md").await;
}

#[tokio::test]
async fn what_no_look_depends_on_wakes_nobody() {
    let place = Place::bare();
    for folder in [".git", ".obsidian", "60_runs/FR-001/1"] {
        fs::create_dir_all(place.file(folder)).unwrap();
    }
    let (_watch, mut looks) = Watch::start(&place.vault, Duration::from_millis(5), LONG).unwrap();
    for quiet in
        [".git/index", ".obsidian/workspace.json", "60_runs/FR-001/1/journal.jsonl", "10_features/.tmp"]
    {
        fs::write(place.file(quiet), "x").unwrap();
    }
    place.write("10_features/last.md", "x\n");
    let look = timeout(SOON, looks.recv()).await.unwrap().unwrap();
    let Look::Changed(paths) = look else { panic!("{look:?}") };
    assert!(paths.iter().all(|path| path.as_str() == "10_features/last.md"), "{paths:?}");
}

#[tokio::test]
async fn polling_works_alone() {
    let place = Place::bare();
    let (_watch, mut looks) = Watch::start(&place.vault, LONG, Duration::from_millis(5)).unwrap();
    wait_for(&mut looks, "").await;
    wait_for(&mut looks, "").await;
}

#[tokio::test]
async fn where_the_system_gives_no_events_polling_goes_on_and_says_why() {
    let place = Place::bare();
    // A folder that is not there cannot be watched.
    fs::remove_dir_all(place.vault.root()).unwrap();
    let (watch, mut looks) = Watch::start(&place.vault, LONG, Duration::from_millis(5)).unwrap();
    let mode = watch.mode();
    assert!(mode.starts_with("poll only: ") && mode.len() > "poll only: ".len(), "{mode}");
    wait_for(&mut looks, "").await;
    wait_for(&mut looks, "").await;
}

/// Takes looks until one may stand for a change of `path`: it names it or a folder above it, or is a full one.
async fn wait_for_sight_of(looks: &mut Receiver<Look>, path: &str) {
    timeout(SOON, async {
        loop {
            match looks.recv().await.unwrap() {
                Look::Poll => return,
                Look::Changed(paths) => {
                    if paths.iter().any(|seen| path == seen.as_str() || path.starts_with(&format!("{seen}/")))
                    {
                        return;
                    }
                }
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{path} was not seen"));
}

/// A file in folders that were made in the same instant is seen, and so is a later save of it.
#[tokio::test]
async fn files_in_folders_made_in_the_same_instant_are_seen_and_stay_in_sight() {
    let place = Place::bare();
    let (_watch, mut looks) = Watch::start(&place.vault, Duration::from_millis(2), LONG).unwrap();
    for round in 0..20 {
        let path = format!("10_features/deep{round}/a/b/FR-{round:03} A.md");
        place.write(&path, "one\n");
        wait_for_sight_of(&mut looks, &path).await;
        while looks.try_recv().is_ok() {}
        place.write(&path, "two\n");
        wait_for_sight_of(&mut looks, &path).await;
        let top = format!("9{round}_made");
        place.write(&format!("{top}/a.md"), "one\n");
        wait_for_sight_of(&mut looks, &format!("{top}/a.md")).await;
    }
}

#[tokio::test]
async fn a_moved_folder_stays_in_sight_and_a_removed_one_comes_back() {
    let place = Place::bare();
    place.write("10_features/06_done/2025/FR-001 A.md", "one\n");
    let (_watch, mut looks) = Watch::start(&place.vault, Duration::from_millis(2), LONG).unwrap();
    fs::rename(place.file("10_features/06_done/2025"), place.file("10_features/06_done/2026")).unwrap();
    wait_for_sight_of(&mut looks, "10_features/06_done/2026").await;
    while timeout(Duration::from_millis(50), looks.recv()).await.is_ok() {}
    place.write("10_features/06_done/2026/FR-001 A.md", "two\n");
    wait_for_sight_of(&mut looks, "10_features/06_done/2026/FR-001 A.md").await;

    fs::remove_dir_all(place.file("10_features/06_done")).unwrap();
    wait_for_sight_of(&mut looks, "10_features/06_done").await;
    while timeout(Duration::from_millis(50), looks.recv()).await.is_ok() {}
    place.write("10_features/06_done/FR-002 B.md", "one\n");
    wait_for_sight_of(&mut looks, "10_features/06_done/FR-002 B.md").await;
}

/// As many moves at once as `git checkout` makes: after the last of them a look is asked for.
#[tokio::test]
async fn a_checkout_of_thousands_of_notes_is_not_missed() {
    let notes: usize = if std::env::var_os("ADO_TEST_LONG").is_some() { 10_000 } else { 2_000 };
    let place = Place::unborn("");
    for number in 0..notes {
        fs::write(place.file(&format!("10_features/03_planned/FR-{number:05} A.md")), format!("{number}\n"))
            .unwrap();
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "planned"]);
    place.git(&["switch", "-q", "-c", "done"]);
    fs::remove_dir(place.file("10_features/04_in_progress")).unwrap();
    place.git(&["mv", "10_features/03_planned", "10_features/04_in_progress"]);
    place.git(&["commit", "-q", "-m", "in progress"]);
    place.git(&["switch", "-q", "main"]);

    let (_watch, mut looks) = Watch::start(&place.vault, Duration::from_millis(50), LONG).unwrap();
    let root = place.folder.path().to_owned();
    let storm = tokio::task::spawn_blocking(move || crate::common::git(&root, &["switch", "-q", "done"]));
    let mut unseen: std::collections::BTreeSet<String> =
        (0..notes).map(|number| format!("10_features/04_in_progress/FR-{number:05} A.md")).collect();
    timeout(SOON * 3, async {
        while !unseen.is_empty() {
            looks.recv().await.unwrap();
            // What is on disk now is seen by the look that is asked for.
            unseen.retain(|path| !place.file(path).exists());
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{} moves were not seen", unseen.len()));
    storm.await.unwrap();
    while timeout(Duration::from_millis(200), looks.recv()).await.is_ok() {}
    place.write("10_features/04_in_progress/FR-00007 A.md", "after the storm\n");
    wait_for_sight_of(&mut looks, "10_features/04_in_progress/FR-00007 A.md").await;
}
