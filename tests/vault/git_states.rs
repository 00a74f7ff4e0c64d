//! Repositories in every state and of every kind that people have: what can be committed to is, `git status` tells the
//! truth after it, and what cannot is refused with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::slice::from_ref;

use ado_vault::domain::NotePath;
use ado_vault::vault::{CommitMessage, History, Vault, VaultError, VaultLock};

use crate::common::{Place, git, note};

const A: &str = "10_features/03_planned/FR-001 A.md";
const B: &str = "10_features/03_planned/FR-002 B.md";
const C: &str = "10_features/03_planned/FR-003 C.md";

fn message() -> CommitMessage {
    CommitMessage { subject: "ado".into(), ..CommitMessage::default() }
}

fn commit(vault: &Vault, paths: &[NotePath]) -> Result<(), VaultError> {
    let lock = VaultLock::acquire(vault)?;
    History::open(vault)?.commit(&lock, paths, &message()).map(|made| assert!(made.is_some()))
}

/// A and B committed; B partly staged, C staged as new.
fn busy(inside: &str) -> Place {
    let place = Place::unborn(inside);
    for path in [A, B] {
        place.write(path, "one\n");
    }
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "begin"]);
    place.write(B, "one\nstaged\n");
    place.write(C, "new\n");
    git(place.vault.root(), &["add", B, C]);
    place.write(B, "one\nstaged\nnot staged\n");
    place
}

/// What a human sees of their own work, from the vault's folder.
fn work_of(place: &Place) -> [String; 3] {
    [&["status", "--porcelain"][..], &["diff", "--cached"], &["diff"]]
        .map(|args| git(place.vault.root(), args))
}

/// Commits a change, a deletion and an addition of ado's own and holds the human's work against what it was.
fn commits_and_leaves_the_human_alone(place: &Place) {
    let before = work_of(place);
    assert!(before[0].contains("MM") && before[0].contains("A "), "{before:?}");
    let a = place.write(A, "ado\n");
    commit(&place.vault, from_ref(&a)).unwrap();
    assert_eq!(work_of(place), before, "after a change");
    fs::remove_file(place.file(A)).unwrap();
    commit(&place.vault, from_ref(&a)).unwrap();
    assert_eq!(work_of(place), before, "after a deletion");
    let d = place.write("10_features/04_in_progress/FR-004 D.md", "ado\n");
    commit(&place.vault, from_ref(&d)).unwrap();
    assert_eq!(work_of(place), before, "after an addition");
    // Of the commits alone: git itself names trees in a sparse index that it does not write.
    place.git(&["fsck", "--strict", "--no-dangling", "HEAD"]);
}

fn may_fail(place: &Place, arguments: &[&str]) {
    let _ = Command::new("git")
        .arg("-C")
        .arg(place.folder.path())
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_EDITOR", "true")
        .output()
        .unwrap();
}

#[test]
fn an_unfinished_merge_rebase_cherry_pick_revert_or_am_is_left_to_its_human() {
    for (begin, named, abort) in [
        (&["merge", "other"][..], "git merge --abort", &["merge", "--abort"][..]),
        (&["rebase", "other"], "git rebase --abort", &["rebase", "--abort"]),
        (&["rebase", "--apply", "other"], "git rebase --abort", &["rebase", "--abort"]),
        (&["cherry-pick", "other"], "git cherry-pick --abort", &["cherry-pick", "--abort"]),
        (&["revert", "--no-edit", "HEAD~1"], "git revert --abort", &["revert", "--abort"]),
    ] {
        let place = Place::unborn("");
        for (text, branch) in [("one\n", None), ("theirs\n", Some("other"))] {
            if let Some(branch) = branch {
                place.git(&["switch", "-q", "-c", branch]);
            }
            place.write(A, text);
            place.git(&["add", "-A"]);
            place.git(&["commit", "-q", "-m", text.trim()]);
        }
        place.git(&["switch", "-q", "main"]);
        for text in ["ours\n", "ours, again\n"] {
            place.write(A, text);
            place.git(&["commit", "-q", "-a", "-m", text.trim()]);
        }
        may_fail(&place, begin);
        let (head, seen) = (place.git(&["rev-parse", "HEAD"]), place.git(&["status", "--porcelain"]));
        assert!(seen.contains("UU"), "{begin:?} conflicts: {seen}");
        let index = fs::read(place.file(".git/index")).unwrap();

        let b = place.write(B, "ado\n");
        let history = History::open(&place.vault).unwrap();
        let why = history.blocked().unwrap_or_default();
        assert!(why.contains(named), "{begin:?}: {why}");
        let lock = place.lock();
        for refused in
            [history.commit(&lock, from_ref(&b), &message()), history.commit_human(&lock, from_ref(&b))]
        {
            assert!(matches!(refused, Err(VaultError::Blocked { .. })), "{begin:?}: {refused:?}");
        }
        drop(lock);
        fs::remove_file(place.file(B)).unwrap();
        assert_eq!((place.git(&["rev-parse", "HEAD"]), place.git(&["status", "--porcelain"])), (head, seen));
        assert_eq!(fs::read(place.file(".git/index")).unwrap(), index, "{begin:?}");

        place.git(abort);
        let b = place.write(B, "ado\n");
        commit(&place.vault, from_ref(&b)).unwrap();
        assert_eq!(place.git(&["status", "--porcelain"]), "", "{begin:?}");
    }
}

#[test]
fn every_kind_of_index_is_kept_truthful() {
    for (settings, update) in [
        (&[][..], &["--index-version", "2"][..]),
        (&["index.version=4"], &["--index-version", "4"]),
        (&["core.untrackedCache=true"], &["--untracked-cache"]),
        (&["core.splitIndex=true"], &["--split-index"]),
        (&["feature.manyFiles=true", "index.skipHash=true"], &["--force-write-index"]),
    ] {
        let place = busy("");
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap();
            place.git(&["config", key, value]);
        }
        place.git(&[&["update-index"], update].concat());
        commits_and_leaves_the_human_alone(&place);
    }
}

#[test]
fn a_file_system_monitor_of_the_human_is_not_asked_and_not_deceived() {
    let place = busy("");
    let hook = place.folder.path().join(".git/monitor");
    // Version 2 of the protocol: everything may have changed.
    fs::write(&hook, "#!/bin/sh\nprintf 'token\\0/\\0'\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["config", "core.fsmonitor", hook.to_str().unwrap()]);
    place.git(&["config", "core.fsmonitorHookVersion", "2"]);
    place.git(&["update-index", "--fsmonitor"]);
    place.git(&["status"]);
    commits_and_leaves_the_human_alone(&place);
}

#[test]
fn a_sparse_checkout_keeps_what_is_not_checked_out() {
    for sparse_index in ["false", "true"] {
        let place = busy("vault");
        for file in ["code/src/main.rs", "docs/a.md", "readme.txt"] {
            let file = place.folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "theirs\n").unwrap();
        }
        place.git(&["add", "code", "docs", "readme.txt"]);
        place.git(&["commit", "-q", "-m", "code", "code", "docs", "readme.txt"]);
        place.git(&["config", "index.sparse", sparse_index]);
        place.git(&["sparse-checkout", "set", "--cone", "vault"]);
        assert!(!place.folder.path().join("code").exists());
        commits_and_leaves_the_human_alone(&place);
        assert_eq!(place.git(&["show", "HEAD:code/src/main.rs"]), "theirs");
        assert!(!place.folder.path().join("code").exists());
        place.git(&["sparse-checkout", "disable"]);
        assert!(place.folder.path().join("code/src/main.rs").exists());
    }
}

#[test]
fn a_vault_in_a_folder_of_its_code_leaves_the_code_alone() {
    let place = busy("vault");
    let code = place.folder.path().join("main.rs");
    fs::write(&code, "fn main() {}\n").unwrap();
    place.git(&["add", "main.rs"]);
    fs::write(&code, "fn main() { todo!() }\n").unwrap();
    commits_and_leaves_the_human_alone(&place);
    assert!(place.git(&["status", "--porcelain"]).contains("AM main.rs"));
    assert!(!place.git(&["ls-tree", "-r", "HEAD", "--name-only"]).contains("main.rs"));
}

#[test]
fn a_linked_worktree_is_committed_to_on_its_own_branch() {
    let place = Place::with_git("");
    let elsewhere = tempfile::tempdir().unwrap();
    let linked = elsewhere.path().join("linked");
    place.git(&["worktree", "add", "-q", "-b", "notes", linked.to_str().unwrap()]);
    let before = place.git(&["rev-parse", "main"]);
    let vault = Vault::open(&linked).unwrap();
    for (path, text) in [(A, "one\n"), (B, "one\n")] {
        fs::create_dir_all(linked.join(path).parent().unwrap()).unwrap();
        fs::write(linked.join(path), text).unwrap();
    }
    git(&linked, &["add", B]);
    commit(&vault, &[note(A)]).unwrap();
    assert_eq!(git(&linked, &["status", "--porcelain"]), format!("A  \"{B}\""));
    assert_eq!(git(&linked, &["log", "--format=%s", "-1", "notes"]), "ado");
    assert_eq!(
        (place.git(&["rev-parse", "main"]), place.git(&["status", "--porcelain"])),
        (before, String::new())
    );
    place.git(&["worktree", "remove", "--force", linked.to_str().unwrap()]);
}

#[test]
fn a_vault_that_is_a_submodule_or_has_one_is_committed_to() {
    let inner = Place::with_git("");
    let outer = tempfile::tempdir().unwrap();
    git(outer.path(), &["init", "-q", "-b", "main"]);
    let from = inner.folder.path().to_str().unwrap();
    let allow = ["-c", "protocol.file.allow=always", "-c", "user.name=Ann", "-c", "user.email=a@example.org"];
    git(outer.path(), &[&allow[..], &["submodule", "--quiet", "add", "-b", "main", from, "vault"]].concat());
    git(outer.path(), &[&allow[..], &["commit", "-q", "-m", "submodule"]].concat());
    let root = outer.path().join("vault");
    git(&root, &["switch", "-q", "main"]);
    let vault = Vault::open(&root).unwrap();
    fs::create_dir_all(root.join(A).parent().unwrap()).unwrap();
    fs::write(root.join(A), "one\n").unwrap();
    commit(&vault, &[note(A)]).unwrap();
    assert_eq!(git(&root, &["status", "--porcelain"]), "");
    assert_eq!(git(&root, &["log", "--format=%s", "-1"]), "ado");
    assert_eq!(git(outer.path(), &["status", "--porcelain"]), " M vault", "the human commits the new state");

    let place = busy("");
    place.git(&[&allow[..], &["submodule", "--quiet", "add", from, "99_shared"]].concat());
    place.git(&[&allow[..], &["commit", "-q", "-m", "submodule", ".gitmodules", "99_shared"]].concat());
    commits_and_leaves_the_human_alone(&place);
}

#[test]
fn repositories_that_libgit2_cannot_write_are_refused_before_anything_is_touched() {
    for (kind, named) in [("--object-format=sha256", "sha256"), ("--ref-format=reftable", "refstorage")] {
        let place = Place::bare();
        place.git(&["init", "-q", "-b", "main", kind]);
        let refused = match History::open(&place.vault) {
            Err(error) => error,
            Ok(_) => panic!("{kind}: the repository was opened"),
        };
        let said = format!(
            "{refused} {}",
            std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default()
        );
        assert!(said.contains(named) && said.contains("git init"), "{kind}: {said}");
    }
}

/// Keys of the kind that people have, made for this test, and git's own verdict.
#[test]
fn commits_signed_by_ssh_and_by_openpgp_are_good_in_the_eyes_of_git() {
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("id");
    run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", key.to_str().unwrap()],
        keys.path(),
    );
    let public = fs::read_to_string(keys.path().join("id.pub")).unwrap();
    let allowed = keys.path().join("allowed");
    fs::write(&allowed, format!("ado-vault@localhost {public}")).unwrap();
    let literal = format!("key::{}", public.trim());
    let file = key.to_str().unwrap();
    let public_file = format!("{file}.pub");
    for signing_key in [file, &*public_file, &*literal] {
        // The literal key is looked up in an agent, which is not there.
        let by_agent = signing_key == literal;
        let place = Place::with_git("");
        place.git(&["config", "commit.gpgsign", "true"]);
        place.git(&["config", "gpg.format", "ssh"]);
        place.git(&["config", "gpg.ssh.allowedSignersFile", allowed.to_str().unwrap()]);
        place.git(&["config", "user.signingkey", signing_key]);
        let a = place.write(A, "one\n");
        if by_agent {
            let error = commit(&place.vault, &[a]).unwrap_err();
            assert!(error.to_string().contains("nothing was committed"), "{error}");
            continue;
        }
        commit(&place.vault, &[a]).unwrap();
        place.git(&["verify-commit", "HEAD"]);
        assert_eq!(place.git(&["log", "-1", "--format=%G?"]), "G", "{signing_key}");
    }

    // The folder's path is kept short: the agent's socket lies in it.
    let home = tempfile::Builder::new().prefix("pgp").tempdir_in("/tmp").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    run(
        "gpg",
        &[
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-gen-key",
            "Ann Human <ann@example.org>",
            "ed25519",
            "sign",
        ],
        home.path(),
    );
    let place = Place::with_git("");
    let program = home.path().join("gpg-at-home");
    fs::write(&program, format!("#!/bin/sh\nGNUPGHOME='{}' exec gpg \"$@\"\n", home.path().display()))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["config", "commit.gpgsign", "true"]);
    place.git(&["config", "gpg.program", program.to_str().unwrap()]);
    let a = place.write(A, "one\n");
    let signed = commit(&place.vault, &[a]);
    let verdict = signed.as_ref().map(|()| place.git(&["log", "-1", "--format=%G?"]));
    run("gpgconf", &["--kill", "all"], home.path());
    assert_eq!(verdict.unwrap(), "G");
}

fn run(program: &str, arguments: &[&str], home: &Path) {
    let output = Command::new(program).args(arguments).env("GNUPGHOME", home).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// As obsidian-git does it: everything is added and committed every so often, with no regard for others.
#[test]
fn commits_beside_a_program_that_commits_everything_lose_nothing() {
    const EACH: usize = 12;
    let place = Place::with_git("");
    let (root, vault) = (place.folder.path().to_owned(), place.vault.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..EACH {
                fs::write(root.join(B), format!("human {round}\n")).unwrap();
                let committed = || {
                    ["add -A", "commit -q --allow-empty -m backup"].iter().all(|arguments| {
                        let mut git = Command::new("git");
                        git.arg("-C").arg(&root).args(arguments.split(' '));
                        git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap().status.success()
                    })
                };
                while !committed() {}
            }
        });
        scope.spawn(|| {
            for round in 0..EACH {
                let path = note(&format!("10_features/04_in_progress/FR-1{round:02} D.md"));
                fs::write(root.join(path.as_str()), "ado\n").unwrap();
                let lock = VaultLock::acquire(&vault).unwrap();
                // The other program may have been first with this note.
                History::open(&vault).unwrap().commit(&lock, &[path], &message()).unwrap();
            }
        });
    });
    History::open(&place.vault).unwrap().repair(&place.lock()).unwrap();
    assert_eq!(
        place.git(&["log", "--format=%s"]).lines().filter(|subject| *subject == "backup").count(),
        EACH
    );
    for round in 0..EACH {
        assert_eq!(
            place.git(&["show", &format!("HEAD:10_features/04_in_progress/FR-1{round:02} D.md")]),
            "ado"
        );
    }
    assert_eq!(place.git(&["show", &format!("HEAD:{B}")]), format!("human {}", EACH - 1));
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    place.git(&["fsck", "--strict", "--no-dangling"]);
}
