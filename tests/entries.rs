//! What fuzzing runs on, without a fuzzer: the seeds, pieces of them in any order, and plain noise.
//!
//! `ADO_VAULT_TEST_CASES` sets how many inputs are tried; the default is small. To fuzz: see the head of
//! `scripts/fuzz`.

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

type Entry = (&'static str, fn(&[u8]));

const ENTRIES: [Entry; 4] = [
    ("note", entries::note),
    ("journal", entries::journal),
    ("link", entries::link),
    ("canvas", entries::canvas),
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn cases() -> u32 {
    std::env::var("ADO_VAULT_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

#[test]
fn every_seed_holds() {
    for (name, entry) in ENTRIES {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        seeds.iter().for_each(|seed| entry(seed));
    }
}

/// A change to a seed: bytes from one place put over or into another, or a piece left out.
fn changes() -> impl Strategy<Value = Vec<(u8, Index, Index, usize)>> {
    proptest::collection::vec((0..4_u8, any::<Index>(), any::<Index>(), 0..24_usize), 1..6)
}

fn changed(mut bytes: Vec<u8>, changes: &[(u8, Index, Index, usize)]) -> Vec<u8> {
    for (kind, from, to, length) in changes {
        if bytes.is_empty() || bytes.len() > 20_000 {
            break;
        }
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
        match kind {
            0 => drop(bytes.splice(to..to, piece)),
            1 => drop(bytes.splice(to..(to + length).min(bytes.len()), piece)),
            2 => drop(bytes.drain(from..(from + length).min(bytes.len()))),
            _ => bytes[to] = b"\n\r -[]()#|`\"':{}<>!\\$%\t\0\xc3"[length % 26],
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(), max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn changed_seeds_hold(which in any::<Index>(), changes in changes()) {
        for (name, entry) in ENTRIES {
            entry(&changed(which.get(&seeds(name)).clone(), &changes));
        }
    }

    #[test]
    fn noise_holds(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ \\[\\]()!|#<>`$%\\\\\"':{}a-cA.\n\r\t-]{0,120}") {
        for (_, entry) in ENTRIES {
            entry(&bytes);
            entry(text.as_bytes());
        }
    }
}
