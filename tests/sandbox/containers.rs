//! Boxes by docker or podman. No container runs here: a program that stands for docker shows what it was asked.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ado_vault::sandbox::{BuildCache, Sandbox, SandboxError, SandboxPolicy};
use tokio_util::sync::CancellationToken;

use super::boxes::*;

/// A program that notes what it was asked in `asked`, and does `run` where it is asked to run something.
fn docker(folder: &Path, run: &str) -> PathBuf {
    let program = folder.join("docker");
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{0}/asked'\n\
         case $1 in version) echo 27.1;; image) echo sha256:1;; run) {run};; esac\n",
        folder.display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

fn asked(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("asked")).unwrap_or_default();
    text.lines().map(String::from).collect()
}

#[tokio::test]
async fn a_container_is_asked_for_with_no_more_than_the_policy_grants() {
    let (_keep, base) = folder();
    let (worktree, git) = (base.join("wt"), base.join("repo/.git"));
    std::fs::create_dir_all(&worktree).unwrap();
    std::fs::create_dir_all(&git).unwrap();
    std::fs::write(worktree.join(".git"), "gitdir: x").unwrap();
    let program = docker(&base, "cat; echo out; echo err >&2; exit 3");
    let sandbox = Sandbox::container(Some(&program), "tools:1").unwrap();
    assert!(sandbox.is_enforcing() && !sandbox.has_overlays());
    let policy = SandboxPolicy {
        read: vec![git.clone(), base.join("not there")],
        protect: vec![worktree.join(".git")],
        ..policy(&worktree)
    };
    let mut command = sh(&worktree, "ignored");
    command.env.insert("A".into(), "b c".into());
    command.stdin = "in ".into();
    let output = run(&sandbox, &command, &policy).await;
    assert_eq!((output.exit_code, &*output.stdout, &*output.stderr), (Some(3), "in out\n", "err\n"));
    let asked = asked(&base);
    assert_eq!(
        asked[..2],
        ["version --format {{.Server.Version}}", "image inspect --format {{.Id}} tools:1"]
    );
    let run = &asked[2];
    for part in [
        "run --rm --interactive --init --pull=never --name=ado-vault-",
        " --network=none ",
        " --read-only ",
        " --cap-drop=ALL ",
        " --security-opt=no-new-privileges ",
        " --pids-limit=512 ",
        &format!(" --mount=type=bind,source={0},target={0},readonly --mount", git.display()),
        &format!(" --mount=type=bind,source={0},target={0} --mount", worktree.display()),
        &format!(" --mount=type=bind,source={0}/.git,target={0}/.git,readonly ", worktree.display()),
        " --env=A=b c ",
        &format!(" --workdir={} ", worktree.display()),
        " tools:1 sh -c ignored",
    ] {
        assert!(run.contains(part), "{part} is not in {run}");
    }
    assert!(!run.contains("not there") && !run.contains("privileged=") && !run.contains("docker.sock"));
}

#[tokio::test]
async fn a_container_that_takes_too_long_is_removed_by_name() {
    let (_keep, base) = folder();
    let program = docker(&base, "exec sleep 600");
    let sandbox = Sandbox::container(Some(&program), "tools:1").unwrap();
    let mut policy = policy(&base);
    policy.limits.wall = Duration::from_millis(300);
    let output = run(&sandbox, &sh(&base, "true"), &policy).await;
    assert!(output.timed_out, "{output:?}");
    let name =
        asked(&base)[2].split_whitespace().find_map(|word| word.strip_prefix("--name=")).unwrap().to_owned();
    while !asked(&base).contains(&format!("rm --force {name}")) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_container_cannot_give_is_refused() {
    let (_keep, base) = folder();
    let program = docker(&base, "echo no such image >&2; exit 125");
    let sandbox = Sandbox::container(Some(&program), "tools:1").unwrap();
    let ask = async |policy: SandboxPolicy| {
        sandbox.run(&sh(&base, "true"), &policy, &CancellationToken::new()).await.unwrap_err()
    };
    let hosts = SandboxPolicy { hosts: vec!["crates.io".parse().unwrap()], ..policy(&base) };
    assert!(matches!(ask(hosts).await, SandboxError::Policy { .. }));
    let cache = BuildCache { source: base.clone(), target: None, upper: base.join("upper") };
    assert!(matches!(
        ask(SandboxPolicy { caches: vec![cache], ..policy(&base) }).await,
        SandboxError::Policy { .. }
    ));
    let comma = SandboxPolicy { write: vec![base.join("a,readonly=false")], ..policy(&base) };
    assert!(matches!(ask(comma).await, SandboxError::Policy { .. }));
    let failed = ask(policy(&base)).await.to_string();
    assert!(failed.contains("layer `container`: no such image"), "{failed}");
}

#[test]
fn a_container_program_that_does_not_work_is_named() {
    let (_keep, base) = folder();
    let program = base.join("docker");
    std::fs::write(&program, "#!/bin/sh\necho cannot connect to the daemon >&2; exit 1\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let said =
        |program: &Path, image: &str| Sandbox::container(Some(program), image).unwrap_err().to_string();
    assert!(said(&program, "tools:1").ends_with("version` failed: cannot connect to the daemon"));
    assert!(said(&base.join("none"), "tools:1").contains("cannot start"));
    for image in ["", "--privileged", "a b"] {
        assert!(said(&program, image).contains("sandbox_image"), "{image}");
    }
}
