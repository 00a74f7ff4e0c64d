//! Opening repositories; making, reusing, resetting, committing and removing worktrees.

use std::fs;

use ado_vault::domain::GitId;
use ado_vault::workspace::{Removed, Workspace, WorkspaceError};

use super::repo::*;

#[test]
fn a_repository_that_cannot_be_used_is_named_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let worktrees = dir.path().join("worktrees");
    let open = |path: &str| Workspace::open(&note(path), dir.path(), &worktrees).unwrap_err();
    let missing = open("nowhere");
    assert!(matches!(missing, WorkspaceError::Missing { .. }), "{missing}");
    assert!(missing.to_string().contains("nowhere") && missing.remedy().contains("clone"));
    fs::create_dir(dir.path().join("plain")).unwrap();
    assert!(matches!(open("plain"), WorkspaceError::NotARepository { .. }));
    git_in(dir.path(), &["init", "-q", "empty"]);
    assert!(matches!(open("empty"), WorkspaceError::NoCommits { .. }));
    assert!(matches!(open(""), WorkspaceError::BadPath { .. }));
    assert!(matches!(open("a\nb"), WorkspaceError::BadPath { .. }));
}

#[test]
fn a_folder_inside_a_repository_is_not_taken_for_it() {
    let repo = Repo::new();
    let inner = Workspace::open(&note("../app/src"), &repo.dir.path().join("vault"), &repo.worktrees());
    assert!(matches!(inner, Err(WorkspaceError::NotARepository { .. })));
}

#[test]
fn the_vault_itself_is_no_target() {
    let repo = Repo::new();
    let opened = Workspace::open(&note("."), &repo.path(), &repo.worktrees());
    assert!(matches!(opened, Err(WorkspaceError::BadPath { .. })));
}

#[test]
fn a_change_becomes_one_commit_on_the_branch_and_git_agrees() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    assert!(worktree.path.ends_with("FR-001-1-app"));
    assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "");
    put(&worktree.path, "src/two.rs", "pub fn two() {}\n\n");
    put(&worktree.path, "run.sh", "#!/bin/sh\n");
    fs::set_permissions(worktree.path.join("run.sh"), fs::metadata("/bin/sh").unwrap().permissions())
        .unwrap();
    fs::remove_file(worktree.path.join("README.md")).unwrap();
    put(&worktree.path, "debug.log", "noise");
    put(&worktree.path, "target/debug/app", "binary");
    let change = workspace.commit(&worktree, &base, "FR-001: add two", "added two").unwrap();
    assert_eq!(files(&change), ["README.md", "run.sh", "src/two.rs"]);
    let two = &change.files[2];
    assert_eq!((two.added, two.removed, change.lines()), (2, 0, 4));
    assert_eq!(change.findings, []);
    assert_eq!(repo.head(branch(1).as_str()), change.commit);
    assert_eq!(
        repo.git(&["log", "-1", "--format=%an <%ae> %s", branch(1).as_str()]),
        "ado-vault <ado-vault@localhost> FR-001: add two"
    );
    assert!(repo.git(&["ls-tree", branch(1).as_str(), "run.sh"]).starts_with("100755"));
    assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    repo.git(&["fsck", "--strict"]);
    let again = workspace.commit(&worktree, &base, "FR-001: again", "nothing").unwrap();
    assert_eq!((again.commit, again.tree), (change.commit, change.tree));
}

#[test]
fn a_restarted_step_begins_from_the_last_completed_one() {
    let repo = Repo::new();
    let workspace = repo.open();
    let first = repo.finished_run(&workspace, 1, "one.txt");
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "two.txt", "half done");
    workspace.commit(&worktree, &first.base, "FR-001: never recorded", "").unwrap();
    put(&worktree.path, "one.txt", "changed");
    put(&worktree.path, "src/new/deep.txt", "untracked");
    put(&worktree.path, "target/debug/cache", "kept");
    put(&worktree.path, "node_modules/x/index.js", "kept");
    fs::remove_dir_all(worktree.path.join("src/lib.rs")).unwrap_err();
    fs::remove_file(worktree.path.join("src/lib.rs")).unwrap();
    let again = workspace.prepare(&run(1), &branch(1), &first.base, Some(&first.commit)).unwrap();
    assert_eq!(again, worktree);
    assert_eq!(repo.head(branch(1).as_str()), first.commit);
    assert_eq!(fs::read_to_string(again.path.join("one.txt")).unwrap(), "from run 1\n");
    assert!(!again.path.join("two.txt").exists() && !again.path.join("src/new").exists());
    assert!(again.path.join("src/lib.rs").exists());
    assert!(again.path.join("target/debug/cache").exists());
    assert!(again.path.join("node_modules/x/index.js").exists());
    assert_eq!(git_in(&again.path, &["status", "--porcelain", "--untracked-files=no"]), "");
    let back = workspace.prepare(&run(1), &branch(1), &first.base, None).unwrap();
    assert!(!back.path.join("one.txt").exists());
    assert_eq!(repo.head(branch(1).as_str()), first.base);
}

#[test]
fn a_worktree_that_someone_deleted_is_made_again() {
    let repo = Repo::new();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    let worktree = workspace.find(&run(1)).unwrap();
    for deleted in [&worktree.path, &worktree.git_dir] {
        fs::remove_dir_all(deleted).unwrap();
        assert_eq!(workspace.find(&run(1)), None);
        workspace.prepare(&run(1), &branch(1), &change.base, Some(&change.commit)).unwrap();
        assert!(worktree.path.join("one.txt").exists());
        assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "");
    }
    assert!(repo.git(&["worktree", "list"]).contains("FR-001-1-app"));
}

#[test]
fn a_worktree_cut_off_at_any_file_is_mended() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let data = |name: &str| worktree.git_dir.join(name);
    for broken in [data("HEAD"), data("commondir"), data("gitdir"), data("index"), worktree.path.join(".git")]
    {
        for garbage in [None, Some("")] {
            match garbage {
                None => fs::remove_file(&broken).unwrap(),
                Some(text) => fs::write(&broken, text).unwrap(),
            }
            workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
            assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "", "{}", broken.display());
        }
    }
}

#[test]
fn commits_of_others_on_the_branch_are_never_lost() {
    let repo = Repo::new();
    let workspace = repo.open();
    let change = repo.finished_run(&workspace, 1, "one.txt");
    let worktree = workspace.find(&run(1)).unwrap();
    put(&worktree.path, "human.txt", "by hand");
    git_in(&worktree.path, &["add", "human.txt"]);
    git_in(&worktree.path, &["commit", "-q", "-m", "by hand"]);
    let human = repo.head(branch(1).as_str());
    let refused = workspace.prepare(&run(1), &branch(1), &change.base, Some(&change.commit)).unwrap_err();
    assert!(
        matches!(&refused, WorkspaceError::ForeignCommits { commit, .. } if *commit == human),
        "{refused}"
    );
    assert!(refused.remedy().contains(branch(1).as_str()));
    assert_eq!(repo.head(branch(1).as_str()), human);
    assert!(worktree.path.join("human.txt").exists());
}

#[test]
fn a_branch_that_a_human_looks_at_is_left_alone() {
    let repo = Repo::new();
    let workspace = repo.open();
    let base = repo.head("main");
    repo.git(&["checkout", "-q", "-b", branch(1).as_str()]);
    let refused = workspace.prepare(&run(1), &branch(1), &base, None).unwrap_err();
    assert!(matches!(refused, WorkspaceError::BranchInUse { .. }), "{refused}");
}

#[test]
fn a_commit_that_is_not_there_is_named() {
    let repo = Repo::new();
    let workspace = repo.open();
    for bad in ["0123456789012345678901234567890123456789", "-x", ""] {
        let refused = workspace.prepare(&run(1), &branch(1), &GitId(bad.into()), None).unwrap_err();
        assert!(matches!(refused, WorkspaceError::NoCommit { .. }), "{refused}");
    }
}

#[test]
fn ten_worktrees_are_made_at_once() {
    let repo = Repo::new();
    let workspace = repo.open();
    let base = repo.head("main");
    std::thread::scope(|scope| {
        for number in 1..=10 {
            let (workspace, base) = (&workspace, &base);
            scope.spawn(move || {
                let worktree = workspace.prepare(&run(number), &branch(number), base, None).unwrap();
                put(&worktree.path, "own.txt", &number.to_string());
                let change = workspace.commit(&worktree, base, "work", "").unwrap();
                assert_eq!(files(&change), ["own.txt"]);
            });
        }
    });
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 11);
    assert!(workspace.disk_use() > 0);
    repo.git(&["fsck", "--strict"]);
}

#[test]
fn two_vaults_may_work_on_one_repository() {
    let repo = Repo::new();
    let (first, base) = repo.worktree(&repo.open(), 1);
    let other = Workspace::open(&note("../app"), &repo.dir.path().join("vault"), &repo.dir.path().join("w2"))
        .unwrap();
    let second = other.prepare(&run(1), &"agent/ado/feature/other".parse().unwrap(), &base, None).unwrap();
    assert_ne!(first.git_dir, second.git_dir);
    assert_eq!(git_in(&first.path, &["branch", "--show-current"]), branch(1).as_str());
    assert_eq!(git_in(&second.path, &["branch", "--show-current"]), "agent/ado/feature/other");
}

#[test]
fn only_work_that_is_elsewhere_is_removed() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    let worktree = workspace.find(&run(1)).unwrap();
    repo.git(&["merge", "-q", branch(1).as_str()]);
    put(&worktree.path, "left.txt", "not committed");
    let kept = workspace.remove(&worktree, &branch(1)).unwrap();
    assert!(matches!(kept, Removed::Kept { why } if why.contains("not committed")));
    fs::remove_file(worktree.path.join("left.txt")).unwrap();
    put(&worktree.path, "target/cache", "may go");
    assert_eq!(workspace.remove(&worktree, &branch(1)).unwrap(), Removed::Done);
    assert!(!worktree.path.exists() && !worktree.git_dir.exists());
    assert_eq!(repo.git(&["branch", "--list", branch(1).as_str()]), "");
    assert_eq!(workspace.remove(&worktree, &branch(1)).unwrap(), Removed::Done);
}

#[test]
fn a_branch_that_was_not_merged_outlives_its_worktree() {
    let repo = Repo::new();
    let workspace = repo.open();
    repo.finished_run(&workspace, 1, "one.txt");
    let worktree = workspace.find(&run(1)).unwrap();
    assert_eq!(workspace.remove(&worktree, &branch(1)).unwrap(), Removed::Done);
    assert!(!worktree.path.exists() && !worktree.git_dir.exists());
    assert_ne!(repo.git(&["branch", "--list", branch(1).as_str()]), "");
}

#[test]
fn a_diff_is_bounded_fairly_and_says_what_is_missing() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    put(&worktree.path, "a.txt", &"long line of text\n".repeat(2000));
    put(&worktree.path, "b.txt", "short \u{202e}\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    let diff = workspace.diff(&base, &change.commit, 4_000).unwrap();
    assert!(diff.len() < 4_300, "{}", diff.len());
    assert!(diff.contains("more lines of this file not shown]"), "{diff}");
    assert!(diff.contains("+short \\u{202e}\n"), "{diff}");
    assert!(
        workspace
            .diff(&base, &change.commit, 0)
            .unwrap()
            .contains("2 more files changed, not shown: a.txt, b.txt")
    );
}

#[test]
fn tests_that_lose_assertions_are_findings_of_the_commit() {
    let repo = Repo::new();
    repo.write("tests/a.rs", "#[test]\nfn holds() {\n    assert!(true);\n    assert_eq!(1, 1);\n}\n");
    repo.commit_all("tests");
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    put(&worktree.path, "tests/a.rs", "#[test]\n#[ignore]\nfn holds() {\n    assert!(true);\n}\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    let messages: Vec<_> = change.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        ["assertions were lost in test `holds`: 2 before, 1 now", "a skip was added in test `holds`"]
    );
    fs::rename(worktree.path.join("tests/a.rs"), worktree.path.join("tests/b.rs")).unwrap();
    put(
        &worktree.path,
        "tests/b.rs",
        "#[test]\nfn holds() {\n    assert!(true);\n    assert_eq!(1, 1);\n}\n",
    );
    let moved = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(moved.findings, []);
}

#[test]
fn a_commit_says_whether_it_is_formatting_or_versions_alone() {
    let repo = Repo::new();
    repo.write("Cargo.toml", "[dependencies]\nserde = \"1.0.1\"\n");
    repo.commit_all("a manifest");
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let says = |path: &str, text: &str| {
        put(&worktree.path, path, text);
        let change = workspace.commit(&worktree, &base, "m", "").unwrap();
        (change.formatting, change.only_versions)
    };
    assert_eq!(says("src/lib.rs", "pub fn one() -> u32 { 1 }\n"), (true, false));
    assert_eq!(says("src/lib.rs", "pub fn one() -> u32 {\n    1\n}\n"), (false, false), "nothing is neither");
    assert_eq!(says("Cargo.toml", "[dependencies]\nserde = \"1.0.2\"\n"), (false, true));
    assert_eq!(says("Cargo.lock", "version = 4\n"), (false, false), "a new file is more than an update");
}

#[test]
fn a_file_that_was_renamed_is_changed_under_both_names() {
    let repo = Repo::new();
    repo.write("src/auth/token.rs", "fn token() {}\nfn other() {}\n");
    repo.commit_all("second");
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    fs::create_dir_all(worktree.path.join("docs")).unwrap();
    fs::rename(worktree.path.join("src/auth/token.rs"), worktree.path.join("docs/token.md")).unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["src/auth/token.rs", "docs/token.md"]);
}

#[test]
fn facts_are_bounded_and_follow_no_links() {
    let repo = Repo::new();
    repo.write("Cargo.toml", "[package]\nname = \"app\"\n");
    repo.write("AGENTS.md", &"be kind\u{1b}[31m\n".repeat(1000));
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("CONTRIBUTING.md")).unwrap();
    repo.commit_all("second");
    let workspace = repo.open();
    let (worktree, _) = repo.worktree(&workspace, 1);
    let facts = workspace.facts(&worktree).unwrap();
    assert!(facts.layout.contains("src/\n  lib.rs"), "{}", facts.layout);
    assert_eq!(
        facts.languages.iter().map(|share| share.language.as_str()).collect::<Vec<_>>(),
        ["Markdown", "Rust"]
    );
    assert_eq!(facts.manifests[0].path, "Cargo.toml");
    let conventions: Vec<_> = facts.conventions.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(conventions, ["AGENTS.md", "README.md"]);
    assert!(facts.conventions[0].truncated && !facts.conventions[0].text.contains('\u{1b}'));
    assert_eq!(facts.commits[0].subject, "second");
    assert!(serde_json::to_string(&facts).unwrap().len() < 20_000);
}

#[test]
fn the_sandbox_is_shown_files_and_git_data_but_no_passwords() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, _) = repo.worktree(&workspace, 1);
    let paths = workspace.protected_paths(&worktree);
    let git_dir = repo.path().join(".git").canonicalize().unwrap();
    assert_eq!(paths.write, std::slice::from_ref(&worktree.path));
    assert_eq!(paths.read, std::slice::from_ref(&git_dir));
    assert_eq!(paths.protect, [worktree.path.join(".git")]);
    repo.git(&["remote", "add", "origin", "https://me:pass@example.org/app.git"]);
    let paths = workspace.protected_paths(&worktree);
    assert!(paths.read.contains(&git_dir.join("objects")) && paths.read.contains(&worktree.git_dir));
    assert!(paths.read.iter().all(|path| !git_dir.join("config").starts_with(path)));
}

#[test]
fn the_lock_that_a_killed_process_left_on_an_own_branch_is_removed_and_others_are_left() {
    let repo = Repo::new();
    let workspace = repo.open();
    let base = workspace.base_of(&"main".parse().unwrap()).unwrap();
    let lock = repo.path().join(format!(".git/refs/heads/{}.lock", branch(1)));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    let held = workspace.prepare(&run(1), &branch(1), &base, None).unwrap_err();
    assert!(held.retry(), "one as young as this may have a holder: {held}");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
    assert!(!lock.exists());
}
