//! Two machines claim runs at one remote: each run is had by exactly one, and both know by whom.

use std::path::Path;
use std::sync::Barrier;

use ado_vault::domain::{MachineName, RunId};
use ado_vault::vault::{Claimed, History, Vault, machine};

use crate::common::{Place, git};

struct Shared {
    place: Place,
    origin: std::path::PathBuf,
    other: Vault,
}

/// A vault with a bare remote, and a clone of it.
fn shared() -> Shared {
    let place = Place::with_git("");
    let outside = tempfile::tempdir_in(place.folder.path().parent().unwrap()).unwrap().keep();
    let origin = outside.join("origin.git");
    git(&outside, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    place.git(&["remote", "add", "origin", origin.to_str().unwrap()]);
    place.git(&["push", "-q", "origin", "main"]);
    git(&outside, &["clone", "-q", origin.to_str().unwrap(), "two"]);
    let other = Vault::open(&outside.join("two")).unwrap();
    Shared { place, origin, other }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.origin.parent().unwrap());
    }
}

fn run(number: u32) -> RunId {
    format!("FR-001/{number}").parse().unwrap()
}

fn refs(at: &Path) -> String {
    git(at, &["for-each-ref", "--format=%(refname)"])
}

#[test]
fn of_two_machines_exactly_one_has_a_run_however_often_they_race() {
    let shared = shared();
    let (one, two) = (&shared.place.vault, &shared.other);
    assert_ne!(machine(one), machine(two), "two clones on one host are two machines");
    let names: [MachineName; 2] = [machine(one), machine(two)];
    let start = Barrier::new(2);
    for number in 1..=25 {
        let claims: Vec<Claimed> = std::thread::scope(|scope| {
            let race = |vault: &Vault| {
                let (vault, start) = (vault.clone(), &start);
                scope.spawn(move || {
                    let history = History::open(&vault).unwrap();
                    start.wait();
                    history.claim(&run(number), &machine(&vault), false).unwrap()
                })
            };
            let racers = [race(one), race(two)];
            racers.map(|racer| racer.join().unwrap()).into_iter().collect()
        });
        let winner = claims.iter().position(|claim| *claim == Claimed::Ours).unwrap();
        assert_eq!(claims[1 - winner], Claimed::Theirs(names[winner].clone()), "round {number}");
        for vault in [one, two] {
            let known = History::open(vault).unwrap().claims(&[run(number)]).unwrap();
            assert_eq!(known.get(&run(number)), Some(&names[winner]), "round {number}");
            // Asked again, also after a restart, the answer is the same.
            let again = History::open(vault).unwrap().claim(&run(number), &machine(vault), false).unwrap();
            assert_eq!(again == Claimed::Ours, machine(vault) == names[winner]);
        }
    }
}

#[test]
fn a_claim_pushes_no_branch_and_touches_nothing_of_the_user() {
    let shared = shared();
    let place = &shared.place;
    place.write("10_features/03_planned/FR-001 A.md", "unpushed\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "not for others yet"]);
    place.write("10_features/03_planned/FR-002 B.md", "staged\n");
    place.git(&["add", "-A"]);
    let before = (place.git(&["rev-parse", "HEAD"]), place.git(&["status", "--porcelain"]));
    let history = History::open(&place.vault).unwrap();
    assert_eq!(history.claim(&run(1), &machine(&place.vault), false).unwrap(), Claimed::Ours);
    assert_eq!((place.git(&["rev-parse", "HEAD"]), place.git(&["status", "--porcelain"])), before);
    assert_eq!(refs(&shared.origin), "refs/ado/claims/FR-001/1\nrefs/heads/main");
    assert_ne!(git(&shared.origin, &["rev-parse", "main"]), before.0);
}

/// The claim went through and the answer was lost: it is still this machine's.
#[test]
fn a_claim_whose_answer_was_lost_is_known_again() {
    let shared = shared();
    let place = &shared.place;
    let history = History::open(&place.vault).unwrap();
    history.claim(&run(1), &machine(&place.vault), false).unwrap();
    place.git(&["update-ref", "-d", "refs/ado/claims/FR-001/1"]);
    assert_eq!(history.claim(&run(1), &machine(&place.vault), false).unwrap(), Claimed::Ours);
    assert_eq!(history.claims(&[run(1)]).unwrap().len(), 1);
}

#[test]
fn a_human_s_word_takes_a_run_over_without_force() {
    let shared = shared();
    let (one, two) = (History::open(&shared.place.vault).unwrap(), History::open(&shared.other).unwrap());
    let (first, second) = (machine(&shared.place.vault), machine(&shared.other));
    one.claim(&run(1), &first, false).unwrap();
    assert_eq!(two.claim(&run(1), &second, false).unwrap(), Claimed::Theirs(first));
    git(&shared.origin, &["config", "receive.denyNonFastForwards", "true"]);
    assert_eq!(two.claim(&run(1), &second, true).unwrap(), Claimed::Ours);
    assert_eq!(git(&shared.origin, &["log", "--format=%s", "refs/ado/claims/FR-001/1"]).lines().count(), 2);
}

#[test]
fn a_remote_that_is_gone_or_takes_no_claims_gives_nobody_the_run() {
    let shared = shared();
    let history = History::open(&shared.place.vault).unwrap();
    let here = machine(&shared.place.vault);
    let hook = shared.origin.join("hooks/update");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'no claims here' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let refused = history.claim(&run(1), &here, false).unwrap_err();
    assert!(refused.to_string().contains("claim FR-001/1"), "{refused}");
    assert!(history.claims(&[run(1)]).unwrap().is_empty());
    shared.place.git(&["remote", "set-url", "origin", "/nowhere/at/all.git"]);
    assert!(history.claim(&run(1), &here, false).is_err());
    shared.place.git(&["remote", "remove", "origin"]);
    assert_eq!(history.claim(&run(1), &here, false).unwrap(), Claimed::NoRemote);
}

/// They stay at the remote, one reference and one small commit a run; a look costs what is at work, not what ever was.
#[test]
fn claims_of_runs_long_ended_are_not_looked_into() {
    let shared = shared();
    let place = &shared.place;
    let history = History::open(&place.vault).unwrap();
    let here = machine(&place.vault);
    for number in 1..=2 {
        assert_eq!(history.claim(&run(number), &here, false).unwrap(), Claimed::Ours);
    }
    let commit = place.git(&["rev-parse", "refs/ado/claims/FR-001/1"]);
    assert!(place.git(&["cat-file", "-s", &commit]).parse::<u32>().unwrap() < 512);
    assert_eq!(place.git(&["ls-tree", "-r", &commit]), "", "it holds no files");
    // One that nobody asks for may be anything.
    std::fs::write(place.file(".git/refs/ado/claims/FR-001/1"), "damaged\n").unwrap();
    assert_eq!(history.claims(&[run(2)]).unwrap(), [(run(2), here.clone())].into());
    assert!(history.claims(&["FR-002/1".parse().unwrap()]).unwrap().is_empty());
    std::fs::write(place.file(".git/refs/ado/claims/FR-001/1"), format!("{commit}\n")).unwrap();
    place.git(&["pack-refs", "--all"]);
    assert!(!place.file(".git/refs/ado/claims/FR-001/2").exists());
    assert_eq!(history.claims(&[run(2)]).unwrap(), [(run(2), here)].into());
}
