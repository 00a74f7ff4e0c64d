//! While nothing can be written or committed the engine waits, says why, and goes on by itself.
//!
//! Disks without room are made in a mount namespace of their own; where none can be had, that test says on stderr that it
//! was not run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ado_vault::domain::Status;
use ado_vault::engine::{Outcome, Said};
use ado_vault::note::PropertyValue;

use super::behaviour::*;

const WORKER: &str = "ADO_PAUSES_DISK";

/// Runs `until` at the first word that nothing can be done because of `why`.
fn when_paused(world: &World, why: &str, mut until: impl FnMut() + Send + 'static) {
    let why = why.to_owned();
    world.react(move |said| {
        let meant =
            matches!(said, Said::Problem { what } if what.starts_with("paused: ") && what.contains(&why));
        if meant {
            until();
        }
        meant
    });
}

fn set_status(world: &World, id: &str, to: Status) {
    world.set(&world.path(id), "status", PropertyValue::Text(to.slug().into()));
}

#[test]
fn locks_of_another_git_program_pause_the_engine_until_they_are_gone() {
    let world = World::new(&Talk::greeting());
    world.request(Status::New, "FR-001");
    world.save("a request");
    let folder = world.root().join(".git");
    let branch = git(world.root(), &["symbolic-ref", "HEAD"]).trim().to_owned();
    let locks = ["index".to_owned(), "HEAD".to_owned(), branch, "packed-refs".to_owned()];
    for (lock, to) in locks.iter().zip([Status::Ideas, Status::New].into_iter().cycle()) {
        let lock = folder.join(format!("{lock}.lock"));
        fs::write(&lock, "someone's").unwrap();
        assert!(world.look().observation.paused.unwrap().contains(&lock.display().to_string()));
        set_status(&world, "FR-001", to);
        let held = lock.clone();
        when_paused(&world, &lock.display().to_string(), move || {
            assert_eq!(fs::read_to_string(&held).unwrap(), "someone's");
            fs::remove_file(&held).unwrap();
        });
        assert_eq!(world.work(), Outcome::Idle);
        assert_eq!(world.status("FR-001"), to);
        assert!(!lock.exists());
        assert_eq!(git(world.root(), &["status", "--porcelain"]).trim(), "", "{}", lock.display());
    }
}

#[test]
fn a_hook_that_refuses_a_commit_is_reported_and_asked_again_until_it_agrees() {
    let world = World::new(&Talk::greeting());
    world.set("00_system/Settings.md", "commit_hooks", PropertyValue::Bool(true));
    world.request(Status::Planned, "FR-001");
    world.save("a request");
    let hook = world.root().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n").unwrap();
    allow(&hook, 0o755);
    world.react(move |said| {
        let meant =
            matches!(said, Said::Problem { what } if what.contains("`pre-commit` refuses: not on a Friday"));
        if meant {
            fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
        }
        meant
    });
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.status("FR-001"), Status::Review, "{:?}", world.problems());
    assert_eq!(world.problems().len(), 1, "{:?}", world.problems());
    assert_eq!(git(world.root(), &["status", "--porcelain"]).trim(), "");
    assert_eq!(git(world.root(), &["fsck", "--strict", "--no-dangling"]).trim(), "");
}

/// Not a test by itself: what is done on a small disk.
#[test]
fn worker() {
    let Some(disk) = std::env::var_os(WORKER).map(PathBuf::from) else { return };
    type Act = fn(&Path);
    let cases: [(&str, Act, Act); 3] = [
        ("hardly any space", fill_space, empty),
        ("hardly any files", fill_files, empty),
        ("may not write", |vault| allow(vault, 0o555), |vault| allow(vault, 0o755)),
    ];
    for ((what, spoil, mend), at_the_start) in
        cases.into_iter().flat_map(|case| [(case, false), (case, true)])
    {
        let world = World::new(&Talk::greeting());
        world.request(Status::New, "FR-001");
        world.save("a request");
        world.drag("FR-001", Status::Planned);
        let spoilt = if what == "may not write" { world.root() } else { &disk }.to_owned();
        let mended = spoilt.clone();
        if at_the_start {
            spoil(&spoilt);
        } else {
            world.when_started("code/1", move || spoil(&spoilt));
        }
        when_paused(&world, what, move || mend(&mended));
        assert_eq!(world.work(), Outcome::WaitsForHuman, "{what}");
        assert!(world.problems().iter().any(|problem| problem.contains(what)), "{:?}", world.problems());
        assert_eq!(world.status("FR-001"), Status::Review, "{what}: {}", world.waiting_on("FR-001"));
        assert_eq!(git(world.root(), &["status", "--porcelain"]).trim(), "", "{what}");
        assert_eq!(git(world.root(), &["fsck", "--strict", "--no-dangling"]).trim(), "", "{what}");
    }
}

fn fill_space(disk: &Path) {
    fs::create_dir(disk.join("filler")).unwrap();
    let mut file = fs::File::create(disk.join("filler/0")).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(0), &mut file);
}

fn fill_files(disk: &Path) {
    fs::create_dir(disk.join("filler")).unwrap();
    (0..).find(|number| fs::File::create(disk.join(format!("filler/{number}"))).is_err()).unwrap();
}

fn empty(disk: &Path) {
    fs::remove_dir_all(disk.join("filler")).unwrap();
}

fn allow(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_disk_without_room_and_a_read_only_folder_pause_the_engine_until_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let namespace = |test: &str| {
        let mut command = Command::new("unshare");
        // Permissions hold for root too where it may not pass them over.
        command.args(["--user", "--map-root-user", "--mount", "setpriv", "--bounding-set", "-dac_override"]);
        command.args(["sh", "-c"]);
        command.arg(format!("mount -t tmpfs -o size=32m,nr_inodes=4000 disk \"$0\" && {test}")).arg(&disk);
        command
    };
    if !namespace("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not run: a disk without room and a read-only folder; no disk can be mounted here");
        return;
    }
    let output = namespace("exec \"$1\" pauses::worker --exact --nocapture")
        .arg(std::env::current_exe().unwrap())
        .env(WORKER, &disk)
        .env("TMPDIR", &disk)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
