//! Pull and push between two clones of one vault.

use std::fs;
use std::path::Path;

use ado_vault::vault::{CommitMessage, History, Pulled, Pushed, Vault, VaultLock};

use crate::common::{Place, git, note};

const A: &str = "10_features/03_planned/FR-001 A.md";
const B: &str = "10_features/03_planned/FR-002 B.md";

fn commit(vault: &Vault, path: &str, text: &str) {
    let file = vault.root().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    let lock = VaultLock::acquire(vault).unwrap();
    let message = CommitMessage { subject: format!("write {path}"), ..CommitMessage::default() };
    History::open(vault).unwrap().commit(&lock, &[note(path)], &message).unwrap().unwrap();
}

fn clone_of(origin: &Path, place: &Place, name: &str) -> Vault {
    let folder = place.folder.path().join(name);
    git(place.folder.path(), &["clone", "-q", origin.to_str().unwrap(), name]);
    git(&folder, &["config", "user.name", "Ben"]);
    git(&folder, &["config", "user.email", "ben@example.org"]);
    Vault::open(&folder.join("one")).unwrap()
}

#[test]
fn a_vault_without_a_remote_says_so() {
    let place = Place::with_git("");
    let history = History::open(&place.vault).unwrap();
    assert_eq!(history.pull(&place.lock(), None).unwrap(), Pulled::NoRemote);
    assert_eq!(history.push(None).unwrap(), Pushed::NoRemote);
    assert!(history.push(Some("nowhere")).is_err());
}

#[test]
fn two_machines_meet_at_the_remote() {
    let place = Place::with_git("one");
    let origin = place.folder.path().join("origin.git");
    git(place.folder.path(), &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    place.git(&["remote", "add", "origin", origin.to_str().unwrap()]);
    let (one, lock) = (History::open(&place.vault).unwrap(), place.lock());
    assert_eq!(one.pull(&lock, None).unwrap(), Pulled::NoRemote);
    assert_eq!(one.push(None).unwrap(), Pushed::Pushed);
    assert_eq!(one.push(None).unwrap(), Pushed::UpToDate);
    drop(lock);

    let other = clone_of(&origin, &place, "two");
    assert_eq!(
        other.root(),
        fs::canonicalize(place.folder.path().join("two/one")).unwrap_or_default().as_path()
    );
    commit(&other, A, "from two\n");
    let two = History::open(&other).unwrap();
    assert_eq!(two.push(None).unwrap(), Pushed::Pushed);

    commit(&place.vault, B, "from one\n");
    assert!(matches!(one.push(None).unwrap(), Pushed::Rejected(_)));
    assert_eq!(one.pull(&place.lock(), None).unwrap(), Pulled::Updated);
    assert_eq!(place.text(A), "from two\n");
    assert_eq!(one.push(None).unwrap(), Pushed::Pushed);
    assert_eq!(one.pull(&place.lock(), None).unwrap(), Pulled::UpToDate);

    commit(&other, B, "two disagrees\n");
    let head = git(other.root(), &["rev-parse", "HEAD"]);
    let lock = VaultLock::acquire(&other).unwrap();
    assert!(two.pull(&lock, None).is_err());
    assert_eq!(git(other.root(), &["rev-parse", "HEAD"]), head);
    assert_eq!(fs::read_to_string(other.root().join(B)).unwrap(), "two disagrees\n");
    assert_eq!(two.blocked(), None);
}
