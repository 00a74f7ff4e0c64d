//! The words with which a container is asked for. Starts none.

use std::path::{Path, PathBuf};

use rustix::process::Resource;

use super::super::job::{Access, HOME, Job};
use super::engine::Engine;
use super::{SandboxError, owner, refused};

/// Bytes of the private `/tmp`, which is memory.
const TMP_SIZE: u64 = 2 << 30;
/// Bytes of the private `/dev/shm`.
const SHARED_SIZE: u64 = 256 << 20;
/// Open files, and processes of a user, that are asked for: podman raises what is not named as far as the kernel goes,
/// which not every root may.
const OPEN_FILES: u64 = 65_536;
const PROCESSES: u64 = 32_768;
/// Processes and threads of the container's process 1.
const OWN_PROCESSES: u64 = 2;

/// One container.
pub(super) struct Asked<'a> {
    pub engine: &'a Engine,
    pub image: &'a str,
    pub name: &'a str,
    pub job: &'a Job,
    /// User and group to whom the worktree belongs.
    pub owner: (u32, u32),
    /// What else is shown, read-only: files of the machine with their places.
    pub shown: &'a [(PathBuf, PathBuf)],
    /// What is started; the job comes by its input.
    pub entry: Option<&'a [String]>,
}

impl Asked<'_> {
    /// # Errors
    /// `Policy` for what a container cannot be given.
    pub(super) fn arguments(&self) -> Result<Vec<String>, SandboxError> {
        let mut arguments = self.begun();
        arguments.extend(self.walls());
        arguments.extend(self.limits());
        arguments.extend(self.mounts()?);
        match self.entry.and_then(<[String]>::split_first) {
            Some((program, more)) => {
                // It goes to the command's folder itself, and says so where it cannot.
                arguments.push("--workdir=/".to_owned());
                arguments.extend([format!("--entrypoint={program}"), self.image.to_owned()]);
                arguments.extend(more.iter().cloned());
            }
            None => arguments.extend(self.command()),
        }
        Ok(arguments)
    }

    /// The same command where nothing keeps it in. `inherited` is a variable of this process that it has too.
    ///
    /// # Errors
    /// As `arguments`.
    #[cfg(target_os = "linux")]
    pub(super) fn without_walls(&self, inherited: Option<&str>) -> Result<Vec<String>, SandboxError> {
        let mut arguments = self.begun();
        // By its name: the value is nobody's business.
        arguments.extend(inherited.map(|name| format!("--env={name}")));
        let open = ["--privileged", "--network=host", "--pid=host", "--log-driver=none"];
        arguments.extend(open.map(String::from));
        for shared in ["/tmp", "/dev/shm"].map(Path::new) {
            arguments.push(mount(shared, shared, false)?);
        }
        let shows = self.job.shows.iter().map(|show| (&show.source, &show.target));
        for (source, target) in shows.chain(self.shown.iter().map(|(source, target)| (source, target))) {
            arguments.push(mount(source, target, false)?);
        }
        arguments.extend(self.command());
        Ok(arguments)
    }

    fn begun(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["run", "--rm", "--interactive", "--pull=never"].map(String::from).to_vec();
        words.push(format!("--name={}", self.name));
        words.extend(owner::mark());
        words.extend(self.user());
        words.extend(self.open_files());
        words
    }

    /// The command itself, without a process 1 of ours.
    fn command(&self) -> Vec<String> {
        let mut words = vec![format!("--workdir={}", self.job.cwd.display())];
        words.extend(self.job.env.iter().map(|(name, value)| format!("--env={name}={value}")));
        words.extend(["--entrypoint=".to_owned(), self.image.to_owned()]);
        words.extend(self.job.argv.iter().cloned());
        words
    }

    fn walls(&self) -> Vec<String> {
        let mut words: Vec<&str> = vec![
            "--network=none",
            "--ipc=private",
            "--cgroupns=private",
            "--hostname=sandbox",
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            // Output is kept in bounds here; a log of it would not be.
            "--log-driver=none",
            // Nothing in it has anything to put away.
            "--stop-signal=SIGKILL",
        ];
        if self.engine.has_selinux {
            // What is mounted would have to be given other labels, for the machine too.
            words.push("--security-opt=label=disable");
        }
        if self.engine.is_podman {
            words.extend([
                "--read-only-tmpfs=false",
                "--http-proxy=false",
                "--image-volume=ignore",
                "--systemd=false",
            ]);
        }
        words.into_iter().map(String::from).collect()
    }

    fn limits(&self) -> Vec<String> {
        let limits = &self.job.limits;
        let mut words = vec![
            format!("--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size={TMP_SIZE}"),
            format!("--shm-size={SHARED_SIZE}"),
            "--ulimit=core=0".to_owned(),
        ];
        if self.entry.is_none() {
            words.push(format!("--ulimit=cpu={}", limits.cpu_seconds));
            words.push(format!("--ulimit=fsize={}", limits.file_bytes));
        }
        if self.engine.limits_processes {
            words.push(format!("--pids-limit={}", limits.processes.saturating_add(OWN_PROCESSES)));
        }
        let memory = match limits.box_memory_bytes {
            0 => self.engine.memory / 4 * 3,
            most => most,
        };
        if self.engine.limits_memory && memory > 0 {
            words.extend([format!("--memory={memory}"), format!("--memory-swap={memory}")]);
        }
        words
    }

    fn open_files(&self) -> Vec<String> {
        let own = |resource: Resource, most: u64| {
            rustix::process::getrlimit(resource).maximum.map_or(most, |own| own.min(most))
        };
        let mut limits = vec![("nofile", own(Resource::Nofile, OPEN_FILES))];
        if self.engine.is_podman {
            limits.push(("nproc", own(Resource::Nproc, PROCESSES)));
        }
        limits.iter().map(|(name, most)| format!("--ulimit={name}={most}:{most}")).collect()
    }

    /// Whoever owns the worktree, however the program names that user in a container.
    fn user(&self) -> Vec<String> {
        let (uid, gid) = self.owner;
        match (self.engine.is_rootless, self.engine.keeps_id) {
            (true, true) => vec!["--userns=keep-id".into(), format!("--user={uid}:{gid}")],
            (true, false) => vec!["--user=0:0".into()],
            (false, _) => vec![format!("--user={uid}:{gid}")],
        }
    }

    fn mounts(&self) -> Result<Vec<String>, SandboxError> {
        let mut words = vec![];
        if !self.job.shows.iter().any(|show| show.target == Path::new(HOME)) {
            words.push(format!("--tmpfs={HOME}:rw,exec,nosuid,nodev,mode=1777,size={TMP_SIZE}"));
        }
        for show in &self.job.shows {
            words.push(mount(&show.source, &show.target, show.access != Access::Write)?);
        }
        for (link, target) in &self.job.links {
            let written = |show: &&super::super::job::Show| show.access == Access::Write;
            let written = self.job.shows.iter().filter(written).any(|show| show.target == *target);
            words.push(mount(target, link, !written)?);
        }
        for path in &self.job.protect {
            words.push(mount(path, path, true)?);
        }
        for (source, target) in self.shown {
            words.push(mount(source, target, true)?);
        }
        Ok(words)
    }
}

fn mount(source: &Path, target: &Path, read_only: bool) -> Result<String, SandboxError> {
    // A line of values with commas between them, as CSV has it.
    let value = |name: &str, path: &Path| {
        let text = path.to_str().filter(|text| path.is_absolute() && !text.contains(['\n', '\r']));
        let text = text.ok_or_else(|| refused(&format!("`{}` cannot be mounted", path.display())))?;
        Ok::<_, SandboxError>(match text.contains([',', '"']) {
            true => format!("\"{name}={}\"", text.replace('"', "\"\"")),
            false => format!("{name}={text}"),
        })
    };
    let right = if read_only { ",readonly" } else { "" };
    Ok(format!("--mount=type=bind,{},{}{right}", value("source", source)?, value("target", target)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sandbox::Limits;
    use crate::sandbox::job::Show;

    fn engine(is_podman: bool, is_rootless: bool) -> Engine {
        Engine {
            program: "/bin/x".into(),
            is_podman,
            version: "x 1".into(),
            is_rootless,
            keeps_id: is_podman && is_rootless,
            has_selinux: is_rootless,
            limits_processes: !is_rootless,
            limits_memory: !is_rootless,
            memory: 4000,
        }
    }

    fn job() -> Job {
        let show = |path: &str, access| Show { source: path.into(), target: path.into(), access };
        Job {
            argv: ["sh", "-c", "x"].map(String::from).to_vec(),
            cwd: "/w".into(),
            env: BTreeMap::from([("A".to_owned(), "b c".to_owned())]),
            shows: vec![show("/r", Access::Read), show("/w", Access::Write)],
            links: vec![("/named".into(), "/w".into())],
            protect: vec!["/w/.git".into()],
            limits: Limits::default(),
            proxy: None,
            inlet: None,
            probe: None,
        }
    }

    /// Without what depends on this machine.
    fn asked(engine: &Engine, job: &Job, entry: Option<&[String]>) -> String {
        let shown = [("/p".into(), "/.ado-vault/p".into())];
        let asked = Asked { engine, image: "i:1", name: "n", job, owner: (7, 8), shown: &shown, entry };
        let mut words = asked.arguments().unwrap();
        words.retain(|word| {
            !["--label=", "--ulimit=nofile=", "--ulimit=nproc="].iter().any(|start| word.starts_with(start))
        });
        words.join(" ")
    }

    const MOUNTS: &str = "--tmpfs=/tmp/home:rw,exec,nosuid,nodev,mode=1777,size=2147483648 \
        --mount=type=bind,source=/r,target=/r,readonly --mount=type=bind,source=/w,target=/w \
        --mount=type=bind,source=/w,target=/named --mount=type=bind,source=/w/.git,target=/w/.git,readonly \
        --mount=type=bind,source=/p,target=/.ado-vault/p,readonly";
    const TMP: &str =
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=2147483648 --shm-size=268435456 --ulimit=core=0";

    #[test]
    fn podman_is_asked_for_all_walls_and_nothing_of_the_command_is_in_the_words() {
        let entry = ["/.ado-vault/p".to_owned(), "entry".to_owned()];
        assert_eq!(
            asked(&engine(true, false), &job(), Some(&entry)),
            format!(
                "run --rm --interactive --pull=never --name=n --user=7:8 --network=none --ipc=private \
                 --cgroupns=private --hostname=sandbox --read-only --cap-drop=ALL --security-opt=no-new-privileges \
                 --log-driver=none --stop-signal=SIGKILL --read-only-tmpfs=false --http-proxy=false \
                 --image-volume=ignore --systemd=false {TMP} --pids-limit=514 --memory=3000 --memory-swap=3000 \
                 {MOUNTS} --workdir=/ --entrypoint=/.ado-vault/p i:1 entry"
            )
        );
    }

    #[test]
    fn docker_without_control_groups_and_without_our_process_1_is_asked_for_what_it_can() {
        let words = asked(&engine(false, true), &job(), None);
        assert_eq!(
            words,
            format!(
                "run --rm --interactive --pull=never --name=n --user=0:0 --network=none --ipc=private \
                 --cgroupns=private --hostname=sandbox --read-only --cap-drop=ALL --security-opt=no-new-privileges \
                 --log-driver=none --stop-signal=SIGKILL --security-opt=label=disable {TMP} --ulimit=cpu=3600 \
                 --ulimit=fsize=2147483648 {MOUNTS} --workdir=/w --env=A=b c --entrypoint= i:1 sh -c x"
            )
        );
        let rootless = asked(&engine(true, true), &job(), None);
        assert!(rootless.contains(" --userns=keep-id --user=7:8 "), "{rootless}");
    }

    #[test]
    fn odd_paths_are_quoted_and_can_name_nothing_else() {
        let path = Path::new("/a,target=/etc,\"b");
        assert_eq!(
            mount(path, path, true).unwrap(),
            "--mount=type=bind,\"source=/a,target=/etc,\"\"b\",\"target=/a,target=/etc,\"\"b\",readonly"
        );
        assert!(mount(Path::new("/a\nb"), Path::new("/a"), true).is_err());
        assert!(mount(Path::new("a"), Path::new("/a"), true).is_err());
    }
}
