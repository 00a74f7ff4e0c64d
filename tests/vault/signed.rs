//! Signatures of approvals, by SSH and by OpenPGP; the vault's own list of signers guards itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ado_vault::domain::{Event, RunId, Status};
use ado_vault::vault::{History, Journal, Question, VaultLock};
use jiff::Timestamp;

use crate::common::{Place, note};

const NOTE: &str = "10_features/04_in_progress/FR-001 A.md";
const LIST: &str = "30_policy/allowed_signers";

/// A key pair beside the vault; gives the private key's file and the line that enrols it.
fn key(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, format!("{name}@example.org {public}"))
}

fn save(place: &Place, message: &str, key: Option<&Path>) {
    place.git(&["add", "-A"]);
    match key {
        None => drop(place.git(&["commit", "-q", "-m", message])),
        Some(key) => {
            let key = format!("user.signingkey={}", key.display());
            place.git(&["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "-m", message]);
        }
    }
}

/// What the tick of the note is worth.
fn tick(place: &Place) -> Result<String, String> {
    let journal = note("60_runs/FR-001/1/journal.jsonl");
    let question = Question { note: &note(NOTE), journal: &journal, asked: 1 };
    History::open(&place.vault).unwrap().signed_tick(&question).unwrap()
}

/// A note that waits for an approval, with the record that asks for it.
fn asked(place: &Place) {
    let run: RunId = "FR-001/1".parse().unwrap();
    let (mut journal, ..) = Journal::open(&place.vault, &run).unwrap();
    journal
        .append(Timestamp::UNIX_EPOCH, Event::Moved { from: Status::Planned, to: Status::InProgress })
        .unwrap();
    place.write(NOTE, "---\nid: FR-001\napproved: false\n---\n");
}

/// A person's own gpg: keys, and a program that knows them.
struct Gpg {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Gpg {
    /// With one new key of that name; nothing where this machine has no gpg.
    fn of(name: &str) -> Option<Self> {
        // In `/tmp`: the path of the agent's socket must be short.
        let folder = tempfile::Builder::new().prefix("gpg-").tempdir_in("/tmp").unwrap();
        let program = folder.path().join("gpg");
        let script = format!("#!/bin/sh\nexec gpg --homedir '{}' \"$@\"\n", folder.path().display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("not run: signatures by OpenPGP: there is no `gpg` here");
            return None;
        }
        let gpg = Self { folder, program };
        let user = format!("{name} <{}@example.org>", name.to_lowercase());
        gpg.run(&["--batch", "--passphrase", "", "--quick-gen-key", &user, "ed25519", "sign", "never"], "");
        Some(gpg)
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self, place: &Place, message: &str) {
        let program = format!("gpg.program={}", self.program.display());
        let name = "user.signingkey=example.org";
        place.git(&["-c", "gpg.format=openpgp", "-c", &program, "-c", name, "commit", "-qaS", "-m", message]);
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let home = self.folder.path();
        let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).status();
    }
}

#[test]
fn a_signature_by_openpgp_counts_where_gpg_trusts_the_key() {
    let (Some(ann), Some(mallory)) = (Gpg::of("Ann"), Gpg::of("Mallory")) else { return };
    let place = Place::with_git("vault");
    place.git(&["config", "gpg.program", ann.program.to_str().unwrap()]);
    asked(&place);
    save(&place, "asked", None);
    let ticked = |text: &str, gpg: &Gpg| {
        place.write(NOTE, "---\nid: FR-001\napproved: false\n---\n");
        place.git(&["commit", "-q", "--allow-empty", "-am", "untick"]);
        place.write(NOTE, &format!("---\nid: FR-001\napproved: true\n---\n{text}\n"));
        gpg.commit(&place, "tick");
        tick(&place)
    };
    assert_eq!(ticked("a", &ann).as_deref(), Ok("Ann <ann@example.org>"));
    let why = ticked("b", &mallory).unwrap_err();
    assert!(why.contains("has an OpenPGP signature that is not good"), "a key that nobody knows: {why}");
    // Whoever can hand a key to the machine is not trusted for that.
    ann.run(&["--batch", "--import"], &mallory.run(&["--armor", "--export", "mallory@example.org"], ""));
    let why = ticked("c", &mallory).unwrap_err();
    assert!(why.contains("is signed by an OpenPGP key that your gpg does not trust"), "{why}");
    // Ann's signature of another commit.
    assert!(ticked("d", &ann).is_ok());
    let signed = place.git(&["cat-file", "commit", "HEAD"]);
    let (head, rest) = signed.split_once("gpgsig").unwrap();
    let forged = format!("{}gpgsig{rest}\n", head.replace("ann", "eve")).replace("tick", "tick and more");
    let file = place.file("forged");
    std::fs::write(&file, forged).unwrap();
    let forged = place.git(&["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
    place.git(&["reset", "-q", "--soft", forged.trim()]);
    let why = tick(&place).unwrap_err();
    assert!(why.contains("has an OpenPGP signature that is not good"), "{why}");
}

#[test]
fn what_ado_vault_commits_is_signed_by_openpgp_where_git_is_set_to() {
    let Some(ann) = Gpg::of("Ann") else { return };
    let place = Place::with_git("vault");
    for (name, value) in [
        ("gpg.program", ann.program.to_str().unwrap()),
        ("user.signingkey", "ann@example.org"),
        ("commit.gpgsign", "true"),
    ] {
        place.git(&["config", name, value]);
    }
    place.write(NOTE, "---\nid: FR-001\n---\n");
    let lock = VaultLock::acquire(&place.vault).unwrap();
    let history = History::open(&place.vault).unwrap();
    let made = history.commit_human(&lock, &[note(NOTE)]).unwrap().unwrap();
    assert_eq!(
        place.git(&["log", "-1", "--format=%H %G? %GS"]).trim(),
        format!("{made} G Ann <ann@example.org>")
    );
}

#[test]
fn who_is_not_on_the_list_cannot_get_onto_it() {
    let place = Place::with_git("vault");
    let keys = tempfile::tempdir().unwrap();
    let (ann, of_ann) = key(keys.path(), "ann");
    let (bob, of_bob) = key(keys.path(), "bob");
    let (mallory, of_mallory) = key(keys.path(), "mallory");
    asked(&place);
    place.write(LIST, &of_ann);
    save(&place, "asked", None);
    let ticked = |text: &str, key: &Path| {
        place.write(NOTE, "---\nid: FR-001\napproved: false\n---\n");
        place.git(&["commit", "-q", "--allow-empty", "-am", "untick"]);
        place.write(NOTE, &format!("---\nid: FR-001\napproved: true\n---\n{text}\n"));
        save(&place, "tick", Some(key));
        tick(&place)
    };
    assert_eq!(ticked("a", &ann).as_deref(), Ok("ann@example.org"));
    assert!(ticked("b", &mallory).unwrap_err().contains("is signed by a key that is not enrolled"));
    // Ann lets Bob in.
    place.write(LIST, &format!("{of_ann}{of_bob}"));
    save(&place, "bob too", Some(&ann));
    assert_eq!(ticked("c", &bob).as_deref(), Ok("bob@example.org"));
    // Mallory lets himself in; or throws the list away and begins a new one.
    let before = place.git(&["rev-parse", "HEAD"]);
    place.write(LIST, &format!("{of_ann}{of_mallory}"));
    save(&place, "mallory too", Some(&mallory));
    let why = ticked("d", &mallory).unwrap_err();
    assert!(
        why.contains("which changed `allowed_signers`, is signed by a key that is not enrolled"),
        "{why}"
    );
    place.git(&["reset", "-q", "--hard", &before]);
    std::fs::remove_file(place.file(LIST)).unwrap();
    save(&place, "no list", None);
    place.write(LIST, &of_mallory);
    save(&place, "a new list", None);
    let why = ticked("e", &mallory).unwrap_err();
    assert!(why.contains("which changed `allowed_signers`, is not signed"), "{why}");
}
