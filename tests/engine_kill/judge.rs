//! What is left when a request is done, and whether it is whole. Knows nothing of how it came to be.

use std::fs;
use std::path::Path;

use ado_vault::domain::{RunEnd, Status};
use regex::Regex;
use similar::TextDiff;

use crate::world::{World, git};

/// Everything that two ways to the same end must have in common.
#[derive(Debug, PartialEq)]
pub struct Ending {
    pub status: Option<Status>,
    pub ended: Option<RunEnd>,
    /// The request's note without times, costs and ids of commits.
    pub note: String,
    pub pull_requests: Vec<String>,
    /// The pull request's note, likewise.
    pub pull_request: String,
    pub branches: [String; 2],
    pub worktrees: String,
    /// Subjects on the target branch at the origin, newest first.
    pub target: Vec<String>,
    /// The tree of the target branch at the origin.
    pub tree: String,
}

impl Ending {
    pub fn of(world: &World) -> Self {
        let (vault, clone, origin) = (world.vault_root(), world.clone_root(), world.origin_root());
        let view = world.feature();
        let pull_requests = world.pull_requests();
        let read = |path: &str| timeless(&fs::read_to_string(vault.join(path)).unwrap());
        Self {
            status: view.feature.folder,
            ended: view.run().and_then(|run| run.ended.as_ref()).map(|(end, _)| *end),
            note: read(view.feature.path.as_str()),
            pull_request: pull_requests.first().map(|path| read(path)).unwrap_or_default(),
            pull_requests,
            branches: [&clone, &origin].map(|at| git(at, &["branch", "--format=%(refname:short)"])),
            worktrees: fs::read_dir(vault.join(".ado/worktrees"))
                .into_iter()
                .flatten()
                .map(|entry| leaves(&entry.unwrap().path()))
                .collect(),
            target: git(&origin, &["log", "--format=%s", "main"]).lines().map(str::to_owned).collect(),
            tree: git(&origin, &["rev-parse", "main^{tree}"]),
        }
    }
}

/// The lines in which one end differs from another; empty when none.
pub fn difference<T: std::fmt::Debug + PartialEq>(one: &T, other: &T) -> String {
    if one == other {
        return String::new();
    }
    let shown = |ending: &T| format!("{ending:#?}").replace("\\n", "\n");
    TextDiff::from_lines(shown(one), shown(other)).unified_diff().context_radius(1).to_string()
}

/// Files below a folder, as lines.
fn leaves(folder: &Path) -> String {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| format!("{}\n", entry.path().display()))
        .collect()
}

/// The text without what no two runs share.
pub fn timeless(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, instead) in [
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"),
        (r"\b[0-9a-f]{7,40}\b", "COMMIT"),
        (r"(?m)^(cost_usd|tokens|updated|block|> - Cost): .*$", "$1"),
        (r"## Cost\n\n.*\n", "## Cost\n"),
        (r"\b\d+(\.\d+)? s\b", "SPENT"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    text
}

/// Git finds no fault in any repository, and nothing lies about uncommitted.
pub fn assert_whole(world: &World) {
    for at in [world.vault_root(), world.clone_root(), world.origin_root()] {
        assert_eq!(git(&at, &["fsck", "--strict", "--no-dangling"]), "", "{}", at.display());
    }
    for at in [world.vault_root(), world.clone_root()] {
        assert_eq!(git(&at, &["status", "--porcelain"]), "", "{}", at.display());
        assert!(!at.join(".git/index.lock").exists());
    }
    assert_eq!(git(&world.clone_root(), &["worktree", "list"]).lines().count(), 1);
}
