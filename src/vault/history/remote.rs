//! Bringing the vault's branch together with its remote: fetch and rebase, push. Uses the `git` program, because it has
//! the user's credential helpers.
//!
//! Decides nothing about conflicts: a rebase that does not go through is taken back and reported.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use git2::{Oid, Repository};

use super::super::lock::private_folder;
use super::super::root::is_absent;
use super::super::{VaultError, VaultLock, place};
use super::commit::OWN_MAIL;
use super::program::{Output, git, run};
use super::repository::History;

pub(super) const NETWORK_LIMIT: Duration = Duration::from_secs(120);

/// What a pull did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// No remote is configured, or it does not have the branch yet.
    NoRemote,
    UpToDate,
    /// The branch and the notes on disk are newer now.
    Updated,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    NoRemote,
    UpToDate,
    Pushed,
    /// The remote has commits that are not here: another machine was first. Pull, look again, push.
    Rejected(String),
}

struct Place {
    remote: String,
    /// `refs/heads/main`, here and there.
    reference: String,
}

impl History {
    /// Fetches the branch from `remote` (else the branch's own remote, `origin`, or the only one) and rebases onto it.
    ///
    /// # Errors
    /// [`VaultError::Program`] when the remote cannot be reached, when uncommitted changes are in the way, or when the
    /// rebase conflicts; the branch is then as it was.
    pub fn pull(&self, _lock: &VaultLock, remote: Option<&str>) -> Result<Pulled, VaultError> {
        let repository = self.repository()?;
        if let Some(why) = self.unfinished(&repository) {
            return Err(VaultError::Blocked { why });
        }
        let Some(place) = self.place(&repository, remote)? else { return Ok(Pulled::NoRemote) };
        let action = format!("fetch from the remote `{}`", place.remote);
        let mut fetch = git(&self.work_dir);
        fetch.args([
            "fetch",
            "--no-recurse-submodules",
            "--no-tags",
            "--quiet",
            "--",
            &place.remote,
            &place.reference,
        ]);
        let fetched = run(fetch, "", NETWORK_LIMIT, &action)?;
        if !fetched.status.success() {
            if fetched.stderr.contains("couldn't find remote ref") {
                return Ok(Pulled::NoRemote);
            }
            return Err(unreachable_remote(action, &fetched));
        }
        let failed = |error| VaultError::git("compare with the remote", error);
        let theirs = repository.refname_to_id("FETCH_HEAD").map_err(failed)?;
        let Some(ours) = self.head(&repository)?.commit else {
            return self.begin_from(theirs);
        };
        let reaches = |from: Oid, to: Oid| {
            if from == to { Ok(true) } else { repository.graph_descendant_of(from, to).map_err(failed) }
        };
        if reaches(ours, theirs)? {
            return Ok(Pulled::UpToDate);
        }
        self.rebase(theirs)
    }

    /// Whether there is a remote to speak to.
    pub fn has_remote(&self) -> Result<bool, VaultError> {
        Ok(self.remote_name(&*self.repository()?)?.is_some())
    }

    /// None on a detached HEAD: nothing is pulled or pushed there.
    pub(super) fn remote_name(&self, repository: &Repository) -> Result<Option<String>, VaultError> {
        if repository.head_detached().unwrap_or(false) {
            return Ok(None);
        }
        Ok(self.place(repository, None)?.map(|place| place.remote))
    }

    /// Pushes the branch to `remote`, never by force.
    ///
    /// # Errors
    /// [`VaultError::Program`] when the remote cannot be reached.
    pub fn push(&self, remote: Option<&str>) -> Result<Pushed, VaultError> {
        let repository = self.repository()?;
        let Some(place) = self.place(&repository, remote)? else { return Ok(Pushed::NoRemote) };
        if self.head(&repository)?.commit.is_none() {
            return Ok(Pushed::UpToDate);
        }
        let action = format!("push to the remote `{}`", place.remote);
        let refspec = format!("{0}:{0}", place.reference);
        let mut push = git(&self.work_dir);
        push.args(["push", "--porcelain", "--no-recurse-submodules", "--", &place.remote, &refspec]);
        let pushed = run(push, "", NETWORK_LIMIT, &action)?;
        let line = pushed.stdout.lines().find(|line| line.contains(&refspec)).unwrap_or_default();
        match line.chars().next() {
            Some('=') if pushed.status.success() => Ok(Pushed::UpToDate),
            Some('!') if was_overtaken(line, &pushed.stderr) => {
                Ok(Pushed::Rejected(format!("the remote `{}` has newer commits", place.remote)))
            }
            _ if pushed.status.success() => Ok(Pushed::Pushed),
            _ => Err(unreachable_remote(action, &pushed)),
        }
    }

    /// Before the first commit here: the remote's commits are the beginning.
    fn begin_from(&self, theirs: Oid) -> Result<Pulled, VaultError> {
        let action = "begin from the remote's commits".to_owned();
        let mut merge = git(&self.work_dir);
        merge.args(["merge", "--ff-only", "--quiet", &theirs.to_string()]);
        let merged = run(merge, "", NETWORK_LIMIT, &action)?;
        if merged.status.success() {
            return Ok(Pulled::Updated);
        }
        let remedy = "move the files aside that the remote has too, then try again";
        Err(VaultError::Program { action, output: merged.stderr, remedy })
    }

    fn rebase(&self, theirs: Oid) -> Result<Pulled, VaultError> {
        let action = "rebase the vault's branch onto its remote";
        let mut rebase = git(&self.work_dir);
        rebase.args(["rebase", "--quiet", "--no-autostash", &theirs.to_string()]);
        if self.repository()?.signature().is_err() {
            rebase.env("GIT_COMMITTER_NAME", "ado-vault").env("GIT_COMMITTER_EMAIL", OWN_MAIL);
        }
        let mark = self.rebase_mark()?;
        fs::write(&mark, theirs.to_string()).map_err(|source| VaultError::io("write", &mark, source))?;
        let rebased = run(rebase, "", NETWORK_LIMIT, action);
        if rebased.as_ref().is_ok_and(|rebased| rebased.status.success()) {
            place::remove(&mark)?;
            return Ok(Pulled::Updated);
        }
        self.take_back_own_rebase()?;
        let rebased = rebased?;
        Err(VaultError::Program {
            action: action.to_owned(),
            output: rebased.stderr,
            remedy: "commit or stash what is uncommitted, then `git pull --rebase` by hand and resolve the conflicts",
        })
    }

    /// Takes back a rebase of ours that did not come to its end, also one that a crash cut off. One that the user began is
    /// left alone.
    pub(super) fn take_back_own_rebase(&self) -> Result<(), VaultError> {
        let mark = self.rebase_mark()?;
        let onto = match fs::read_to_string(&mark) {
            Ok(onto) => onto,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(source) => return Err(VaultError::io("read", &mark, source)),
        };
        let state = self.repository()?.path().join("rebase-merge");
        let theirs = fs::read_to_string(state.join("onto")).unwrap_or_default();
        if theirs.trim() == onto.trim() {
            let action = "take the rebase back";
            let mut abort = git(&self.work_dir);
            abort.args(["rebase", "--abort"]);
            let aborted = run(abort, "", NETWORK_LIMIT, action)?;
            if !aborted.status.success() {
                let remedy = "run `git rebase --abort` in the vault's repository";
                return Err(VaultError::Program {
                    action: action.to_owned(),
                    output: aborted.stderr,
                    remedy,
                });
            }
        }
        place::remove(&mark)
    }

    /// Says which rebase is ours while one is under way.
    fn rebase_mark(&self) -> Result<PathBuf, VaultError> {
        Ok(private_folder(&self.vault)?.join("rebasing"))
    }

    /// The remote to speak to, by name, and the branch.
    fn place(&self, repository: &Repository, asked: Option<&str>) -> Result<Option<Place>, VaultError> {
        let failed = |error| VaultError::git("read the remotes", error);
        let names = repository.remotes().map_err(failed)?;
        let names: Vec<String> = names
            .iter()
            .filter_map(|name| name.ok().flatten().map(str::to_owned))
            .filter(|name| !name.starts_with('-'))
            .collect();
        let reference = self.head(repository)?.reference;
        let remote = match asked {
            Some(asked) if names.iter().any(|name| name == asked) => Some(asked.to_owned()),
            Some(asked) => {
                return Err(VaultError::Program {
                    action: format!("use the remote `{asked}`"),
                    output: "the vault's repository has no remote of that name".to_owned(),
                    remedy: "see `git remote`",
                });
            }
            None => {
                let config = repository.config().and_then(|mut config| config.snapshot()).map_err(failed)?;
                let branch = reference.strip_prefix("refs/heads/").unwrap_or(&reference);
                let own = config.get_string(&format!("branch.{branch}.remote")).ok();
                own.filter(|own| names.contains(own))
                    .or_else(|| names.iter().find(|name| *name == "origin").cloned())
                    .or_else(|| (names.len() == 1).then(|| names[0].clone()))
            }
        };
        Ok(remote.map(|remote| Place { remote, reference }))
    }
}

/// Whether somebody else's push came first: seen before anything was sent, or by the remote in the instant of the update.
/// What its rules refuse is refused every time.
fn was_overtaken(line: &str, stderr: &str) -> bool {
    let in_the_instant = ["failed to update ref", "incorrect old value", "cannot lock ref"];
    if line.contains("remote rejected") {
        return in_the_instant.iter().any(|sign| line.contains(sign) || stderr.contains(sign));
    }
    line.contains("rejected")
}

pub(super) fn unreachable_remote(action: String, output: &Output) -> VaultError {
    VaultError::Program {
        action,
        output: output.stderr.clone(),
        remedy: "check the remote's address and that git can log in without asking",
    }
}
