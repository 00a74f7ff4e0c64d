//! A vault in a folder of its own, and the binary run on it as an ordinary machine would: no git identity, no settings
//! of the person who runs the tests, no terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use tempfile::TempDir;

pub struct Place {
    _dir: TempDir,
    /// HOME of every command that is run here.
    pub home: PathBuf,
    pub vault: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// An empty folder with an empty home beside it.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let vault = dir.path().join("vault");
        Self { _dir: dir, home, vault }
    }

    /// A fresh vault in which a note counts as written as soon as it is saved.
    pub fn vault() -> Self {
        let place = Self::empty();
        place.ok(&["init"]);
        place.ok(&["set", "00_system/Settings.md", "quiet_seconds=0", "write_pause_seconds=0"]);
        place
    }

    /// The binary with these arguments, in the vault where there is one.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("ado-vault").unwrap();
        self.set_up(&mut command);
        command.env("ADO_VAULT", &self.vault).args(arguments);
        command
    }

    fn set_up(&self, command: &mut Command) {
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if ["GIT_", "ADO_", "XDG_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&key);
            }
        }
        command.env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null());
        let there = if self.vault.is_dir() { &self.vault } else { &self.home };
        command.current_dir(there);
    }

    /// Lets commands here find the Rust toolchain of the person who runs the tests.
    pub fn lend_toolchain(&self) {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let real = std::env::var_os(variable).map_or(home.join(folder), PathBuf::from);
            if real.is_dir() {
                std::os::unix::fs::symlink(real, self.home.join(folder)).unwrap();
            }
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().unwrap())
    }

    /// Runs and expects success; gives standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs with `--format json`; gives the exit code and the document.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ended = self.run(&[&["--format", "json"], arguments].concat());
        let value = serde_json::from_str(&ended.out);
        (ended.code, value.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ended:?}")))
    }

    /// Runs git in a folder; gives what it said.
    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        self.set_up(&mut command);
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        let ended = ended(command.current_dir(folder).args(identity).args(arguments).output().unwrap());
        assert_eq!(ended.code, 0, "git {arguments:?}: {ended:?}");
        ended.out.trim().to_owned()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.vault.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.vault.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

pub fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The keys of a JSON object, in order.
pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

/// Waits until something is so, for at most a minute.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
