//! The escape cases of the security notes: each works without a sandbox, and none works inside.
#![cfg(target_os = "linux")]

#[path = "common/sandbox.rs"]
mod machine;

use std::collections::BTreeMap;
use std::path::Path;

use ado_vault::sandbox::{
    EscapeResult, Limits, Sandbox, SandboxCommand, SandboxError, SandboxPolicy, escape_cases, try_escape,
};
use futures_util::{StreamExt, TryStreamExt};
use machine::sandbox;
use tokio_util::sync::CancellationToken;

fn init() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ado-vault"))
}

async fn results(sandbox: &Sandbox) -> Result<Vec<(u8, &'static str, EscapeResult)>, SandboxError> {
    // A container takes its time to start; a box does not, and its cases may as well be seen one by one.
    let at_once = if std::env::var_os("ADO_SANDBOX_IMAGE").is_some() { 4 } else { 1 };
    futures_util::stream::iter(escape_cases())
        .map(|case| async move { Ok((case.number, case.name, try_escape(sandbox, init(), case).await?)) })
        .buffered(at_once)
        .try_collect()
        .await
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
        argv: [sandbox.words_of(init()), ["__sandbox", "probe", "nothing"].map(String::from).to_vec()]
            .concat(),
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
