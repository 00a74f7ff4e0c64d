//! One writer and one engine at a time; the dead hold nothing.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ado_vault::vault::{VaultError, VaultLock, WatchLock};

use crate::common::Place;

#[test]
fn a_second_engine_is_refused_with_the_holder_s_pid() {
    let place = Place::bare();
    assert_eq!(WatchLock::holder(&place.vault), None);
    let held = WatchLock::acquire(&place.vault, "watch").unwrap();
    assert_eq!(WatchLock::holder(&place.vault), Some((std::process::id(), "watch".to_owned())));
    let refused = WatchLock::acquire(&place.vault, "run").unwrap_err();
    assert!(
        matches!(&refused, VaultError::Held { pid, what } if *pid == std::process::id() && what == "watch")
    );
    drop(held);
    assert_eq!(WatchLock::holder(&place.vault), None);
    WatchLock::acquire(&place.vault, "run").unwrap();
}

#[test]
fn writers_wait_for_each_other() {
    let place = Place::bare();
    let lock = place.lock();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| VaultLock::acquire(&place.vault).map(|_| ()));
        std::thread::yield_now();
        assert!(!waiting.is_finished());
        drop(lock);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_killed_holder_holds_nothing() {
    let place = Place::bare();
    std::fs::create_dir_all(place.file(".ado")).unwrap();
    let lock = place.file(".ado/watch.lock");
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(WatchLock::acquire(&place.vault, "watch").is_err());
    assert!(WatchLock::holder(&place.vault).is_some());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    WatchLock::acquire(&place.vault, "watch").unwrap();
}
