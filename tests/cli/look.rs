//! Commands that only look: `status`, `why`, `log`, `check`, `score`, `doctor`, `run --dry-run`, help and the like.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, keys};

/// A vault with a planned note that cannot start: its repository has no note.
fn stuck() -> Place {
    let place = Place::vault();
    let text = "---\nid: FR-900\ntitle: Dark mode\nstatus: planned\nrepo: nowhere\n---\n# Dark mode\n\n## Acceptance \
                criteria\n\n- [ ] it is dark\n";
    place.write("10_features/03_planned/FR-900 Dark mode.md", text);
    place
}

#[test]
fn status_why_score_and_dry_run_speak_to_people_and_to_programs() {
    let place = stuck();
    let table = place.ok(&["status"]);
    assert!(table.contains("FR-900") && table.contains("Dark mode") && table.contains("planned"), "{table}");
    let (code, status) = place.json(&["status"]);
    assert_eq!(code, 0);
    let parts = ["features", "problems", "today", "tonight", "engine", "paused", "unwell", "worktree_bytes"];
    assert_eq!(keys(&status), parts);
    let row = status["features"].as_array().unwrap().iter().find(|row| row["id"] == "FR-900").unwrap();
    assert_eq!(
        keys(row),
        ["id", "title", "path", "status", "step", "tier", "waiting_on", "needs_human", "cost", "pr"]
    );

    let said = place.ok(&["why", "FR-900"]);
    assert!(said.contains("to go on: "), "{said}");
    let (code, why) = place.json(&["why", "FR-900"]);
    assert_eq!(code, 0);
    let named = [
        "feature",
        "title",
        "path",
        "status",
        "next",
        "reason",
        "wait",
        "paused",
        "unwell",
        "triage",
        "spent",
        "diagnostics",
    ];
    assert_eq!(keys(&why), [&named[..], &["brake"]].concat());
    assert_eq!(keys(&why["wait"]), ["on", "why", "unblock", "needs_human"]);
    assert_eq!(why["wait"]["needs_human"], true);

    let said = place.ok(&["score", "FR-900"]);
    assert!(said.contains("complexity") && said.contains("risk") && said.contains("novelty"), "{said}");
    let (code, score) = place.json(&["score", "FR-900"]);
    assert_eq!(code, 0);
    assert!(score["complexity"].is_u64() && score["points"].is_array(), "{score}");

    let said = place.ok(&["run", "--dry-run"]);
    assert!(said.contains("FR-900: ") && said.contains("because "), "{said}");
    let (code, plan) = place.json(&["run", "--dry-run"]);
    assert_eq!((code, plan["decisions"].is_array()), (0, true));
}

#[test]
fn log_of_a_feature_without_runs_is_empty() {
    let place = stuck();
    assert_eq!(place.ok(&["log", "FR-900"]), "FR-900 has no runs yet\n");
    assert_eq!(place.json(&["log", "FR-900"]), (0, serde_json::json!([])));
    assert!(place.ok(&["audit", "FR-900"]).starts_with("nothing is known of FR-900"));
    assert_eq!(place.json(&["audit", "FR-900"]), (0, serde_json::json!([])));
    assert_eq!(place.run(&["audit"]).code, 2, "without a feature there is only --verify");
}

#[test]
fn check_shows_the_line_and_the_remedy_and_fails_on_errors_alone() {
    let place = Place::vault();
    assert_eq!(place.run(&["check"]).code, 0, "{:?}", place.run(&["check"]));
    place.write("10_features/02_new/FR-901 Bad.md", "---\nid: FR-901\nstatus: soon\n---\n# Bad\n");
    let ended = place.run(&["check"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for word in ["status: soon", "FR-901 Bad.md:3", "help:", "1 errors"] {
        assert!(ended.out.contains(word), "{word}: {}", ended.out);
    }
    let (code, found) = place.json(&["check"]);
    assert_eq!(code, 1);
    let error = found.as_array().unwrap().iter().find(|found| found["severity"] == "error").unwrap();
    assert_eq!(keys(error), ["code", "severity", "path", "line", "column", "message", "remedy"]);
    assert_eq!(place.run(&["check", "10_features/03_planned"]).code, 0, "other folders have no errors");
    assert_eq!(place.run(&["check", "nope.md"]).code, 2);
}

#[test]
fn check_draws_no_key_and_says_each_thing_once() {
    let place = Place::vault();
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5F6".repeat(3));
    let pem = format!("-----BEGIN {} KEY-----\nMIIB{}\nMIIC", "PRIVATE", "q".repeat(40));
    let text =
        format!("---\nid: FR-901\npriority: medium\n---\n# Bad\n\nkey {token} end\n{pem}\n\n[[Nowhere]]\n");
    place.write("10_features/02_new/FR-901 Bad.md", &text);
    let ended = place.run(&["check"]);
    for word in
        ["7 │ key [redacted: github-token] end", "FR-901 Bad.md:8", "FR-901 Bad.md:12", "12 │ [[Nowhere]]"]
    {
        assert!(ended.out.contains(word), "{word}: {}", ended.out);
    }
    assert!(!ended.out.contains(&token) && !ended.out.contains("qqqq"), "{}", ended.out);
    assert_eq!(ended.out.matches("priority: medium").count(), 1, "{}", ended.out);
}

#[test]
fn doctor_names_what_is_missing() {
    let place = Place::vault();
    let (code, report) = place.json(&["doctor"]);
    assert_eq!(keys(&report), ["version", "git", "sandbox", "sandbox_problem", "vault"]);
    let default =
        report["vault"].as_array().unwrap().iter().find(|found| found["what"] == "default model").unwrap();
    assert_eq!(default["ok"], false);
    assert_eq!(code, 1);
    let said = place.run(&["doctor"]);
    assert!(said.out.contains("✓ git") && said.out.contains("✗ default model"), "{said:?}");
}

#[test]
fn doctor_starts_the_programs_of_agents_in_the_sandbox_and_names_what_does_not_start() {
    let place = Place::vault();
    let program = place.home.join("tool");
    std::fs::create_dir(&program).unwrap();
    let script = program.join("agent");
    std::fs::write(&script, "#!/bin/sh\n[ \"$1\" = --version ] && echo tiny-agent 1.2.3\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let note = |name: &str, role: &str, command: &str, read: &str| {
        let text = format!(
            "---\nrole: {role}\nbackend: command\ncommand: [{command}, \"{{{{prompt}}}}\"]\nread_paths: [{read}]\n---\nDo it.\n"
        );
        place.write(&format!("20_agents/{name}.md"), &text);
    };
    let (script, program) = (script.display().to_string(), program.display().to_string());
    note("Coder", "coder", &script, &program);
    note("Tester", "tester", "/nowhere/agent", "/nowhere");
    note("Reviewer", "reviewer", &script, "");
    let (_, report) = place.json(&["doctor"]);
    if !report["sandbox_problem"].is_null() {
        eprintln!("not run: {}", report["sandbox_problem"]);
        return;
    }
    let of = |name: &str| {
        let what = format!("program of agent {name}");
        report["vault"].as_array().unwrap().iter().find(|found| found["what"] == *what).unwrap().clone()
    };
    let said = |name: &str| of(name)["detail"].as_str().unwrap().to_owned();
    assert_eq!(of("Coder")["ok"], true, "{report}");
    assert_eq!(said("Coder"), format!("`{script}` starts in the sandbox: tiny-agent 1.2.3"));
    for (name, path) in [("Tester", "/nowhere/agent"), ("Reviewer", script.as_str())] {
        assert_eq!(of(name)["ok"], false, "{report}");
        assert!(
            said(name).starts_with(&format!("`{path}` does not start in the sandbox: ")),
            "{}",
            said(name)
        );
        assert!(
            said(name).ends_with("check `command`, and name its folder in `read_paths`"),
            "{}",
            said(name)
        );
    }
    assert!(!report.to_string().contains("Planner\","), "built-in agents have no program");
}

#[test]
fn doctor_tells_of_every_attempt_to_get_out() {
    let place = Place::empty();
    let (code, report) = place.json(&["doctor", "--escape"]);
    assert_eq!(keys(&report), ["cases"]);
    let cases = report["cases"].as_array().unwrap();
    let ids: BTreeSet<u64> = cases.iter().map(|case| case["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=46).collect(), "every case of the sandbox");
    let count = |result: &str| cases.iter().filter(|case| case["result"] == result).count();
    for case in cases {
        assert_eq!(keys(case), ["id", "name", "result", "reason"]);
        assert!(!case["name"].as_str().unwrap().is_empty());
        let is_told = !case["reason"].as_str().unwrap().is_empty();
        assert_eq!(is_told, case["result"] == "not run", "{case}");
    }
    assert_eq!(count("stopped") + count("not run"), cases.len(), "{report:#}");
    assert_eq!(code, i32::from(count("stopped") == 0));
    let told: Vec<&Value> = cases.iter().filter(|case| case["id"] == 25).collect();
    assert!(
        told.iter().all(|case| case["result"] == "not run"),
        "a change of workflows waits for a person: {told:?}"
    );
}

#[test]
fn completions_manual_and_help_are_there_for_everyone() {
    let place = Place::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(place.ok(&["completions", shell]).contains("ado-vault"), "{shell}");
    }
    assert!(place.ok(&["man"]).contains(".TH ado-vault"));
    let pages = place.home.join("man");
    place.ok(&["man", "--dir", pages.to_str().unwrap()]);
    assert!(pages.join("ado-vault-run.1").is_file());
    assert!(place.ok(&["--help"]).contains("Exit codes"));
    assert_eq!(place.run(&["frobnicate"]).code, 2);
}

#[test]
fn what_is_not_there_is_said_with_a_remedy() {
    let place = Place::vault();
    for command in ["why", "score", "approve", "run"] {
        let ended = place.run(&[command, "FR-999"]);
        assert_eq!(ended.code, 1, "{command}: {ended:?}");
        assert!(ended.err.contains("`ado-vault status --all` lists all"), "{command}: {ended:?}");
        assert_eq!(place.run(&[command, "nonsense"]).code, 2, "{command}");
    }
    let nowhere = Place::empty();
    for command in
        [&["status"][..], &["check"], &["watch"], &["run"], &["sync"], &["new", "X"], &["why", "FR-1"]]
    {
        let ended = nowhere.run(command);
        assert_eq!(ended.code, 1, "{command:?}: {ended:?}");
        assert!(ended.err.contains("`ado-vault init`"), "{command:?}: {ended:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let place = stuck();
    for arguments in [&["status", "--format", "json"][..], &["man"], &["completions", "bash"], &["--help"]] {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0..=2)), "{arguments:?}: {code:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("bug"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_a_terminal_would_obey_never_leaves_a_note() {
    let place = Place::vault();
    let title = "Evil\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J \u{202e}red";
    let text = format!(
        "---\nid: FR-902\ntitle: \"{title}\"\nstatus: soon\nrepo: \"\\e[31mx\"\n---\n# {title}\n\n\u{1b}[2Jtext\n"
    );
    place.write("10_features/03_planned/FR-902 Evil.md", &text);
    for arguments in [
        &["status", "--all"][..],
        &["why", "FR-902"],
        &["score", "FR-902"],
        &["check"],
        &["run", "--dry-run"],
        &["sync", "--check"],
        &["log", "FR-902"],
        &["doctor"],
    ] {
        for format in ["human", "json"] {
            let ended = place.run(&[&["--format", format], arguments].concat());
            for evil in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'] {
                assert!(!ended.out.contains(evil), "{arguments:?} {format} out: {evil:?} in {}", ended.out);
                assert!(!ended.err.contains(evil), "{arguments:?} {format} err: {evil:?} in {}", ended.err);
            }
        }
    }
}
