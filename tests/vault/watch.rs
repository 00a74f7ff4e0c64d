//! A watch says where to look, soon after something happened, and polls in any case.

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
