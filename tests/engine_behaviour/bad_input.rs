//! What cannot be used is named with a remedy, nothing of it is lost, and everything else goes on.

use ado_vault::domain::Status;
use ado_vault::engine::Outcome;

use super::behaviour::*;

/// A world with a healthy request beside whatever the test adds.
fn with_a_healthy_one() -> World {
    let world = World::new(&Talk::greeting());
    world.request(Status::Planned, "FR-009");
    world
}

/// Works; the healthy request must get through.
fn work_beside(world: &World) {
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.status("FR-009"), Status::Review);
    let before = world.log().len();
    world.work();
    assert_eq!(world.log().len(), before, "a second start finds nothing new to write: {:?}", world.log());
}

#[test]
fn front_matter_that_cannot_be_read_is_explained_in_the_body() {
    let world = with_a_healthy_one();
    let text = "---\nid: FR-001\ntitle: \"Greet\nstatus: planned\n---\n\n## Summary\n\nGreet.\n";
    world.put("10_features/03_planned/FR-001 Greet.md", text);
    work_beside(&world);
    let note = world.note("FR-001");
    assert!(
        note.starts_with("---\nid: FR-001\ntitle: \"Greet\nstatus: planned\n---\n\n## Summary\n\nGreet.\n"),
        "{note}"
    );
    assert!(note.contains("<!-- ado:begin why -->"), "{note}");

    world.put(&world.path("FR-001"), &note.replace("\"Greet\n", "Greet\n"));
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    assert!(!world.note("FR-001").contains("ado:begin why") || world.waiting_on("FR-001") == "merge");
}

#[test]
fn an_unknown_status_is_named_with_those_there_are() {
    let world = with_a_healthy_one();
    let path = world.request(Status::Planned, "FR-001");
    world.put(&path, &world.read(&path).replace("status: planned", "status: doing"));
    work_beside(&world);
    let why = world.block("FR-001", "why");
    assert!(why.contains("doing") && why.contains("in_progress"), "{why}");
    assert!(world.note("FR-001").contains("status: doing"));
}

#[test]
fn an_unknown_repository_is_named_with_those_there_are() {
    let world = with_a_healthy_one();
    world.request_with(Status::Planned, "FR-001", "repo: elsewhere\n", "");
    work_beside(&world);
    assert_eq!(world.waiting_on("FR-001"), "human: unknown repository `elsewhere`");
    assert!(world.block("FR-001", "why").contains("known: target"));
}

#[test]
fn a_missing_agent_is_named_and_the_work_begins_when_it_is_there() {
    let world = World::new(&Talk::greeting());
    let reviewer = world.root().join("20_agents/Reviewer.md");
    let text = std::fs::read_to_string(&reviewer).unwrap();
    std::fs::remove_file(&reviewer).unwrap();
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Planned);
    let why = world.block("FR-001", "why");
    assert!(why.contains("no agent has the role `reviewer`") && why.contains("role: reviewer"), "{why}");
    std::fs::write(&reviewer, text).unwrap();
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
}

#[test]
fn requests_that_wait_for_each_other_are_told_so() {
    let world = with_a_healthy_one();
    world.request_with(Status::Planned, "FR-001", "depends_on: [FR-002]\n", "");
    world.request_with(Status::Planned, "FR-002", "depends_on: [\"[[FR-001 Greet]]\"]\n", "");
    work_beside(&world);
    assert_eq!(world.waiting_on("FR-001"), "human: dependency cycle FR-001 → FR-002 → FR-001");
    assert_eq!(world.waiting_on("FR-002"), "human: dependency cycle FR-002 → FR-001 → FR-002");
    assert!(world.block("FR-001", "why").contains("remove one of them"));
}

#[test]
fn two_notes_with_one_id_are_left_alone_and_reported() {
    let world = with_a_healthy_one();
    let path = world.request(Status::Planned, "FR-001");
    let text = world.read(&path);
    let copy = "10_features/03_planned/Copy of FR-001.md";
    world.put(copy, &text);
    work_beside(&world);
    let seen = world.look();
    let waits: Vec<_> = seen.plan.waits().filter(|(decision, _)| decision.feature == "FR-001").collect();
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().all(|(_, wait)| wait.unblock == "give one of the two notes another `id`"));
    for path in [path.as_str(), copy] {
        assert!(world.read(path).contains("The program greets."));
        assert!(world.read(path).contains("status: planned"));
    }
    world.put(copy, &world.read(copy).replace("id: FR-001", "id: FR-002"));
    world.work();
    assert_eq!(
        (world.status("FR-001"), world.read(&world.path("FR-001")).contains("step")),
        (Status::Review, true)
    );
}

#[test]
fn a_note_with_conflict_markers_is_not_touched() {
    let world = with_a_healthy_one();
    let path = world.request(Status::Planned, "FR-001");
    let text = world.read(&path).replace(
        "The program greets.\n",
        "<<<<<<< HEAD\nThe program greets.\n=======\nThe program waves.\n>>>>>>> theirs\n",
    );
    world.put(&path, &text);
    work_beside(&world);
    assert_eq!(world.read(&path), text);
    let wait = world.wait("FR-001").unwrap();
    assert!(wait.why.contains("conflict-markers"), "{wait:?}");
    assert!(!wait.unblock.is_empty());
}

#[test]
fn a_repository_that_is_missing_or_empty_is_named() {
    let world = with_a_healthy_one();
    world.put("00_system/repos/gone.md", "---\npath: ../gone\n---\n");
    world.put("00_system/repos/empty.md", "---\npath: ../empty\n---\n");
    let empty = world.target().with_file_name("empty");
    std::fs::create_dir(&empty).unwrap();
    git(&empty, &["init", "-q", "-b", "main"]);
    world.request_with(Status::Planned, "FR-001", "repo: gone\n", "");
    world.request_with(Status::Planned, "FR-002", "repo: empty\n", "");
    work_beside(&world);
    assert_eq!(world.waiting_on("FR-001"), "human: repository `gone` cannot be used");
    assert_eq!(world.waiting_on("FR-002"), "human: repository `empty` cannot be used");
    let (gone, empty_why) = (world.block("FR-001", "why"), world.block("FR-002", "why"));
    assert!(gone.contains("mend the repository or the note"), "{gone}");
    assert!(empty_why.contains("commit"), "{empty_why}");

    std::fs::write(empty.join("README.md"), "# empty\n").unwrap();
    git(&empty, &["config", "user.name", "Human"]);
    git(&empty, &["config", "user.email", "human@example.org"]);
    commit_all(&empty, "begin");
    world.work();
    assert_eq!(world.status("FR-002"), Status::Review);
}

#[test]
fn unsaved_work_in_the_target_repository_stays_as_it_is() {
    let world = World::new(&Talk::greeting());
    let target = world.target();
    std::fs::write(target.join("README.md"), "# half a thought\n").unwrap();
    std::fs::write(target.join("scratch.txt"), "mine\n").unwrap();
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    world.drag("FR-001", Status::Done);
    world.work();
    assert_eq!(std::fs::read_to_string(target.join("README.md")).unwrap(), "# half a thought\n");
    assert_eq!(std::fs::read_to_string(target.join("scratch.txt")).unwrap(), "mine\n");
    let merged = git(&target, &["ls-tree", "--name-only", "main"]).contains("greeting.txt");
    let explained = world.block("FR-001", "why");
    assert!(merged || explained.contains("README.md") || explained.contains("commit"), "{explained}");
}
