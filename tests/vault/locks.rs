//! One writer and one engine at a time; the dead hold nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::slice::from_ref;

use ado_vault::vault::{CommitMessage, History, VaultError, VaultLock, WatchLock};

use crate::common::Place;

/// Git's locks that stand in the way of a commit, beside the vault's own in `.ado/`.
const LOCKS: [&str; 4] = ["index.lock", "HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"];

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
    fs::write(place.file(".ado/lock"), "1 1 writing\n").unwrap();
    drop(place.lock());
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

#[test]
fn a_lock_of_another_git_program_is_said_and_never_removed() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    for name in LOCKS {
        let lock = place.file(".git").join(name);
        fs::write(&lock, "someone's").unwrap();
        let why = history.blocked().unwrap();
        assert!(why.contains(&lock.display().to_string()), "{why}");
        history.repair(&place.lock()).unwrap();
        let a = place.write("A.md", name);
        let message = CommitMessage { subject: name.into(), ..CommitMessage::default() };
        let made = history.commit(&place.lock(), from_ref(&a), &message);
        assert_eq!(made.is_err(), name == "refs/heads/main.lock", "{made:?}");
        assert_eq!(fs::read_to_string(&lock).unwrap(), "someone's");
        fs::remove_file(&lock).unwrap();
        assert_eq!(history.blocked(), None);
        history.repair(&place.lock()).unwrap();
        history.commit(&place.lock(), &[a], &message).unwrap();
        assert_eq!(place.git(&["status", "--porcelain"]), "", "{name}");
    }
}

/// A lock is known by its second name, which says whose it is.
#[test]
fn our_own_lock_is_removed_once_its_process_is_gone() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
    let living = format!("lock-{}-{start}-1", std::process::id());
    for (name, is_left) in [(format!("lock-{}-1-1", child.id()), true), (living, false)] {
        for lock in ["index.lock", "refs/heads/main.lock", "refs/ado/claims/FR-001/1.lock"] {
            let (lock, mark) = (place.file(".git").join(lock), place.file(".git/ado-vault").join(&name));
            fs::create_dir_all(mark.parent().unwrap()).unwrap();
            fs::create_dir_all(lock.parent().unwrap()).unwrap();
            fs::write(&mark, "").unwrap();
            fs::hard_link(&mark, &lock).unwrap();
            assert_eq!(history.blocked(), None, "no other program's");
            history.repair(&place.lock()).unwrap();
            assert_eq!((lock.exists(), mark.exists()), (!is_left, !is_left), "{}", lock.display());
            if !is_left {
                fs::remove_file(lock).unwrap();
                fs::remove_file(mark).unwrap();
            }
        }
    }
}
