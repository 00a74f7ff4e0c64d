//! Folders that a box shows through an overlay: what is read, package caches, build caches.

use std::path::PathBuf;

use ado_vault::sandbox::{BuildCache, Sandbox, SandboxError, SandboxPolicy};
use tokio_util::sync::CancellationToken;

use super::boxes::*;

/// A read-only mount does not keep a socket from being connected to.
#[tokio::test]
async fn no_socket_in_what_is_read_can_be_talked_to() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let worktree = base.join("wt");
    let read = base.join("read/deep");
    std::fs::create_dir(&worktree).unwrap();
    std::fs::create_dir_all(&read).unwrap();
    std::fs::write(read.join("file"), "text").unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(read.join("daemon.sock")).unwrap();
    let init = PathBuf::from(env!("CARGO_BIN_EXE_ado-vault")).canonicalize().unwrap();
    let policy = SandboxPolicy { read: vec![base.join("read"), init.clone()], ..policy(&worktree) };
    let script = format!(
        "cat '{read}/file'; '{init}' __sandbox probe connect-unix '{read}/daemon.sock'",
        read = read.display(),
        init = init.display()
    );
    let bare = run(&Sandbox::none(), &sh(&worktree, &script), &policy).await;
    assert_eq!((bare.exit_code, &*bare.stdout), (Some(0), "text"), "{bare:?}");
    let output = run(&sandbox, &sh(&worktree, &script), &policy).await;
    assert_eq!((output.exit_code, &*output.stdout), (Some(1), "text"), "{output:?}");
    let itself = SandboxPolicy { read: vec![read.join("daemon.sock")], ..policy };
    let refused = sandbox.run(&sh(&worktree, "true"), &itself, &CancellationToken::new()).await;
    assert!(refused.unwrap_err().to_string().contains("neither a folder nor a regular file"));
}

#[tokio::test]
async fn a_build_cache_is_begun_with_by_many_and_changed_by_none() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let (worktree, cache, home) = (base.join("wt"), base.join("cache/target"), base.join("cache/home"));
    for folder in [&worktree, &cache.join("debug"), &home] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(cache.join("debug/lib"), "built once\n").unwrap();
    std::fs::write(home.join("packages"), "fetched once\n").unwrap();
    let of_run = |number: u8| SandboxPolicy {
        caches: vec![
            BuildCache {
                source: cache.clone(),
                target: Some(worktree.join("web/target")),
                upper: base.join(format!("run-{number}/target")),
            },
            BuildCache { source: home.clone(), target: None, upper: base.join(format!("run-{number}/home")) },
        ],
        ..policy(&worktree)
    };
    let script = "cat web/target/debug/lib ~/packages && echo more >> web/target/debug/lib && rm ~/packages && \
                  mkdir -p web/target/own && echo x > web/target/own/file";
    let output = run(&sandbox, &sh(&worktree, script), &of_run(1)).await;
    assert!(output.success(), "{output:?}");
    assert_eq!(output.stdout, "built once\nfetched once\n");
    let script = "cat web/target/debug/lib web/target/own/file; ls ~";
    let again = run(&sandbox, &sh(&worktree, script), &of_run(1)).await;
    assert_eq!(again.stdout, "built once\nmore\nx\n", "a run keeps what it wrote: {again:?}");
    let other = run(&sandbox, &sh(&worktree, script), &of_run(2)).await;
    assert_eq!(other.stdout, "built once\npackages\n", "and no other sees it");
    assert_eq!(std::fs::read_to_string(cache.join("debug/lib")).unwrap(), "built once\n");
    assert!(home.join("packages").exists() && !cache.join("own").exists());
}

#[tokio::test]
async fn a_cache_is_put_through_no_link() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let (worktree, cache) = (base.join("wt"), base.join("cache"));
    std::fs::create_dir_all(&worktree).unwrap();
    std::fs::create_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(&base, worktree.join("web")).unwrap();
    for target in [worktree.join("web/target"), worktree.join("web"), base.join("elsewhere")] {
        let cache = BuildCache { source: cache.clone(), target: Some(target), upper: base.join("upper") };
        let policy = SandboxPolicy { caches: vec![cache], ..policy(&worktree) };
        let refused = sandbox.run(&sh(&worktree, "true"), &policy, &CancellationToken::new()).await;
        assert!(matches!(refused, Err(SandboxError::Policy { .. })), "{refused:?}");
    }
    assert!(!base.join("target").exists());
}

#[tokio::test]
async fn package_caches_can_be_written_and_stay_as_they_were() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let script = "[ ! -d ~/.cargo/registry ] || { touch ~/.cargo/registry/poison && ls ~/.cargo/registry; }";
    let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
    assert!(output.success(), "{output:?}");
    let again = run(&sandbox, &sh(&worktree, "ls ~/.cargo/registry"), &policy(&worktree)).await;
    assert!(!again.stdout.contains("poison"), "{again:?}");
}
