//! Gates on real projects with the real tools: what a compiler, a test run and a formatter say becomes diagnostics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ado_vault::domain::{GateKind, GateResult, GateStatus, SandboxProfile, Severity};
use ado_vault::gates::{GateError, GateSpec, Parser, detect, run};
use ado_vault::sandbox::{Limits, Sandbox, SandboxPolicy};
use tokio_util::sync::CancellationToken;

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn policy(root: &Path) -> SandboxPolicy {
    SandboxPolicy {
        write: vec![root.to_owned()],
        read: vec![],
        protect: vec![],
        limits: Limits::default(),
        ..Default::default()
    }
}

async fn gates(root: &Path, specs: &[GateSpec]) -> Vec<GateResult> {
    run(&Sandbox::none(), &policy(root), root, specs, 20, &CancellationToken::new()).await.unwrap().results
}

fn shell(name: &str, kind: GateKind, script: &str) -> GateSpec {
    GateSpec {
        name: name.into(),
        kind,
        argv: vec!["sh".into(), "-c".into(), script.into()],
        cwd: PathBuf::new(),
        parser: Parser::Generic,
        timeout: Duration::from_secs(30),
        sandbox: SandboxProfile::Worktree,
        env: BTreeMap::new(),
    }
}

fn statuses(results: &[GateResult]) -> Vec<(&str, GateStatus)> {
    results.iter().map(|result| (result.name.as_str(), result.status)).collect()
}

#[tokio::test]
async fn a_crate_that_does_not_compile_names_file_line_and_code_and_its_tests_are_not_run() {
    let root = project(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "pub fn one() -> u32 {\n    let text = \"x\";\n    text\n}\n"),
    ]);
    let results = gates(root.path(), &detect(root.path())).await;
    assert_eq!(
        statuses(&results),
        [
            ("format", GateStatus::Passed),
            ("lint", GateStatus::Failed),
            ("build", GateStatus::Failed),
            ("test", GateStatus::NotRun),
        ]
    );
    let build = &results[2];
    let error = &build.diagnostics[0];
    assert_eq!(
        (error.file.as_deref(), error.line, error.column, error.code.as_deref()),
        (Some("src/lib.rs"), Some(3), Some(5), Some("E0308"))
    );
    assert_eq!((error.tool.as_str(), error.message.as_str()), ("rustc", "mismatched types"));
    assert!(error.context.contains("expected `u32`"), "{}", error.context);
    assert!(build.tail.contains("mismatched types") && !build.tail.contains("{\"reason\""), "{}", build.tail);
    assert!(results[3].tail.contains("`build` did not pass"));
}

#[tokio::test]
async fn a_failing_test_and_bad_formatting_are_diagnostics_with_their_place() {
    let library = "pub fn add(a: u32, b: u32) -> u32 {\n    a  +  b + 1\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
                   fn adds() {\n        assert_eq!(super::add(1, 2), 3, \"sum\");\n    }\n}\n";
    let root = project(&[("Cargo.toml", MANIFEST), ("src/lib.rs", library)]);
    let results = gates(root.path(), &detect(root.path())).await;
    assert_eq!(
        statuses(&results),
        [
            ("format", GateStatus::Failed),
            ("lint", GateStatus::Passed),
            ("build", GateStatus::Passed),
            ("test", GateStatus::Failed),
        ]
    );
    let format = &results[0].diagnostics[0];
    assert_eq!((format.file.as_deref(), format.tool.as_str()), (Some("src/lib.rs"), "rustfmt"));
    assert!(format.context.contains("+    a + b + 1"), "{}", format.context);
    let test = &results[3].diagnostics[0];
    assert_eq!((test.file.as_deref(), test.line), (Some("src/lib.rs"), Some(9)));
    assert!(
        test.message.starts_with("test `tests::adds` failed: assertion `left == right` failed: sum"),
        "{test:?}"
    );
}

#[tokio::test]
async fn a_python_failure_is_read_from_the_real_unittest() {
    let root = project(&[
        ("setup.py", ""),
        ("calc.py", "def add(a, b):\n    return a - b\n"),
        (
            "tests/test_calc.py",
            "import unittest\nfrom calc import add\n\nclass T(unittest.TestCase):\n    def test_add(self):\n        \
             self.assertEqual(add(1, 2), 3)\n",
        ),
    ]);
    let results = gates(root.path(), &detect(root.path())).await;
    assert_eq!(statuses(&results), [("test", GateStatus::Failed)]);
    let found = &results[0].diagnostics[0];
    assert_eq!((found.file.as_deref(), found.line), (Some("tests/test_calc.py"), Some(6)));
    assert!(found.message.contains("AssertionError: -1 != 3"), "{}", found.message);
    assert!(found.context.contains("assertEqual"));
    assert!(!root.path().join("tests/__pycache__").exists(), "gates leave no files behind");
}

#[tokio::test]
async fn a_missing_tool_is_not_run_and_says_why() {
    let root = project(&[]);
    let mut missing = shell("lint", GateKind::Lint, "");
    missing.argv = vec!["no-such-linter-anywhere".into()];
    let specs = [
        missing,
        shell("types", GateKind::Types, "exec sh -c 'nothing-here-either'"),
        shell("test", GateKind::Test, "true"),
    ];
    let results = gates(root.path(), &specs).await;
    assert_eq!(
        statuses(&results),
        [("lint", GateStatus::NotRun), ("types", GateStatus::NotRun), ("test", GateStatus::Passed)]
    );
    assert!(results[0].tail.contains("no-such-linter-anywhere"), "{}", results[0].tail);
    assert!(results[1].tail.contains("nothing-here-either"), "{}", results[1].tail);
}

#[tokio::test]
async fn cheap_gates_run_at_the_same_time_and_results_keep_the_order_of_the_specs() {
    let root = project(&[]);
    // Each end of a pipe waits for the other: one after the other they would run out of time.
    assert!(std::process::Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap().success());
    let specs = [
        shell("test", GateKind::Test, "[ -e met ]"),
        shell("lint", GateKind::Lint, "echo hello > pipe"),
        shell("format", GateKind::Format, "read word < pipe && touch met"),
    ];
    let results = gates(root.path(), &specs).await;
    assert_eq!(
        statuses(&results),
        [("test", GateStatus::Passed), ("lint", GateStatus::Passed), ("format", GateStatus::Passed)]
    );
}

#[tokio::test]
async fn a_gate_over_its_time_is_timed_out_and_its_output_is_clean_and_short() {
    let root = project(&[("src/a.c", "one\ntwo\nthree\n")]);
    let mut slow = shell("test", GateKind::Test, "echo begun; sleep 30");
    slow.timeout = Duration::from_millis(300);
    let noisy = shell(
        "lint",
        GateKind::Lint,
        "for i in $(seq 100); do echo \"noise $i\"; done; printf 'src/a.c:2:1: error: \\033[31mbad\\033[0m\\n'; exit 1",
    );
    let results = gates(root.path(), &[noisy, slow]).await;
    assert_eq!(statuses(&results), [("lint", GateStatus::Failed), ("test", GateStatus::TimedOut)]);
    let lint = &results[0];
    assert_eq!(lint.tail.lines().count(), 20);
    assert!(!lint.tail.contains('\u{1b}'));
    assert_eq!(
        (lint.diagnostics[0].message.as_str(), lint.diagnostics[0].severity),
        ("bad", Severity::Error)
    );
    assert_eq!(lint.diagnostics[0].context, "    1 | one\n    2 | two\n    3 | three");
}

#[tokio::test]
async fn source_lines_are_not_taken_from_behind_a_link_that_leads_out() {
    let outside = project(&[("secret.c", "the secret\n")]);
    let root = project(&[]);
    std::os::unix::fs::symlink(outside.path().join("secret.c"), root.path().join("a.c")).unwrap();
    let results =
        gates(root.path(), &[shell("lint", GateKind::Lint, "echo 'a.c:1:1: error: look'; exit 1")]).await;
    assert_eq!(results[0].diagnostics[0].message, "look");
    assert_eq!(results[0].diagnostics[0].context, "");
}

#[tokio::test]
async fn stopping_ends_the_gates() {
    let root = project(&[]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let specs = [shell("lint", GateKind::Lint, "sleep 30")];
    let result = run(&Sandbox::none(), &policy(root.path()), root.path(), &specs, 20, &cancel).await;
    assert!(matches!(result, Err(GateError::Cancelled)), "{result:?}");
}
