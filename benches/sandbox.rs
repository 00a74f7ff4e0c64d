//! What a box costs: the same program started barely and in a box, in one run, so that their ratio can be trusted.

use std::path::Path;
use std::process::Command;

use ado_vault::sandbox::{Sandbox, SandboxCommand, SandboxPolicy};
use divan::Bencher;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

fn main() {
    divan::main();
}

/// The floor: fork, exec and wait.
#[divan::bench(sample_count = 200, sample_size = 1)]
fn floor_bare_exec(bencher: Bencher) {
    bencher.bench_local(|| Command::new("/bin/true").status().expect("every system has it"));
}

/// With pipes, limits and a process group, and no box.
#[divan::bench(sample_count = 200, sample_size = 1)]
fn without_a_box(bencher: Bencher) {
    start(bencher, &Sandbox::none());
}

/// The whole profile.
#[divan::bench(sample_count = 200, sample_size = 1)]
fn in_a_box(bencher: Bencher) {
    match Sandbox::detect(Path::new(env!("CARGO_BIN_EXE_ado-vault"))) {
        Ok(sandbox) => start(bencher, &sandbox),
        Err(error) => eprintln!("not run: {error}"),
    }
}

fn start(bencher: Bencher, sandbox: &Sandbox) {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let command = SandboxCommand {
        argv: vec!["/bin/true".into()],
        cwd: folder.path().into(),
        env: [].into(),
        stdin: String::new(),
    };
    let policy = SandboxPolicy { write: vec![folder.path().into()], ..SandboxPolicy::default() };
    let runtime = Runtime::new().expect("the runtime starts");
    bencher.bench_local(|| {
        let ran = runtime.block_on(sandbox.run(&command, &policy, &CancellationToken::new()));
        assert!(ran.expect("it runs").success());
    });
}
