//! `init`: a new vault from the template that is built into the program, in a git repository.
//!
//! Does not know what the template's notes say, and never overwrites a file.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository};
use include_dir::{Dir, File, include_dir};

use super::history::{CommitMessage, History};
use super::lock::private_folder;
use super::store::{Created, create, edit};
use super::{StoreError, Vault, VaultError, VaultLock, place};
use crate::domain::{GitId, NotePath};

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/vault-template");

/// The line of `.gitignore` that keeps caches and locks out of git.
const IGNORED: &str = ".ado/";

/// What became of the git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryState {
    Made,
    /// The vault lies in this work tree.
    Joined(PathBuf),
}

/// What `init` did.
#[derive(Debug, Clone)]
pub struct InitReport {
    pub created: Vec<NotePath>,
    /// Files of the template that were there already and stay as they are.
    pub kept: Vec<NotePath>,
    pub repository: RepositoryState,
    /// The commit of what was created; `None` when nothing was.
    pub commit: Option<GitId>,
}

/// Makes `dir` a vault: writes what is missing of the template, makes or joins the git repository, commits what it
/// created and nothing else.
pub fn init(dir: &Path) -> Result<InitReport, VaultError> {
    fs::create_dir_all(dir).map_err(|source| VaultError::io("make", dir, source))?;
    let vault = Vault::at(dir)?;
    let repository = make_or_join(&vault)?;
    private_folder(&vault)?;
    let lock = VaultLock::acquire(&vault)?;
    let (mut created, mut kept) = (Vec::new(), Vec::new());
    for file in files(&TEMPLATE) {
        let Some(path) = file.path().to_str().and_then(|path| NotePath::new(path).ok()) else { continue };
        if write(&lock, &vault, &path, file.contents())? {
            created.push(path);
        } else {
            kept.push(path);
        }
    }
    if ignore_caches(&lock, &vault)? {
        let path = NotePath::new(".gitignore")?;
        kept.retain(|other| *other != path);
        if !created.contains(&path) {
            created.push(path);
        }
    }
    let history = History::open(&vault)?;
    let message = CommitMessage {
        subject: "vault: init".to_owned(),
        body: format!("{} files of the template.", created.len()),
        trailers: Vec::new(),
    };
    let commit = if created.is_empty() { None } else { history.commit(&lock, &created, &message)? };
    Ok(InitReport { created, kept, repository, commit })
}

/// Every file below, sorted by path.
fn files<'t>(dir: &'t Dir<'t>) -> Vec<&'t File<'t>> {
    let mut found: Vec<_> = dir.files().collect();
    for below in dir.dirs() {
        found.extend(files(below));
    }
    found.sort_by_key(|file| file.path());
    found
}

/// Writes a file of the template unless something is there. A template may hold files that are no text.
fn write(lock: &VaultLock, vault: &Vault, path: &NotePath, contents: &[u8]) -> Result<bool, VaultError> {
    if let Ok(text) = std::str::from_utf8(contents) {
        return Ok(create(lock, vault, path, text)? == Created::New);
    }
    let absolute = vault.absolute(path)?;
    if absolute.exists() {
        return Ok(false);
    }
    place::make_parents(&absolute)?;
    place::replace(&absolute, contents)?;
    Ok(true)
}

/// Adds `.ado/` to the vault's `.gitignore`. Gives whether it was written.
fn ignore_caches(lock: &VaultLock, vault: &Vault) -> Result<bool, VaultError> {
    let path = NotePath::new(".gitignore")?;
    if create(lock, vault, &path, &format!("{IGNORED}\n"))? == Created::New {
        return Ok(true);
    }
    let added = edit(lock, vault, &path, |text| {
        let known = text.lines().any(|line| matches!(line.trim(), ".ado/" | ".ado" | "/.ado/" | "/.ado"));
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        Ok::<_, std::convert::Infallible>(if known {
            text.to_owned()
        } else {
            format!("{text}{gap}{IGNORED}\n")
        })
    });
    match added {
        Ok(edited) => Ok(edited.changed),
        Err(StoreError::Vault(error)) => Err(error),
        Err(StoreError::Edit(never)) => match never {},
    }
}

fn make_or_join(vault: &Vault) -> Result<RepositoryState, VaultError> {
    match Repository::discover(vault.root()) {
        Ok(repository) => match repository.workdir() {
            Some(folder) => Ok(RepositoryState::Joined(folder.to_owned())),
            None => Err(VaultError::NoRepository { dir: vault.root().to_owned() }),
        },
        Err(error) if error.code() == ErrorCode::NotFound => {
            let mut options = git2::RepositoryInitOptions::new();
            options.no_reinit(true);
            let branch = git2::Config::open_default()
                .and_then(|config| config.get_string("init.defaultBranch"))
                .unwrap_or_else(|_| "main".to_owned());
            options.initial_head(&branch);
            Repository::init_opts(vault.root(), &options)
                .map_err(|error| VaultError::git("make a git repository", error))?;
            Ok(RepositoryState::Made)
        }
        Err(error) => {
            Err(VaultError::git(format!("open the repository of `{}`", vault.root().display()), error))
        }
    }
}
