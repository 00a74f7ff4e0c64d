//! Boxes by docker or podman, for machines where the built-in ones cannot be had: macOS, Windows, locked-down Linux. The
//! program's image brings the toolchains. Says what is asked of the container's program; what it enforces is its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use super::drive::{Ended, Started};
use super::report::Layer;
use super::{SandboxCommand, SandboxError, SandboxPolicy};

const PROGRAMS: [&str; 2] = ["podman", "docker"];
/// Exit code of `run` where the container could not be made.
const NOT_STARTED: i32 = 125;
/// Bytes of the private `/tmp`.
const TMP_SIZE: u64 = 2 << 30;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A container program with the image that commands run in.
#[derive(Debug)]
pub(super) struct Container {
    program: PathBuf,
    image: String,
}

/// A container that ends when this is dropped.
pub(super) struct Running {
    program: PathBuf,
    name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut removal = Command::new(&self.program);
        removal.args(["rm", "--force", &self.name]);
        removal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A container that ended is gone already. Not waited for here: this may be an async thread.
        if let Ok(mut child) = removal.spawn() {
            std::thread::spawn(move || child.wait());
        }
    }
}

impl Container {
    /// Asks the given program, or the first of podman and docker in `PATH`, whether it works and has the image.
    ///
    /// # Errors
    /// `Unavailable` with what it said.
    pub(super) fn probe(program: Option<&Path>, image: &str) -> Result<(Self, Vec<Layer>), SandboxError> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => in_path().ok_or_else(|| unavailable("neither podman nor docker is in `PATH`"))?,
        };
        if image.is_empty() || image.starts_with('-') || image.contains(char::is_whitespace) {
            return Err(unavailable("name an image as `sandbox_image` in the settings"));
        }
        let version = asked(&program, &["version", "--format", "{{.Server.Version}}"])?;
        asked(&program, &["image", "inspect", "--format", "{{.Id}}", image])?;
        let layer = |name: &str, detail: String| Layer { name: name.into(), enforced: true, detail };
        let layers = vec![
            layer("container", format!("{} {version}, image `{image}`", program.display())),
            layer("network", "none".into()),
            layer("mount view", "the image, read-only, with the worktree and what may be read".into()),
            layer("capabilities", "none asked for; no new privileges".into()),
            layer("limits", "processes, CPU time, file size and open files as the run's policy says".into()),
        ];
        Ok((Self { program, image: image.to_owned() }, layers))
    }

    /// # Errors
    /// `Policy` for what a container cannot be given, `Start` when the program cannot be started.
    pub(super) fn start(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
    ) -> Result<(Started, Running), SandboxError> {
        let name = format!("ado-vault-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let arguments = self.arguments(command, policy, &name)?;
        let mut child = tokio::process::Command::new(&self.program);
        child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.kill_on_drop(true).spawn().map_err(|error| SandboxError::Start {
            program: self.program.display().to_string(),
            reason: error.to_string(),
        })?;
        let running = Running { program: self.program.clone(), name };
        Ok((Started { child, group: None }, running))
    }

    /// Whether the container could not be made at all.
    ///
    /// # Errors
    /// `Start` with what the container program said.
    pub(super) fn judge(&self, ended: &Ended) -> Result<(), SandboxError> {
        if ended.status.and_then(|status| status.code()) != Some(NOT_STARTED) {
            return Ok(());
        }
        let said = ended.stderr.tail(500);
        Err(SandboxError::Start {
            program: self.program.display().to_string(),
            reason: format!("layer `container`: {}", said.trim()),
        })
    }

    fn arguments(
        &self,
        command: &SandboxCommand,
        policy: &SandboxPolicy,
        name: &str,
    ) -> Result<Vec<String>, SandboxError> {
        if !policy.hosts.is_empty() {
            return Err(refused("a container reaches no hosts; use the built-in sandbox for that"));
        }
        if !policy.caches.is_empty() {
            return Err(refused("a container has no build caches of its own"));
        }
        let limits = &policy.limits;
        let mut arguments: Vec<String> =
            ["run", "--rm", "--interactive", "--init", "--pull=never"].map(String::from).to_vec();
        arguments.extend([
            format!("--name={name}"),
            "--network=none".into(),
            "--ipc=private".into(),
            "--hostname=sandbox".into(),
            "--read-only".into(),
            "--cap-drop=ALL".into(),
            "--security-opt=no-new-privileges".into(),
            format!("--pids-limit={}", limits.processes),
            "--ulimit=core=0".into(),
            format!("--ulimit=cpu={}", limits.cpu_seconds),
            format!("--ulimit=fsize={}", limits.file_bytes),
            format!("--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size={TMP_SIZE}"),
        ]);
        if limits.box_memory_bytes > 0 {
            arguments.push(format!("--memory={}", limits.box_memory_bytes));
        }
        let owner = std::fs::metadata(&command.cwd)?;
        let (uid, gid) = {
            use std::os::unix::fs::MetadataExt;
            (owner.uid(), owner.gid())
        };
        arguments.push(format!("--user={uid}:{gid}"));
        if self.program.file_name().is_some_and(|name| name == "podman") {
            arguments.push("--userns=keep-id".into());
        }
        for path in &policy.read {
            if path.exists() {
                arguments.push(mount(path, path, true)?);
            }
        }
        for path in &policy.write {
            arguments.push(mount(path, path, false)?);
        }
        for path in &policy.protect {
            arguments.push(mount(path, path, true)?);
        }
        let home = match &policy.home {
            Some(home) => {
                arguments.push(mount(home, Path::new("/home/ado"), false)?);
                "/home/ado"
            }
            None => "/tmp",
        };
        arguments.push(format!("--env=HOME={home}"));
        arguments.extend(command.env.iter().map(|(name, value)| format!("--env={name}={value}")));
        arguments.push(format!("--workdir={}", command.cwd.display()));
        arguments.push("--entrypoint=".into());
        arguments.push(self.image.clone());
        arguments.extend(command.argv.iter().cloned());
        Ok(arguments)
    }
}

fn mount(source: &Path, target: &Path, read_only: bool) -> Result<String, SandboxError> {
    let text = |path: &Path| {
        let text = path.to_str().filter(|text| path.is_absolute() && !text.contains([',', '"', '\n']));
        text.map(str::to_owned).ok_or_else(|| refused(&format!("`{}` cannot be mounted", path.display())))
    };
    let right = if read_only { ",readonly" } else { "" };
    Ok(format!("--mount=type=bind,source={},target={}{right}", text(source)?, text(target)?))
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

/// The first line that the program answers with.
fn asked(program: &Path, arguments: &[&str]) -> Result<String, SandboxError> {
    let said = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let said =
        said.map_err(|error| unavailable(&format!("cannot start `{}`: {error}", program.display())))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !said.status.success() {
        let asked = arguments.first().copied().unwrap_or_default();
        let reason = text(&said.stderr);
        return Err(unavailable(&format!("`{} {asked}` failed: {reason}", program.display())));
    }
    Ok(text(&said.stdout).lines().next().unwrap_or_default().to_owned())
}

fn unavailable(reason: &str) -> SandboxError {
    SandboxError::Unavailable { reason: reason.to_owned() }
}

fn refused(reason: &str) -> SandboxError {
    SandboxError::Policy { reason: reason.to_owned() }
}
