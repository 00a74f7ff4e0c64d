//! The demo as a user sees it, to the merge, also when it was killed on the way.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, keys, until};

fn journal(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("vault/60_runs/FR-001/1/journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_demo_that_was_killed_goes_on_to_the_merge_without_repeating_what_was_done() {
    let place = Place::empty();
    place.lend_toolchain();
    let dir = place.home.join("demo");
    let keep = dir.to_str().unwrap();
    let mut first = place.command(&["demo", "--keep", keep]).stderr(Stdio::null()).spawn().unwrap();
    until("the first code step is done", || {
        journal(&dir).contains(r#""step":"code","round":1},"attempt":1,"outcome"#)
    });
    first.kill().unwrap();
    first.wait().unwrap();

    let (code, told) = place.json(&["demo", "--keep", keep, "--merge"]);
    assert_eq!((code, &told["status"], &told["recorded"]), (0, &"done".into(), &true.into()), "{told:#}");
    let found: Vec<&Value> =
        told["setbacks"].as_array().unwrap().iter().map(|setback| &setback["step"]).collect();
    assert_eq!(found, ["gates/1", "review/2"]);
    assert_eq!(keys(&told["setbacks"][0]), ["step", "by", "fault", "answer"]);
    let fault = told["setbacks"][0]["fault"].as_str().unwrap();
    assert!(
        fault.starts_with("tests/longest.rs:") && fault.contains("the_first_of_equally_long_lines"),
        "{fault}"
    );
    let done = journal(&dir);
    assert_eq!(done.matches(r#""step":"code","round":1},"attempt":1,"outcome"#).count(), 1);
    assert!(!dir.join("vault/60_runs/FR-001/2").exists(), "one run was enough");
    let merged = told["merged"].as_str().unwrap();
    assert_eq!(place.git(&dir.join("textstat.git"), &["rev-parse", "main"]), merged);

    let (code, again) = place.json(&["demo", "--keep", keep, "--merge"]);
    assert_eq!((code, &again["merged"], &again["spent"]), (0, &told["merged"], &told["spent"]));
    assert_eq!(journal(&dir), done, "nothing is left to do");
}

#[test]
fn an_unknown_model_is_answered_with_those_there_are() {
    let place = Place::empty();
    let dir = place.home.join("demo");
    let ended = place.run(&["demo", "--keep", dir.to_str().unwrap(), "--model", "gtp"]);
    assert_eq!(ended.code, 1);
    for word in ["`gtp`", "anthropic", "ollama", "openai"] {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
}
