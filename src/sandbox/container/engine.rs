//! The container's program, docker or podman: which one works here, what it tells of itself, and what it is asked. Knows
//! no policy.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{SandboxError, unavailable};

const PROGRAMS: [&str; 2] = ["podman", "docker"];
/// How long an answer may take; a service that starts on demand needs some of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs containers, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Engine {
    pub program: PathBuf,
    /// Podman, which has options that docker has not.
    pub is_podman: bool,
    pub version: String,
    /// Its root is an ordinary user of the machine.
    pub is_rootless: bool,
    /// That user can keep its number in a container: it has other numbers for the users of the image.
    pub keeps_id: bool,
    pub has_selinux: bool,
    /// Which control groups it can make.
    pub limits_processes: bool,
    pub limits_memory: bool,
    /// Bytes of the memory of the machine on which containers run; 0 where it does not tell.
    pub memory: u64,
}

impl Engine {
    /// Asks the given program, or podman and docker in `PATH`, until one works and has the image.
    ///
    /// # Errors
    /// `Unavailable` with what each said.
    pub(super) fn find(program: Option<&Path>, image: &str) -> Result<Self, SandboxError> {
        let programs = program.map_or_else(in_path, |program| vec![program.to_owned()]);
        let mut reasons = vec![];
        for program in programs {
            match Self::ask(&program).and_then(|engine| engine.has(image).map(|()| engine)) {
                Ok(engine) => return Ok(engine),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(unavailable(match reasons.is_empty() {
            true => "neither podman nor docker is in `PATH`: install one of them".to_owned(),
            false => reasons.join("; "),
        }))
    }

    fn ask(program: &Path) -> Result<Self, String> {
        let said = asked(program, &["info", "--format", "{{json .}}"])?;
        let problem = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        let info = serde_json::from_slice(&said.stdout).unwrap_or_default();
        described(program, &info).ok_or_else(|| {
            let program = program.display();
            match problem.is_empty() {
                true => format!("`{program} info` does not tell its version: is it podman or docker?"),
                false => format!("`{program} info` failed: {problem}"),
            }
        })
    }

    fn has(&self, image: &str) -> Result<(), String> {
        let remedy = format!(
            "get it with `{0} pull {image}` or `{0} build`: ado-vault fetches none",
            self.program.display()
        );
        asked(&self.program, &["image", "inspect", "--format", "{{.Id}}", image])
            .map(drop)
            .map_err(|error| format!("{error}; {remedy}"))
    }

    /// What it says to these words. Waits for it.
    ///
    /// # Errors
    /// What it said where it failed, in words.
    pub(super) fn asked(&self, words: &[&str]) -> Result<String, String> {
        asked(&self.program, words).map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// A command of it that shares neither terminal nor signals of this process.
    pub(super) fn command(&self) -> Command {
        command(&self.program)
    }
}

fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.process_group(0).stdin(Stdio::null());
    command
}

/// From what it tells as JSON. Nothing where that is not how docker or podman describe themselves.
fn described(program: &Path, info: &Value) -> Option<Engine> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let holds = |list: &Value, word: &str| {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).any(|one| one == word)
    };
    let program = program.to_owned();
    if let Some(version) = text(&info["version"]["Version"]) {
        let host = &info["host"];
        let security = &host["security"];
        return Some(Engine {
            program,
            is_podman: true,
            version: format!("podman {version}"),
            is_rootless: security["rootless"] == true,
            keeps_id: security["rootless"] == true
                && host["idMappings"]["uidmap"].as_array().is_some_and(|map| map.len() > 1),
            has_selinux: security["selinuxEnabled"] == true,
            limits_processes: holds(&host["cgroupControllers"], "pids"),
            limits_memory: holds(&host["cgroupControllers"], "memory"),
            memory: host["memTotal"].as_u64().unwrap_or(0),
        });
    }
    let version = text(&info["ServerVersion"])?;
    let security = &info["SecurityOptions"];
    Some(Engine {
        program,
        is_podman: false,
        version: format!("docker {version}"),
        is_rootless: holds(security, "name=rootless"),
        keeps_id: false,
        has_selinux: holds(security, "name=selinux"),
        limits_processes: info["PidsLimit"] == true,
        limits_memory: info["MemoryLimit"] == true,
        memory: info["MemTotal"].as_u64().unwrap_or(0),
    })
}

fn in_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let first = |name: &&str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    PROGRAMS.iter().filter_map(first).collect()
}

fn asked(program: &Path, words: &[&str]) -> Result<Output, String> {
    let mut command = command(program);
    let child = command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| format!("cannot start `{}`: {error}", program.display()))?;
    let named = format!("{} {}", program.display(), words.first().copied().unwrap_or_default());
    let said = waited(child).map_err(|error| format!("`{named}` failed: {error}"))?;
    match said.status.success() {
        true => Ok(said),
        false => Err(format!("`{named}` failed: {}", String::from_utf8_lossy(&said.stderr).trim())),
    }
}

/// Waits for an answer that is small enough for a pipe, and not for ever.
pub(super) fn waited(mut child: std::process::Child) -> std::io::Result<Output> {
    let until = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= until {
            // It may have ended meanwhile.
            let _ = child.kill();
            child.wait()?;
            return Err(std::io::Error::other(format!("no answer in {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_programs_are_known_by_how_they_describe_themselves() {
        let podman = json!({
            "host": {
                "cgroupControllers": ["cpu", "pids"], "memTotal": 100,
                "security": {"rootless": true, "selinuxEnabled": true},
                "idMappings": {"uidmap": [{"size": 1}, {"size": 65536}]},
            },
            "version": {"Version": "4.3.1"},
        });
        let engine = Engine {
            program: "/bin/x".into(),
            is_podman: true,
            version: "podman 4.3.1".into(),
            is_rootless: true,
            keeps_id: true,
            has_selinux: true,
            limits_processes: true,
            limits_memory: false,
            memory: 100,
        };
        assert_eq!(described(Path::new("/bin/x"), &podman), Some(engine.clone()));
        let docker = json!({
            "ServerVersion": "27.1", "MemTotal": 200, "MemoryLimit": true, "PidsLimit": false,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        });
        let engine = Engine {
            is_podman: false,
            version: "docker 27.1".into(),
            keeps_id: false,
            has_selinux: false,
            limits_processes: false,
            limits_memory: true,
            memory: 200,
            ..engine
        };
        assert_eq!(described(Path::new("/bin/x"), &docker), Some(engine));
    }

    #[test]
    fn a_service_that_does_not_run_is_no_engine() {
        // As docker tells it, with exit code 0, where its service does not answer.
        let docker = json!({"ServerVersion": "", "MemoryLimit": false, "ClientInfo": {"Version": "28.2.2"}});
        assert_eq!(described(Path::new("/bin/x"), &docker), None);
        assert_eq!(described(Path::new("/bin/x"), &Value::Null), None);
    }
}
