//! No order of calls, crashes, restarts, moves, parallel runs and changes of day and night spends more than a cap allows:
//! the journals are real files; the provider's bill, and what steps began and worked, are kept apart from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ado_vault::domain::*;
use ado_vault::engine::{Quiet, RunBook};
use ado_vault::models::ModelError;
use ado_vault::vault::{Vault, init};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy, *};

const RUNS: [&str; 4] = ["FR-001/1", "FR-001/2", "FR-002/1", "FR-003/1"];

#[derive(Debug, Clone)]
enum Step {
    /// A call that may cost `most` and costs `share` percent of it.
    Call { run: usize, most: u64, share: u64 },
    /// A step with an agent begins, and would like so many seconds.
    Begin { run: usize, seconds: u64 },
    /// The step at work ends before its time.
    End { run: usize },
    /// The oldest open call of a run ends.
    Settle { run: usize },
    /// The process dies, the last line of a journal torn or not, and another begins.
    Crash { torn: Option<usize> },
    /// A human moves the note away: the run ends, its calls may still be under way.
    Move { run: usize },
    /// Time goes by.
    Wait { minutes: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..RUNS.len(), 1..40_u64, 0..=100_u64).prop_map(|(run, most, share)| Step::Call { run, most, share }),
        4 => (0..RUNS.len(), 1..7200_u64).prop_map(|(run, seconds)| Step::Begin { run, seconds }),
        2 => (0..RUNS.len()).prop_map(|run| Step::End { run }),
        4 => (0..RUNS.len()).prop_map(|run| Step::Settle { run }),
        1 => prop::option::of(0..RUNS.len()).prop_map(|torn| Step::Crash { torn }),
        1 => (0..RUNS.len()).prop_map(|run| Step::Move { run }),
        2 => (1..900_i64).prop_map(|minutes| Step::Wait { minutes }),
    ];
    proptest::collection::vec(step, 1..60)
}

fn caps() -> impl Strategy<Value = ScopeCaps> {
    let one = || {
        let (amount, few) = (|| prop::option::of(20..150_u64), || prop::option::of(1..8_u64));
        (amount(), amount(), few(), few(), prop::option::of(0..200_u64)).prop_map(
            |(usd, tokens, calls, sessions, minutes)| Caps {
                usd: usd.map(Usd::from_micros),
                tokens,
                calls,
                sessions,
                minutes,
            },
        )
    };
    let overnight =
        prop::option::of(prop::sample::select(vec!["22:00-06:00", "20:30-04:00 +02:00", "01:00-05:00"]));
    (one(), one(), one(), one(), overnight).prop_map(|(run, feature, day, night, overnight)| ScopeCaps {
        // The minutes of a run are no shared cap: its steps are given what is left of them.
        run: Caps { minutes: None, ..run },
        feature,
        day,
        night,
        overnight: overnight.map(|hours| hours.parse().unwrap()),
    })
}

struct Office {
    _dir: tempfile::TempDir,
    vault: Vault,
    book: RunBook,
    /// Seconds since the beginning.
    now: Arc<AtomicI64>,
    /// What the provider charges, whatever became of the answer: run, when it was asked, cost.
    bill: Vec<(usize, Timestamp, Spent)>,
    /// Calls without an end in the journal.
    open: Vec<(usize, u64, Spent)>,
    /// Steps at work: run, number, when they began, and by when their time is over.
    at_work: Vec<(usize, u32, Timestamp, Timestamp)>,
    begun: u32,
}

fn run_id(run: usize) -> RunId {
    RUNS[run].parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-21T17:00:00Z".parse().unwrap();
    begin.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn begin(vault: &Vault, now: &Arc<AtomicI64>) -> RunBook {
    let now = now.clone();
    let clock = Arc::new(move || at(now.load(Ordering::SeqCst)));
    let book = RunBook::load_with_clock(vault, Arc::new(Quiet), clock).unwrap().0;
    for run in (0..RUNS.len()).map(run_id) {
        let event = Event::Started {
            repo: "target".parse().unwrap(),
            branch: BranchName::for_run(FeatureType::Feature, &run, "x"),
            target_branch: "main".parse().unwrap(),
            request: ContentHash::of("x"),
            reason: String::new(),
            version: String::new(),
            sandboxed: false,
            from: None,
            proposed: None,
            run: run.clone(),
        };
        book.begin(&run, event).unwrap();
    }
    book
}

fn reserve(book: &RunBook, run: usize, most: Spent, caps: &ScopeCaps) -> Result<u64, ModelError> {
    let key = StepKey::new(ado_vault::domain::Step::Code, 1);
    book.reserve(&run_id(run), key, &"Coder".parse().unwrap(), &"m".parse().unwrap(), most, caps)
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path()).unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let now = Arc::default();
        Self {
            book: begin(&vault, &now),
            vault,
            now,
            bill: vec![],
            open: vec![],
            at_work: vec![],
            begun: 0,
            _dir: dir,
        }
    }

    fn perform(&mut self, step: &Step, caps: &ScopeCaps) {
        match *step {
            Step::Call { run, most, share } => {
                let most = Spent::of_call(Usd::from_micros(most), most);
                if let Ok(call) = reserve(&self.book, run, most, caps) {
                    let tokens = most.tokens * share / 100;
                    let real = Spent::of_call(Usd::from_micros(tokens), tokens);
                    self.bill.push((run, self.now(), real));
                    self.open.push((run, call, real));
                }
            }
            Step::Begin { run, seconds } => {
                if self.at_work.iter().any(|(of, ..)| *of == run) {
                    return;
                }
                self.begun += 1;
                let key = StepKey::new(ado_vault::domain::Step::Code, self.begun);
                let began = self.book.begin_step(&run_id(run), key, 1, (caps, seconds)).unwrap();
                if let Ok(granted) = began {
                    assert!((1..=seconds).contains(&granted), "{granted} of {seconds}");
                    let over = self.now().checked_add(SignedDuration::from_secs(granted as i64)).unwrap();
                    self.bill.push((run, self.now(), Spent::of_session()));
                    self.at_work.push((run, self.begun, self.now(), over));
                }
            }
            Step::End { run } => {
                let Some(at) = self.at_work.iter().position(|(of, ..)| *of == run) else { return };
                let (_, number, began, _) = self.at_work.remove(at);
                self.bill.push((run, began, Spent::of_time(began, self.now())));
                let key = StepKey::new(ado_vault::domain::Step::Code, number);
                let outcome = StepOutcome { result: StepResult::Cancelled, agent: None, millis: 1 };
                self.book.append(&run_id(run), Event::StepFinished { key, attempt: 1, outcome }).unwrap();
            }
            Step::Settle { run } => {
                let Some(at) = self.open.iter().position(|(of, ..)| *of == run) else { return };
                let (_, call, real) = self.open.remove(at);
                let tokens = Tokens { input: real.tokens, ..Tokens::default() };
                let event = Event::ModelCallFinished {
                    call,
                    tokens,
                    cost: real.usd,
                    millis: 1,
                    ended: "stop".into(),
                    transcript: None,
                    failure: None,
                    transcript_hash: None,
                };
                self.book.append(&run_id(run), event).unwrap();
            }
            Step::Crash { torn } => {
                // What was open stays open in the journals: nobody knows what it cost. What a step worked after its last
                // record is in no journal.
                self.open.clear();
                self.at_work.clear();
                if let Some(run) = torn {
                    let path = self.vault.root().join(format!("60_runs/{}/journal.jsonl", RUNS[run]));
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes.extend(b"{\"v\":1,\"seq\":99,\"at\":\"20");
                    std::fs::write(&path, bytes).unwrap();
                }
                self.book = begin(&self.vault, &self.now);
            }
            Step::Move { run } => {
                let ended = Event::Ended { result: RunEnd::Stopped, detail: String::new() };
                self.book.append(&run_id(run), ended).unwrap();
            }
            Step::Wait { minutes } => {
                let until = at(self.now.load(Ordering::SeqCst) + minutes * 60);
                // Steps whose time is over on the way end then.
                while let Some((run, over)) =
                    self.at_work.iter().map(|(run, .., over)| (*run, *over)).min_by_key(|(_, over)| *over)
                    && over <= until
                {
                    self.now.store(over.duration_since(at(0)).as_secs(), Ordering::SeqCst);
                    self.perform(&Step::End { run }, caps);
                }
                self.now.store(until.duration_since(at(0)).as_secs(), Ordering::SeqCst);
            }
        }
    }

    fn now(&self) -> Timestamp {
        at(self.now.load(Ordering::SeqCst))
    }

    fn billed(&self, counts: impl Fn(&RunId, Timestamp) -> bool) -> Spent {
        let counted = self.bill.iter().filter(|(run, at, _)| counts(&run_id(*run), *at));
        counted.map(|(_, _, cost)| *cost).sum()
    }

    /// The first cap that the bill is above, of any run, feature, day or night.
    fn overspent(&self, caps: &ScopeCaps) -> Option<String> {
        let above = |caps: &Caps, spent: Spent| caps.exceeded_by(spent, Spent::default());
        let day = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let night = |at: Timestamp| caps.overnight.and_then(|hours| hours.holding(at));
        let of_runs = (0..RUNS.len()).map(run_id).find_map(|run| {
            above(&caps.run, self.billed(|of, _| *of == run))
                .or_else(|| above(&caps.feature, self.billed(|of, _| of.feature == run.feature)))
        });
        let mut times = self.bill.iter().map(|(_, at, _)| *at);
        of_runs.or_else(|| {
            times.find_map(|time| {
                let tonight = || self.billed(|_, at| night(at) == night(time));
                above(&caps.day, self.billed(|_, at| day(at) == day(time)))
                    .or_else(|| night(time).and_then(|_| above(&caps.night, tonight())))
            })
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_spends_more_than_a_cap(steps in steps(), caps in caps()) {
        let mut office = Office::new();
        for step in &steps {
            office.perform(step, &caps);
            prop_assert_eq!(office.overspent(&caps), None, "after {:?}", step);
        }
    }
}

#[test]
fn runs_side_by_side_share_what_is_left() {
    let office = Office::new();
    let cap = Caps { usd: Some(Usd::from_micros(1000)), calls: Some(60), ..Caps::default() };
    let caps = ScopeCaps { day: cap, ..ScopeCaps::default() };
    let book = &office.book;
    let reserved: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                scope.spawn(move || {
                    let most = Spent::of_call(Usd::from_micros(30), 30);
                    (0..20).filter(|_| reserve(book, worker % RUNS.len(), most, &caps).is_ok()).count() as u64
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(reserved, 33, "all that fits, and not one call more");
}

#[test]
fn steps_side_by_side_share_the_sessions_and_the_time_that_are_left() {
    let office = Office::new();
    let cap = Caps { sessions: Some(3), minutes: Some(10), ..Caps::default() };
    let caps = ScopeCaps { day: cap, ..ScopeCaps::default() };
    let begin = |run: usize, round, seconds| {
        let key = StepKey::new(ado_vault::domain::Step::Code, round);
        office.book.begin_step(&run_id(run), key, 1, (&caps, seconds)).unwrap()
    };
    let full = "day: its minutes are worked, or held by steps at work";
    assert_eq!([begin(0, 1, 400), begin(2, 1, 400)], [Ok(400), Ok(200)]);
    assert_eq!(begin(3, 1, 400), Err(full.to_owned()));
    let outcome = StepOutcome { result: StepResult::Cancelled, agent: None, millis: 1 };
    let key = StepKey::new(ado_vault::domain::Step::Code, 1);
    office.book.append(&run_id(0), Event::StepFinished { key, attempt: 1, outcome }).unwrap();
    assert_eq!(begin(3, 1, 400), Ok(400), "what the first one left");
    assert_eq!(begin(1, 1, 400), Err("day: 3 of 3 agent sessions begun".to_owned()));
}

#[test]
fn a_call_that_ends_after_midnight_counts_for_the_day_that_it_was_held_against() {
    let mut office = Office::new();
    let cap = Caps { usd: Some(Usd::from_micros(100)), ..Caps::default() };
    let caps = ScopeCaps { day: cap, ..ScopeCaps::default() };
    let call = |most| Step::Call { run: 0, most, share: 100 };
    office.perform(&call(100), &caps);
    office.perform(&Step::Wait { minutes: 8 * 60 }, &caps);
    office.perform(&call(100), &caps);
    office.perform(&Step::Settle { run: 0 }, &caps);
    assert_eq!(office.bill.len(), 2, "a new day has its own cap");
    let today = office.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    assert_eq!(office.book.spent_on(today).usd, Usd::from_micros(100));
    assert_eq!(office.book.spent_on(today.yesterday().unwrap()).usd, Usd::from_micros(100));
    assert_eq!(office.overspent(&caps), None);
}
