//! What an agent should know of a repository before it starts: layout, languages, manifests, conventions, history. All of
//! it is text of the repository: data, never instructions.

use std::collections::BTreeMap;

use git2::{ObjectType, Repository, Tree};
use serde::{Deserialize, Serialize};

use super::diff::escaped;
use super::stage::joined;
use super::{Workspace, WorkspaceError, Worktree};
use crate::domain::GitId;

const MOST_LINES: usize = 300;
const MOST_DEPTH: usize = 4;
/// Names shown of one folder.
const MOST_NAMES: usize = 40;
/// Files that are counted.
const MOST_FILES: usize = 50_000;
const MOST_MANIFESTS: usize = 8;
const MOST_EXCERPT: usize = 4_000;
const COMMITS: usize = 10;

const MANIFESTS: [&str; 17] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "requirements.txt",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "composer.json",
    "CMakeLists.txt",
    "Makefile",
    "justfile",
    "deno.json",
    "mix.exs",
];

const CONVENTIONS: [&str; 13] = [
    "AGENTS.md",
    "CLAUDE.md",
    "CONTRIBUTING.md",
    "README.md",
    ".editorconfig",
    "rustfmt.toml",
    ".rustfmt.toml",
    "clippy.toml",
    "rust-toolchain.toml",
    ".prettierrc",
    "ruff.toml",
    ".github/CONTRIBUTING.md",
    "docs/CONTRIBUTING.md",
];

const LANGUAGES: [(&str, &str); 34] = [
    ("rs", "Rust"),
    ("py", "Python"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("jsx", "JavaScript"),
    ("ts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("go", "Go"),
    ("java", "Java"),
    ("kt", "Kotlin"),
    ("swift", "Swift"),
    ("c", "C"),
    ("h", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
    ("hpp", "C++"),
    ("cs", "C#"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("scala", "Scala"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("hs", "Haskell"),
    ("lua", "Lua"),
    ("sh", "Shell"),
    ("sql", "SQL"),
    ("html", "HTML"),
    ("css", "CSS"),
    ("scss", "CSS"),
    ("vue", "Vue"),
    ("dart", "Dart"),
    ("zig", "Zig"),
    ("md", "Markdown"),
];

/// Bounded facts about a worktree. Symbolic links are never followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Tracked files as an indented tree, bounded; what is left out is said.
    pub layout: String,
    /// Most bytes first.
    pub languages: Vec<LanguageShare>,
    pub manifests: Vec<Excerpt>,
    /// AGENTS.md, CONTRIBUTING.md, README and formatter settings.
    pub conventions: Vec<Excerpt>,
    /// Newest first, at most ten.
    pub commits: Vec<CommitSubject>,
}

/// How much of a repository is in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageShare {
    pub language: String,
    pub files: u64,
    pub bytes: u64,
}

/// The beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    pub path: String,
    pub text: String,
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSubject {
    pub commit: String,
    pub subject: String,
}

impl Workspace {
    /// Facts about the worktree's branch as its last commit has it.
    ///
    /// # Errors
    /// `NoBranch`, or when git data cannot be read.
    pub fn facts(&self, worktree: &Worktree) -> Result<RepositoryFacts, WorkspaceError> {
        let repository = self.git()?;
        let head = self
            .local_head(&repository, &worktree.branch)?
            .ok_or_else(|| self.no_branch(&worktree.branch))?;
        self.facts_of(&GitId(head.to_string()))
    }

    /// Facts about the repository as a commit has it.
    ///
    /// # Errors
    /// `NoCommit`, or when git data cannot be read.
    pub fn facts_of(&self, commit: &GitId) -> Result<RepositoryFacts, WorkspaceError> {
        let repository = self.git()?;
        let head = self.commit_of(&repository, commit)?.id();
        self.facts_at(&repository, head)
            .map_err(|source| WorkspaceError::git(format!("read repository `{}`", self.name), source))
    }

    fn facts_at(&self, repository: &Repository, head: git2::Oid) -> Result<RepositoryFacts, git2::Error> {
        let tree = repository.find_commit(head)?.tree()?;
        let mut survey = Survey { repository, hidden: self.hidden.as_deref(), ..Survey::new(repository) };
        survey.folder(&tree, b"", 0)?;
        let mut languages: Vec<LanguageShare> = survey
            .sizes
            .iter()
            .map(|(language, (files, bytes))| LanguageShare {
                language: (*language).to_owned(),
                files: *files,
                bytes: *bytes,
            })
            .collect();
        languages.sort_by_key(|share| std::cmp::Reverse(share.bytes));
        if survey.unlisted > 0 {
            survey.lines.push(format!("… {} more", survey.unlisted));
        }
        let conventions = CONVENTIONS.iter().filter_map(|path| excerpt(repository, &tree, path)).collect();
        survey.manifests.sort_by_key(|path| (path.matches('/').count(), path.clone()));
        let manifests = survey
            .manifests
            .iter()
            .take(MOST_MANIFESTS)
            .filter_map(|path| excerpt(repository, &tree, path))
            .collect();
        let mut walk = repository.revwalk()?;
        walk.push(head)?;
        let commits = walk
            .take(COMMITS)
            .filter_map(Result::ok)
            .filter_map(|id| repository.find_commit(id).ok())
            .map(|commit| CommitSubject {
                commit: commit.id().to_string().chars().take(10).collect(),
                subject: escaped(&String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default())),
            })
            .collect();
        Ok(RepositoryFacts { layout: survey.lines.join("\n"), languages, manifests, conventions, commits })
    }
}

struct Survey<'r> {
    repository: &'r Repository,
    hidden: Option<&'r [u8]>,
    lines: Vec<String>,
    unlisted: usize,
    files: usize,
    /// Files and bytes by language.
    sizes: BTreeMap<&'static str, (u64, u64)>,
    manifests: Vec<String>,
}

impl<'r> Survey<'r> {
    fn new(repository: &'r Repository) -> Self {
        Self {
            repository,
            hidden: None,
            lines: vec![],
            unlisted: 0,
            files: 0,
            sizes: BTreeMap::new(),
            manifests: vec![],
        }
    }

    fn folder(&mut self, tree: &Tree<'_>, path: &[u8], depth: usize) -> Result<(), git2::Error> {
        let indent = "  ".repeat(depth);
        let mut shown = 0;
        for item in tree {
            let inner = joined(path, item.name_bytes());
            if self.hidden == Some(&inner) {
                continue;
            }
            let name = escaped(&String::from_utf8_lossy(item.name_bytes()));
            let is_folder = item.kind() == Some(ObjectType::Tree);
            shown += 1;
            if shown <= MOST_NAMES && depth < MOST_DEPTH && self.lines.len() < MOST_LINES {
                self.lines.push(format!("{indent}{name}{}", if is_folder { "/" } else { "" }));
            } else {
                self.unlisted += 1;
            }
            if is_folder && depth < 64 && self.files < MOST_FILES {
                self.folder(&self.repository.find_tree(item.id())?, &inner, depth + 1)?;
            } else if item.filemode() != 0o120_000 && item.kind() == Some(ObjectType::Blob) {
                self.file(&inner, item.id());
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &[u8], id: git2::Oid) {
        self.files += 1;
        let path = String::from_utf8_lossy(path).into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        if MANIFESTS.contains(&name) {
            self.manifests.push(path.clone());
        }
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let Some((_, language)) = LANGUAGES.iter().find(|(known, _)| *known == extension) else { return };
        let size = self.repository.odb().and_then(|odb| odb.read_header(id)).map_or(0, |(size, _)| size);
        let share = self.sizes.entry(language).or_default();
        share.0 += 1;
        share.1 += size as u64;
    }
}

/// The beginning of a regular file of the tree, at most [`MOST_EXCERPT`] bytes.
fn excerpt(repository: &Repository, tree: &Tree<'_>, path: &str) -> Option<Excerpt> {
    let entry = tree.get_path(path.as_ref()).ok()?;
    if entry.filemode() == 0o120_000 {
        return None;
    }
    let blob = repository.find_blob(entry.id()).ok()?;
    if blob.is_binary() {
        return None;
    }
    let content = blob.content();
    let truncated = content.len() > MOST_EXCERPT;
    let text = String::from_utf8_lossy(&content[..content.len().min(MOST_EXCERPT)]);
    // A character cut in two at the end is left off.
    let text = if truncated { text.trim_end_matches('\u{fffd}') } else { &text };
    Some(Excerpt { path: path.to_owned(), text: escaped(text), truncated })
}
