//! Rows of phases that people own: waited for where agents come later, left alone and handed over otherwise.

use ado_vault::domain::Status;
use ado_vault::engine::Outcome;

use super::place::*;

const PHASES: &str = "---
id: FR-001
status: planned
repo: textstat
---
# Greet

## Acceptance criteria

- [ ] it greets

## Phase overview

| Phase | Description | Status |
|---|---|---|
| 1 | Words | — |
| 2 | Polish | — |
| 3 | Code | — |

## Phase 1: Words

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| Choose the words | with the customer | Ann | — |

## Phase 2: Polish

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| Wording | polite | ado | Not started |

## Phase 3: Code

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| `GREETING.md` | the words | — | — |
| `logo.svg` | draw <b>it</b> | Bob | — |
";

const GREETING: &str = "Phase 3: `GREETING.md`: the words";
const WORDING: &str = "Phase 2: Wording: polite";

#[test]
fn an_earlier_row_of_a_person_is_waited_for_and_later_ones_are_handed_over() {
    let place = Place::new(PHASES);
    place.drag("02_new", "03_planned");
    place.answers(&work(&["it greets", GREETING, WORDING]));
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    let view = place.view();
    assert_eq!(view.feature.folder, Some(Status::Planned));
    assert!(view.runs.is_empty());
    let wait = view.feature.properties.waiting_on.clone().unwrap();
    assert_eq!(wait, "human: phase 1 row `Choose the words` is yours");

    place.replace(
        &format!("10_features/03_planned/{NOTE}"),
        "with the customer | Ann | — |",
        "with the customer | Ann | done |",
    );
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    assert_eq!(place.view().feature.folder, Some(Status::Review));
    let prompt = place.prompt(1);
    let (_, told) = prompt.split_once("## Done by people").unwrap();
    assert!(told.contains("- phase 3, `logo.svg`: draw <b>it</b> (done by Bob)"), "{told}");
    assert!(!told.contains("Choose the words"), "what is done needs no word:\n{told}");
    assert!(
        place
            .pull_request()
            .contains("\n## Left for people\n\n- [ ] Phase 3: `logo.svg` (Bob): draw &lt;b>it"),
        "{}",
        place.pull_request()
    );
}

#[test]
fn rows_that_the_review_finds_done_are_set_with_the_overview_and_no_other_byte() {
    let note = PHASES.replace("with the customer | Ann | — |", "with the customer | Ann | ✅ Done |");
    let place = Place::new(&note);
    place.drag("02_new", "03_planned");
    place.answers(&work(&["it greets", GREETING, WORDING]));
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    let text = place.read(&format!("10_features/05_review/{NOTE}"));
    let rows =
        |text: &str| text.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect::<Vec<_>>();
    let expected = note
        .replace("| `GREETING.md` | the words | — | — |", "| `GREETING.md` | the words | — | ✅ Done |")
        .replace("| ado | Not started |", "| ado | ✅ Done |")
        .replace("| 2 | Polish | — |", "| 2 | Polish | ✅ Done |");
    assert_eq!(rows(&text)[..rows(&expected).len()], rows(&expected));
    let view = place.view();
    assert_eq!(view.runs[0].request, view.feature.request_hash(), "nothing else was asked for");
    assert!(
        place.work() == Outcome::WaitsForHuman
            && place.read(&format!("10_features/05_review/{NOTE}")) == text
    );
}

#[test]
fn an_approval_that_says_nothing_of_a_row_is_asked_again() {
    let place =
        Place::new(&PHASES.replace("with the customer | Ann | — |", "with the customer | Ann | done |"));
    place.drag("02_new", "03_planned");
    let mut turns = work(&["it greets", GREETING]);
    let mut again = work(&["it greets", GREETING, WORDING]).pop().unwrap();
    again["turn"] = 2.into();
    turns.push(again);
    place.answers(&turns);
    assert_eq!(place.work(), Outcome::WaitsForHuman);
    assert_eq!(place.view().feature.folder, Some(Status::Review));
    let asked = place.read("60_runs/FR-001/1/transcript/call-0004.jsonl");
    assert!(asked.contains("these are missing") && asked.contains(WORDING), "{asked}");
}
