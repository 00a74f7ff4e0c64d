//! Where escape cases play: a scratch root with sentinel files that stands for home, root, vault and repository, and a
//! process and sockets outside. Does not run cases.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Limits, SandboxPolicy};

/// What no box may print.
pub(super) const SECRET: &str = "the-secret-of-the-stage";

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(super) struct Stage {
    root: PathBuf,
    /// Starts this program.
    program: PathBuf,
    pub mark: String,
    victim: Child,
    leaked: File,
    udp: UdpSocket,
    tcp: TcpListener,
    before: BTreeMap<PathBuf, String>,
    _listening: [UnixListener; 3],
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `words` start this program where the attempt is made.
    pub(super) fn build(words: &[String]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().canonicalize()?;
        for path in [
            "home/.ssh",
            "home/.config",
            "home/.cargo/registry",
            "root",
            "run",
            "vault",
            "wt",
            "repo/.git/hooks",
            "repo/.git/info",
            "repo/.git/objects/info",
            "repo/.git/refs/heads",
            "repo/.git/worktrees/wt",
        ] {
            fs::create_dir_all(root.join(path))?;
        }
        for path in ["home/.ssh/id", "home/.config/token", "root/secret", "vault/other.md"] {
            fs::write(root.join(path), format!("{SECRET}\n"))?;
        }
        let git = root.join("repo/.git/worktrees/wt");
        for (path, text) in [
            ("home/.cargo/registry/some.crate", "crate\n".into()),
            ("vault/feature.md", "- [ ] approved\n".into()),
            ("repo/.git/config", "[core]\n\tbare = false\n".into()),
            ("repo/.git/HEAD", "ref: refs/heads/main\n".into()),
            ("repo/.git/refs/heads/main", "0000\n".into()),
            ("repo/.git/worktrees/wt/commondir", "../..\n".into()),
            ("wt/.git", format!("gitdir: {}\n", git.display())),
        ] {
            fs::write(root.join(path), text)?;
        }
        fs::set_permissions(root.join("root"), PermissionsExt::from_mode(0o700))?;
        let program = match words {
            [program] => PathBuf::from(program),
            words => {
                let words: String = words.iter().map(|word| format!(" '{word}'")).collect();
                let script = root.join("program");
                fs::write(&script, format!("#!/bin/sh\nexec{words} \"$@\"\n"))?;
                fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
                script
            }
        };
        // Digits, so that it also is a number of seconds to sleep; the process and the count make it unique.
        let mark = format!("30.{}0{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let victim = Command::new("sleep")
            .arg("60")
            .env("VICTIM_SECRET", SECRET)
            .stdin(File::open(root.join("root/secret"))?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let leaked = File::open(root.join("root/secret"))?;
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty())?;
        let listening = [
            UnixListener::bind(root.join("run/docker.sock"))?,
            UnixListener::bind(root.join("repo/.git/daemon.sock"))?,
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&mark)?)?,
        ];
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.set_nonblocking(true)?;
        let before = outside(&root)?;
        Ok(Self {
            tcp: TcpListener::bind("127.0.0.1:0")?,
            _listening: listening,
            _folder: folder,
            root,
            program,
            mark,
            victim,
            leaked,
            udp,
            before,
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn worktree(&self) -> PathBuf {
        self.root.join("wt")
    }

    /// What a run would be granted, as `ado-vault` grants it, and this program to probe with.
    pub(super) fn policy(&self, limits: Limits) -> SandboxPolicy {
        SandboxPolicy {
            write: vec![self.worktree()],
            read: vec![
                self.root.join("repo/.git"),
                self.root.join("home/.cargo/registry"),
                self.program.clone(),
            ],
            protect: vec![self.root.join("wt/.git")],
            limits,
            ..Default::default()
        }
    }

    pub(super) fn variables(&self) -> io::Result<BTreeMap<String, String>> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Ok(BTreeMap::from(
            [
                ("S", text(&self.root)),
                ("W", text(&self.worktree())),
                ("INIT", text(&self.program)),
                ("MARK", self.mark.clone()),
                ("VICTIM", self.victim.id().to_string()),
                ("LEAKED", self.leaked.as_raw_fd().to_string()),
                ("TCP", self.tcp.local_addr()?.to_string()),
                ("UDP", self.udp.local_addr()?.to_string()),
                ("VARIABLE", foreign_variable().unwrap_or_default()),
            ]
            .map(|(name, value)| (name.into(), value)),
        ))
    }

    pub(super) fn changed(&self) -> io::Result<bool> {
        Ok(outside(&self.root)? != self.before)
    }

    pub(super) fn victim_died(&mut self) -> io::Result<bool> {
        Ok(self.victim.try_wait()?.is_some())
    }

    pub(super) fn datagram_arrived(&self) -> bool {
        self.udp.recv(&mut [0; 8]).is_ok()
    }

    pub(super) fn has_special_file(&self) -> io::Result<bool> {
        for entry in fs::read_dir(self.worktree())? {
            let found = entry?.metadata()?;
            let kind = found.file_type();
            if found.mode() & 0o6000 != 0 || kind.is_char_device() || kind.is_block_device() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a process with the mark in its arguments is left. Ends it: only this stage's own attempt can have started
    /// it.
    pub(super) fn survivor(&self) -> io::Result<bool> {
        let mut found = false;
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if arguments.split(|byte| *byte == 0).any(|argument| argument == self.mark.as_bytes())
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                found = true;
                // It may have ended meanwhile.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        Ok(found)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The victim may be dead already.
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// Everything but the inside of the worktree: kind, rights, time and content.
fn outside(root: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut seen = BTreeMap::new();
    let entries = walkdir::WalkDir::new(root)
        .into_iter()
        .filter_entry(|entry| entry.path().parent() != Some(&root.join("wt")) || entry.file_name() == ".git");
    for entry in entries {
        let entry = entry.map_err(io::Error::from)?;
        let found = entry.metadata().map_err(io::Error::from)?;
        let content = if found.is_file() { fs::read_to_string(entry.path())? } else { String::new() };
        // A folder of the worktree's own may change; which folder it is may not.
        let changed = if entry.path() == root.join("wt") {
            found.ino().to_string()
        } else {
            format!("{:?}", found.modified()?)
        };
        seen.insert(entry.path().into(), format!("{:o} {changed} {content}", found.mode()));
    }
    Ok(seen)
}

/// A variable of this process that no box passes on.
fn foreign_variable() -> Option<String> {
    let passed = ["PATH", "HOME", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"];
    std::env::vars_os().find_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let toolchain =
            name.starts_with("CARGO_HOME") || name.contains("_HOME") || name.starts_with("RUSTUP");
        (plain
            && !toolchain
            && !value.is_empty()
            && !passed.contains(&name.as_str())
            && !name.starts_with("GO")
            && name != "CARGO_NET_OFFLINE"
            && name != "PYENV_ROOT")
            .then_some(name)
    })
}
