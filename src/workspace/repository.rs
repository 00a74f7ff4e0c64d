//! A target repository: opening it, its lock, its commits and where a run starts. It does not know which runs exist.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::sync::{LazyLock, Once};
use std::time::{Duration, Instant, SystemTime};

use git2::{Commit, ErrorCode, Oid, RepositoryOpenFlags};

use super::git_program::GitProgram;
use super::{GitCredential, WorkspaceError};
use crate::domain::{BranchName, GitId, RepoName, Repository};

/// How long to wait for another process that works on the same repository.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// Who commits for ado-vault. A branch is only ever rewound over commits of this address.
pub(super) const OWN_NAME: &str = "ado-vault";
pub(super) const OWN_MAIL: &str = "ado-vault@localhost";

/// Branches that nobody but ado-vault makes.
const OWN_BRANCHES: &str = "agent/ado/";
/// File times lag behind the clock by as much as this.
const CLOCK_STEP: Duration = Duration::from_millis(20);
/// When this process first opened a repository.
static STARTED: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// A target repository on this machine. Holds paths only and opens git data for each call, so it can be shared. Calls
/// block: run them off the async threads.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub(super) name: RepoName,
    /// Shared by all worktrees of the repository.
    pub(super) git_dir: PathBuf,
    /// Where this machine's vault lies inside the repository, if it does: never shown to an agent, never changed by one.
    pub(super) hidden: Option<Vec<u8>>,
    pub(super) worktrees: PathBuf,
    pub(super) remote: String,
    pub(super) credential: Option<GitCredential>,
}

impl Workspace {
    /// Opens the clone that a repository note names. The note's path is absolute, `~/…`, or relative to `vault_root`;
    /// `worktrees` is the absolute folder under which worktrees are made.
    ///
    /// # Errors
    /// `Missing`, `NotARepository`, `NoCommits`, `BadPath`.
    pub fn open(
        repository: &Repository,
        vault_root: &Path,
        worktrees: &Path,
    ) -> Result<Self, WorkspaceError> {
        LazyLock::force(&STARTED);
        let name = repository.name.clone();
        let path = expanded(&repository.path, vault_root)?;
        let Ok(path) = path.canonicalize() else { return Err(WorkspaceError::Missing { name, path }) };
        allow_other_owners();
        let opened = git2::Repository::open_ext(&path, RepositoryOpenFlags::NO_SEARCH, [] as [&Path; 0]);
        let Ok(opened) = opened else { return Err(WorkspaceError::NotARepository { name, path }) };
        let failed = |source| WorkspaceError::git(format!("read repository `{name}`"), source);
        if opened.references().map_err(failed)?.filter_map(Result::ok).next().is_none() {
            return Err(WorkspaceError::NoCommits { name });
        }
        let git_dir = canonical(opened.commondir())?;
        let hidden = match opened.workdir().map(canonical).transpose()? {
            Some(work) => vault_inside(&work, vault_root)?,
            None => None,
        };
        if !worktrees.is_absolute() || worktrees.components().any(|part| part == Component::ParentDir) {
            let reason = "the folder of worktrees must be absolute and without `..`".into();
            return Err(WorkspaceError::BadPath { path: worktrees.to_owned(), reason });
        }
        Ok(Self {
            name,
            git_dir,
            hidden,
            worktrees: worktrees.to_owned(),
            remote: repository.remote.clone(),
            credential: None,
        })
    }

    /// The same with what git may show to its forge; without, the user's own credential helpers are asked.
    pub fn with_credential(self, credential: Option<GitCredential>) -> Self {
        Self { credential, ..self }
    }

    /// The commit that a run against `target` starts from: the remote's head of it, fetched now, else the local one.
    ///
    /// # Errors
    /// `Unreachable` (retry) when the fetch fails, `NoBranch`.
    pub fn base_of(&self, target: &BranchName) -> Result<GitId, WorkspaceError> {
        let repository = self.git()?;
        let head = match GitProgram::of(self, &repository)? {
            Some(program) => {
                let _lock = self.lock()?;
                program.fetch(target)?
            }
            None => None,
        };
        let head = match head {
            Some(head) => head,
            None => self.local_head(&repository, target)?.ok_or_else(|| self.no_branch(target))?,
        };
        Ok(GitId(head.to_string()))
    }

    /// The git data alone: no checkout, and so nothing that an agent wrote, is looked at.
    pub(super) fn git(&self) -> Result<git2::Repository, WorkspaceError> {
        let flags =
            RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT | RepositoryOpenFlags::BARE;
        git2::Repository::open_ext(&self.git_dir, flags, [] as [&Path; 0])
            .map_err(|source| WorkspaceError::git(format!("open repository `{}`", self.name), source))
    }

    /// Keeps other processes and threads from making worktrees, fetching, pushing and merging here meanwhile.
    pub(super) fn lock(&self) -> Result<File, WorkspaceError> {
        let path = self.git_dir.join("ado-vault.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| WorkspaceError::io("open", &path, source))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    return Err(WorkspaceError::Busy { name: self.name.clone() });
                }
                Err(std::fs::TryLockError::Error(source)) => {
                    return Err(WorkspaceError::io("lock", &path, source));
                }
            }
        }
    }

    pub(super) fn commit_of<'r>(
        &self,
        repository: &'r git2::Repository,
        id: &GitId,
    ) -> Result<Commit<'r>, WorkspaceError> {
        Oid::from_str(id.as_str())
            .and_then(|oid| repository.find_commit(oid))
            .map_err(|_| WorkspaceError::NoCommit { name: self.name.clone(), commit: id.clone() })
    }

    /// The head of a local branch.
    pub(super) fn local_head(
        &self,
        repository: &git2::Repository,
        branch: &BranchName,
    ) -> Result<Option<Oid>, WorkspaceError> {
        self.head_of(repository, &format!("refs/heads/{branch}"))
    }

    pub(super) fn head_of(
        &self,
        repository: &git2::Repository,
        reference: &str,
    ) -> Result<Option<Oid>, WorkspaceError> {
        match repository.find_reference(reference).and_then(|found| found.peel_to_commit()) {
            Ok(commit) => Ok(Some(commit.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(WorkspaceError::git(format!("read `{reference}`"), source)),
        }
    }

    /// Moves a local branch from one commit to another and fails when it is not there any more.
    pub(super) fn move_branch(
        &self,
        repository: &git2::Repository,
        branch: &BranchName,
        from: Option<Oid>,
        to: Oid,
        why: &str,
    ) -> Result<(), WorkspaceError> {
        let reference = format!("refs/heads/{branch}");
        let why = format!("ado-vault: {why}");
        let attempt = || match from {
            Some(from) => repository.reference_matching(&reference, to, true, from, &why),
            None => repository.reference(&reference, to, false, &why),
        };
        if from == Some(to) {
            return Ok(());
        }
        let moved = match attempt() {
            Err(error) if error.code() == ErrorCode::Locked && self.unlock(branch) => attempt(),
            other => other,
        };
        match moved {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked) =>
            {
                Err(WorkspaceError::BranchMoved { branch: branch.clone() })
            }
            Err(source) => Err(WorkspaceError::git(format!("move branch `{branch}`"), source)),
        }
    }

    /// Removes the lock that a killed ado-vault left on one of its own branches: git holds such a lock for an instant,
    /// so one that is older than this process has no holder. Locks of other branches are never touched.
    fn unlock(&self, branch: &BranchName) -> bool {
        let lock = self.git_dir.join(format!("refs/heads/{branch}.lock"));
        let is_left_over = || {
            fs::metadata(&lock).and_then(|data| data.modified()).is_ok_and(|at| at + CLOCK_STEP < *STARTED)
        };
        branch.as_str().starts_with(OWN_BRANCHES) && is_left_over() && fs::remove_file(&lock).is_ok()
    }

    pub(super) fn no_branch(&self, branch: &BranchName) -> WorkspaceError {
        WorkspaceError::NoBranch { name: self.name.clone(), branch: branch.clone() }
    }
}

/// The signature of commits made by ado-vault, now.
pub(super) fn signature() -> Result<git2::Signature<'static>, WorkspaceError> {
    git2::Signature::now(OWN_NAME, OWN_MAIL).map_err(|source| WorkspaceError::git("sign a commit", source))
}

/// Whether ado-vault made the commit.
pub(super) fn is_own(commit: &Commit<'_>) -> bool {
    commit.committer().email_bytes() == OWN_MAIL.as_bytes()
}

/// libgit2 refuses repositories of other users so that their hooks and configured programs are not run. It runs none of
/// these itself, and ado-vault may run as another user than the owner of the clones.
fn allow_other_owners() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the only writer of this global, once, before the first repository of this room is opened.
        if let Err(error) = unsafe { git2::opts::set_verify_owner_validation(false) } {
            tracing::warn!(%error, "repositories of other users cannot be opened");
        }
    });
}

fn expanded(path: &str, vault_root: &Path) -> Result<PathBuf, WorkspaceError> {
    let bad = |reason: &str| WorkspaceError::BadPath { path: path.into(), reason: reason.into() };
    if path.trim().is_empty() || path.contains(char::is_control) {
        return Err(bad("it is empty or holds control characters"));
    }
    if path == "~" || path.starts_with("~/") {
        let home = std::env::home_dir().ok_or_else(|| bad("this user has no home folder"))?;
        return Ok(home.join(path.trim_start_matches('~').trim_start_matches('/')));
    }
    Ok(vault_root.join(path))
}

fn vault_inside(work: &Path, vault_root: &Path) -> Result<Option<Vec<u8>>, WorkspaceError> {
    use std::os::unix::ffi::OsStrExt;
    let Ok(vault) = vault_root.canonicalize() else { return Ok(None) };
    match vault.strip_prefix(work) {
        Ok(inner) if inner.as_os_str().is_empty() => Err(WorkspaceError::BadPath {
            path: vault,
            reason: "the repository is the vault itself, whose notes no agent may change".into(),
        }),
        Ok(inner) => Ok(Some(inner.as_os_str().as_bytes().to_vec())),
        Err(_) => Ok(None),
    }
}

fn canonical(path: &Path) -> Result<PathBuf, WorkspaceError> {
    path.canonicalize().map_err(|source| WorkspaceError::io("look at", path, source))
}
