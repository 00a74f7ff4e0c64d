//! Worktrees as a hostile agent may leave them. A sentinel file shows whether anything of it was run or followed.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use ado_vault::domain::Severity;
use ado_vault::workspace::Workspace;

use super::repo::*;

fn refused(change: &ado_vault::domain::ChangeSet) -> Vec<&str> {
    let mut paths: Vec<_> = change
        .findings
        .iter()
        .filter(|finding| finding.rule == "refused-path" && finding.severity == Severity::Error)
        .map(|finding| finding.file.as_str())
        .collect();
    paths.sort_unstable();
    paths
}

/// A repository whose every setting that can name a program names one that makes `sentinel`.
fn trap(dir: &Path, sentinel: &Path) {
    fs::create_dir_all(dir).unwrap();
    git_in(dir, &["init", "-q", "-b", "main"]);
    let touch = format!("touch {}", sentinel.display());
    put(dir, "inner.txt", "x\n");
    git_in(dir, &["add", "-A"]);
    git_in(dir, &["commit", "-q", "-m", "inner"]);
    for key in
        ["core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "core.sshCommand"]
    {
        git_in(dir, &["config", key, &touch]);
    }
    put(dir, ".gitattributes", "* filter=evil diff=evil merge=evil\n");
    put(dir, ".git/hooks/post-checkout", &format!("#!/bin/sh\n{touch}\n"));
}

#[test]
fn a_nested_repository_is_refused_and_nothing_of_it_runs() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let sentinel = repo.dir.path().join("sentinel");
    trap(&worktree.path.join("nested"), &sentinel);
    put(&worktree.path, "src/.git/config", &format!("[core]\n\tfsmonitor = touch {}\n", sentinel.display()));
    put(&worktree.path, "src/.GIT/config", "[core]\n");
    put(&worktree.path, "good.txt", "good\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["good.txt"]);
    assert_eq!(refused(&change), ["nested", "src/.GIT", "src/.git"]);
    workspace.facts(&worktree).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert!(!worktree.path.join("nested").exists() && !worktree.path.join("src/.git").exists());
    assert!(!sentinel.exists());
    // The trap is a real one.
    trap(&worktree.path.join("nested"), &sentinel);
    git_in(&worktree.path.join("nested"), &["status"]);
    assert!(sentinel.exists());
}

#[test]
fn a_replaced_git_file_leads_nowhere() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let sentinel = repo.dir.path().join("sentinel");
    let fake = repo.dir.path().join("fake");
    trap(&fake, &sentinel);
    fs::write(worktree.path.join(".git"), format!("gitdir: {}/.git\n", fake.display())).unwrap();
    put(&worktree.path, "good.txt", "good\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["good.txt"]);
    assert_eq!(repo.head(branch(1).as_str()), change.commit);
    fs::remove_file(worktree.path.join(".git")).unwrap();
    symlink(fake.join(".git"), worktree.path.join(".git")).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert!(fs::symlink_metadata(worktree.path.join(".git")).unwrap().is_file());
    assert!(fake.join(".git/HEAD").exists() && !sentinel.exists());
}

#[test]
fn filters_named_by_the_repository_itself_do_not_run() {
    let repo = Repo::new();
    let sentinel = repo.dir.path().join("sentinel");
    let touch = format!("touch {}", sentinel.display());
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    repo.git(&["config", "filter.evil.clean", &touch]);
    repo.git(&["config", "filter.evil.smudge", &touch]);
    repo.git(&["config", "core.fsmonitor", &touch]);
    put(&repo.path(), ".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    put(&worktree.path, ".gitattributes", "* filter=evil text eol=crlf\n");
    put(&worktree.path, "crlf.txt", "as it is\r\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), [".gitattributes", "crlf.txt"]);
    fs::remove_file(worktree.path.join("crlf.txt")).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert_eq!(fs::read(worktree.path.join("crlf.txt")).unwrap(), b"as it is\r\n");
    assert!(!sentinel.exists());
}

#[test]
fn links_out_pipes_and_sockets_are_refused_and_links_inside_are_kept() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let at = |name: &str| worktree.path.join(name);
    let outside = repo.dir.path().join("outside");
    put(&outside, "secret.txt", "secret");
    symlink(&outside, at("out")).unwrap();
    symlink("../../outside/secret.txt", at("src/up")).unwrap();
    symlink("lib.rs", at("src/inside")).unwrap();
    symlink("src/../../..", at("sneaky")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::remove_file(at("README.md")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("README.md"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    fs::remove_file(at(".gitignore")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at(".gitignore"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["src/inside"]);
    assert_eq!(refused(&change), [".gitignore", "README.md", "out", "pipe", "sneaky", "socket", "src/up"]);
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert!(outside.join("secret.txt").exists());
    assert!(!at("out").exists() && fs::symlink_metadata(at("pipe")).is_err());
    assert_eq!(fs::read_to_string(at("README.md")).unwrap(), "# App\n");
    assert_eq!(fs::read_link(at("src/inside")).unwrap(), Path::new("lib.rs"));
}

#[test]
fn a_folder_swapped_for_a_link_is_not_written_through() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let outside = repo.dir.path().join("outside");
    put(&outside, "lib.rs", "theirs");
    fs::remove_dir_all(worktree.path.join("src")).unwrap();
    symlink(&outside, worktree.path.join("src")).unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!((files(&change), refused(&change)), (vec![], vec!["src"]));
    workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
    assert_eq!(fs::read_to_string(outside.join("lib.rs")).unwrap(), "theirs");
    assert!(fs::read_to_string(worktree.path.join("src/lib.rs")).unwrap().contains("one"));
}

#[test]
fn a_rule_file_of_the_agent_does_not_shield_what_it_left() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    put(&worktree.path, "hidden/.gitignore", "*\n");
    put(&worktree.path, "hidden/payload", "x");
    put(&worktree.path, "src/.gitignore", "*\n");
    put(&worktree.path, "src/payload", "x");
    put(&worktree.path, ".gitignore", "*\n");
    workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
    assert!(!worktree.path.join("hidden").exists());
    assert!(!worktree.path.join("src/payload").exists());
}

#[test]
fn caches_that_no_rule_ignores_are_not_committed() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    put(&worktree.path, "build/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    put(&worktree.path, "build/out", "x");
    put(&worktree.path, "web/node_modules/a/index.js", "x");
    put(&worktree.path, "pkg/__pycache__/a.pyc", "x");
    put(&worktree.path, "pkg/a.py", "x = 1\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["pkg/a.py"]);
}

#[test]
fn a_file_named_like_an_option_is_a_file() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    put(&worktree.path, "-x", "x\n");
    put(&worktree.path, "--upload-pack=touch x", "x\n");
    put(&worktree.path, "line\nbreak", "x\n");
    let change = workspace.commit(&worktree, &base, "m\0\u{1b}[31m", "").unwrap();
    assert_eq!(files(&change), ["--upload-pack=touch x", "-x", "line\nbreak"]);
    assert_eq!(repo.git(&["log", "-1", "--format=%s", branch(1).as_str()]), "m[31m");
    assert!("-x".parse::<ado_vault::domain::BranchName>().is_err());
}

#[test]
fn folders_nested_without_end_are_refused() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let deep = "d/".repeat(300);
    put(&worktree.path, &format!("{deep}file"), "x");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), [""; 0]);
    assert_eq!(refused(&change).len(), 1);
    workspace.prepare(&run(1), &branch(1), &base, None).unwrap();
    assert!(!worktree.path.join("d").exists());
}

#[test]
fn a_vault_inside_the_repository_is_neither_shown_nor_changed() {
    let repo = Repo::new();
    repo.write("docs/vault/10_features/FR-001.md", "approved: false\n");
    repo.write("docs/guide.md", "guide\n");
    repo.commit_all("vault");
    let vault = repo.path().join("docs/vault");
    let workspace = Workspace::open(&note("../.."), &vault, &repo.worktrees()).unwrap();
    let (worktree, base) = repo.worktree(&workspace, 1);
    assert!(worktree.path.join("docs/guide.md").exists() && !worktree.path.join("docs/vault").exists());
    assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "");
    fs::remove_dir_all(worktree.path.join("docs")).unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["docs/guide.md"]);
    put(&worktree.path, "docs/vault/10_features/FR-001.md", "approved: true\n");
    put(&worktree.path, "docs/new.md", "new\n");
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["docs/guide.md", "docs/new.md"]);
    assert_eq!(refused(&change), ["docs/vault"]);
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert!(!worktree.path.join("docs/vault").exists());
    assert_eq!(git_in(&worktree.path, &["status", "--porcelain"]), "");
}

#[test]
fn a_change_that_forges_size_and_time_is_seen() {
    let repo = Repo::new();
    let workspace = repo.open();
    let (worktree, base) = repo.worktree(&workspace, 1);
    let readme = worktree.path.join("README.md");
    let modified = fs::metadata(&readme).unwrap().modified().unwrap();
    fs::write(&readme, "# Bpp\n").unwrap();
    let file = fs::File::options().write(true).open(&readme).unwrap();
    file.set_modified(modified).unwrap();
    let change = workspace.commit(&worktree, &base, "m", "").unwrap();
    assert_eq!(files(&change), ["README.md"]);
    fs::write(&readme, "# Cpp\n").unwrap();
    file.set_modified(modified).unwrap();
    workspace.prepare(&run(1), &branch(1), &base, Some(&change.commit)).unwrap();
    assert_eq!(fs::read_to_string(&readme).unwrap(), "# Bpp\n");
}
