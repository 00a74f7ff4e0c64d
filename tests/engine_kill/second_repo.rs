//! A request of another repository than the demo's goes the whole way: hooks, gates of its note, squash.

use std::fs;
use std::sync::{Arc, Mutex};

use ado_vault::domain::{RunEnd, Status};
use ado_vault::engine::{Listener, Said};

use crate::judge::{Ending, assert_whole};
use crate::world::{World, git, story};
use crate::{tally, world};

/// Remembers problems.
#[derive(Default)]
struct Problems(Mutex<Vec<String>>);

impl Listener for Problems {
    fn hear(&self, said: &Said) {
        if let Said::Problem { what } = said {
            self.0.lock().unwrap().push(what.clone());
        }
    }
}

#[test]
fn a_request_of_another_repository_goes_the_whole_way() {
    let world = World::recorded();
    let problems = Arc::new(Problems::default());
    assert_eq!(world.run_to_the_end(problems.clone()), ["plan", "approve", "merge"]);
    // `before_remove` fails without what `after_run` left; that would be a problem said here.
    assert_eq!(*problems.0.lock().unwrap(), Vec::<String>::new());

    let ending = Ending::of(&world);
    assert_eq!((ending.status, ending.ended), (Some(Status::Done), Some(RunEnd::Merged)), "{}", ending.note);
    assert!(ending.note.contains("- [x] `tally.sh -w` prints the number of words\n"), "{}", ending.note);
    assert!(ending.note.contains("- [x] Without an option the lines are counted as before\n"));
    assert!(ending.note.contains("\npr: "), "{}", ending.note);
    assert_eq!(ending.pull_requests, ["80_pull_requests/PR-0001 FR-007 Count words.md"]);
    assert!(ending.pull_request.contains("\nstate: merged\n"), "{}", ending.pull_request);
    assert_eq!(ending.target, ["FR-007: Count words", "count lines"]);
    assert_eq!(git(&world.origin_root(), &["show", "main:tally.sh"]), tally::RIGHT.trim_end());
    assert_eq!(ending.branches[0], "main", "the merged branch is gone from the clone");
    assert_eq!(ending.worktrees, "");
    assert_whole(&world);
    let checked_out = fs::read_to_string(world.clone_root().join("tally.sh")).unwrap();
    assert_eq!(checked_out, tally::RIGHT, "a clean clone follows its branch");

    let steps = ["plan/1", "code/1", "test/1", "gates/1", "code/2", "gates/2", "review/2"];
    let story = story(&world.vault_root());
    let told: Vec<&str> = story
        .iter()
        .filter_map(|subject| subject.strip_prefix("FR-007: ")?.split_once(' '))
        .map(|(first, _)| first)
        .filter(|first| steps.contains(first))
        .collect();
    assert_eq!(told, steps, "{story:#?}");
    let moves: Vec<&String> = story.iter().filter(|subject| subject.contains('→')).collect();
    assert_eq!(
        moves,
        [
            "vault: move FR-007 Count words: 02_new → 03_planned",
            "FR-007: new → planned, status and folder aligned",
            "FR-007: planned → in_progress",
            "FR-007: in_progress → review",
            "FR-007: review → done",
        ],
        "{story:#?}"
    );

    let head = git(&world.vault_root(), &["rev-parse", "HEAD"]);
    world::run_engine(&world.vault_root(), problems);
    assert_eq!(git(&world.vault_root(), &["rev-parse", "HEAD"]), head, "a restart changes nothing");
}
