//! A look at a real vault with real commits: what is remembered, what a human's move looks like, what runs leave behind.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ado_vault::domain::*;
use ado_vault::engine::{Circumstances, Observation, Observer, Quiet, RunBook};
use ado_vault::vault::{History, Vault, init};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const A: &str = "10_features/03_planned/FR-001 A.md";
const B: &str = "10_features/02_new/FR-002 B.md";

struct Place {
    folder: tempfile::TempDir,
    vault: Vault,
    history: History,
    observer: Observer,
}

impl Place {
    /// A vault with two committed features.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path()).unwrap();
        write(folder.path(), A, &text("FR-001", "planned"));
        write(folder.path(), B, &text("FR-002", "new"));
        let vault = Vault::open(folder.path()).unwrap();
        let place =
            Self { history: History::open(&vault).unwrap(), observer: Observer::new(&vault), vault, folder };
        place.commit();
        place
    }

    fn commit(&self) {
        for arguments in [
            &["add", "-A"][..],
            &["-c", "user.name=Ann", "-c", "user.email=a@example.org", "commit", "-q", "-m", "x"],
        ] {
            let git = Command::new("git").arg("-C").arg(self.folder.path()).args(arguments).status();
            assert!(git.unwrap().success());
        }
    }

    fn look(&mut self) -> Observation {
        let (book, _) = RunBook::load(&self.vault, Arc::new(Quiet)).unwrap();
        self.observer.look(&book, &self.history, &Circumstances::default()).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        write(self.folder.path(), path, text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder.path().join(from), self.folder.path().join(to)).unwrap();
    }
}

fn write(root: &Path, path: &str, text: &str) {
    fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
    fs::write(root.join(path), text).unwrap();
}

fn text(id: &str, status: &str) -> String {
    format!("---\nid: {id}\nstatus: {status}\n---\n# Title of {id}\n")
}

fn path(path: &str) -> NotePath {
    NotePath::new(path).unwrap()
}

fn id(id: &str) -> FeatureId {
    id.parse().unwrap()
}

fn committed(look: &Observation, of: &str) -> Option<(Option<Status>, Option<Status>)> {
    look.feature(&id(of)).unwrap().committed.as_ref().map(|was| (was.folder, was.status))
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let mut place = Place::new();
    let first = place.look();
    place.write(B, &text("FR-002", "planned"));
    let second = place.look();
    let same = |of: &str| {
        std::ptr::eq(&*first.feature(&id(of)).unwrap().feature, &*second.feature(&id(of)).unwrap().feature)
    };
    assert!(same("FR-001"), "the same value, not a copy");
    assert!(!same("FR-002"));
    assert_eq!(second.at(&path(B)).unwrap().feature.properties.status, Some(Status::Planned));
    assert_eq!(committed(&second, "FR-002"), Some((Some(Status::New), Some(Status::New))));
    assert!(second.at(&path("10_features/02_new/none.md")).is_none());
    assert!(second.feature(&id("FR-003")).is_none());
}

#[test]
fn a_moved_and_a_renamed_note_are_known_by_their_ids() {
    let mut place = Place::new();
    let to = "10_features/04_in_progress/FR-001 A.md";
    place.rename(A, to);
    let look = place.look();
    let view = look.at(&path(to)).unwrap();
    assert_eq!(view.feature.folder, Some(Status::InProgress));
    assert_eq!(committed(&look, "FR-001"), Some((Some(Status::Planned), Some(Status::Planned))));
    assert!(!view.settling, "its text is as committed");
    assert_eq!(look.left_behind(&id("FR-001")), [path(A)]);
    // Moved, renamed and edited at once.
    place.rename(to, "10_features/05_review/Other name.md");
    place.write("10_features/05_review/Other name.md", &text("FR-001", "review"));
    let look = place.look();
    assert_eq!(committed(&look, "FR-001"), Some((Some(Status::Planned), Some(Status::Planned))));
    assert!(look.feature(&id("FR-001")).unwrap().settling, "it is being typed");
    assert_eq!(look.left_behind(&id("FR-001")), [path(A)]);
    place.commit();
    let look = place.look();
    assert_eq!(committed(&look, "FR-001"), Some((Some(Status::Review), Some(Status::Review))));
    assert_eq!(look.left_behind(&id("FR-001")), []);
}

#[test]
fn a_note_that_took_another_s_place_is_not_taken_for_it() {
    let mut place = Place::new();
    place.rename(A, "10_features/06_done/FR-001 A.md");
    place.write(A, &text("FR-003", "planned"));
    let look = place.look();
    assert_eq!(committed(&look, "FR-003"), None);
    assert_eq!(committed(&look, "FR-001"), Some((Some(Status::Planned), Some(Status::Planned))));
    assert_eq!(look.left_behind(&id("FR-001")), [path(A)]);
    // An id that was taken away leaves the note what it was.
    place.write(B, "---\nstatus: new\n---\n# Title\n");
    let look = place.look();
    let view = look.at(&path(B)).unwrap();
    assert_eq!(view.committed, Some(Committed { folder: Some(Status::New), status: Some(Status::New) }));
}

#[test]
fn an_ended_run_still_counts_and_its_records_are_on_disk() {
    let place = Place::new();
    let (book, _) = RunBook::load(&place.vault, Arc::new(Quiet)).unwrap();
    let run: RunId = "FR-001/1".parse().unwrap();
    let other: RunId = "FR-001/2".parse().unwrap();
    let key = StepKey::new(Step::Code, 1);
    let reserved = Spent::of_call(Usd::from_dollars(3.0), 30);
    let called = |call| Event::ModelCallStarted {
        call,
        key,
        agent: "coder".parse().unwrap(),
        model: "m".parse().unwrap(),
        reserved,
    };
    for id in [&run, &other] {
        book.begin(id, started(id)).unwrap();
    }
    book.append(&run, called(1)).unwrap();
    book.append(&run, finished(1)).unwrap();
    book.append(&run, called(2)).unwrap();
    let spent = Spent { usd: Usd::from_dollars(4.0), tokens: 45, calls: 2, ..Spent::default() };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    assert_eq!(book.spent_on(today), spent, "what is open counts with its reservation");
    book.append(&run, Event::Ended { result: RunEnd::Stopped, detail: String::new() }).unwrap();
    assert_eq!(book.spent_on(today), spent);
    assert_eq!(book.spent_on(today.yesterday().unwrap()), Spent::default());
    assert_eq!(book.records(&run).unwrap().len(), 5);
    let moved = Event::Completed { effect: "move:planned:done".into(), detail: String::new() };
    book.append(&run, moved).unwrap();
    assert_eq!(book.records(&run).unwrap().len(), 6);
    assert_eq!(book.state(&run).unwrap().status, Status::Done);
    let ids: Vec<RunId> = book.runs_of(&id("FR-001")).iter().map(|run| run.id.clone()).collect();
    assert_eq!(ids, [run.clone(), other]);
    let (again, damage) = RunBook::load(&place.vault, Arc::new(Quiet)).unwrap();
    assert!(damage.is_empty());
    assert_eq!(again.spent_on(today), spent);
    assert_eq!(again.state(&run), book.state(&run));
    assert_eq!(again.records(&run).unwrap(), book.records(&run).unwrap());
}

fn started(run: &RunId) -> Event {
    Event::Started {
        run: run.clone(),
        repo: "app".parse().unwrap(),
        branch: "agent/ado/feature/x".parse().unwrap(),
        target_branch: "main".parse().unwrap(),
        request: ContentHash::of(""),
        reason: String::new(),
        version: String::new(),
        sandboxed: true,
        from: None,
        proposed: None,
    }
}

fn finished(call: u64) -> Event {
    Event::ModelCallFinished {
        call,
        tokens: Tokens { input: 10, output: 5, ..Tokens::default() },
        cost: Usd::from_dollars(1.0),
        millis: 1,
        ended: "stop".into(),
        transcript: None,
        failure: None,
        transcript_hash: None,
    }
}
