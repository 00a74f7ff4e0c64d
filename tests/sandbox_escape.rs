//! The escape cases of the security notes: each works without a sandbox, and none works inside.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;

use ado_vault::sandbox::{
    EscapeResult, Limits, Sandbox, SandboxCommand, SandboxError, SandboxPolicy, escape_cases, try_escape,
};
use tokio_util::sync::CancellationToken;

fn init() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ado-vault"))
}

fn sandbox() -> Option<Sandbox> {
    match Sandbox::detect(init()) {
        Ok(sandbox) => Some(sandbox),
        Err(error) => {
            eprintln!("not run, all cases: {error}");
            assert!(std::env::var_os("ADO_REQUIRE_SANDBOX").is_none(), "a sandbox is required here: {error}");
            None
        }
    }
}

async fn results(sandbox: &Sandbox) -> Result<Vec<(u8, &'static str, EscapeResult)>, SandboxError> {
    let mut results = vec![];
    for case in escape_cases() {
        results.push((case.number, case.name, try_escape(sandbox, init(), case).await?));
    }
    Ok(results)
}

#[tokio::test]
async fn no_case_gets_out_of_the_box() {
    let Some(sandbox) = sandbox() else { return };
    let results = results(&sandbox).await.unwrap();
    let mut escaped = vec![];
    let mut stopped = 0;
    for (number, name, result) in results {
        match result {
            EscapeResult::Stopped => stopped += 1,
            EscapeResult::Escaped => escaped.push((number, name)),
            EscapeResult::NotRun { reason } => eprintln!("not run: {number} {name}: {reason}"),
        }
    }
    eprintln!("{stopped} attempts stopped");
    assert_eq!(escaped, [], "these got out");
    assert!(stopped >= 40, "only {stopped} attempts were worth anything on this machine");
}

/// The table itself is put to the test: without a box nearly everything must be seen to get out.
#[tokio::test]
async fn without_a_box_the_cases_are_seen_to_get_out() {
    let held_without_a_box = [43, 44, 45];
    for (number, name, result) in results(&Sandbox::none()).await.unwrap() {
        let held = result == EscapeResult::Stopped;
        assert!(!held || held_without_a_box.contains(&number), "{number} {name} was not seen");
    }
}

/// A probe that cannot start would look like one that was stopped.
#[tokio::test]
async fn probes_run_inside() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let command = SandboxCommand {
        argv: ["__sandbox", "probe", "nothing"].iter().fold(
            vec![init().display().to_string()],
            |mut argv, word| {
                argv.push(word.to_string());
                argv
            },
        ),
        cwd: folder.path().into(),
        env: BTreeMap::new(),
        stdin: String::new(),
    };
    let policy = SandboxPolicy {
        write: vec![folder.path().into()],
        read: vec![init().into()],
        protect: vec![],
        limits: Limits::default(),
        ..Default::default()
    };
    let output = sandbox.run(&command, &policy, &CancellationToken::new()).await.unwrap();
    assert_eq!((output.exit_code, &*output.stderr), (Some(0), ""));
}

#[test]
fn every_number_of_the_notes_has_a_case() {
    let numbers: Vec<u8> = escape_cases().iter().map(|case| case.number).collect();
    assert!(numbers.is_sorted());
    let missing: Vec<u8> = (1..=46).filter(|number| !numbers.contains(number)).collect();
    assert_eq!(missing, Vec::<u8>::new());
}
