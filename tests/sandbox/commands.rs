//! What works inside a box, what ends it, and what it leaves behind.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use ado_vault::sandbox::{Sandbox, SandboxCommand, SandboxError, SandboxPolicy};
use tokio_util::sync::CancellationToken;

use super::boxes::*;

#[tokio::test]
async fn every_required_layer_is_seen_from_inside() {
    let Some(sandbox) = sandbox() else { return };
    let report = sandbox.report();
    assert!(report.enforcing && sandbox.is_enforcing());
    let missing: Vec<_> =
        report.layers.iter().filter(|layer| !layer.enforced).map(|layer| &*layer.name).collect();
    assert!(missing.iter().all(|name| ["landlock", "memory", "disk quota"].contains(name)), "{missing:?}");
    assert!(report.layers.len() > 15, "{report:#?}");
}

#[tokio::test]
async fn a_command_reads_its_input_and_writes_its_worktree() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let command = SandboxCommand {
        stdin: "first\nsecond\n".into(),
        ..sh(&worktree, "read a; cat > rest; echo \"$a\"; echo oops >&2; exit 3")
    };
    let output = run(&sandbox, &command, &policy(&worktree)).await;
    assert_eq!((output.exit_code, output.signal, output.timed_out), (Some(3), None, false), "{output:?}");
    assert_eq!((&*output.stdout, &*output.stderr), ("first\n", "oops\n"));
    assert_eq!(std::fs::read_to_string(worktree.join("rest")).unwrap(), "second\n");
}

#[tokio::test]
async fn what_is_made_inside_belongs_to_the_worktrees_owner() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    std::fs::write(worktree.join("private"), "mine").unwrap();
    std::fs::set_permissions(worktree.join("private"), PermissionsExt::from_mode(0o600)).unwrap();
    let script = "cat private && echo more >> private && mkdir -p a/b && echo x > a/b/c && id -u";
    let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
    assert!(output.success(), "{output:?}");
    let owner = std::fs::metadata(&worktree).unwrap().uid();
    assert_eq!(std::fs::metadata(worktree.join("a/b/c")).unwrap().uid(), owner);
    assert_eq!(std::fs::read_to_string(worktree.join("private")).unwrap(), "minemore\n");
    assert_ne!(output.stdout.trim_end().rsplit('\n').next(), Some("mine0"), "never root inside");
    std::fs::remove_dir_all(worktree.join("a")).unwrap();
}

#[tokio::test]
async fn paths_with_spaces_and_links_and_other_scripts_work() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let worktree = base.join("ein Ordner/日本語 wörk\"tree");
    std::fs::create_dir_all(&worktree).unwrap();
    std::os::unix::fs::symlink(base.join("ein Ordner"), base.join("link")).unwrap();
    let named = base.join("link/日本語 wörk\"tree");
    let script = format!("touch here && touch '{}/there' && ls", named.display());
    let output = run(&sandbox, &sh(&named, &script), &policy(&named)).await;
    assert_eq!((&*output.stdout, &*output.stderr), ("here\nthere\n", ""));
}

#[tokio::test]
async fn a_git_directory_behind_a_closed_folder_is_readable_and_only_that() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let git = base.join("closed/repo/.git");
    let worktree = base.join("worktree");
    std::fs::create_dir_all(&git).unwrap();
    std::fs::create_dir_all(&worktree).unwrap();
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::write(base.join("closed/secret"), "secret").unwrap();
    std::fs::write(worktree.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
    std::fs::set_permissions(git.join("HEAD"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(base.join("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    let policy = SandboxPolicy {
        read: vec![git.clone(), git.join("HEAD"), base.join("not there")],
        protect: vec![worktree.join(".git")],
        ..policy(&worktree)
    };
    let script = format!(
        "cat .git '{git}/HEAD'; echo x > '{git}/HEAD' || echo x > .git || rm -f .git || mv .git other || \
         cat '{base}/closed/secret' || echo stopped; ls -A '{base}' '{base}/closed'",
        git = git.display(),
        base = base.display()
    );
    let output = run(&sandbox, &sh(&worktree, &script), &policy).await;
    let expected = format!(
        "gitdir: {git}\nref: refs/heads/main\nstopped\n{base}:\nclosed\nworktree\n\n{base}/closed:\nrepo\n",
        git = git.display(),
        base = base.display()
    );
    assert_eq!(output.stdout, expected, "{}", output.stderr);
}

#[tokio::test]
async fn the_command_cannot_look_into_its_init() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let script = "cat /proc/1/environ /proc/1/maps; ls /proc/1/fd /proc/1/cwd/; ps ax || ls -d /proc/[0-9]*";
    let output = run(&sandbox, &sh(&worktree, script), &policy(&worktree)).await;
    assert_eq!(output.stderr.matches("denied").count(), 4, "{output:?}");
}

#[tokio::test]
async fn git_reads_a_worktree_and_cannot_write_its_repository() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, base) = folder();
    let made = std::process::Command::new("sh")
        .args(["-ec", "git init -q -b main repo; cd repo; echo 1 > a; git add a; \
               git -c user.name=n -c user.email=e commit -qm one; git worktree add -q ../wt; echo 2 > ../wt/a"])
        .current_dir(&base)
        .status();
    assert!(made.unwrap().success());
    let worktree = base.join("wt");
    let policy = SandboxPolicy {
        read: vec![base.join("repo/.git")],
        protect: vec![worktree.join(".git")],
        ..policy(&worktree)
    };
    let script =
        "git status --short && git diff --stat && git log --oneline | wc -l; git commit -qam two; git tag x";
    let output = run(&sandbox, &sh(&worktree, script), &policy).await;
    let expected = " M a\n a | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n1\n";
    assert_eq!(output.stdout, expected, "{}", output.stderr);
    assert!(!base.join("repo/.git/refs/tags/x").exists() && !output.success());
}

#[tokio::test]
async fn cargo_builds_and_tests_offline() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    std::fs::create_dir(worktree.join("src")).unwrap();
    std::fs::write(
        worktree.join("Cargo.toml"),
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nlibc = \"0.2\"\n",
    )
    .unwrap();
    std::fs::write(
        worktree.join("src/lib.rs"),
        "#[test]\nfn two() { assert_eq!(unsafe { libc::abs(-2) }, 2); }\n",
    )
    .unwrap();
    let command = SandboxCommand {
        argv: ["cargo", "test", "--offline"].map(String::from).to_vec(),
        ..sh(&worktree, "")
    };
    let output = run(&sandbox, &command, &policy(&worktree)).await;
    assert!(output.success() && output.stdout.contains("1 passed"), "{output:?}");
}

#[tokio::test]
async fn wall_time_ends_the_whole_box() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.limits.wall = Duration::from_millis(300);
    for sandbox in [sandbox, Sandbox::none()] {
        let script = "echo begun; sleep 600 & trap '' TERM; sleep 600";
        let output = run(&sandbox, &sh(&worktree, script), &policy).await;
        assert_eq!((output.exit_code, output.timed_out, &*output.stdout), (None, true, "begun\n"));
        assert!(output.millis < 5_000, "{output:?}");
    }
}

#[tokio::test]
async fn cancelling_ends_a_run() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    for sandbox in [sandbox, Sandbox::none()] {
        let cancel = CancellationToken::new();
        let begun = worktree.join("begun");
        let command = sh(&worktree, "touch begun; exec sleep 600");
        let policy = policy(&worktree);
        let stop = async {
            while !begun.exists() {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (ended, ()) = tokio::join!(sandbox.run(&command, &policy, &cancel), stop);
        assert!(matches!(ended, Err(SandboxError::Cancelled)), "{ended:?}");
        std::fs::remove_file(begun).unwrap();
        let again = sandbox.run(&command, &policy, &cancel).await;
        assert!(matches!(again, Err(SandboxError::Cancelled)) && !worktree.join("begun").exists());
    }
}

#[tokio::test]
async fn a_flood_of_output_is_bounded_and_keeps_both_ends() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.limits.output_bytes = 1000;
    let script = "echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last";
    let output = run(&sandbox, &sh(&worktree, script), &policy).await;
    assert!(output.truncated && output.stdout.len() < 1100, "{}", output.stdout.len());
    assert!(output.stdout.starts_with("first\n") && output.stdout.ends_with("x\nlast\n"));
}

#[tokio::test]
async fn the_environment_is_cleared_and_extended() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let mut command = sh(&worktree, "env");
    command.env.insert("GIVEN".into(), "a b".into());
    let output = run(&sandbox, &command, &policy(&worktree)).await;
    let names: Vec<_> = output.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let known = [
        "PATH",
        "HOME",
        "LANG",
        "CARGO_HOME",
        "CARGO_NET_OFFLINE",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "TMPDIR",
        "PWD",
        "GIVEN",
        "PYENV_ROOT",
        "GOMODCACHE",
        "GOROOT",
        "JAVA_HOME",
        "SHLVL",
        "_",
        "OLDPWD",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "GIT_CONFIG_VALUE_0",
    ];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    assert!(output.stdout.contains("GIVEN=a b\n") && output.stdout.contains("HOME=/tmp/home\n"));
}

#[tokio::test]
async fn loopback_works_inside() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let output =
        run(&sandbox, &sh(&worktree, "cat /proc/net/dev /proc/net/fib_trie"), &policy(&worktree)).await;
    assert!(output.stdout.contains("127.0.0.1") && !output.stdout.contains("eth0"), "{output:?}");
}

#[tokio::test]
async fn what_cannot_be_granted_or_started_is_named() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    let ask = async |command: SandboxCommand, policy: SandboxPolicy| {
        sandbox.run(&command, &policy, &CancellationToken::new()).await.unwrap_err().to_string()
    };
    let missing = SandboxCommand { argv: vec!["no-such-program".into()], ..sh(&worktree, "") };
    let said = ask(missing, policy(&worktree)).await;
    assert_eq!(said, "cannot start `no-such-program` in the sandbox: not found in the `PATH` of the sandbox");
    let said = ask(sh(Path::new("/var"), "true"), policy(&worktree)).await;
    assert!(said.contains("cannot enter `/var` inside the sandbox"), "{said}");
    for (write, part) in
        [("/", "own system"), ("/tmp", "own system"), ("a/b", "absolute"), ("/proc/1", "own system")]
    {
        let policy = SandboxPolicy { write: vec![write.into()], ..policy(&worktree) };
        let said = ask(sh(&worktree, "true"), policy).await;
        assert!(said.starts_with("sandbox policy is not usable") && said.contains(part), "{said}");
    }
    let unprotected = SandboxPolicy { protect: vec![worktree.join(".git")], ..policy(&worktree) };
    assert!(ask(sh(&worktree, "true"), unprotected).await.contains("does not exist"));
    std::os::unix::fs::symlink("/root", worktree.join("link")).unwrap();
    let through = SandboxPolicy { read: vec![worktree.join("link")], ..policy(&worktree) };
    assert!(ask(sh(&worktree, "true"), through).await.contains("leads elsewhere"));
    let empty = SandboxCommand { argv: vec![], ..sh(&worktree, "") };
    assert!(ask(empty, policy(&worktree)).await.contains("the command is empty"));
}

#[test]
fn a_program_that_is_not_ado_vault_cannot_be_the_init() {
    for init in ["/bin/true", "/no/such/program"] {
        let said = Sandbox::detect(Path::new(init)).unwrap_err().to_string();
        assert!(said.starts_with("no sandbox on this machine"), "{said}");
    }
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_behind() {
    let Some(sandbox) = sandbox() else { return };
    let (_keep, worktree) = folder();
    for (mark, sandbox) in [("boxed", sandbox), ("plain", Sandbox::none())] {
        let begun = worktree.join(mark);
        // The worktree's name makes the command line one that nobody else has.
        let mark = begun.display().to_string();
        let command = sh(&worktree, "touch \"$0\"; sleep 600; true");
        let command = SandboxCommand { argv: [command.argv, vec![mark.clone()]].concat(), ..command };
        let policy = policy(&worktree);
        let cancel = CancellationToken::new();
        let left = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
            lines.filter(|line| String::from_utf8_lossy(line).contains(&mark)).count()
        };
        let start = async {
            while !begun.exists() {
                tokio::task::yield_now().await;
            }
            left()
        };
        tokio::select! {
            ended = sandbox.run(&command, &policy, &cancel) => panic!("{ended:?}"),
            running = start => assert!(running > 0, "{mark}: nothing runs"),
        }
        let gone = (0..10_000).any(|_| {
            std::thread::yield_now();
            left() == 0
        });
        assert!(gone, "{} processes of {mark} are left", left());
    }
}

#[tokio::test]
async fn a_command_sees_the_variables_of_its_policy_and_no_others() {
    let (_keep, worktree) = folder();
    let mut policy = policy(&worktree);
    policy.env.insert("PASSED_ON".into(), "yes".into());
    let command = sh(&worktree, "echo \"[$PASSED_ON][$CARGO_MANIFEST_DIR]\"");
    for sandbox in [Some(Sandbox::none()), sandbox()].into_iter().flatten() {
        assert_eq!(run(&sandbox, &command, &policy).await.stdout, "[yes][]\n");
    }
}
