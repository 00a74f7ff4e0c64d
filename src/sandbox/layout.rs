//! From a policy and this machine to what a box shows. Mounts nothing.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::job::{Access, CARGO_HOME, HOME, Job, Show};
use super::toolchain::{cargo_home, package_caches, search_path, toolchains, variables};
use super::{BuildCache, SandboxCommand, SandboxError, SandboxPolicy};

/// Top-level folders that are links into `/usr` on most systems.
const SYSTEM_LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// What programs read of `/etc`. `alternatives` holds the links behind names such as `cc`.
const CONFIGURATION: [&str; 16] = [
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
];
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];
/// Folders that the box makes itself, so that nothing of the machine may stand in their place.
const OWN: [&str; 8] = ["/", "/dev", "/etc", "/proc", "/sys", "/tmp", "/usr", "/run"];

/// Port of the box's own loopback at which the proxy listens; nothing else can have taken it.
const PROXY_PORT: u16 = 3128;

/// What every box on this machine has in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    shows: Vec<Show>,
    /// Of packages: what is written there is gone with the box.
    caches: Vec<Show>,
    links: Vec<(PathBuf, PathBuf)>,
    env: BTreeMap<String, String>,
}

impl Machine {
    pub(super) fn look() -> Self {
        let mut shows = vec![same("/usr", Access::System)];
        let mut links = vec![];
        for path in SYSTEM_LINKS {
            match std::fs::read_link(path) {
                Ok(target) => links.push((PathBuf::from(path), target)),
                Err(_) if Path::new(path).is_dir() => shows.push(same(path, Access::System)),
                Err(_) => {}
            }
        }
        for name in CONFIGURATION {
            let target = Path::new("/etc").join(name);
            if let Ok(source) = target.canonicalize() {
                shows.push(Show { source, target, access: Access::System });
            }
        }
        shows.extend(DEVICES.map(|path| same(path, Access::Device)));
        let toolchains = toolchains();
        for path in &toolchains {
            if let Ok(source) = path.canonicalize() {
                shows.push(Show { source, target: path.clone(), access: Access::Read });
            }
        }
        if let Some(source) = cargo_home().and_then(|cargo| cargo.join("config.toml").canonicalize().ok())
            && !tells_secrets(&source)
        {
            // Cargo reads this one for every project, wherever its home is.
            shows.push(Show { source, target: "/.cargo/config.toml".into(), access: Access::Read });
        }
        let caches = package_caches().into_iter().filter_map(|(path, inside)| {
            let target = Path::new(HOME).join(inside);
            Some(Show { source: path.canonicalize().ok()?, target, access: Access::Scratch })
        });
        let caches = caches.collect();
        let mut env = variables(&toolchains);
        env.insert("PATH".into(), search_path(&toolchains));
        env.insert("CARGO_HOME".into(), CARGO_HOME.into());
        env.extend(own_variables());
        Self { shows, caches, links, env }
    }

    /// What an image has, which brings its own system and toolchains.
    pub(super) fn of_an_image() -> Self {
        let mut env = own_variables();
        env.insert("CARGO_NET_OFFLINE".into(), "true".into());
        Self { env, ..Self::default() }
    }

    /// The job for one command.
    ///
    /// # Errors
    /// `Policy` names the path that cannot be granted and why.
    pub(super) fn job(&self, command: &SandboxCommand, policy: &SandboxPolicy) -> Result<Job, SandboxError> {
        let mut layout =
            Layout { shows: BTreeMap::new(), links: self.links.clone(), write: vec![], read: vec![] };
        let mut env = self.env.clone();
        let own_home = policy.home.is_some() || policy.caches.iter().any(|cache| cache.target.is_none());
        let caches = if own_home { &[] } else { &self.caches[..] };
        // Toolchains come and go while ado-vault runs.
        for show in self.shows.iter().chain(caches).filter(|show| show.source.exists()) {
            layout.shows.insert(show.target.clone(), show.clone());
        }
        if let Some(home) = &policy.home {
            let source = real(home)?.ok_or_else(|| refused(home, "does not exist"))?;
            layout.insert(Show { source, target: HOME.into(), access: Access::Write });
            env.insert("CARGO_HOME".into(), CARGO_HOME.into());
        }
        for path in &policy.write {
            let real = real(path)?.ok_or_else(|| refused(path, "does not exist"))?;
            layout.write.push((normal(path)?, real));
        }
        for path in &policy.read {
            if let Some(real) = real(path)? {
                layout.read.push((normal(path)?, real.clone()));
                layout.show(path, real, Access::Read)?;
            }
        }
        for (path, real) in layout.write.clone() {
            layout.show(&path, real, Access::Write)?;
        }
        for cache in &policy.caches {
            layout.show_cache(cache)?;
        }
        let protect = policy.protect.iter().map(|path| layout.inside(path)).collect::<Result<Vec<_>, _>>()?;
        if !policy.hosts.is_empty() {
            env.remove("CARGO_NET_OFFLINE");
            env.extend(proxy_variables());
        }
        env.extend(command.env.clone());
        let mut shows: Vec<Show> = layout.shows.into_values().collect();
        shows.sort_by_key(|show| show.target.components().count());
        Ok(Job {
            argv: command.argv.clone(),
            cwd: real(&command.cwd)?.ok_or_else(|| refused(&command.cwd, "does not exist"))?,
            env,
            shows,
            links: layout.links,
            protect,
            limits: policy.limits.clone(),
            proxy: (!policy.hosts.is_empty()).then_some(PROXY_PORT),
            inlet: None,
            probe: None,
        })
    }
}

/// What every command is told.
fn own_variables() -> BTreeMap<String, String> {
    let variables = [
        ("HOME", HOME),
        ("TMPDIR", "/tmp"),
        // A git directory that cannot be shown as the command's own is refused by git without this.
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

struct Layout {
    shows: BTreeMap<PathBuf, Show>,
    links: Vec<(PathBuf, PathBuf)>,
    /// As named and as they really are.
    write: Vec<(PathBuf, PathBuf)>,
    read: Vec<(PathBuf, PathBuf)>,
}

impl Layout {
    /// Shows a path where it really is, with a link from where it was named.
    fn show(&mut self, path: &Path, real: PathBuf, access: Access) -> Result<(), SandboxError> {
        let path = normal(path)?;
        let kind = std::fs::metadata(&real)?.file_type();
        if !kind.is_dir() && !kind.is_file() {
            return Err(refused(&path, "is neither a folder nor a regular file"));
        }
        let shared = Path::new("/dev/shm");
        let own = OWN.iter().any(|own| real == Path::new(own)) || real == shared;
        let within = ["/proc", "/sys", "/dev"].iter().any(|own| real.starts_with(own));
        if own || (within && !real.starts_with(shared)) {
            return Err(refused(&path, "would replace a part of the sandbox's own system"));
        }
        for (named, writable) in &self.write {
            let expected = path.strip_prefix(named).or_else(|_| path.strip_prefix(writable));
            if expected.is_ok_and(|rest| writable.join(rest) != real) {
                return Err(refused(&path, "lies in a writable folder and leads elsewhere by a link"));
            }
        }
        if path != real && !self.is_shown(&path) && !self.links.iter().any(|(link, _)| path.starts_with(link))
        {
            self.links.push((path, real.clone()));
        }
        self.insert(Show { source: real.clone(), target: real, access });
        Ok(())
    }

    fn insert(&mut self, show: Show) {
        self.shows.insert(show.target.clone(), show);
    }

    /// Shows a cache with a layer of the run's own over it. Both that layer and the place where it is seen are made.
    fn show_cache(&mut self, cache: &BuildCache) -> Result<(), SandboxError> {
        let source = real(&cache.source)?.ok_or_else(|| refused(&cache.source, "does not exist"))?;
        for part in ["data", "work"] {
            std::fs::create_dir_all(cache.upper.join(part))?;
        }
        let upper = real(&cache.upper)?.ok_or_else(|| refused(&cache.upper, "does not exist"))?;
        let target = match &cache.target {
            None => PathBuf::from(HOME),
            Some(path) => {
                // A worktree that is only read has its caches too.
                let (root, inside) = among(&self.write, path)
                    .or_else(|_| among(&self.read, path))
                    .map_err(|_| refused(path, "must lie in a folder that is shown, and does not"))?;
                make_folders(&root, &inside)
                    .map_err(|error| refused(path, &format!("is no place for a cache: {error}")))?;
                root.join(inside)
            }
        };
        self.insert(Show { source, target, access: Access::Layered(upper) });
        Ok(())
    }

    fn is_shown(&self, path: &Path) -> bool {
        self.shows.keys().any(|shown| path.starts_with(shown))
    }

    /// Where a protected path is in the box. It must lie in a writable folder; its own links are not followed.
    fn inside(&self, path: &Path) -> Result<PathBuf, SandboxError> {
        let (root, inside) = among(&self.write, path)?;
        let found = root.join(inside);
        if found.symlink_metadata().is_err() {
            return Err(refused(path, "is to be protected but does not exist"));
        }
        Ok(found)
    }
}

/// The folder that holds a path, and where in it.
fn among(folders: &[(PathBuf, PathBuf)], path: &Path) -> Result<(PathBuf, PathBuf), SandboxError> {
    let normal = normal(path)?;
    let found = folders.iter().find_map(|(named, real)| {
        let rest = normal.strip_prefix(named).or_else(|_| normal.strip_prefix(real)).ok()?;
        Some((real.clone(), rest.to_owned()))
    });
    found.ok_or_else(|| refused(path, "must lie in a writable folder and does not"))
}

/// What tells programs of the proxy.
fn proxy_variables() -> impl Iterator<Item = (String, String)> {
    let url = format!("http://127.0.0.1:{PROXY_PORT}");
    let through = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, url.clone()));
    let past = ["no_proxy", "NO_PROXY"].map(|name| (name, "localhost,127.0.0.1,::1".to_owned()));
    through.into_iter().chain(past).map(|(name, value)| (name.to_owned(), value))
}

/// Makes a folder and those above it beneath `root`, following no link: commands have written there.
fn make_folders(root: &Path, inside: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut folder = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
    for part in inside.components() {
        match rustix::fs::mkdirat(&folder, part.as_os_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = rustix::fs::openat(&folder, part.as_os_str(), flags, Mode::empty())?;
    }
    Ok(())
}

/// Whether a configuration file may hold more than settings; also when it cannot be read.
fn tells_secrets(path: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else { return true };
    let text = text.to_lowercase();
    ["token", "password", "secret", "credential", "@"].iter().any(|word| text.contains(word))
}

fn same(path: &str, access: Access) -> Show {
    Show { source: path.into(), target: path.into(), access }
}

/// Where a path really is; nothing when it does not exist.
fn real(path: &Path) -> Result<Option<PathBuf>, SandboxError> {
    let path = normal(path)?;
    match path.canonicalize() {
        Ok(real) if real.to_str().is_some() => Ok(Some(real)),
        Ok(_) => Err(refused(&path, "is not UTF-8")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(&path, &error.to_string())),
    }
}

fn normal(path: &Path) -> Result<PathBuf, SandboxError> {
    if !path.is_absolute() {
        return Err(refused(path, "is not an absolute path"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(refused(path, "holds `..`"));
    }
    if path.to_str().is_none() {
        return Err(refused(path, "is not UTF-8"));
    }
    Ok(path.components().collect())
}

fn refused(path: &Path, why: &str) -> SandboxError {
    SandboxError::Policy { reason: format!("`{}` {why}", path.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Limits;

    fn command(cwd: &Path) -> SandboxCommand {
        SandboxCommand { argv: vec!["x".into()], cwd: cwd.into(), env: BTreeMap::new(), stdin: String::new() }
    }

    fn shown(job: &Job) -> Vec<(String, Access)> {
        job.shows.iter().map(|show| (show.target.display().to_string(), show.access.clone())).collect()
    }

    #[test]
    fn parents_come_first_and_write_goes_before_read() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("a/b/c")).unwrap();
        let policy = SandboxPolicy {
            write: vec![base.join("a/b")],
            read: vec![base.join("a/b/c"), base.join("a/b"), base.join("a"), base.join("missing")],
            protect: vec![base.join("a/b/c")],
            limits: Limits::default(),
            ..Default::default()
        };
        let job = Machine::default().job(&command(&base), &policy).unwrap();
        let name = |path: &str| base.join(path).display().to_string();
        assert_eq!(
            shown(&job),
            [(name("a"), Access::Read), (name("a/b"), Access::Write), (name("a/b/c"), Access::Read)]
        );
        assert_eq!(job.protect, [base.join("a/b/c")]);
    }

    #[test]
    fn a_path_named_through_a_link_is_shown_where_it_is_and_linked() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::fs::create_dir(base.join("real")).unwrap();
        std::os::unix::fs::symlink(base.join("real"), base.join("link")).unwrap();
        let policy = SandboxPolicy {
            write: vec![base.join("link")],
            read: vec![],
            protect: vec![],
            limits: Limits::default(),
            ..Default::default()
        };
        let job = Machine::default().job(&command(&base.join("link")), &policy).unwrap();
        assert_eq!(shown(&job), [(base.join("real").display().to_string(), Access::Write)]);
        assert_eq!((job.links, job.cwd), (vec![(base.join("link"), base.join("real"))], base.join("real")));
    }

    #[test]
    fn settings_are_shown_and_tokens_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        assert!(tells_secrets(&path));
        std::fs::write(&path, "[source.crates-io]\nreplace-with = \"mirror\"\n").unwrap();
        assert!(!tells_secrets(&path));
        std::fs::write(&path, "[registry]\nToken = \"x\"\n").unwrap();
        assert!(tells_secrets(&path));
    }
}
