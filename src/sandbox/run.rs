//! Starts boxes and gathers what comes out of them. Does not know how a box is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::answers::End;
use super::boxed::Boxed;
#[cfg(target_os = "linux")]
use super::container::Running;
use super::container::{Container, EndedContainer};
use super::door::Door;
use super::drive::{Ended, Terms, drive};
use super::job::HOME;
use super::plain;
use super::{
    Arrival, Attendance, Inlet, SandboxCommand, SandboxError, SandboxOutput, SandboxPolicy, SandboxReport,
};

/// Runs commands, boxed or (explicitly) not. A clone shares everything.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    report: SandboxReport,
    backend: Backend,
    /// Layers of build caches: no two boxes write one at the same time.
    layers: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// What keeps a command in.
#[derive(Debug)]
enum Backend {
    Boxed(Boxed),
    Container(Container),
    /// Nothing does.
    None,
}

impl Sandbox {
    /// Tries the whole profile once. `init` is the path of the `ado-vault` program itself.
    ///
    /// # Errors
    /// `Unavailable` names the layer that this machine cannot enforce and what helps.
    pub fn detect(init: &Path) -> Result<Self, SandboxError> {
        let (boxed, layers) = Boxed::probe(init)?;
        Ok(Self::new(Backend::Boxed(boxed), SandboxReport { enforcing: true, layers }))
    }

    /// Commands run in containers of this image. `init` is the path of the `ado-vault` program itself, `program` docker
    /// or podman; missing means the one in `PATH`.
    ///
    /// # Errors
    /// `Unavailable` says what is missing: the program, its service, the image, a layer that it does not enforce.
    pub fn container(init: &Path, program: Option<&Path>, image: &str) -> Result<Self, SandboxError> {
        let (container, layers) = Container::probe(init, program, image)?;
        Ok(Self::new(Backend::Container(container), SandboxReport { enforcing: true, layers }))
    }

    /// No box: the environment is still cleared, limits, time-outs and the kill of the process group still hold.
    pub fn none() -> Self {
        Self::new(Backend::None, SandboxReport::default())
    }

    fn new(backend: Backend, report: SandboxReport) -> Self {
        Self { inner: Arc::new(Inner { report, backend, layers: Mutex::default() }) }
    }

    /// Whether policies may name build caches: folders shown through an overlay.
    pub fn has_overlays(&self) -> bool {
        self.inner.report.layers.iter().any(|layer| layer.name == "overlay" && layer.enforced)
    }

    pub fn is_enforcing(&self) -> bool {
        self.inner.report.enforcing
    }

    pub fn report(&self) -> SandboxReport {
        self.inner.report.clone()
    }

    /// Runs to the end, to a limit or until `cancel`. Nothing that the command started outlives the call, nor the
    /// future when it is dropped; without a box, a process that left its process group may.
    ///
    /// # Errors
    /// `Policy` for an unusable policy, `Start` naming the layer that failed or the program that is missing, `Cancelled`
    /// after `cancel`.
    pub async fn run(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        cancel: &CancellationToken,
    ) -> Result<SandboxOutput, SandboxError> {
        self.attend(command, policy, cancel, Attendance::default()).await
    }

    /// A place at which one command can reach this process, and where its listener arrives.
    ///
    /// # Errors
    /// `Policy` where nothing leads out: of containers on other systems than Linux.
    pub fn inlet(&self) -> Result<(Inlet, Arrival), SandboxError> {
        match &self.inner.backend {
            Backend::Boxed(_) => Ok(Inlet::of_a_box()),
            Backend::None => Ok(Inlet::of_this_machine()?),
            Backend::Container(container) if container.has_door() => Ok(Inlet::of_a_box()),
            Backend::Container(_) => Err(SandboxError::Policy {
                reason: "a command in a container reaches ado-vault on Linux only".into(),
            }),
        }
    }

    /// Where a command's home is, as it sees it itself; nothing where it shares the one of this process.
    pub fn home(&self) -> Option<&'static Path> {
        self.is_enforcing().then(|| Path::new(HOME))
    }

    /// The same as `run`, with somebody who attends to the command meanwhile.
    ///
    /// # Errors
    /// As `run`.
    pub async fn attend(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        cancel: &CancellationToken,
        attendance: Attendance,
    ) -> Result<SandboxOutput, SandboxError> {
        let program = command.argv.first().filter(|program| !program.is_empty());
        let program =
            program.ok_or_else(|| SandboxError::Policy { reason: "the command is empty".into() })?;
        if cancel.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        let command = &command.with_env(&policy.env);
        let _layers = self.own_layers(policy).await;
        let Attendance { inlet, talk, pulse } = attendance;
        let (limits, folders) = (&policy.limits, written(policy));
        let terms = Terms { input: command.stdin.as_bytes(), limits, folders, talk, pulse };
        match &self.inner.backend {
            Backend::None => {
                let child = plain::start(command, limits)?;
                inlet.map_or(Ok(()), |inlet| inlet.open(None))?;
                Ok(output(drive(child, terms, cancel).await?))
            }
            Backend::Container(container) => {
                let EndedContainer { ended, end: End { code, signal }, refused } =
                    container.run(command, policy, inlet, terms, cancel).await?;
                Ok(SandboxOutput { exit_code: code, signal, ..output(ended) }.and_refused(refused))
            }
            Backend::Boxed(boxed) => {
                let started = boxed.start(command, policy, inlet.as_ref().map(Inlet::port))?;
                let door = Door::open(&started.channel, &policy.hosts, inlet)?;
                let ended = drive(started.child, Terms { input: &started.input, ..terms }, cancel).await?;
                let refused = door.map(Door::close).unwrap_or_default();
                let End { code, signal } = match ended.was_ended() {
                    true => End::default(),
                    false => boxed.outcome(program, &started.channel, &ended)?,
                };
                Ok(SandboxOutput { exit_code: code, signal, ..output(ended) }.and_refused(refused))
            }
        }
    }

    /// The words that start this program, which is at `init`, in a command that is shown it.
    #[cfg(target_os = "linux")]
    pub fn words_of(&self, init: &Path) -> Vec<String> {
        match &self.inner.backend {
            Backend::Container(container) => container.words(),
            Backend::Boxed(_) | Backend::None => vec![init.display().to_string()],
        }
    }

    /// The same command with the same programs and nothing to keep it in, to see what it does then. In a container it sees
    /// `/tmp` and `root` of the machine, and of the variables of this process the `inherited` one. What comes with it must be kept until it ended.
    #[cfg(target_os = "linux")]
    pub(super) fn without_walls(
        &self,
        command: &SandboxCommand,
        root: &Path,
        inherited: Option<&str>,
    ) -> Result<(std::process::Command, Option<Running>), SandboxError> {
        match &self.inner.backend {
            Backend::Container(container) => {
                let (command, running) = container.without_walls(command, root, inherited)?;
                Ok((command, Some(running)))
            }
            Backend::Boxed(_) | Backend::None => {
                let mut bare = std::process::Command::new(&command.argv[0]);
                bare.args(&command.argv[1..]).current_dir(&command.cwd).envs(&command.env);
                Ok((bare, None))
            }
        }
    }

    /// Waits until the layers of this policy's build caches belong to this box alone.
    async fn own_layers(&self, policy: &SandboxPolicy) -> Vec<OwnedMutexGuard<()>> {
        let mut uppers: Vec<_> = policy.caches.iter().map(|cache| &cache.upper).collect();
        uppers.sort_unstable();
        uppers.dedup();
        let mut owned = vec![];
        for upper in uppers {
            let layer = {
                let mut layers = self.inner.layers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                layers.entry(upper.clone()).or_default().clone()
            };
            owned.push(layer.lock_owned().await);
        }
        owned
    }
}

/// Folders of the machine that a command may fill.
fn written(policy: &SandboxPolicy) -> Vec<PathBuf> {
    let uppers = policy.caches.iter().map(|cache| &cache.upper);
    policy.write.iter().chain(&policy.home).chain(uppers).cloned().collect()
}

fn output(ended: Ended) -> SandboxOutput {
    use std::os::unix::process::ExitStatusExt;
    let was_ended = ended.was_ended();
    let truncated = ended.stdout.truncated() || ended.stderr.truncated();
    let mut stderr = ended.stderr.into_text();
    if let Some(why) = &ended.too_much {
        stderr.push_str(&format!("\n[ado-vault: ended because {why}]\n"));
    }
    SandboxOutput {
        exit_code: ended.status.and_then(|status| status.code()).filter(|_| !was_ended),
        signal: ended.status.and_then(|status| status.signal()),
        timed_out: ended.timed_out,
        stalled: ended.stalled,
        stdout: ended.stdout.into_text(),
        stderr,
        truncated,
        millis: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
        refused: vec![],
    }
}
