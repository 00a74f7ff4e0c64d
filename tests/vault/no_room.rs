//! A transition on a disk that runs full at every page of it: nothing is half written, and it goes through once there is
//! room. On a small disk in a mount namespace of its own; where none can be had, the test says so on stderr.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::process::Command;

use ado_vault::domain::{Event, RunId, Status};
use ado_vault::vault::{
    CommitMessage, History, Journal, Scanner, VaultLock, edit, finish_move, read_journal, relocate,
    sweep_kept, sweep_temporaries,
};
use jiff::Timestamp;

use crate::common::{Place, note};

const DISK: &str = "ADO_NO_ROOM_DISK";
const HERE: &str = "10_features/03_planned/FR-001 A.md";
const THERE: &str = "10_features/04_in_progress/FR-001 A.md";
const LEADS: &str = "Leads.md";
/// Pages, and files, that are left for a transition; it needs fewer than the most.
const MOST: usize = 40;

/// A transition from wherever it was cut off. Any part of it may find no room.
fn transition(place: &Place, history: &History) -> Result<(), Box<dyn std::error::Error>> {
    let lock = VaultLock::acquire(&place.vault)?;
    history.repair(&lock)?;
    let scan = Scanner::new(&place.vault).scan()?;
    let left = finish_move(&lock, &place.vault, &scan)?.map(|moved| moved.touched).unwrap_or_default();
    sweep_kept(&lock, &place.vault)?;
    sweep_temporaries(&lock, &place.vault)?;
    let run: RunId = "FR-001/1".parse()?;
    let (mut journal, records, _) = Journal::open(&place.vault, &run)?;
    if records.is_empty() {
        journal.append(Timestamp::now(), Event::Moved { from: Status::Planned, to: Status::InProgress })?;
    }
    let now = if place.file(HERE).exists() { HERE } else { THERE };
    edit(&lock, &place.vault, &note(now), |_| Ok::<_, Infallible>(text("in_progress")))
        .map_err(|error| error.to_string())?;
    let scan = Scanner::new(&place.vault).scan()?;
    let mut paths = vec![note(HERE), note(THERE), note(LEADS), journal.path()];
    paths.extend(left);
    if now == HERE {
        paths.extend(relocate(&lock, &place.vault, &note(HERE), &note(THERE), &scan)?.touched);
    }
    let message = CommitMessage { subject: "moved".into(), ..CommitMessage::default() };
    history.commit(&lock, &paths, &message)?;
    Ok(())
}

fn text(status: &str) -> String {
    format!("---\nstatus: {status}\n---\n{}\n", "Human text. ".repeat(600))
}

/// Not a test by itself: what is done on the small disk.
#[test]
fn worker() {
    let Some(disk) = std::env::var_os(DISK) else { return };
    let disk = Path::new(&disk);
    for (what, leave) in [("pages", leave_pages as fn(&Path, usize)), ("files", leave_files)] {
        let mut refused = 0;
        for left in 0..MOST {
            let place = Place::unborn("");
            place.write(HERE, &text("planned"));
            let leads = "[[10_features/03_planned/FR-001 A]] ".repeat(200);
            place.write(LEADS, &leads);
            place.git(&["add", "-A"]);
            place.git(&["commit", "-q", "-m", "begin"]);
            let history = History::open(&place.vault).unwrap();
            leave(disk, left);
            let done = transition(&place, &history);
            let (here, there) = (place.file(HERE), place.file(THERE));
            assert!(here.exists() != there.exists(), "{left} {what}: one note");
            let now = fs::read_to_string(if here.exists() { here } else { there }).unwrap();
            assert!([text("planned"), text("in_progress")].contains(&now), "{left} {what}: {now}");
            let (old, new) = (leads.clone(), leads.replace("03_planned", "04_in_progress"));
            assert!([old, new.clone()].contains(&place.text(LEADS)), "{left} {what}");
            read_journal(&place.vault, &"FR-001/1".parse().unwrap()).unwrap();
            fs::remove_dir_all(disk.join("filler")).unwrap();
            refused += usize::from(done.is_err());
            transition(&place, &history).unwrap();
            assert_eq!((place.text(THERE), place.text(LEADS)), (text("in_progress"), new), "{left} {what}");
            assert_eq!(place.git(&["status", "--porcelain"]), "", "{left} {what}: {done:?}");
            assert_eq!(place.git(&["fsck", "--strict", "--no-dangling"]), "", "{left} {what}");
        }
        assert!(refused > 5 && refused < MOST, "{refused} of {MOST} found no room for {what}");
    }
}

fn leave_pages(disk: &Path, left: usize) {
    fs::create_dir(disk.join("filler")).unwrap();
    let spare: Vec<_> = (0..left).map(|number| disk.join(format!("filler/{number}"))).collect();
    spare.iter().for_each(|path| fs::write(path, [0; 4096]).unwrap());
    let _ = std::io::copy(&mut std::io::repeat(0), &mut fs::File::create(disk.join("filler/most")).unwrap());
    spare.iter().for_each(|path| fs::remove_file(path).unwrap());
}

fn leave_files(disk: &Path, left: usize) {
    fs::create_dir(disk.join("filler")).unwrap();
    let path = |number: usize| disk.join(format!("filler/{number}"));
    let most = (0..).find(|number| fs::File::create(path(*number)).is_err()).unwrap();
    (0..left.min(most)).for_each(|number| fs::remove_file(path(number)).unwrap());
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let namespace = |test: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg(format!("mount -t tmpfs -o size=2m,nr_inodes=400 disk \"$0\" && {test}")).arg(&disk);
        command
    };
    if !namespace("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not run: a full disk leaves nothing half written; no disk can be mounted here");
        return;
    }
    let output = namespace("exec \"$1\" no_room::worker --exact --nocapture")
        .arg(std::env::current_exe().unwrap())
        .env(DISK, &disk)
        .env("TMPDIR", &disk)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
