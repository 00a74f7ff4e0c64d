//! The worktree of a run: making, finding and resetting it. It does not know what an agent does in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Commit, Oid, Repository};

use super::beneath::Folder;
use super::ignored::Ignored;
use super::index_file::IndexFile;
use super::repository::is_own;
use super::restore::restore;
use super::{Workspace, WorkspaceError};
use crate::domain::{BranchName, ContentHash, GitId, RepoName, RunId};
use crate::sandbox::{Limits, SandboxPolicy};

/// A run's checkout of its branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    pub run: RunId,
    pub branch: BranchName,
    /// Absolute folder of the files.
    pub path: PathBuf,
    /// Absolute folder of its git data, inside the repository's git directory. Never read from the worktree itself.
    pub git_dir: PathBuf,
}

/// The file in a worktree's git data that names what the repository's `setup` left for it.
const SETUP: &str = "ado-setup";
/// The file in a worktree's git data that says that the hook `after_create` ran to its end.
const SET_UP: &str = "ado-set-up";

impl Worktree {
    /// Whether the files were set up since they were made.
    pub fn is_set_up(&self) -> bool {
        self.git_dir.join(SET_UP).is_file()
    }

    /// Name of what `setup` left for this run, if anything.
    pub fn setup_used(&self) -> Option<String> {
        fs::read_to_string(self.git_dir.join(SETUP)).ok()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// `Io`.
    pub fn mark_setup_used(&self, name: &str) -> Result<(), WorkspaceError> {
        put(&self.git_dir, SETUP, name)
    }

    /// Remembers that the files are set up, for as long as they are there.
    ///
    /// # Errors
    /// `Io`.
    pub fn mark_set_up(&self) -> Result<(), WorkspaceError> {
        put(&self.git_dir, SET_UP, "")
    }
}

/// What the sandbox must show of a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPaths {
    pub write: Vec<PathBuf>,
    pub read: Vec<PathBuf>,
    pub protect: Vec<PathBuf>,
}

impl SandboxPaths {
    /// A policy that shows them, with this wall time.
    pub fn policy(self, wall: std::time::Duration) -> SandboxPolicy {
        let limits = Limits { wall, ..Limits::default() };
        SandboxPolicy {
            write: self.write,
            read: self.read,
            protect: self.protect,
            limits,
            ..Default::default()
        }
    }
}

impl Workspace {
    /// Makes or reuses the run's worktree and resets it to `head` (or `base`). Build caches that the repository ignores
    /// stay; all else that is not in the commit goes.
    ///
    /// # Errors
    /// `ForeignCommits` when the branch holds commits of others, `BranchInUse`, `Busy`, `NoCommit`.
    pub fn prepare(
        &self,
        run: &RunId,
        branch: &BranchName,
        base: &GitId,
        head: Option<&GitId>,
    ) -> Result<Worktree, WorkspaceError> {
        let repository = self.git()?;
        let wanted = self.commit_of(&repository, head.unwrap_or(base))?;
        let worktree = {
            let _lock = self.lock()?;
            self.claim_branch(&repository, run, branch, wanted.id())?;
            self.lay_out(run, branch, &format!("ref: refs/heads/{branch}"))?
        };
        self.fill(&repository, &worktree, &wanted)?;
        Ok(worktree)
    }

    /// Makes the worktree's files what a commit says.
    pub(super) fn fill(
        &self,
        repository: &Repository,
        worktree: &Worktree,
        wanted: &Commit<'_>,
    ) -> Result<(), WorkspaceError> {
        let failed = |source| WorkspaceError::io("open", &worktree.path, source);
        let root = Folder::open(&worktree.path).map_err(failed)?;
        let tree = wanted.tree().map_err(|source| WorkspaceError::git("read a tree", source))?;
        let index = IndexFile::read(&worktree.git_dir);
        let entries = restore(repository, &root, &tree, &self.own_rules(), &index, self.hidden.as_deref())?;
        index.write(&entries)
    }

    /// The run's worktree, if it is there.
    pub fn find(&self, run: &RunId) -> Option<Worktree> {
        let (path, git_dir) = self.places(run);
        let head = fs::read_to_string(git_dir.join("HEAD")).ok()?;
        let branch = head.trim().strip_prefix("ref: refs/heads/")?.parse().ok()?;
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir());
        is_folder.then(|| Worktree { run: run.clone(), branch, path, git_dir })
    }

    /// Bytes on disk of this repository's worktrees.
    pub fn disk_use(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let Ok(entries) = fs::read_dir(self.git_dir.join("worktrees")) else { return 0 };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(ADMIN_PREFIX))
            .filter_map(|entry| fs::read_to_string(entry.path().join("gitdir")).ok())
            .filter_map(|text| Path::new(text.trim()).parent().map(Path::to_owned))
            .filter(|path| path.starts_with(&self.worktrees))
            .flat_map(walkdir::WalkDir::new)
            .filter_map(Result::ok)
            .filter_map(|entry| entry.metadata().ok())
            .map(|data| data.blocks() * 512)
            .sum()
    }

    /// What the sandbox must show of the worktree: the files writable, the git data read-only. Of git data whose settings
    /// hold a password only the parts without settings are shown.
    pub fn protected_paths(&self, worktree: &Worktree) -> SandboxPaths {
        let settings = fs::read_to_string(self.git_dir.join("config")).unwrap_or_default();
        let secret = settings.to_lowercase().contains("extraheader")
            || settings.lines().any(|line| line.split("://").skip(1).any(|rest| rest.contains('@')));
        let mut read = if secret {
            ["HEAD", "objects", "refs", "packed-refs", "info"]
                .map(|part| self.git_dir.join(part))
                .into_iter()
                .chain([worktree.git_dir.clone()])
                .filter(|path| path.exists())
                .collect()
        } else {
            vec![self.git_dir.clone()]
        };
        let alternates = fs::read_to_string(self.git_dir.join("objects/info/alternates")).unwrap_or_default();
        read.extend(alternates.lines().map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir()));
        SandboxPaths { write: vec![worktree.path.clone()], read, protect: vec![worktree.path.join(".git")] }
    }

    /// Rules of the human's own that are in no commit.
    pub(super) fn own_rules(&self) -> Ignored {
        match Folder::open(&self.git_dir.join("info")).and_then(|folder| folder.read(b"exclude", 256 * 1024))
        {
            Ok(Some(text)) => Ignored::default().with(Path::new(""), &text),
            _ => Ignored::default(),
        }
    }

    /// Brings the branch to `wanted`, making it when it is not there. Only commits of ado-vault are ever left behind.
    fn claim_branch(
        &self,
        repository: &git2::Repository,
        run: &RunId,
        branch: &BranchName,
        wanted: Oid,
    ) -> Result<(), WorkspaceError> {
        let (_, own) = self.places(run);
        if let Some(path) =
            self.checkouts_of(repository, branch)?.into_iter().find(|found| found.git_dir != own)
        {
            return Err(WorkspaceError::BranchInUse { branch: branch.clone(), path: path.path });
        }
        let Some(tip) = self.local_head(repository, branch)? else {
            return self.move_branch(repository, branch, None, wanted, "start of a run");
        };
        let failed = |source| WorkspaceError::git(format!("read branch `{branch}`"), source);
        let mut walk = repository.revwalk().map_err(failed)?;
        walk.push(tip).and_then(|()| walk.hide(wanted)).map_err(failed)?;
        for id in walk {
            let commit = id.and_then(|id| repository.find_commit(id)).map_err(failed)?;
            if !is_own(&commit) {
                let commit = GitId(commit.id().to_string());
                return Err(WorkspaceError::ForeignCommits { branch: branch.clone(), commit });
            }
        }
        self.move_branch(repository, branch, Some(tip), wanted, "back to the last completed step")
    }

    /// The worktree's folder and git data, made or mended; `head` is what its HEAD says. The same files as `git worktree add` makes.
    pub(super) fn lay_out(
        &self,
        run: &RunId,
        branch: &BranchName,
        head: &str,
    ) -> Result<Worktree, WorkspaceError> {
        let (path, git_dir) = self.places(run);
        make_folder(&self.worktrees)?;
        make_folder(&git_dir)?;
        if fs::symlink_metadata(&path).is_ok_and(|data| !data.is_dir()) {
            let reason = "something that is not a folder stands where the worktree belongs".into();
            return Err(WorkspaceError::BadPath { path, reason });
        }
        if !path.is_dir() {
            let mark = git_dir.join(SET_UP);
            match fs::remove_file(&mark) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(WorkspaceError::io("remove", &mark, error));
                }
                _ => {}
            }
        }
        make_folder(&path)?;
        let inside = match (path.canonicalize(), self.worktrees.canonicalize()) {
            (Ok(path), Ok(root)) => path.parent() == Some(&root),
            _ => false,
        };
        if !inside {
            let reason = "it is not inside the folder of worktrees".into();
            return Err(WorkspaceError::BadPath { path, reason });
        }
        put(&git_dir, "commondir", "../..\n")?;
        put(&git_dir, "gitdir", &format!("{}\n", path.join(".git").display()))?;
        put(&git_dir, "HEAD", &format!("{head}\n"))?;
        put(&path, ".git", &format!("gitdir: {}\n", git_dir.display()))?;
        Ok(Worktree { run: run.clone(), branch: branch.clone(), path, git_dir })
    }

    /// Where a run's files and git data belong.
    pub(super) fn places(&self, run: &RunId) -> (PathBuf, PathBuf) {
        let folder = folder_name(run, &self.name);
        // Two vaults may work on one repository: their worktrees lie in different folders.
        let place = ContentHash::of(self.worktrees.as_os_str().as_encoded_bytes());
        let admin = format!("{ADMIN_PREFIX}{folder}-{}", &place.as_str()[..8]);
        (self.worktrees.join(folder), self.git_dir.join("worktrees").join(admin))
    }
}

/// Begins the names of our worktrees' git data.
pub(super) const ADMIN_PREFIX: &str = "ado-";

/// `FR-056-1-app`: only `[A-Za-z0-9._-]`, with a hash added when the repository's name has other characters or is long.
fn folder_name(run: &RunId, repository: &RepoName) -> String {
    let name = repository.as_str();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
        .take(60)
        .collect();
    let mut folder = format!("{}-{}-{plain}", run.feature, run.number);
    if plain != name {
        folder.push('-');
        folder.push_str(&ContentHash::of(name).as_str()[..8]);
    }
    folder
}

fn make_folder(path: &Path) -> Result<(), WorkspaceError> {
    fs::create_dir_all(path).map_err(|source| WorkspaceError::io("make", path, source))
}

/// Writes a small file whole or not at all, in the place of whatever has its name; leaves an equal one alone.
fn put(folder: &Path, name: &str, text: &str) -> Result<(), WorkspaceError> {
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        let open = Folder::open(folder)?;
        if open.read(name.as_bytes(), 4096).is_ok_and(|old| old.as_deref() == Some(text.as_bytes())) {
            return Ok(());
        }
        if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
            open.remove(name.as_bytes())?;
        }
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| WorkspaceError::io("write", &path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_plain_and_stay_apart() {
        let run: RunId = "FR-056/2".parse().unwrap();
        let name = |text: &str| folder_name(&run, &text.parse().unwrap());
        assert_eq!(name("my-app"), "FR-056-2-my-app");
        assert_eq!(name("my app").split_at(15).0, "FR-056-2-my_app");
        assert_ne!(name("my app"), name("my_app"));
        assert_ne!(name("äpp"), name("öpp"));
        assert!(name("äpp ö").chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
    }
}
