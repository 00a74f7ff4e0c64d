//! How many bytes stay in memory for each note after a look at a vault. Run it by `cargo bench --bench memory`; other
//! numbers of notes can be named: `BENCH_NOTES=100000`.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod generate;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ado_vault::decide::decide;
use ado_vault::engine::{Circumstances, Observer, Quiet, RunBook};
use ado_vault::vault::{History, Scanner};
use generate::Generated;

/// Counts the bytes that are allocated and not freed.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function's own.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let named = std::env::var("BENCH_NOTES").ok().and_then(|number| number.parse().ok());
    let notes: usize = named.unwrap_or(10_000);
    let generated = Generated::committed(notes);
    let each = |before: usize| LIVE.load(Ordering::Relaxed).saturating_sub(before) / notes;

    let before = LIVE.load(Ordering::Relaxed);
    let mut scanner = Scanner::new(&generated.vault);
    for _ in 0..2 {
        scanner.scan().expect("the generated vault can be read");
    }
    println!("{notes} notes: a scanner keeps {} bytes a note, what notes say included", each(before));
    drop(scanner);

    let before = LIVE.load(Ordering::Relaxed);
    let history = History::open(&generated.vault).expect("the generated vault has a repository");
    let (book, _) = RunBook::load(&generated.vault, Arc::new(Quiet)).expect("there are no runs");
    let mut observer = Observer::new(&generated.vault);
    for _ in 0..2 {
        let look = observer.look(&book, &history, &Circumstances::default());
        decide(&look.expect("the generated vault can be looked at").snapshot);
    }
    println!("{notes} notes: an engine keeps {} bytes a note between two looks", each(before));
}
