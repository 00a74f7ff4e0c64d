//! Boxes by docker or podman: what is refused, with a program that stands for one; and, where `ADO_SANDBOX_IMAGE` names an
//! image (`scripts/container-test`), what containers leave behind, on the real one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ado_vault::sandbox::{BuildCache, Sandbox, SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy};
use tokio_util::sync::CancellationToken;

use super::boxes::*;
use crate::machine::engine;

fn init() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ado-vault"))
}

/// A program that describes itself as docker and does these when asked for an image, and to run something.
fn docker(folder: &Path, image: &str, run: &str) -> PathBuf {
    let program = folder.join("docker");
    let info = r#"{"ServerVersion":"27.1","MemTotal":1000000000,"SecurityOptions":[]}"#;
    let text = format!(
        "#!/bin/sh\ncase $1 in info) echo '{info}';; image) {image};; run) {run};; ps) ;; *) exit 9;; esac\n"
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

fn refused(program: &Path, image: &str) -> String {
    Sandbox::container(init(), Some(program), image).unwrap_err().to_string()
}

#[test]
fn a_container_program_that_does_not_work_is_named() {
    let (_keep, base) = folder();
    assert!(refused(&base.join("none"), "tools:1").contains("cannot start"));
    assert!(refused(Path::new("/bin/true"), "tools:1").contains("is it podman or docker?"));
    let silent = base.join("silent");
    std::fs::write(&silent, "#!/bin/sh\necho '{\"ServerVersion\":\"\"}'; echo cannot connect >&2\n").unwrap();
    std::fs::set_permissions(&silent, PermissionsExt::from_mode(0o755)).unwrap();
    assert!(refused(&silent, "tools:1").ends_with("silent info` failed: cannot connect"));
    let program = docker(&base, "echo no such image >&2; exit 1", "");
    let said = refused(&program, "tools:1");
    assert!(
        said.contains("image` failed: no such image; get it with `") && said.contains(" pull tools:1`"),
        "{said}"
    );
    for image in ["", "--privileged", "a b"] {
        assert!(refused(&program, image).contains("sandbox_image"), "{image}");
    }
}

#[test]
fn what_keeps_a_container_from_starting_is_told_with_what_helps() {
    let (_keep, base) = folder();
    for (said, part) in [
        ("echo crun: cgroups in hybrid mode not supported >&2; exit 126", "`runtime = \"runc\"`"),
        ("echo exec format error >&2; exit 126", "for Linux on this machine's processor"),
        ("exit 2", "ado-vault itself does not start in this image"),
    ] {
        let told = refused(&docker(&base, "true", said), "tools:1");
        assert!(told.contains("layer `container`: ") && told.contains(part), "{told}");
    }
}

/// Our process 1, started on this machine instead of in a container, sees so.
#[test]
fn a_container_without_walls_is_refused() {
    let (_keep, base) = folder();
    let open = format!(
        "for word in \"$@\"; do case $word in *target=/.ado-vault/door,readonly) door=${{word#*source=}};; esac; done; \
         exec '{}' __sandbox entry \"${{door%%,*}}\"",
        init().display()
    );
    let said = refused(&docker(&base, "true", &open), "tools:1");
    assert!(said.starts_with("no sandbox on this machine: layer `mount namespace`: mnt:["), "{said}");
}

/// The sandbox where it is one of containers.
fn containers() -> Option<Sandbox> {
    if std::env::var_os("ADO_SANDBOX_IMAGE").is_none() {
        eprintln!("not run: `ADO_SANDBOX_IMAGE` names no image; see scripts/container-test");
        return None;
    }
    sandbox()
}

/// What the program of containers says to these words.
fn ask(words: &[&str]) -> String {
    let engine = engine().unwrap_or_else(|| "podman".into());
    let said = Command::new(engine).args(words).stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8(said.stdout).unwrap()
}

/// Containers of ado-vault that are shown this folder.
fn showing(folder: &Path) -> Vec<String> {
    let all = ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter=label=ado-vault.owner"]);
    let shows = |id: &&str| {
        // One that goes away meanwhile shows nothing.
        ask(&["inspect", "--type=container", "--format={{json .Mounts}}", id])
            .contains(folder.to_str().unwrap())
    };
    all.lines().filter(shows).map(str::to_owned).collect()
}

fn gone(folder: &Path) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    while !showing(folder).is_empty() {
        if Instant::now() > until {
            return false;
        }
    }
    true
}

async fn appears(path: &Path) {
    while !path.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_walls_are_seen_from_inside() {
    let Some(sandbox) = containers() else { return };
    let report = sandbox.report();
    assert!(report.enforcing && !sandbox.has_overlays());
    let missing: Vec<_> =
        report.layers.iter().filter(|layer| !layer.enforced).map(|layer| &*layer.name).collect();
    let optional = ["user", "user namespace", "cgroup namespace", "landlock", "processes", "memory"];
    assert!(missing.iter().all(|name| optional.contains(name)), "{missing:?}");
    assert!(report.layers.len() > 15, "{report:#?}");
}

#[tokio::test]
async fn every_end_of_a_command_is_its_own() {
    let Some(sandbox) = containers() else { return };
    let (_keep, worktree) = folder();
    // 125 to 127 are also what docker and podman say of their own failures.
    for (script, exit_code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 125", Some(125), None),
        ("exit 127", Some(127), None),
        ("exit 137", Some(137), None),
        ("kill -9 $$", None, Some(9)),
    ] {
        let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
        assert_eq!((output.exit_code, output.signal), (exit_code, signal), "{script}: {output:?}");
    }
    assert!(gone(&worktree));
}

#[tokio::test]
async fn home_and_tmp_can_be_written_and_nothing_else() {
    let Some(sandbox) = containers() else { return };
    let (_keep, worktree) = folder();
    let script = "echo $HOME; for f in ~/a /tmp/a /dev/shm/a /a /usr/a /run/a /var/tmp/a /.ado-vault/a /.ado-vault/program; do \
                  (: >> $f) 2>/dev/null && echo $f; done; ls /run/docker.sock /var/run/docker.sock /run/podman";
    let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
    assert_eq!(output.stdout, "/tmp/home\n/tmp/home/a\n/tmp/a\n/dev/shm/a\n", "{output:?}");
    let home = worktree.join("home");
    std::fs::create_dir(&home).unwrap();
    let policy = SandboxPolicy { home: Some(home.clone()), ..policy(&worktree) };
    let output = run(&sandbox, &sh(&worktree, "touch ~/kept; echo $CARGO_HOME"), &policy).await;
    assert_eq!(output.stdout, "/tmp/home/.cargo\n", "{output:?}");
    assert!(home.join("kept").exists());
}

#[tokio::test]
async fn what_is_read_only_stays_as_it_was() {
    let Some(sandbox) = containers() else { return };
    let (_keep, base) = folder();
    let (worktree, other) = (base.join("a,target=/etc,\"b"), base.join("other"));
    std::fs::create_dir_all(&worktree).unwrap();
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("f"), "1").unwrap();
    let policy = SandboxPolicy { read: vec![other.clone(), base.join("not there")], ..policy(&worktree) };
    let script = format!("cat {0}/f; echo 2 > {0}/f; : > here && echo written", other.display());
    let output = run(&sandbox, &sh(&worktree, &script), &policy).await;
    assert_eq!(output.stdout, "1written\n", "{output:?}");
    let output = run(&sandbox, &sh(&worktree, "ls; : > more"), &policy.read_only()).await;
    assert!(output.stdout == "here\n" && !output.success(), "{output:?}");
}

#[tokio::test]
async fn what_a_container_cannot_give_is_refused() {
    let Some(sandbox) = containers() else { return };
    let (_keep, base) = folder();
    let ask = async |policy: SandboxPolicy| {
        sandbox.run(&sh(&base, "true"), &policy, &CancellationToken::new()).await.unwrap_err()
    };
    let cache = BuildCache { source: base.clone(), target: None, upper: base.join("upper") };
    let caches = SandboxPolicy { caches: vec![cache], ..policy(&base) };
    assert!(matches!(ask(caches).await, SandboxError::Policy { .. }));
    let line = base.join("a\nb");
    std::fs::create_dir(&line).unwrap();
    let lines = SandboxPolicy { write: vec![base.clone(), line], ..policy(&base) };
    assert!(matches!(ask(lines).await, SandboxError::Policy { .. }));
}

#[tokio::test]
async fn nothing_of_a_command_is_in_the_words_that_others_see() {
    let Some(sandbox) = containers() else { return };
    let (_keep, worktree) = folder();
    let secret = format!("secret-{}", std::process::id());
    let command = SandboxCommand {
        argv: ["sh", "-c", ": > begun; while [ ! -e go ]; do sleep 0.1; done", &secret]
            .map(String::from)
            .to_vec(),
        ..sh(&worktree, "")
    };
    let looking = async {
        appears(&worktree.join("begun")).await;
        let mut seen = vec![];
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            if words.contains(&secret) {
                seen.push(words);
            }
        }
        std::fs::write(worktree.join("go"), "").unwrap();
        seen
    };
    let mut policy = policy(&worktree);
    policy.env.insert("TOKEN".into(), secret.clone());
    let (_, seen) = tokio::join!(run(&sandbox, &command, &policy), looking);
    // The command itself, which its own user sees.
    assert!(seen.iter().all(|words| words.starts_with("sh -c")), "{seen:?}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_gone_when_that_is_told() {
    let Some(sandbox) = containers() else { return };
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.limits.wall = Duration::from_secs(4);
    let script = "trap '' TERM; echo begun; while :; do echo x >> ticks; sleep 0.05; done";
    let output = run(&sandbox, &sh(&worktree, script), &policy).await;
    assert_eq!((output.timed_out, output.exit_code, &*output.stdout), (true, None, "begun\n"), "{output:?}");
    assert_eq!(showing(&worktree), Vec::<String>::new());
    let written = || std::fs::metadata(worktree.join("ticks")).unwrap().len();
    let before = written();
    // Longer than ten of its steps; what still ran would write.
    ask(&["ps"]);
    ask(&["ps"]);
    assert_eq!(written(), before);
}

#[tokio::test]
async fn a_stopped_or_forgotten_command_leaves_no_container() {
    let Some(sandbox) = containers() else { return };
    let (_keep, worktree) = folder();
    let (command, policy) = (sh(&worktree, ": > begun; exec sleep 600"), policy(&worktree));
    let cancel = CancellationToken::new();
    let stop = async {
        appears(&worktree.join("begun")).await;
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(sandbox.run(&command, &policy, &cancel), stop);
    assert!(matches!(ended, Err(SandboxError::Cancelled)), "{ended:?}");
    assert_eq!(showing(&worktree), Vec::<String>::new());
    let begun = worktree.join("begun");
    std::fs::remove_file(&begun).unwrap();
    tokio::select! {
        ended = run(&sandbox, &command, &policy) => panic!("{ended:?}"),
        () = appears(&begun) => {}
    }
    assert!(gone(&worktree));
}

/// Not a test: what the one below kills.
#[tokio::test]
#[ignore = "is started by another test"]
async fn a_container_for_another_test() {
    let Some(worktree) = std::env::var_os("ADO_WORKTREE").map(PathBuf::from) else { return };
    let script = "env > env; : > begun; exec sleep 600";
    run(&containers().unwrap(), &sh(&worktree, script), &policy(&worktree)).await;
}

#[tokio::test]
async fn a_container_ends_with_an_ado_vault_that_is_killed_and_has_nothing_of_its_environment() {
    let Some(_) = containers() else { return };
    let (_keep, worktree) = folder();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "containers::a_container_for_another_test", "--ignored"])
        .envs([("ADO_WORKTREE", worktree.to_str().unwrap()), ("MY_KEY", "planted-1")])
        .envs([("http_proxy", "http://me:planted-2@127.0.0.1:9"), ("HTTPS_PROXY", "http://me:planted-3@x:9")])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    appears(&worktree.join("begun")).await;
    assert_eq!(showing(&worktree).len(), 1);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(gone(&worktree));
    let env = std::fs::read_to_string(worktree.join("env")).unwrap();
    assert!(env.contains("HOME=/tmp/home") && !env.contains("planted"), "{env}");
}

#[tokio::test]
async fn what_a_dead_ado_vault_left_is_swept_and_nothing_else() {
    let Some(_) = containers() else { return };
    let image = std::env::var("ADO_SANDBOX_IMAGE").unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let owner = |boot: &str, pid: u32| format!("{}/{}/{pid}/1", boot.trim(), namespace.display());
    let left = |label: String| {
        let id = ask(&["create", "--network=none", &format!("--label={label}"), "--entrypoint=true", &image]);
        id.trim().to_owned()
    };
    // This process did not begin with the machine, so it is another that had its number.
    let dead = left(format!("ado-vault.owner={}", owner(&boot, std::process::id())));
    let earlier = left(format!("ado-vault.owner={}", owner("earlier", 1)));
    let foreign = left("other.owner=1".into());
    let unreadable = left("ado-vault.owner=1".into());
    containers().unwrap();
    let all = ask(&["ps", "--all", "--quiet", "--no-trunc"]);
    let there = [&dead, &earlier, &foreign, &unreadable].map(|id| all.contains(id.as_str()));
    ask(&["rm", &foreign, &unreadable]);
    assert_eq!(there, [false, false, true, true]);
}

#[tokio::test]
async fn an_image_without_any_library_will_do() {
    let Some(_) = containers() else { return };
    let Ok(image) = std::env::var("ADO_SANDBOX_BARE_IMAGE") else {
        eprintln!("not run: `ADO_SANDBOX_BARE_IMAGE` names no image");
        return;
    };
    let sandbox = Sandbox::container(init(), engine().as_deref(), &image).unwrap();
    let (_keep, worktree) = folder();
    let output: SandboxOutput =
        run(&sandbox, &sh(&worktree, "ls /lib* /usr/lib*; echo here > f"), &policy(&worktree)).await;
    assert_eq!((output.exit_code, &*output.stdout), (Some(0), ""), "{output:?}");
    assert_eq!(std::fs::read_to_string(worktree.join("f")).unwrap(), "here\n");
}
