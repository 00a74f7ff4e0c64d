//! A rough note is given a draft, a human corrects it and moves it on, and the corrected draft is what is built.

use ado_vault::domain::{Event, RunEnd, RunId, Status};
use ado_vault::engine::Outcome;
use serde_json::json;

use super::place::*;

const ROUGH: &str =
    "---\nid: FR-001\nstatus: new\nrepo: textstat\nspecify: true\n---\n# Greet\n\nSay hello, please.\n";

fn drafted() -> Vec<serde_json::Value> {
    let draft = json!({
        "summary": "The program greets.",
        "criteria": ["it greets by name", "- [ ] it waves <b>twice</b>"],
        "questions": ["In which language?"],
    });
    vec![
        turn("specify/1", "Spec writer", 1, "read", &json!({"path": "README.md"})),
        turn("specify/1", "Spec writer", 2, "finish", &draft),
    ]
}

#[test]
fn a_ticked_note_is_drafted_corrected_by_a_human_and_built_as_corrected() {
    let place = Place::new(ROUGH);
    place.answers(&drafted());
    assert!(place.cli(&["why", "FR-001"]).contains("start run FR-001/1 on textstat, which drafts"));
    assert_eq!(place.work(), Outcome::WaitsForHuman);

    let path = format!("10_features/02_new/{NOTE}");
    let note = place.read(&path);
    assert!(note.contains("\n<!-- ado:begin spec -->\n\n## Summary\n\nThe program greets.\n"), "{note}");
    assert!(note.contains("\n- [ ] it greets by name\n- [ ] it waves &lt;b>twice&lt;/b>\n"), "{note}");
    assert!(note.contains("\n### In which language?\n\nDecision:\n"), "{note}");
    assert!(!note.contains("specify: true") && note.contains("Say hello, please."), "{note}");
    assert!(note.contains("waiting_on: \"human: read the draft\""), "{note}");
    let view = place.view();
    assert_eq!(view.feature.folder, Some(Status::New));
    assert!(view.feature.sections.criteria.is_empty(), "a draft is no criterion yet");
    assert_eq!(view.runs.len(), 1);
    assert_eq!(view.runs[0].ended.as_ref().unwrap().0, RunEnd::Specified);
    assert_eq!(view.runs[0].spent.calls, 2);
    assert!(place.prompt(1).contains("Say hello, please."));
    assert!(place.cli(&["why", "FR-001"]).contains("human: read the draft"));
    assert!(place.cli(&["status"]).contains("read the draft"));
    let branches = git2::Repository::open(place.repository()).unwrap();
    let names: Vec<String> = branches
        .branches(None)
        .unwrap()
        .filter_map(|branch| branch.unwrap().0.name().unwrap().map(str::to_owned))
        .filter(|name| name.starts_with("agent/"))
        .collect();
    assert_eq!(names, [""; 0], "a draft leaves no branch behind");
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    assert_eq!(place.view().runs.len(), 1, "one tick, one draft");

    // The human corrects the draft, answers the question, and moves the note on.
    place.replace(&path, "- [ ] it waves &lt;b>twice&lt;/b>\n", "- [ ] it waves once\n");
    place.replace(&path, "Decision:", "Decision: English");
    place.drag("02_new", "03_planned");
    place.answers(&work(&["it greets by name", "it waves once"]));
    assert_eq!(place.work(), Outcome::WaitsForHuman);

    let note = place.read(&format!("10_features/05_review/{NOTE}"));
    assert!(!note.contains("ado:begin spec"), "the draft is the human's text now:\n{note}");
    assert!(note.contains("\n- [x] it greets by name\n- [x] it waves once\n"), "{note}");
    assert!(note.contains("Decision: English"), "{note}");
    assert_eq!(place.steps(2), ["code/1", "gates/1", "review/1"]);
    let prompt = place.prompt(2);
    assert!(prompt.contains("- it waves once") && prompt.contains("Decision: English"), "{prompt}");
    assert!(place.pull_request().contains("- [x] it waves once (GREETING.md:1)"));
}

#[test]
fn a_note_with_criteria_of_its_own_keeps_them_and_the_draft_stays_a_proposal() {
    let own = format!("{ROUGH}\n## Acceptance criteria\n\n- [ ] it says hello\n");
    let place = Place::new(&own);
    place.answers(&drafted());
    place.work();
    assert!(place.cli(&["approve", "FR-001"]).contains("approved; it waited on human: read the draft"));
    place.answers(&work(&["it says hello"]));
    place.work();
    let note = place.read(&format!("10_features/05_review/{NOTE}"));
    assert!(note.contains("- [x] it says hello"), "{note}");
    assert!(note.contains("ado:begin spec") && note.contains("- [ ] it greets by name"), "{note}");
    assert!(!place.prompt(2).contains("it greets by name"));
}

#[test]
fn a_draft_that_a_human_edited_survives_the_next_one() {
    let place = Place::new(ROUGH);
    place.answers(&drafted());
    place.work();
    let path = format!("10_features/02_new/{NOTE}");
    place.replace(&path, "it greets by name", "it greets by name and title");
    place.replace(&path, "Say hello, please.", "Say hello and goodbye, please.");
    assert!(place.cli(&["set", "FR-001", "specify=true"]).contains("changed"));
    place.work();
    assert_eq!(place.view().runs.len(), 2);
    let note = place.read(&path);
    let (kept, fresh) = note.split_once("<!-- ado:begin spec -->").unwrap();
    assert!(kept.contains("it greets by name and title"), "{note}");
    assert!(fresh.contains("- [ ] it greets by name\n"), "{note}");
}

#[test]
fn a_writer_that_gives_no_draft_is_stopped_with_its_reason_in_the_note() {
    let place = Place::new(ROUGH);
    place.answers(&[turn("specify/1", "Spec writer", 1, "read", &json!({"path": "README.md"}))]);
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    let note = place.read(&format!("10_features/02_new/{NOTE}"));
    assert!(note.contains("step failed") && note.contains("no reply for step `specify/1`"), "{note}");
    assert_eq!(place.view().live_run().unwrap().status, Status::New);
}

#[test]
fn a_crash_right_after_the_start_costs_no_second_run_and_no_move() {
    let place = Place::new(ROUGH);
    place.answers(&drafted());
    let run = RunId { feature: "FR-001".parse().unwrap(), number: 1 };
    let started = Event::Started {
        run: run.clone(),
        repo: "textstat".parse().unwrap(),
        branch: "agent/ado/feature/FR-001-greet".parse().unwrap(),
        target_branch: "main".parse().unwrap(),
        request: place.view().feature.request_hash(),
        reason: "ticked".into(),
        version: "0".into(),
        sandboxed: false,
        from: Some(Status::New),
        proposed: None,
    };
    place.book().begin(&run, started).unwrap();
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    let view = place.view();
    assert_eq!((view.feature.folder, view.runs.len()), (Some(Status::New), 1));
    assert_eq!(view.runs[0].ended.as_ref().unwrap().0, RunEnd::Specified);
    assert_eq!(view.feature.properties.specify, None);
    assert!(view.feature.blocks.contains_key("spec"));
}
