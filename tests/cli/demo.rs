//! The demo as a user sees it, also when it was killed on the way, and what `sync` does with its vault afterwards.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, keys, until};

fn journal(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("vault/60_runs/FR-001/1/journal.jsonl")).unwrap_or_default()
}

#[test]
fn a_demo_that_was_killed_goes_on_and_its_vault_mends_itself_and_sees_a_merge_elsewhere() {
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

    let (code, told) = place.json(&["demo", "--keep", keep]);
    assert_eq!((code, &told["status"], &told["recorded"]), (0, &"review".into(), &true.into()), "{told:#}");
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
    let (code, again) = place.json(&["demo", "--keep", keep]);
    assert_eq!((code, &again["spent"], journal(&dir)), (0, &told["spent"], done), "nothing is left to do");

    // Every block's links and embeds lead somewhere.
    let check = place.ok(&["--vault", dir.join("vault").to_str().unwrap(), "check"]);
    assert!(check.contains("0 errors, 0 warnings, 0 hints"), "{check}");
    what_was_lost_by_accident_is_written_anew(&place, &dir, told["note"].as_str().unwrap());
    a_merge_elsewhere_is_found(&place, &dir);
}

fn what_was_lost_by_accident_is_written_anew(place: &Place, dir: &Path, note: &str) {
    let vault = dir.join("vault");
    let sync =
        |arguments: &[&str]| place.run(&[&["--vault", vault.to_str().unwrap(), "sync"], arguments].concat());
    assert_eq!(sync(&["--check"]).code, 0, "{:?}", sync(&["--check"]));
    let (run, note) = (vault.join("60_runs/FR-001/1/run.md"), vault.join(note));
    let before = (std::fs::read_to_string(&run).unwrap(), std::fs::read_to_string(&note).unwrap());
    std::fs::remove_file(&run).unwrap();
    let (begin, end) = ("<!-- ado:begin progress -->", "<!-- ado:end progress -->");
    let (head, rest) = before.1.split_once(begin).unwrap();
    let damaged = format!("{head}{}", rest.split_once(end).unwrap().1);
    std::fs::write(&note, &damaged).unwrap();
    place.ok(&["--vault", vault.to_str().unwrap(), "set", "00_system/Settings.md", "quiet_seconds=0"]);
    let check = sync(&["--check"]);
    assert_eq!((check.code, std::fs::read_to_string(&note).unwrap()), (1, damaged), "{check:?}");
    assert!(check.out.contains(&format!("+{begin}")) && check.out.contains("+++ b/60_runs/FR-001/1/run.md"));
    assert_eq!(sync(&[]).code, 0);
    assert_eq!(std::fs::read_to_string(&run).unwrap(), before.0);
    let mended = std::fs::read_to_string(&note).unwrap();
    assert!(mended.contains(begin) && mended.contains(end), "{mended}");
    assert_eq!(sync(&["--check"]).code, 0, "{:?}", sync(&["--check"]));
}

fn a_merge_elsewhere_is_found(place: &Place, dir: &Path) {
    let elsewhere = dir.join("elsewhere");
    let branches =
        place.git(&dir.join("textstat.git"), &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    let branch = branches.lines().find(|branch| branch.contains("FR-001")).unwrap();
    place.git(dir, &["clone", "--quiet", "textstat.git", "elsewhere"]);
    place.git(&elsewhere, &["merge", "--quiet", "--no-ff", "-m", "merge", &format!("origin/{branch}")]);
    place.git(&elsewhere, &["push", "--quiet"]);
    let vault = dir.join("vault");
    let vault = vault.to_str().unwrap();
    assert_eq!(place.run(&["--vault", vault, "sync"]).code, 0);
    let (_, why) = place.json(&["--vault", vault, "why", "FR-001"]);
    assert_eq!(why["status"], "done");
    let before = place.git(&dir.join("vault"), &["rev-parse", "HEAD"]);
    assert_eq!(place.run(&["--vault", vault, "sync"]).code, 0);
    assert_eq!(
        place.git(&dir.join("vault"), &["rev-parse", "HEAD"]),
        before,
        "a second sync has nothing to say"
    );
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
