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

## Phase 1: Words

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| Choose the words | with the customer | Ann | — |

## Phase 2: Code

| File / Feature | Details | Owner | Status |
|---|---|---|---|
| `GREETING.md` | the words | — | — |
| `logo.svg` | draw <b>it</b> | Bob | — |
";

#[test]
fn an_earlier_row_of_a_person_is_waited_for_and_later_ones_are_handed_over() {
    let place = Place::new(PHASES);
    place.drag("02_new", "03_planned");
    place.answers(&work(&["it greets"]));
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
    assert!(told.contains("- phase 2, `logo.svg`: draw <b>it</b> (done by Bob)"), "{told}");
    assert!(!told.contains("Choose the words"), "what is done needs no word:\n{told}");
    assert!(
        place
            .pull_request()
            .contains("\n## Left for people\n\n- [ ] Phase 2: `logo.svg` (Bob): draw &lt;b>it"),
        "{}",
        place.pull_request()
    );
}
