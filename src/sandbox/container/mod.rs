//! Boxes by docker or podman, for machines where the built-in ones cannot be had: macOS, Windows, locked-down Linux. The
//! program's image brings the toolchains, its containers are the walls. Where this machine is Linux, ado-vault itself is
//! process 1 within them: it reports what holds, hands out the ways to the proxy and the gateway, adds its own filter and
//! limits, and ends with its parent.

mod arguments;
mod engine;
mod owner;
mod program;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::answers::{Answers, End};
use super::door::Door;
use super::drive::{Ended, Started, Terms, drive};
use super::job::{Job, spoken};
use super::layout::Machine;
use super::report::Layer;
use super::{Inlet, Refusal, SandboxCommand, SandboxError, SandboxPolicy};
use arguments::Asked;
use engine::Engine;
use program::{OWN, Program};

/// Exit code of `run` where the container could not be made.
const NOT_STARTED: i32 = 125;
/// How long the removal of a container is waited for.
const REMOVAL: Duration = Duration::from_secs(60);
/// How long a container that has ended may still be about to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A container program with the image that commands run in.
#[derive(Debug)]
pub(super) struct Container {
    engine: Engine,
    image: String,
    machine: Machine,
    /// This program as containers show it; nothing where it is no program for Linux.
    program: Option<Program>,
}

/// How a command in a container ended.
pub(super) struct EndedContainer {
    pub ended: Ended,
    pub end: End,
    pub refused: Vec<Refusal>,
}

/// One container to be.
struct Planned {
    arguments: Vec<String>,
    input: Vec<u8>,
    /// Where process 1 of the container asks for us.
    entrance: UnixListener,
    running: Running,
}

/// A container that is removed when this is dropped.
pub(super) struct Running {
    engine: Engine,
    name: String,
    is_over: bool,
    /// What it is shown of our own.
    folder: tempfile::TempDir,
}

impl Container {
    /// Takes away what a killed ado-vault left, and looks at one container from inside. `init` is this program.
    ///
    /// # Errors
    /// `Unavailable` with what is missing and what helps.
    pub(super) fn probe(
        init: &Path,
        program: Option<&Path>,
        image: &str,
    ) -> Result<(Self, Vec<Layer>), SandboxError> {
        if image.is_empty() || image.starts_with('-') || image.contains(char::is_whitespace) {
            return Err(unavailable("name an image as `sandbox_image` in the settings"));
        }
        let engine = Engine::find(program, image)?;
        owner::sweep(&engine);
        let own = if cfg!(target_os = "linux") { Some(Program::find(init)?) } else { None };
        let container =
            Self { engine, image: image.to_owned(), machine: Machine::of_an_image(), program: own };
        let mut layers = vec![container.described()];
        #[cfg(target_os = "linux")]
        layers.extend(container.look()?);
        #[cfg(not(target_os = "linux"))]
        layers.push(layer(
            "seen from inside",
            false,
            "only on Linux; what holds is what the program enforces",
        ));
        if container.engine.has_selinux {
            layers.push(layer(
                "selinux",
                false,
                "its labels are off in containers: worktrees and git directories would have to be relabelled",
            ));
        }
        Ok((container, layers))
    }

    fn described(&self) -> Layer {
        let Engine { version, is_rootless, .. } = &self.engine;
        let rights = if *is_rootless { "rootless" } else { "as root" };
        layer("container", true, &format!("{version}, {rights}, image `{}`", self.image))
    }

    /// Whether a command can reach this process.
    pub(super) fn has_door(&self) -> bool {
        self.program.is_some()
    }

    /// Runs a command to its end. Its container is gone by then, whatever ended it.
    ///
    /// # Errors
    /// `Policy` for what a container cannot be given, `Start` when nothing was run, `Cancelled`.
    pub(super) async fn run(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        inlet: Option<Inlet>,
        terms: Terms<'_>,
        cancel: &CancellationToken,
    ) -> Result<EndedContainer, SandboxError> {
        let job = Job { inlet: inlet.as_ref().map(Inlet::port), ..self.job(command, policy)? };
        let Planned { arguments, input, entrance, mut running } = self.plan(job, &command.stdin)?;
        let mut child = tokio::process::Command::from(self.engine.command());
        child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.kill_on_drop(true).spawn().map_err(|error| self.failed(&error.to_string()))?;
        let hosts = policy.hosts.clone();
        let let_in = AbortOnDropHandle::new(tokio::spawn(async move {
            entrance.set_nonblocking(true)?;
            let (channel, _) = tokio::net::UnixListener::from_std(entrance)?.accept().await?;
            let channel = channel.into_std()?;
            let door = Door::open(&channel, &hosts, inlet)?;
            std::io::Result::Ok((channel, door))
        }));
        let input = if self.program.is_some() { &input[..] } else { terms.input };
        let driven = drive(Started { child, group: None }, Terms { input, ..terms }, cancel).await;
        let code_of = |ended: &Ended| ended.status.and_then(|status| status.code());
        if driven.as_ref().is_ok_and(|ended| !ended.was_ended() && code_of(ended).is_some()) {
            running.is_over = true;
        } else {
            running.end().await;
        }
        let ended = driven?;
        let arrived = tokio::time::timeout(LAST_WORDS, let_in).await;
        let arrived = arrived.ok().and_then(|arrived| arrived.ok()?.ok());
        let code = code_of(&ended);
        let program = command.argv.first().map(String::as_str).unwrap_or_default();
        let (channel, door) = arrived.unzip();
        let refused = door.flatten().map(Door::close).unwrap_or_default();
        let end = match channel {
            _ if ended.was_ended() => End::default(),
            Some(channel) => Answers::read(channel, explained)?.end(program)?.unwrap_or(End::KILLED),
            None if code == Some(NOT_STARTED) || self.program.is_some() => {
                return Err(self.failed(&with_remedy(ended.stderr.tail(500).trim())));
            }
            None => End { code, signal: None },
        };
        Ok(EndedContainer { ended, end, refused })
    }

    fn job(&self, command: &SandboxCommand, policy: &SandboxPolicy) -> Result<Job, SandboxError> {
        if !policy.caches.is_empty() {
            return Err(refused("a container has no build caches of its own"));
        }
        if !policy.hosts.is_empty() && !self.has_door() {
            return Err(refused("on this machine a container reaches no hosts"));
        }
        self.machine.job(command, policy)
    }

    /// # Errors
    /// `Policy` for what cannot be mounted.
    fn plan(&self, mut job: Job, stdin: &str) -> Result<Planned, SandboxError> {
        let running = self.running()?;
        let (door, nothing) = (running.folder.path().join("door"), running.folder.path().join("nothing"));
        let entrance = UnixListener::bind(&door)?;
        // The folder is for this user alone; in the container whoever runs there may knock.
        std::fs::set_permissions(&door, PermissionsExt::from_mode(0o666))?;
        std::fs::write(&nothing, "")?;
        let inside = Path::new(OWN).join("door");
        let mut shown = hidden_sockets(&job, &nothing);
        let mut entry = None;
        if let Some(program) = &self.program {
            shown.extend(program.files());
            shown.push((door, inside.clone()));
            entry = Some(program.entry(&inside.display().to_string()));
        }
        let arguments = self.asked(&running, &job, &shown, entry.as_deref())?.arguments()?;
        if self.engine.limits_processes {
            // The container counts its own; process 1 could only count all that this user runs anywhere.
            job.limits.processes = u64::MAX;
        }
        let input = spoken(&job, stdin)?;
        Ok(Planned { arguments, input, entrance, running })
    }

    /// A name and a folder for one container.
    fn running(&self) -> Result<Running, SandboxError> {
        let folder = tempfile::Builder::new().prefix("ado-vault-").tempdir()?;
        // Of its kind on this machine, as the folder is.
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Running { engine: self.engine.clone(), name, is_over: false, folder })
    }

    fn asked<'a>(
        &'a self,
        running: &'a Running,
        job: &'a Job,
        shown: &'a [(PathBuf, PathBuf)],
        entry: Option<&'a [String]>,
    ) -> Result<Asked<'a>, SandboxError> {
        let owner = std::fs::metadata(&job.cwd)?;
        let owner = (owner.uid(), owner.gid());
        Ok(Asked { engine: &self.engine, image: &self.image, name: &running.name, job, owner, shown, entry })
    }

    fn failed(&self, reason: &str) -> SandboxError {
        SandboxError::Start {
            program: self.engine.program.display().to_string(),
            reason: explained("container", reason),
        }
    }
}

#[cfg(target_os = "linux")]
impl Container {
    /// The words that start this program in a container.
    pub(super) fn words(&self) -> Vec<String> {
        self.program.iter().flat_map(|program| program.words().to_vec()).collect()
    }

    /// The same image without walls: the machine's network, processes and devices, every right, its folders `/tmp`,
    /// `/dev/shm` and `root`, and a variable of this process.
    pub(super) fn without_walls(
        &self,
        command: &SandboxCommand,
        root: &Path,
        inherited: Option<&str>,
    ) -> Result<(std::process::Command, Running), SandboxError> {
        let running = self.running()?;
        let job =
            self.machine.job(command, &SandboxPolicy { write: vec![root.into()], ..Default::default() })?;
        let shown: Vec<_> = self.program.iter().flat_map(Program::files).collect();
        let asked = self.asked(&running, &job, &shown, None)?;
        let mut open = self.engine.command();
        open.args(asked.without_walls(inherited)?);
        Ok((open, running))
    }

    /// Starts one container that looks around instead of running anything.
    fn look(&self) -> Result<Vec<Layer>, SandboxError> {
        /// Without which the profile still holds.
        const OPTIONAL: [&str; 6] =
            ["user", "user namespace", "cgroup namespace", "landlock", "processes", "memory"];
        use std::io::Write;
        let folder = tempfile::tempdir()?;
        let command = SandboxCommand {
            argv: vec!["probe".into()],
            cwd: folder.path().into(),
            env: Default::default(),
            stdin: String::new(),
        };
        let policy = SandboxPolicy { write: vec![folder.path().into()], ..Default::default() };
        let job = Job { probe: Some(super::linux::namespaces()), ..self.job(&command, &policy)? };
        let Planned { arguments, input, entrance, mut running } = self.plan(job, "")?;
        let mut child = self.engine.command();
        child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A container that could not be made does not read it.
            let _ = stdin.write_all(&input);
        }
        let said = engine::waited(child)?;
        running.is_over = said.status.success();
        entrance.set_nonblocking(true)?;
        let layers = match entrance.accept() {
            Ok((channel, _)) => Answers::read(channel, explained)?.layers(&OPTIONAL)?,
            Err(_) => None,
        };
        layers.ok_or_else(|| {
            let said = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            unavailable(explained("container", &with_remedy(&said)))
        })
    }
}

impl Running {
    /// Removes the container, whatever it does, and waits until it is gone.
    async fn end(&mut self) {
        let mut removal = tokio::process::Command::from(self.removal());
        if tokio::time::timeout(REMOVAL, removal.status()).await.is_ok() {
            self.is_over = true;
        }
    }

    fn removal(&self) -> std::process::Command {
        let mut removal = self.engine.command();
        removal.args(["rm", "--force", &self.name]).stdout(Stdio::null()).stderr(Stdio::null());
        removal
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Not waited for here: this may be an async thread.
        if let Ok(mut child) = self.removal().spawn() {
            std::thread::spawn(move || child.wait());
        }
    }
}

/// Sockets of the machine in what is read, each with nothing over it: a read-only mount does not keep one from being
/// connected to.
#[cfg(target_os = "linux")]
fn hidden_sockets(job: &Job, nothing: &Path) -> Vec<(PathBuf, PathBuf)> {
    use super::job::Access;
    use super::linux::{bound_sockets, sockets_beneath};
    let bound = bound_sockets();
    let read = job.shows.iter().filter(|show| show.access == Access::Read);
    read.flat_map(|show| {
        let inside = |socket: &Path| match socket.as_os_str().is_empty() {
            true => show.target.clone(),
            false => show.target.join(socket),
        };
        let hidden = sockets_beneath(&bound, &show.source).into_iter().map(inside);
        hidden.map(|target| (nothing.to_owned(), target)).collect::<Vec<_>>()
    })
    .collect()
}

/// Sockets do not pass from one kernel to another.
#[cfg(not(target_os = "linux"))]
fn hidden_sockets(_: &Job, _: &Path) -> Vec<(PathBuf, PathBuf)> {
    vec![]
}

fn explained(layer: &str, reason: &str) -> String {
    format!("layer `{layer}`: {reason}")
}

/// What a container's program said, with what helps where that is known.
fn with_remedy(said: &str) -> String {
    let knows = |words: &[&str]| words.iter().all(|word| said.contains(word));
    let remedy = if knows(&["cgroups in hybrid mode"]) {
        "; crun cannot work here: install runc and set `runtime = \"runc\"` below `[engine]` in containers.conf"
    } else if knows(&["cgroup"]) {
        "; the control groups of this machine cannot be used: boot it with version 2 of them, or try the other of podman \
         and docker"
    } else if said.is_empty() || knows(&["exec format error"]) || knows(&["no such file or directory"]) {
        "; ado-vault itself does not start in this image, which must be one for Linux on this machine's processor; or \
         its containers run on another machine, such as a virtual one, where nothing reaches ado-vault"
    } else {
        ""
    };
    let said = if said.is_empty() { "it ended and said nothing" } else { said };
    format!("{said}{remedy}")
}

fn layer(name: &str, enforced: bool, detail: &str) -> Layer {
    Layer { name: name.into(), enforced, detail: detail.into() }
}

fn unavailable(reason: impl Into<String>) -> SandboxError {
    SandboxError::Unavailable { reason: reason.into() }
}

fn refused(reason: &str) -> SandboxError {
    SandboxError::Policy { reason: reason.to_owned() }
}
