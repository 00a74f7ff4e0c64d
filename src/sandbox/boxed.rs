//! The parent's side of a box: starts this program again as the sandbox's child, hands it the job and reads what it says.
//! Does not know what the child does with it.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::answers::{Answers, End, PATIENCE};
use super::child::CHILD_ARG;
use super::drive::{Ended, Started};
use super::job::{Job, spoken};
use super::layout::Machine;
#[cfg(target_os = "linux")]
use super::linux::{Group, Groups, namespaces};
use super::report::Layer;
use super::{BuildCache, Limits, SandboxCommand, SandboxError, SandboxPolicy};

/// Layers that are reported but without which the profile still holds.
const OPTIONAL: [&str; 3] = ["landlock", "memory", "overlay"];

/// What is needed to start boxes on this machine.
#[derive(Debug)]
pub(super) struct Boxed {
    init: PathBuf,
    machine: Machine,
    #[cfg(target_os = "linux")]
    groups: Groups,
}

/// A box on its way.
pub(super) struct StartedBox {
    pub child: Started,
    pub input: Vec<u8>,
    pub channel: UnixStream,
    #[cfg(target_os = "linux")]
    _group: Group,
}

impl Boxed {
    /// Builds one box and looks at it from inside.
    ///
    /// # Errors
    /// `Unavailable` with the layer and a remedy.
    pub(super) fn probe(init: &Path) -> Result<(Self, Vec<Layer>), SandboxError> {
        if !cfg!(target_os = "linux") {
            return Err(unavailable(
                "the built-in sandbox needs Linux; set `sandbox: container` with a `sandbox_image`".into(),
            ));
        }
        let init = init
            .canonicalize()
            .map_err(|error| unavailable(format!("cannot find `{}`: {error}", init.display())))?;
        let boxed = Self {
            init,
            machine: Machine::look(),
            #[cfg(target_os = "linux")]
            groups: Groups::find(),
        };
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("cache"))?;
        let job = Job {
            probe: Some(namespaces()),
            ..boxed.machine.job(&probe_command(folder.path()), &probe_policy(folder.path()))?
        };
        let (mut command, channel) = boxed.command()?;
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| unavailable(format!("cannot start `{}`: {error}", boxed.init.display())))?;
        drop(command);
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it is no sandbox child, and says nothing either.
            let _ = stdin.write_all(&spoken(&job, "")?);
        }
        let answers = Answers::read(channel, explained);
        if answers.is_err() {
            // It may have ended already.
            let _ = child.kill();
        }
        child.wait()?;
        let layers = answers?.layers(&OPTIONAL)?.ok_or_else(|| {
            unavailable("the probe ended without an answer: is the given program ado-vault itself?".into())
        })?;
        #[cfg(target_os = "linux")]
        let layers = boxed.with_groups(layers);
        Ok((boxed, layers))
    }

    /// The layers with what control groups add to them.
    #[cfg(target_os = "linux")]
    fn with_groups(&self, mut layers: Vec<Layer>) -> Vec<Layer> {
        let (processes, memory) = self.groups.in_words();
        for layer in &mut layers {
            match (layer.name.as_str(), processes, memory) {
                ("limits", Some(by), _) => layer.detail.push_str(&format!("; processes also by {by}")),
                ("memory", _, Some(by)) => {
                    let most = self.groups.memory(&Limits::default()).unwrap_or_default();
                    layer.enforced = true;
                    layer.detail = format!("{} MiB for everything in a box, by {by}", most >> 20);
                }
                _ => {}
            }
        }
        layers
    }

    /// # Errors
    /// `Policy` for what cannot be granted, `Start` when the child cannot be started.
    pub(super) fn start(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        inlet: Option<u16>,
    ) -> Result<StartedBox, SandboxError> {
        let job = Job { inlet, ..self.machine.job(command, policy)? };
        let input = spoken(&job, &command.stdin)?;
        let (mut child, channel) = self.command()?;
        child.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(child);
        let failed =
            |reason: String| SandboxError::Start { program: self.init.display().to_string(), reason };
        let started = child.kill_on_drop(true).spawn().map_err(|error| failed(error.to_string()))?;
        Ok(StartedBox {
            // It waits for its job, so that everything it starts is in the group too.
            #[cfg(target_os = "linux")]
            _group: self
                .group_of(&started, policy)
                .map_err(|error| failed(format!("layer `limits`: control group: {error}")))?,
            child: Started { child: started, group: None },
            input,
            channel,
        })
    }

    #[cfg(target_os = "linux")]
    fn group_of(&self, child: &tokio::process::Child, policy: &SandboxPolicy) -> io::Result<Group> {
        let group = self.groups.open(&policy.limits)?;
        child.id().map_or(Ok(()), |pid| group.take(pid))?;
        Ok(group)
    }

    /// What the box said about its end.
    ///
    /// # Errors
    /// `Start` when nothing was run.
    pub(super) fn outcome(
        &self,
        program: &str,
        channel: &UnixStream,
        ended: &Ended,
    ) -> Result<End, SandboxError> {
        if let Some(end) = Answers::read(channel.try_clone()?, explained)?.end(program)? {
            return Ok(end);
        }
        match ended.status {
            Some(status) if status.code().is_some() => {
                let reason =
                    format!("`{}` is not the program that wrote this job ({status})", self.init.display());
                Err(SandboxError::Start { program: program.into(), reason })
            }
            _ => Ok(End::KILLED),
        }
    }

    /// The child's command line with the other end of its channel.
    fn command(&self) -> io::Result<(Command, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        let mut command = Command::new(&self.init);
        command
            .arg0("ado-vault")
            .arg(CHILD_ARG)
            .arg(theirs.as_raw_fd().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped());
        // SAFETY: between fork and exec only this one system call is made, on a descriptor that the closure owns.
        unsafe {
            command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?))
        };
        Ok((command, ours))
    }
}

/// The layer, what happened and what helps.
fn explained(layer: &str, reason: &str) -> String {
    let remedy = match layer {
        "user namespace" => {
            "; allow user namespaces: `sysctl user.max_user_namespaces=10000`, on Debian \
             `kernel.unprivileged_userns_clone=1`, on Ubuntu an AppArmor profile or \
             `kernel.apparmor_restrict_unprivileged_userns=0`; or run ado-vault as root"
        }
        "mount view" | "mount namespace" | "proc" | "process namespace" | "network namespace" => {
            "; in a container start it with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined` \
             or as root with `CAP_SYS_ADMIN`; Linux 5.13 or newer is needed"
        }
        _ => "",
    };
    format!("layer `{layer}`: {reason}{remedy}")
}

fn probe_command(folder: &Path) -> SandboxCommand {
    SandboxCommand {
        argv: vec!["probe".into()],
        cwd: folder.into(),
        env: Default::default(),
        stdin: String::new(),
    }
}

fn probe_policy(folder: &Path) -> SandboxPolicy {
    SandboxPolicy {
        caches: vec![BuildCache { source: folder.join("cache"), target: None, upper: folder.join("layer") }],
        write: vec![folder.into()],
        read: vec![],
        protect: vec![],
        limits: Limits { wall: PATIENCE, ..Limits::default() },
        ..Default::default()
    }
}

fn unavailable(reason: String) -> SandboxError {
    SandboxError::Unavailable { reason }
}
