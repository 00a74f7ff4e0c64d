//! The hooks of the vault's repository that judge a commit, run where the settings say so: `pre-commit` and `commit-msg`.
//!
//! They see what will be committed in an index of its own, never the user's. What they stage is not committed: the commit
//! is what was decided, or it is not made. Does not know what the commit is for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use git2::{Index, Oid, Repository};

use super::super::{VaultError, place};
use super::program::run;
use super::repository::History;

const LIMIT: Duration = Duration::from_secs(60);
const REMEDY: &str = "nothing was committed and it is tried again; mend what the hook finds, or set \
                      `commit_hooks: false` in the settings";

impl History {
    /// Whether commits are judged by the repository's hooks from now on.
    pub fn set_hooks(&self, on: bool) {
        self.hooks.store(on, Ordering::Relaxed);
    }

    /// The message as the hooks leave it.
    ///
    /// # Errors
    /// [`VaultError::Program`] with what a hook said that refused the commit or did not end in time.
    pub(super) fn judged_by_hooks(
        &self,
        repository: &Repository,
        tree: Oid,
        message: String,
    ) -> Result<String, VaultError> {
        if !self.hooks.load(Ordering::Relaxed) {
            return Ok(message);
        }
        let folder = self.hooks_folder(repository);
        if let Some(hook) = program(&folder, "pre-commit") {
            let index = self.own_file("index")?;
            let judged = lay_out(repository, tree, &index).and_then(|()| self.run_hook(&hook, &index, &[]));
            place::remove(&index)?;
            judged?;
        }
        let Some(hook) = program(&folder, "commit-msg") else { return Ok(message) };
        let file = self.own_file("message")?;
        fs::write(&file, &message).map_err(|source| VaultError::io("write", &file, source))?;
        let judged = self.run_hook(&hook, &self.git_dir.join("index"), &[&file]);
        let said = fs::read_to_string(&file);
        place::remove(&file)?;
        judged?;
        said.map_err(|source| VaultError::io("read", &file, source))
    }

    /// As git finds it.
    fn hooks_folder(&self, repository: &Repository) -> PathBuf {
        let config = repository.config().and_then(|mut config| config.snapshot());
        let set = config.and_then(|config| config.get_path("core.hooksPath"));
        set.map_or_else(|_| self.common_dir.join("hooks"), |set| self.work_dir.join(set))
    }

    fn run_hook(&self, hook: &Path, index: &Path, arguments: &[&Path]) -> Result<(), VaultError> {
        let name = hook.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let action = format!("commit: the hook `{name}` refuses");
        let mut command = Command::new(hook);
        command.args(arguments).current_dir(&self.work_dir);
        command.env("GIT_DIR", &self.git_dir).env("GIT_INDEX_FILE", index).env("GIT_EDITOR", ":");
        let output = run(command, "", LIMIT, &action)?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stderr.as_str(), output.stdout.trim()];
        let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or("it gave no reason");
        Err(VaultError::Program { action, output: crate::note::plain(said), remedy: REMEDY })
    }
}

/// Writes an index that holds the tree, as `git commit` has it for its hooks.
fn lay_out(repository: &Repository, tree: Oid, index: &Path) -> Result<(), VaultError> {
    let write = || {
        let tree = repository.find_tree(tree)?;
        let mut index = Index::open(index)?;
        index.read_tree(&tree)?;
        index.write()
    };
    write().map_err(|error| VaultError::git("lay out an index for the hooks", error))
}

/// The hook of this name that may be run; git passes over others too.
fn program(folder: &Path, name: &str) -> Option<PathBuf> {
    let hook = folder.join(name);
    let metadata = fs::metadata(&hook).ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(hook)
}
