//! Which machine works on a run (vault format, 7). A claim is a commit of its own at `refs/ado/claims/<run>`; it counts once
//! the vault's remote has it. No branch is touched, so nothing of the user's is pushed with it.
//!
//! The remote takes the first commit that comes for a run and refuses every other; it is never pushed by force. Does not
//! know what a run does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use git2::{ErrorCode, Oid, Repository, Signature};

use super::super::root::is_absent;
use super::super::{Vault, VaultError, place};
use super::commit::{OWN_MAIL, empty_tree};
use super::program::{Output, git, run as run_program};
use super::remote::{NETWORK_LIMIT, unreachable_remote};
use super::repository::{History, locked};
use crate::domain::{ContentHash, MachineName, RunId};

const CLAIMS: &str = "refs/ado/claims/";
const TRAILER: &str = "Ado-Machine: ";

/// How long a start waits for the claims of others.
const HEARING_LIMIT: Duration = Duration::from_secs(20);

/// Who has a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// This machine, as the remote knows.
    Ours,
    Theirs(MachineName),
    /// The vault has no remote, so nobody else can have it.
    NoRemote,
}

/// The name of this machine's clone of the vault: the host's name and a few letters that tell apart clones and hosts of the
/// same name. Derived, so that it is the same after every start.
pub fn machine(vault: &Vault) -> MachineName {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host_id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let whole = format!("{}\0{host}\0{}", host_id.trim(), vault.root().display());
    let hash = ContentHash::of(whole);
    let short = &hash.as_str()[..6];
    let shown: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let name = format!("{shown}-{short}");
    name.trim_start_matches('-').parse().expect("letters, digits and dashes are a name")
}

impl History {
    /// The claims of these runs that this clone has heard of; none where it has no remote. Claims of runs that ended long
    /// ago stay at the remote; they are not looked into.
    pub fn claims<'r>(
        &self,
        runs: impl IntoIterator<Item = &'r RunId>,
    ) -> Result<BTreeMap<RunId, MachineName>, VaultError> {
        let mut claims = BTreeMap::new();
        let claimed = self.claimed_features()?;
        let mut runs = runs.into_iter().filter(|run| claimed.contains(run.feature.as_str())).peekable();
        if runs.peek().is_none() {
            return Ok(claims);
        }
        let repository = self.repository()?;
        if repository.remotes().map_err(|error| VaultError::git("read the remotes", error))?.is_empty() {
            return Ok(claims);
        }
        for run in runs {
            let known = known_claim(&repository, &format!("{CLAIMS}{run}"))?;
            claims.extend(known.map(|(_, machine)| (run.clone(), machine)));
        }
        Ok(claims)
    }

    /// Ids of features of which a run was claimed, by the names of references alone.
    fn claimed_features(&self) -> Result<BTreeSet<String>, VaultError> {
        let folder = self.common_dir.join(CLAIMS);
        let loose = match fs::read_dir(&folder) {
            Ok(listing) => {
                listing.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            }
            Err(error) if is_absent(&error) => BTreeSet::new(),
            Err(source) => return Err(VaultError::io("list", &folder, source)),
        };
        let packed = fs::read_to_string(self.common_dir.join("packed-refs")).unwrap_or_default();
        let packed =
            packed.lines().filter_map(|line| line.split_once(' ')?.1.strip_prefix(CLAIMS)?.split_once('/'));
        Ok(loose.into_iter().chain(packed.map(|(feature, _)| feature.to_owned())).collect())
    }

    /// Claims a run for `machine`, or learns who has it. `take_over` claims it although another has it: a human's word that
    /// the other is gone.
    ///
    /// # Errors
    /// [`VaultError::Program`] when the remote cannot be reached or takes no claims: then nobody has it.
    pub fn claim(&self, run: &RunId, machine: &MachineName, take_over: bool) -> Result<Claimed, VaultError> {
        let repository = self.repository()?;
        let Some(remote) = self.remote_name(&repository)? else { return Ok(Claimed::NoRemote) };
        let reference = format!("{CLAIMS}{run}");
        let mut known = known_claim(&repository, &reference)?;
        // A second try tells a claim that was overtaken on its way from a remote that takes none.
        for _ in 0..2 {
            if let Some((_, holder)) = &known {
                match holder {
                    holder if holder == machine => return Ok(Claimed::Ours),
                    holder if !take_over => return Ok(Claimed::Theirs(holder.clone())),
                    _ => {}
                }
            }
            let parent = known.as_ref().map(|(commit, _)| *commit);
            let commit = write_claim(&repository, run, machine, parent)?;
            let action = format!("claim {run} at the remote `{remote}`");
            let mut push = git(&self.work_dir);
            let refspec = format!("{commit}:{reference}");
            push.args(["push", "--porcelain", "--no-recurse-submodules", "--", &remote, &refspec]);
            let pushed = run_program(push, "", NETWORK_LIMIT, &action)?;
            if pushed.status.success() {
                return self.note_claim(&reference, commit).map(|()| Claimed::Ours);
            }
            if !pushed.stdout.lines().any(|line| line.starts_with('!'))
                || !self.fetch_claim(&remote, &reference)?
            {
                return Err(unreachable_remote(action, &pushed));
            }
            let before = known;
            known = known_claim(&repository, &reference)?;
            if known == before {
                return Err(unreachable_remote(action, &pushed));
            }
        }
        match known {
            Some((_, holder)) if holder == *machine => Ok(Claimed::Ours),
            Some((_, holder)) => Ok(Claimed::Theirs(holder)),
            None => {
                Err(VaultError::Blocked { why: format!("the claim of {run} at the remote cannot be read") })
            }
        }
    }

    /// Under a lock that is known as ours after a crash, as a branch is moved.
    fn note_claim(&self, reference: &str, commit: Oid) -> Result<(), VaultError> {
        let path = self.shared_lock_of(reference);
        place::make_parents(&path)?;
        match self.take_lock(&path, &format!("{commit}\n"))? {
            Some(lock) => lock.become_file(&self.common_dir.join(reference)),
            None => Err(VaultError::Blocked { why: locked(&path, 0) }),
        }
    }

    /// Hears of all claims that the remote knows.
    ///
    /// # Errors
    /// [`VaultError::Program`] when the remote cannot be reached.
    pub fn hear_of_claims(&self) -> Result<(), VaultError> {
        let Some(remote) = self.remote_name(&*self.repository()?)? else { return Ok(()) };
        let heard = self.fetch_claims(&remote, &format!("{CLAIMS}*"), HEARING_LIMIT)?;
        if heard.status.success() {
            return Ok(());
        }
        Err(unreachable_remote(format!("fetch the claims from the remote `{remote}`"), &heard))
    }

    /// Takes over what the remote says of a claim; `false` where it says nothing.
    fn fetch_claim(&self, remote: &str, reference: &str) -> Result<bool, VaultError> {
        Ok(self.fetch_claims(remote, reference, NETWORK_LIMIT)?.status.success())
    }

    /// What is known here of claims is a copy, so it follows the remote wherever that goes.
    fn fetch_claims(&self, remote: &str, references: &str, limit: Duration) -> Result<Output, VaultError> {
        let mut fetch = git(&self.work_dir);
        let refspec = format!("+{references}:{references}");
        fetch.args(["fetch", "--no-recurse-submodules", "--no-tags", "--quiet", "--", remote, &refspec]);
        run_program(fetch, "", limit, "fetch claims")
    }
}

fn known_claim(repository: &Repository, reference: &str) -> Result<Option<(Oid, MachineName)>, VaultError> {
    match repository.refname_to_id(reference) {
        Ok(commit) => Ok(claimant(repository, commit).map(|machine| (commit, machine))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(VaultError::git("read a claim", error)),
    }
}

fn claimant(repository: &Repository, commit: Oid) -> Option<MachineName> {
    let commit = repository.find_commit(commit).ok()?;
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    message.lines().find_map(|line| line.strip_prefix(TRAILER))?.trim().parse().ok()
}

fn write_claim(
    repository: &Repository,
    run: &RunId,
    machine: &MachineName,
    parent: Option<Oid>,
) -> Result<Oid, VaultError> {
    let failed = |error| VaultError::git("write the claim", error);
    let author = Signature::now("ado-vault", OWN_MAIL).map_err(failed)?;
    let tree = empty_tree(repository).map_err(failed)?;
    let parent = parent.map(|parent| repository.find_commit(parent)).transpose().map_err(failed)?;
    let parents: Vec<_> = parent.iter().collect();
    let message = format!("{run}: claimed by {machine}\n\nAdo-Run: {run}\n{TRAILER}{machine}\n");
    repository.commit(None, &author, &author, &message, &tree, &parents).map_err(failed)
}
