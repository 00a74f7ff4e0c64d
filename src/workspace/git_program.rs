//! The one place that starts the `git` program, to fetch and push with the user's own credentials. Hooks, monitors,
//! submodules, prompts and transports that run programs are ruled out. It reads no file of a worktree.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::diff::escaped;
use super::{GitCredential, Workspace, WorkspaceError};
use crate::domain::{BranchName, redact_secrets};

/// Wall time of one call.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes of output that are looked at.
const MOST_OUTPUT: u64 = 1 << 20;
/// Variables of git's own that reach it; all others could point it elsewhere.
const KEPT_VARIABLES: [&str; 7] = [
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
];

/// How a push ended that reached the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushEnd {
    Done,
    UpToDate,
    /// The remote's branch is not what it was taken to be.
    Raced,
}

/// The `git` program at a remote of a repository.
pub(super) struct GitProgram {
    git_dir: PathBuf,
    remote: String,
    own_ssh: bool,
    credential: Option<GitCredential>,
}

struct Output {
    success: bool,
    stdout: String,
    stderr: String,
}

impl GitProgram {
    /// `None` when the repository has no such remote.
    pub(super) fn of(workspace: &Workspace, repository: &Repository) -> Result<Option<Self>, WorkspaceError> {
        let remote = workspace.remote.clone();
        let bad = |reason: String| WorkspaceError::BadRemote { remote: remote.clone(), reason };
        if remote.is_empty() {
            return Ok(None);
        }
        if remote.starts_with(['-', '.'])
            || !remote.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        {
            return Err(bad("its name is not made of letters, digits, `.`, `_` and `-`".into()));
        }
        let found = match repository.find_remote(&remote) {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(source) => return Err(WorkspaceError::git(format!("read remote `{remote}`"), source)),
        };
        let addresses = [Some(found.url_bytes()), found.pushurl_bytes()];
        for address in addresses.into_iter().flatten() {
            check_address(&String::from_utf8_lossy(address)).map_err(|reason| bad(reason.into()))?;
        }
        let settings = repository.config().map_err(|source| WorkspaceError::git("read settings", source))?;
        if settings.get_string(&format!("remote.{remote}.vcs")).is_ok() {
            return Err(bad("its setting `vcs` names a program".into()));
        }
        let own_ssh = std::env::var_os("GIT_SSH_COMMAND").is_some()
            || std::env::var_os("GIT_SSH").is_some()
            || settings.get_string("core.sshcommand").is_ok();
        Ok(Some(Self {
            git_dir: workspace.git_dir.clone(),
            remote,
            own_ssh,
            credential: workspace.credential.clone(),
        }))
    }

    /// Fetches one branch and gives its head; `None` when the remote does not have it.
    pub(super) fn fetch(&self, branch: &BranchName) -> Result<Option<Oid>, WorkspaceError> {
        let refspec = format!("+refs/heads/{branch}:{}", self.tracking(branch));
        let options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet"];
        let output = self.run("fetch", &options, &[refspec])?;
        if !output.success {
            if output.stderr.contains("couldn't find remote ref") {
                return Ok(None);
            }
            return Err(self.unreachable(&output));
        }
        self.remote_head(branch)
    }

    /// Fetches what the remote has under one of its references into one of ours. Nothing is checked out, and no submodule is
    /// looked at.
    pub(super) fn fetch_reference(&self, reference: &str, to: &str) -> Result<(), WorkspaceError> {
        let is_plain =
            |name: &str| name.strip_prefix("refs/").is_some_and(|rest| rest.parse::<BranchName>().is_ok());
        if !is_plain(reference) || !is_plain(to) {
            let reason = format!("`{}` is no reference", escaped(reference));
            return Err(WorkspaceError::BadRemote { remote: self.remote.clone(), reason });
        }
        let options = [
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--quiet",
        ];
        let output = self.run("fetch", &options, &[format!("+{reference}:{to}")])?;
        if output.success { Ok(()) } else { Err(self.unreachable(&output)) }
    }

    /// The head of a branch at the remote as of now.
    pub(super) fn ask_head(&self, branch: &BranchName) -> Result<Option<Oid>, WorkspaceError> {
        let reference = format!("refs/heads/{branch}");
        let output = self.run("ls-remote", &["--quiet"], std::slice::from_ref(&reference))?;
        if !output.success {
            return Err(self.unreachable(&output));
        }
        Ok(output
            .stdout
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, name)| *name == reference)
            .and_then(|(id, _)| Oid::from_str(id).ok()))
    }

    /// Pushes a commit to a branch. With `expected` the branch is replaced if it is still at that commit (or still
    /// missing); without, it must only move forward.
    pub(super) fn push(
        &self,
        commit: Oid,
        branch: &BranchName,
        expected: Option<Option<Oid>>,
    ) -> Result<PushEnd, WorkspaceError> {
        let refspec = format!("{commit}:refs/heads/{branch}");
        let lease = expected.map(|old| {
            let old = old.map(|id| id.to_string()).unwrap_or_default();
            format!("--force-with-lease=refs/heads/{branch}:{old}")
        });
        let mut options = vec!["--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"];
        options.extend(lease.as_deref());
        let output = self.run("push", &options, &[refspec])?;
        if output.success {
            let same = output.stdout.lines().any(|line| line.starts_with('='));
            return Ok(if same { PushEnd::UpToDate } else { PushEnd::Done });
        }
        let Some(line) = output.stdout.lines().find(|line| line.starts_with('!')) else {
            return Err(self.unreachable(&output));
        };
        let raced =
            ["[rejected]", "cannot lock ref", "failed to update ref", "incorrect old value", "fetch first"];
        if raced.iter().any(|sign| line.contains(sign)) {
            return Ok(PushEnd::Raced);
        }
        let said = output.stderr.lines().filter(|line| line.starts_with("remote:"));
        let detail = said.chain([line.trim_start_matches('!')]).collect::<Vec<_>>().join(" ");
        Err(WorkspaceError::Refused { remote: self.remote.clone(), detail: shown(&detail) })
    }

    /// Where the last fetch or push left the remote's branch.
    fn remote_head(&self, branch: &BranchName) -> Result<Option<Oid>, WorkspaceError> {
        let failed = |source| WorkspaceError::git(format!("read the fetched branch `{branch}`"), source);
        let repository = Repository::open_bare(&self.git_dir).map_err(failed)?;
        repository.refname_to_id(&self.tracking(branch)).map(Some).map_err(failed)
    }

    pub(super) fn tracking(&self, branch: &BranchName) -> String {
        format!("refs/remotes/{}/{branch}", self.remote)
    }

    fn unreachable(&self, output: &Output) -> WorkspaceError {
        WorkspaceError::Unreachable { remote: self.remote.clone(), detail: shown(&output.stderr) }
    }

    /// Where relative addresses begin: the clone's folder, or a bare repository itself.
    fn home(&self) -> &Path {
        let dotted = self.git_dir.file_name().is_some_and(|name| name == ".git");
        self.git_dir.parent().filter(|_| dotted).unwrap_or(&self.git_dir)
    }

    fn run(&self, verb: &str, options: &[&str], refs: &[String]) -> Result<Output, WorkspaceError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.git_dir);
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=",
            "submodule.recurse=false",
            "protocol.allow=never",
            "protocol.file.allow=always",
            "protocol.https.allow=always",
            // Only addresses of this machine pass the check above.
            "protocol.http.allow=always",
            "protocol.ssh.allow=always",
            "protocol.ext.allow=never",
            "gc.auto=0",
        ] {
            command.arg("-c").arg(setting);
        }
        if let Some(credential) = &self.credential {
            credential.give_to(&mut command);
        }
        // Settings of the remote may name other programs; of several settings git takes the first, so an option it is.
        let program =
            if verb == "push" { "--receive-pack=git-receive-pack" } else { "--upload-pack=git-upload-pack" };
        command.arg(verb).arg(program).args(options).arg("--").arg(&self.remote).args(refs);
        for (name, _) in std::env::vars_os() {
            if is_dropped(&name) {
                command.env_remove(name);
            }
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("GIT_PROTOCOL_FROM_USER", "0");
        if !self.own_ssh {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        command.current_dir(self.home()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |source| WorkspaceError::io("run program", "git".as_ref(), source);
        let mut child = command.spawn().map_err(failed)?;
        let stdout = gather(child.stdout.take());
        let stderr = gather(child.stderr.take());
        let ended = wait(&mut child).map_err(failed)?;
        let (stdout, mut stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
        if ended.is_none() {
            stderr = format!("no end after {} seconds", PATIENCE.as_secs());
        }
        Ok(Output { success: ended == Some(true), stdout, stderr })
    }
}

fn is_dropped(name: &OsString) -> bool {
    name.to_str().is_none_or(|name| name.starts_with("GIT_") && !KEPT_VARIABLES.contains(&name))
}

/// Reads to the end, keeping the beginning.
fn gather(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let Some(mut pipe) = pipe else { return String::new() };
        let mut bytes = vec![];
        // What cannot be read is missing from the message, nothing more.
        let _ = pipe.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether it succeeded; `None` when it took too long and was killed with all that it started.
fn wait(child: &mut Child) -> std::io::Result<Option<bool>> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if start.elapsed() > PATIENCE {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// The end of a program's words, safe to show: without secrets and control characters.
fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(6)..].join("; ");
    let clean = escaped(&redact_secrets(&tail, &[]));
    clean.chars().take(600).collect()
}

/// Paths, https and ssh; everything else may run a program or send credentials in the clear.
fn check_address(address: &str) -> Result<(), &'static str> {
    if address.is_empty() || address.starts_with('-') || address.contains(char::is_control) {
        return Err("its address is empty, starts with `-` or holds control characters");
    }
    if address.contains("::") {
        return Err("its address names a transport program");
    }
    if let Some((scheme, rest)) = address.split_once("://") {
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let here = scheme == "http" && is_loopback(host);
        if !here && !matches!(scheme, "https" | "ssh" | "file") {
            return Err("its address is not a path, https or ssh");
        }
        return if rest.starts_with('-') || host.starts_with('-') {
            Err("its host starts with `-`")
        } else {
            Ok(())
        };
    }
    let host = address.split([':', '/']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.starts_with('-') { Err("its host starts with `-`") } else { Ok(()) }
}

/// Whether the host of `host:port/path` is this machine: nothing goes over a wire in the clear.
fn is_loopback(host: &str) -> bool {
    let host = host.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_https_and_ssh_are_addresses() {
        for good in [
            "/srv/git/app.git",
            "../app.git",
            "https://example.org/app.git",
            "https://token@example.org/app.git",
            "ssh://git@example.org/app.git",
            "git@example.org:team/app.git",
            "file:///srv/app.git",
            "http://127.0.0.1:4600/app.git",
            "http://localhost/app.git",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ext::sh -c touch% /tmp/x",
            "foo::bar",
            "--upload-pack=touch /tmp/x",
            "http://example.org/app.git",
            "http://localhost.example.org/app.git",
            "http://127.0.0.1@example.org/app.git",
            "git://example.org/app.git",
            "ssh://-oProxyCommand=x/app",
            "ssh://git@-oProxyCommand=x/app",
            "git@-oProxyCommand=x:app",
            "https://example.org/\napp",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_listed_variables_of_git_reach_it() {
        assert!(is_dropped(&"GIT_DIR".into()));
        assert!(is_dropped(&"GIT_CONFIG_COUNT".into()));
        assert!(!is_dropped(&"GIT_SSH_COMMAND".into()));
        assert!(!is_dropped(&"HOME".into()));
    }

    #[test]
    fn words_of_a_program_are_shown_without_passwords() {
        let text = "fatal: unable to access 'https://me:hunter22@example.org/x': no\u{1b}[31m\n";
        assert_eq!(
            shown(text),
            "fatal: unable to access 'https://me:[redacted: url-password]@example.org/x': no\\u{1b}[31m"
        );
    }
}
