//! The demo's request, done unattended by another program as coder, tester and reviewer, with secrets planted around it.

use std::path::Path;
use std::process::Command;

use ado_vault::demo::lay_out;
use serde_json::Value;

use crate::support::{Place, ended};

/// Part of everything that no agent may see. No rule takes it for a secret, so that no redaction hides that it was seen.
const MARK: &str = "planted-by-the-test";
const PYTHON: &str = "/usr/bin/python3";

#[test]
fn another_program_does_the_demos_request_and_reaches_no_secret() {
    if !Path::new(PYTHON).is_file() {
        eprintln!("not run: the agent of this test needs `{PYTHON}`");
        return;
    }
    let place = Place::empty();
    place.lend_toolchain();
    let dir = place.home.join("demo");
    let demo = lay_out(&dir, None).unwrap();
    let planted = plant(&place, &demo.vault, &demo.origin);
    let program = dir.join("program");
    std::fs::create_dir(&program).unwrap();
    let script = program.join("agent.py");
    std::fs::write(&script, include_str!("agent.py")).unwrap();

    let bare =
        Command::new(PYTHON).arg(&script).args(["", "", &planted, MARK]).env("SOME_SETTING", MARK).output();
    let bare = ended(bare.unwrap()).out;
    let seen = planted.split(':').filter(|path| bare.contains(&format!("REACHED {path}"))).count();
    assert_eq!(seen, planted.split(':').count(), "the agent finds what it can see: {bare}");
    assert!(bare.contains("REACHED variable SOME_SETTING"), "{bare}");

    for (note, role) in [("Coder", "coder"), ("Tester", "tester"), ("Reviewer", "reviewer")] {
        let words = [PYTHON, script.to_str().unwrap(), "{{prompt_file}}", "{{answer_file}}", &planted, MARK];
        let text = format!(
            "---\nrole: {role}\nbackend: command\ncommand: {}\nread_paths: [{}]\nenv: [\"MODEL={{{{model}}}}\"]\nmax_turns: 40\n---\n\
             Do this: {{{{ feature.title }}}}\n",
            serde_json::to_string(&words).unwrap(),
            program.display(),
        );
        std::fs::write(demo.vault.join(format!("20_agents/{note}.md")), text).unwrap();
    }

    let mut run = place.command(&["--format", "json", "demo", "--keep", dir.to_str().unwrap()]);
    run.env("DEPLOY_TOKEN", format!("{MARK}-token"))
        .env("OPENAI_API_KEY", format!("{MARK}-key"))
        .env("SOME_SETTING", MARK);
    let ended = ended(run.output().unwrap());
    let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!((ended.code, &told["status"]), (0, &"review".into()), "{told:#}\n{}", ended.err);

    let run = demo.vault.join("60_runs/FR-001/1");
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let started = journal.matches(r#""tool":"agent""#).count();
    assert!(started >= 6, "coder three times, tester, reviewer twice: {started}");
    assert_eq!(journal.matches("looked for everything").count(), started);
    let everything =
        walkdir::WalkDir::new(&run).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    for file in everything {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("REACHED"), "{}: {text}", file.path().display());
        assert!(!text.contains(&format!("{MARK}-")), "{}", file.path().display());
        assert!(!text.contains("sk-ado-"), "the token is in {}", file.path().display());
    }
    // Every model call of the agents is in the journal, with its cost, as for the built-in ones.
    assert!(journal.matches(r#""type":"model_call_finished""#).count() >= 20, "{journal}");
}

/// Secrets where a careless machine has them; gives their paths.
fn plant(place: &Place, vault: &Path, origin: &Path) -> String {
    let home = &place.home;
    let paths = [
        home.join(".ssh/id_ed25519"),
        home.join(".config/gh/hosts.yml"),
        home.join(".aws/credentials"),
        home.join("demo/other/secret.txt"),
        vault.join("00_system/private.md"),
        vault.join(".ado/private"),
        origin.join("private"),
    ];
    for path in &paths {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{MARK}\n")).unwrap();
    }
    paths.map(|path| path.display().to_string()).join(":")
}
