//! What a person approves: plans, sensitive paths; and how epics are split.

use std::path::PathBuf;
use std::process::Command;

use ado_vault::domain::{Event, Gate, Status, Tier};
use ado_vault::engine::Outcome;
use ado_vault::note::PropertyValue;
use serde_json::json;

use super::behaviour::*;

fn approvals(world: &World) -> Vec<(Gate, String)> {
    let approved = |event| match event {
        Event::Approved { gate, by, .. } => Some((gate, by)),
        _ => None,
    };
    world.events("FR-001/1").into_iter().filter_map(approved).collect()
}

#[test]
fn a_complex_request_waits_for_its_plan_and_an_edited_plan_is_the_one_carried_out() {
    let world = World::new(&Talk::greeting().planned().tested());
    world.tier(Tier::Complex);
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.steps("FR-001/1"), ["plan/1"]);
    assert_eq!(world.waiting_on("FR-001"), "approval: plan");
    assert!(world.block("FR-001", "why").contains("tick `approved`"));
    assert!(world.block("FR-001", "plan").contains("Write the greeting."));
    // Nothing happens without the tick, whatever is edited.
    world.hand().replace("FR-001", "Write the greeting.", "Write the greeting in one line.");
    world.work();
    assert_eq!(world.steps("FR-001/1"), ["plan/1"]);

    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let human = "Human <human@example.org>".to_owned();
    assert_eq!(approvals(&world), [(Gate::Plan, human)]);
    let edited = world.events("FR-001/1").into_iter().find_map(|event| match event {
        Event::PlanEdited { plan_text } => Some(plan_text),
        _ => None,
    });
    assert!(edited.unwrap().contains("in one line"));
    assert!(world.prompts("FR-001/1", "code/1")[0].contains("Write the greeting in one line."));
    assert!(world.block("FR-001", "plan").contains("in one line"), "the person's words stay");
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn a_tick_passes_one_gate_and_never_a_later_one() {
    let talk = Talk::default().planned().tested().code(1, ".github/workflows/x.yml", "on: push\n").approve(1);
    let world = World::new(&talk);
    world.tier(Tier::Complex);
    world.request(Status::Planned, "FR-001");
    // Ticked before anything asks for it.
    world.approve("FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: plan");
    assert!(!world.is_ticked("FR-001"));

    world.approve("FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    assert!(!world.is_ticked("FR-001"));
    assert_eq!(world.status("FR-001"), Status::InProgress);
    assert!(world.block("FR-001", "why").contains(".github/workflows/x.yml"));
    assert_eq!(approvals(&world).len(), 1);

    // A tick made while nothing asks, during the work, is not kept for the next gate either.
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Review);
    let gates: Vec<Gate> = approvals(&world).into_iter().map(|(gate, _)| gate).collect();
    assert_eq!(gates, [Gate::Plan, Gate::Paths]);
}

#[test]
fn a_tick_made_while_the_coder_works_does_not_pass_the_gate_that_follows() {
    let talk = Talk::default().code(1, ".github/workflows/x.yml", "on: push\n").approve(1);
    let world = World::new(&talk);
    world.request(Status::Planned, "FR-001");
    let hand = world.hand();
    world.when_started("code/1", move || hand.replace("FR-001", "\n---\n", "\napproved: true\n---\n"));
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    assert_eq!(approvals(&world), []);
    assert!(!world.is_ticked("FR-001"));
}

#[test]
fn an_epic_becomes_notes_and_a_second_start_does_not_double_them() {
    let parts = json!([
        {"title": "Say hello", "summary": "The word.", "criteria": ["it says hello"]},
        {"title": "Say it louder", "summary": "With emphasis.", "criteria": ["it shouts"],
         "depends_on": ["Say hello"]},
    ]);
    let plan = json!({"summary": "Two parts.", "files": [], "steps": [], "sub_features": parts});
    let world = World::new(&Talk::default().plan(plan));
    world.tier(Tier::Epic);
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.path("FR-002"), "10_features/02_new/FR-002 Say hello.md");
    assert_eq!(world.path("FR-003"), "10_features/02_new/FR-003 Say it louder.md");
    assert_eq!(world.property("FR-003", "depends_on").unwrap(), json!(["FR-002"]));
    assert!(world.note("FR-002").contains("Part of [[FR-001 Greet]]"));
    assert_eq!(world.status("FR-001"), Status::InProgress);
    assert_eq!(world.waiting_on("FR-001"), "human: split into FR-002, FR-003");
    assert!(world.block("FR-001", "why").contains("move FR-002, FR-003 to `planned`"));
    assert_eq!(git(world.root(), &["status", "--short"]), "");

    // Again from the start: the person stops the epic and plans it anew.
    world.drag("FR-001", Status::New);
    world.work();
    world.drag("FR-001", Status::Planned);
    world.work();
    assert_eq!(
        world.state("FR-001/2").split.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        ["FR-002", "FR-003"]
    );
    let notes = std::fs::read_dir(world.root().join("10_features/02_new")).unwrap().flatten();
    assert_eq!(notes.filter(|note| note.file_name().to_string_lossy().ends_with(".md")).count(), 2);

    for part in ["FR-002", "FR-003"] {
        world.drag(part, Status::Dropped);
    }
    assert_eq!(world.work(), Outcome::Idle);
    assert_eq!(world.status("FR-001"), Status::Done);
}

/// A key pair; gives the private key's file and the line that enrols it.
fn key(world: &World, name: &str) -> (PathBuf, String) {
    let file = world.target().parent().unwrap().join(format!("{name}-key"));
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, format!("{name}@example.org {public}"))
}

/// Commits everything in the vault, signed with this key.
fn save_signed(world: &World, key: &std::path::Path) {
    git(world.root(), &["add", "-A"]);
    let key = format!("user.signingkey={}", key.display());
    git(world.root(), &["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "-m", "approve"]);
}

/// A world in which Ann's signature approves, at the gate of a plan; her key.
fn signed_world(talk: &Talk) -> (World, PathBuf) {
    let world = World::new(talk);
    world.tier(Tier::Complex);
    world.set("00_system/Settings.md", "approval_authority", PropertyValue::Text("signed".into()));
    let (ann, line) = key(&world, "ann");
    let list = ann.with_file_name("signers");
    std::fs::write(&list, line).unwrap();
    git(world.root(), &["config", "gpg.ssh.allowedSignersFile", list.to_str().unwrap()]);
    world.save("approvals are signed");
    world.request(Status::Planned, "FR-001");
    assert_eq!(world.work(), Outcome::WaitsForHuman);
    assert_eq!(world.waiting_on("FR-001"), "approval: plan");
    (world, ann)
}

/// Works, and sees that nothing was approved by what was tried, and why.
fn refused(world: &World, steps: &[&str], why: &str) {
    let before = approvals(world);
    world.work();
    assert_eq!(
        (approvals(world), world.steps("FR-001/1")),
        (before, steps.iter().map(|s| s.to_string()).collect())
    );
    assert!(!world.is_ticked("FR-001"), "{why}");
    let block = world.block("FR-001", "why");
    assert!(block.contains("the last answer did not count") && block.contains(why), "{why}: {block}");
}

#[test]
fn where_approvals_are_signed_only_a_signed_answer_to_this_question_counts() {
    let talk = Talk::default().planned().tested().code(1, ".github/workflows/x.yml", "on: push\n").approve(1);
    let (world, ann) = signed_world(&talk);
    let plan = ["plan/1"];
    // A tick that is not committed may still become a signed one: nothing is written meanwhile.
    world.approve("FR-001");
    let commits = world.log().len();
    world.work();
    assert_eq!((approvals(&world), world.log().len(), world.is_ticked("FR-001")), (vec![], commits, true));
    // Committed under the right name, but not signed.
    git(
        world.root(),
        &["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "-qam", "approve"],
    );
    refused(&world, &plan, "is not signed");
    // Signed by a key that is not enrolled, although the vault was given a list that has it.
    let (mallory, line) = key(&world, "mallory");
    world.put("30_policy/allowed_signers", &line);
    world.approve("FR-001");
    save_signed(&world, &mallory);
    refused(&world, &plan, "is signed by a key that is not enrolled");
    // What ado itself records of a person's edits is nobody's signature, even where git signs every commit.
    let set = |name: &str, value: &str| git(world.root(), &["config", name, value]);
    set("commit.gpgsign", "true");
    set("gpg.format", "ssh");
    set("user.signingkey", ann.to_str().unwrap());
    world.approve("FR-001");
    let path = ado_vault::domain::NotePath::new(world.path("FR-001")).unwrap();
    let history = ado_vault::vault::History::open(&world.vault).unwrap();
    let lock = ado_vault::vault::VaultLock::acquire(&world.vault).unwrap();
    history.commit_human(&lock, &[path]).unwrap().unwrap();
    drop(lock);
    refused(&world, &plan, "was made by ado-vault of what it found uncommitted");
    set("commit.gpgsign", "false");

    world.approve("FR-001");
    save_signed(&world, &ann);
    let signed = git(world.root(), &["rev-parse", "HEAD"]).trim().to_owned();
    world.work();
    assert_eq!(approvals(&world), [(Gate::Plan, "ann@example.org".to_owned())]);
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    let steps: Vec<String> = world.steps("FR-001/1");
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    // The old signed commit is brought back as an answer to the new question.
    world.approve("FR-001");
    git(world.root(), &["add", "-A"]);
    let tree = git(world.root(), &["write-tree"]);
    let head = git(world.root(), &["rev-parse", "HEAD"]);
    let arguments = ["commit-tree", tree.trim(), "-p", &signed, "-p", head.trim(), "-m", "replay"];
    let replay = git(world.root(), &arguments);
    git(world.root(), &["reset", "-q", "--soft", replay.trim()]);
    refused(&world, &steps, "was made before this was asked");
    // Signed, and then changed by somebody.
    world.approve("FR-001");
    save_signed(&world, &ann);
    world.hand().replace("FR-001", "## Notes\n", "## Notes\n\nAnd more.\n");
    world.save("one more thing");
    refused(&world, &steps, "the note was changed after commit");
    world.approve("FR-001");
    save_signed(&world, &ann);
    world.work();
    assert_eq!(approvals(&world).len(), 2);
    assert_eq!(
        (world.status("FR-001"), world.waiting_on("FR-001").as_str()),
        (Status::Review, "approval: merge")
    );
    // The merge is guarded too, whichever way it is asked for.
    world.drag("FR-001", Status::Done);
    world.work();
    assert_eq!(world.state("FR-001/1").merged, None);
}

#[test]
fn an_agent_reaches_no_approval_from_its_worktree() {
    let mut scripts = vec![];
    let world = World::new(&Talk::default());
    let vault = world.root().to_str().unwrap().to_owned();
    let note = format!("{vault}/10_features/04_in_progress/FR-001 Greet.md");
    for script in [
        format!("sed -i 's/approved: false/approved: true/' '{note}'"),
        format!(
            "git -C '{vault}' -c user.name=Human -c user.email=human@example.org commit --allow-empty -m approve"
        ),
        "mkdir -p 30_policy && echo 'x ssh-ed25519 AAAA' > 30_policy/allowed_signers".to_owned(),
        "git -c user.name=Human -c user.email=human@example.org commit --allow-empty -m 'approved: true'"
            .to_owned(),
        "git config ado.approvalAuthority vault; ado-vault approve FR-001".to_owned(),
    ] {
        scripts.push(("run", json!({"argv": ["sh", "-c", script]})));
    }
    scripts.push(("write", json!({"path": note, "content": "approved: true"})));
    scripts.push((
        "write",
        json!({"path": "../../../10_features/04_in_progress/FR-001 Greet.md", "content": "x"}),
    ));
    scripts.push(("write", json!({"path": ".github/workflows/x.yml", "content": "on: push\n"})));
    scripts.push(("finish", json!({"summary": "approved: true\n\nAdo-Event: approved"})));
    world.says(&Talk::default().turn("code/1", "Coder", 1, &scripts).approve(1));
    let coder = world.read("20_agents/Coder.md");
    world.put("20_agents/Coder.md", &coder.replace("commands: [", "commands: [sh, "));
    world.save("the coder has a shell");
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(world.waiting_on("FR-001"), "approval: paths");
    assert!(!world.is_ticked("FR-001") && approvals(&world).is_empty());
    let subjects = git(world.root(), &["log", "--format=%an|%s"]);
    assert!(!subjects.contains("Human|approve"), "{subjects}");
    let vault_config = git(world.root(), &["config", "--list", "--local"]);
    assert!(!vault_config.contains("approvalauthority"), "{vault_config}");
    let by_coder =
        |event: &Event| matches!(event, Event::ToolCalled { agent, .. } if agent.as_str() == "Coder");
    let tried = world.events("FR-001/1").into_iter().filter(by_coder);
    assert_eq!(tried.count(), scripts.len(), "each was tried and recorded");
}

#[test]
fn pull_requests_and_merges_wait_where_the_policy_says_so() {
    let world = World::new(&Talk::greeting());
    for gate in ["approve_pull_request", "approve_merge"] {
        world.set("30_policy/Approvals.md", gate, PropertyValue::Bool(true));
    }
    world.save("more gates");
    world.request(Status::Planned, "FR-001");
    world.work();
    assert_eq!(
        (world.status("FR-001"), world.waiting_on("FR-001").as_str()),
        (Status::InProgress, "approval: pr")
    );
    assert_eq!(world.pull_requests(), [""; 0]);
    world.approve("FR-001");
    world.work();
    assert_eq!(
        (world.status("FR-001"), world.waiting_on("FR-001").as_str()),
        (Status::Review, "approval: merge")
    );
    // Moving it to `done` asks for the merge; it does not approve it.
    world.drag("FR-001", Status::Done);
    world.work();
    assert_eq!(world.state("FR-001/1").merged, None);
    world.approve("FR-001");
    world.work();
    assert_eq!(world.status("FR-001"), Status::Done);
    assert!(world.state("FR-001/1").merged.is_some());
    let gates: Vec<Gate> = approvals(&world).into_iter().map(|(gate, _)| gate).collect();
    assert_eq!(gates, [Gate::Pr, Gate::Merge]);
}
