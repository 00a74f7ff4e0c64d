//! User instructions, counted by valgrind's callgrind, which neither other work nor the processor's clock changes:
//! `cargo bench --bench instructions`. A cold scan for each note, and one commit in a small and in a large vault. Other
//! sizes of the two vaults: `BENCH_NOTES=10000,100000`.
//!
//! Callgrind hides the processor's instructions for SHA-1, so that hashing counts here what it costs on processors that
//! have none; it is counted apart.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod generate;

use std::path::Path;
use std::process::Command;

use ado_vault::domain::{ContentHash, NotePath};
use ado_vault::vault::{CommitMessage, History, Scanner, Vault, VaultLock};
use generate::Generated;
use sha1::{Digest, Sha1};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    match arguments.as_slice() {
        [stage, folder, note] => perform(stage, Path::new(folder), note),
        _ => measure(),
    }
}

fn measure() {
    let named = std::env::var("BENCH_NOTES").unwrap_or_default();
    let sizes: Vec<usize> = named.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let (small, large) = match sizes.as_slice() {
        [small, large] => (*small, *large),
        _ => (1_000, 10_000),
    };
    let generated = Generated::committed(small).settled();
    generated.forget_index();
    let nothing = instructions("nothing", &generated);
    let scan = instructions("scan", &generated);
    let hash = instructions("hash", &generated).saturating_sub(instructions("read", &generated));
    let each = |count: u64| count / small as u64;
    println!("cold scan of {small} notes: {} instructions a note", each(scan.saturating_sub(nothing)));
    println!("  of these {} are SHA-1 without the processor's help", each(hash));

    let of_commit = |generated: &Generated| {
        generated.edit_first(1);
        instructions("commit", generated).saturating_sub(nothing)
    };
    let in_small = of_commit(&generated);
    drop(generated);
    let in_large = of_commit(&Generated::committed(large).settled());
    println!("one commit without the index: {in_small} at {small} notes, {in_large} at {large}");
    println!("  ratio {:.2}", in_large as f64 / in_small as f64);
}

/// Runs this program again under callgrind.
fn instructions(stage: &str, generated: &Generated) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(stage)
        .arg(generated.vault.root())
        .arg(generated.first.as_str())
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    counted.and_then(|(_, count)| count.trim().parse().ok()).expect("callgrind says what it counted")
}

fn perform(stage: &str, folder: &Path, note: &str) {
    let vault = Vault::open(folder).expect("the generated folder is a vault");
    match stage {
        "scan" => {
            Scanner::new(&vault).scan().expect("the generated vault can be read");
        }
        "read" => {
            generate::texts_below(folder).for_each(drop);
        }
        "hash" => generate::texts_below(folder).for_each(|text| {
            std::hint::black_box(Sha1::digest(text));
        }),
        "commit" => {
            let history = History::open(&vault).expect("the generated vault has a repository");
            let lock = VaultLock::acquire(&vault).expect("nobody else holds the lock");
            history.hold_index();
            let message = CommitMessage { subject: "FR-000001: bench".into(), ..CommitMessage::default() };
            let path = NotePath::new(note).expect("it is a path");
            history.commit(&lock, &[path], &message).expect("the commit can be made");
        }
        _ => {
            std::hint::black_box(ContentHash::of(note));
        }
    }
}
