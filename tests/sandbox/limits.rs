//! What everything in a box may use together.

use ado_vault::sandbox::{Sandbox, SandboxPolicy};

use super::boxes::*;

#[tokio::test]
async fn a_command_that_fills_its_folders_is_ended_and_told() {
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.limits.disk_bytes = 4 << 20;
    let fill = "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i || exit; done";
    let many = "mkdir many; cd many; i=0; while :; do i=$((i+1)); : > f$i || exit; done";
    for sandbox in [Some(Sandbox::none()), sandbox()].into_iter().flatten() {
        let output = run(&sandbox, &sh(&worktree, fill), &policy).await;
        assert_eq!((output.exit_code, output.timed_out), (None, false), "{output:?}");
        assert!(output.stderr.contains("[ado-vault: ended because its folders hold more than 4 MiB]"));
        for one in std::fs::read_dir(&worktree).unwrap() {
            std::fs::remove_file(one.unwrap().path()).unwrap();
        }
        let files = SandboxPolicy {
            limits: ado_vault::sandbox::Limits { disk_files: 2000, ..Default::default() },
            ..policy.clone()
        };
        let output = run(&sandbox, &sh(&worktree, many), &files).await;
        assert!(output.stderr.contains("hold more than 2000 files"), "{output:?}");
        std::fs::remove_dir_all(worktree.join("many")).unwrap();
    }
}

/// Many processes that each stay within their own limit.
#[tokio::test]
async fn memory_is_limited_in_sum_where_the_machine_can() {
    let Some(sandbox) = sandbox() else { return };
    let report = sandbox.report();
    let memory = report.layers.iter().find(|layer| layer.name == "memory").unwrap();
    if !memory.detail.contains("control groups") {
        eprintln!("not run: {}", memory.detail);
        return;
    }
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.limits.memory_bytes = 96 << 20;
    let hold = "hold() { head -c 40000000 /dev/zero | tail -c 40000000 | { sleep 1; wc -c; }; }; \
                hold & hold & hold & hold & wait";
    let enough = run(&sandbox, &sh(&worktree, hold), &policy).await;
    assert_eq!(enough.stdout, "40000000\n".repeat(4), "{enough:?}");
    policy.limits.box_memory_bytes = 96 << 20;
    let little = run(&sandbox, &sh(&worktree, hold), &policy).await;
    assert_ne!(little.stdout, "40000000\n".repeat(4), "{little:?}");
}

#[tokio::test]
async fn no_control_group_is_left_behind() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let own = format!("ado-vault-{}-", std::process::id());
    run(&sandbox, &sh(&worktree, "true"), &policy(&worktree)).await;
    let script = "cat /proc/self/cgroup; ls /sys/fs/cgroup";
    let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
    assert!(!output.stdout.contains(&own), "the box sees no groups: {output:?}");
}
