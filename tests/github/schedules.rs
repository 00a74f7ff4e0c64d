//! Seeded schedules of faults over a pull request's whole life: whatever the server does, in the end there is one branch,
//! one pull request and one comment for each intent, and no call is made before its allowed time.
//!
//! Plain `cargo test` goes through a sample; `ADO_FAULT_SCHEDULES=1000` through so many. Time is virtual but for answers
//! that never come.

use std::time::Duration;

use ado_vault::domain::*;
use ado_vault::forge::{Answer, Forge, ForgeError, Merging};
use jiff::SignedDuration;
use serde_json::json;

use super::answers;
use super::ci::Thread;
use super::fake::Fault;
use super::pull_requests::Desk;

/// Schedules of the default run.
const SAMPLE: u64 = 120;
/// Tries of one intent after which it counts as lost.
const MOST_TRIES: u32 = 60;

/// Numbers that look random and are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn fault(&mut self) -> Option<Fault> {
        Some(match self.below(40) {
            0 | 1 => Fault::NotDone,
            2 | 3 => Fault::DoneAndLost,
            4 | 5 => Fault::Cut,
            6 => Fault::Silent,
            7 => Fault::RetryAfter(1 + self.below(300)),
            8 => Fault::UsedUp(1 + self.below(900)),
            9 => Fault::Secondary,
            10 => Fault::Redirect,
            _ => return None,
        })
    }
}

/// One schedule; its seed decides the faults, the clock's skew, the size of pages, and when lists show what is new.
struct Schedule {
    desk: Desk,
    dice: Dice,
    seed: u64,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let (desk, mut dice) = (Desk::new(), Dice(seed));
        {
            let mut state = desk.github.state();
            let clock = desk.clock.clone();
            let skew = i64::try_from(dice.below(7_200)).unwrap() - 3_600;
            state.clock = Some(Box::new(move || clock.second() + skew));
            state.hide_new = u32::try_from(dice.below(3)).unwrap();
            state.page = 1 + usize::try_from(dice.below(4)).unwrap();
            for n in 0..dice.below(9) {
                state.comments.entry(1).or_default().push(("ann".into(), format!("word {n}")));
            }
        }
        Self { desk, dice, seed }
    }

    /// Tries one intent until it succeeds, as the engine does: later, and not before the time that is named.
    async fn until_done<T>(
        &mut self,
        what: &str,
        act: impl AsyncFn(&dyn Forge) -> Result<T, ForgeError>,
    ) -> T {
        for _ in 0..MOST_TRIES {
            let mut faults: Vec<Option<Fault>> = (0..6).map(|_| self.dice.fault()).collect();
            // Where an answer never comes the client is impatient, and what a slow machine does not bring in time is lost:
            // no limit may be named then.
            let is_silent = faults.contains(&Some(Fault::Silent));
            if is_silent {
                faults.iter_mut().for_each(|fault| *fault = fault.filter(|fault| !fault.is_limit()));
            }
            self.desk.clock.hurry(Duration::from_millis(if is_silent { 100 } else { 20_000 }));
            self.desk.github.state().faults = faults.into();
            // Now and then another process, which knows of the limits alone.
            if self.dice.below(4) == 0 {
                self.desk.restart();
            }
            let forge = self.desk.forge();
            match act(&*forge).await {
                Ok(done) => return done,
                Err(error) => {
                    assert!(error.retry(), "seed {}, {what}: {error}", self.seed);
                    let now = self.desk.clock.now_at();
                    let wait = match error.not_before() {
                        Some(at) => at.duration_since(now),
                        None => SignedDuration::from_secs(1),
                    };
                    self.desk.clock.forward(wait.as_secs() + 1);
                }
            }
        }
        panic!("seed {}: {what} never succeeds", self.seed)
    }
}

async fn whole_life(seed: u64) {
    let mut schedule = Schedule::new(seed);
    let draft = schedule.desk.draft();
    let pr = schedule.until_done("opening", async |forge| forge.ensure(&draft).await).await;
    let again = PullRequestDraft { body: "## What\n\nIt greets you.".into(), ..draft.clone() };
    assert_eq!(
        schedule.until_done("update", async |forge| forge.ensure(&again).await).await,
        pr,
        "seed {seed}"
    );
    {
        let mut state = schedule.desk.github.state();
        state
            .line_comments
            .push(json!({"id": 5, "user": answers::user("ann"), "body": "Why?", "path": "greeting.txt"}));
        state.ci.threads.push(Thread { first: 5, resolved: false });
    }
    for (id, place) in [("a", "thread:5"), ("b", "page")] {
        let answer = Answer { id: id.into(), place: place.into(), text: "Changed.".into() };
        schedule.until_done("answer", async |forge| forge.answer(&pr, &answer).await).await;
    }
    let closes = seed.is_multiple_of(2);
    if closes {
        schedule.until_done("closing", async |forge| forge.close(&pr, "dropped").await).await;
    } else {
        let order = schedule.desk.order();
        let merging = schedule.until_done("merge", async |forge| forge.merge(&pr, &order).await).await;
        assert!(matches!(merging, Merging::Done(Some(_))), "seed {seed}: {merging:?}");
        schedule.until_done("tidying", async |forge| forge.landed(&pr).await).await;
    }
    schedule.until_done("look", async |forge| forge.look(&pr).await).await;

    let state = schedule.desk.github.state();
    assert_eq!(state.wrong, Vec::<String>::new(), "seed {seed}");
    let own = |marker: &str| {
        let on_page = state.comments.values().flatten().filter(|(_, text)| text.contains(marker)).count();
        let is_marked =
            |each: &&serde_json::Value| each["body"].as_str().is_some_and(|text| text.contains(marker));
        on_page + state.line_comments.iter().filter(is_marked).count()
    };
    let comments = (own("<!-- ado:answer a -->"), own("<!-- ado:answer b -->"), own("<!-- ado:closed"));
    assert_eq!(comments, (1, 1, usize::from(closes)), "seed {seed}");
    assert!(state.ci.threads[0].resolved, "seed {seed}");
    assert_eq!((state.pulls.len(), state.pulls[0].closed), (1, closes), "seed {seed}");
    assert_eq!(state.pulls[0].body, "## What\n\nIt greets you.", "seed {seed}");
    let branches = state.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]).unwrap();
    let expected = if closes { "agent/ado/feature/FR-001-greet\nmain" } else { "main" };
    assert_eq!(branches, expected, "seed {seed}");
    let merges = state.git(&["rev-list", "--count", "--merges", "main"]).unwrap();
    assert_eq!(merges, if closes { "0" } else { "1" }, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_server_does_each_intent_is_carried_out_once() {
    let count =
        std::env::var("ADO_FAULT_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SAMPLE);
    for seed in 0..count {
        whole_life(seed).await;
    }
}
