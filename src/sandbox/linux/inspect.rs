//! Looks at a finished box from inside: what holds is seen, not believed. Changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::job::HOME;
use super::super::report::Layer;
use super::channel::checked;

const NAMESPACES: [(&str, &str); 7] = [
    ("user", "user namespace"),
    ("mnt", "mount namespace"),
    ("pid", "process namespace"),
    ("net", "network namespace"),
    ("ipc", "ipc namespace"),
    ("uts", "host name namespace"),
    ("cgroup", "cgroup namespace"),
];

/// Which namespaces a process is in, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Namespaces(BTreeMap<&'static str, String>);

impl Namespaces {
    pub(super) fn current() -> Self {
        let read = |kind: &'static str| {
            let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
            Some((kind, link.to_string_lossy().into_owned()))
        };
        Self(NAMESPACES.iter().filter_map(|(kind, _)| read(kind)).collect())
    }
}

/// Every layer as it is from here. `started_as_root` says whether a drop of the user is to be seen.
pub(super) fn layers(outside: &Namespaces, landlock: Layer, started_as_root: bool) -> Vec<Layer> {
    let mut layers = vec![user(started_as_root)];
    let inside = Namespaces::current();
    for (kind, name) in NAMESPACES {
        let (theirs, ours) = (outside.0.get(kind), inside.0.get(kind));
        let enforced = ours.is_some() && theirs != ours;
        layers.push(layer(name, enforced, ours.map_or("cannot be seen", String::as_str)));
    }
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let foreign: Vec<_> =
        interfaces.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    layers.push(layer("network", foreign == ["lo"], &format!("interfaces: {}", foreign.join(", "))));
    let closed = std::fs::File::create("/.probe").is_err() && std::fs::File::create("/usr/.probe").is_err();
    let hidden = !Path::new("/sys/kernel").exists() && !Path::new("/etc/shadow").exists();
    layers.push(layer(
        "mount view",
        closed && hidden,
        if closed && hidden { "minimal, read-only" } else { "open" },
    ));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map_or("", |rest| rest.trim_start_matches(':').trim())
    };
    let none = "0000000000000000";
    let bare = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].iter().all(|name| field(name) == none);
    layers.push(layer("capabilities", bare, if bare { "none" } else { "some are left" }));
    layers.push(layer("no new privileges", field("NoNewPrivs") == "1", "set for everything started here"));
    layers.push(layer("seccomp", field("Seccomp") == "2", &format!("{} filters", field("Seccomp_filters"))));
    layers.push(nested_namespaces());
    layers.push(landlock);
    layers.push(limits());
    let first = std::fs::read_to_string("/proc/self/oom_score_adj").is_ok_and(|text| text.trim() == "1000");
    layers.push(layer(
        "memory",
        first,
        "the box goes first when the machine runs out; limited per process, not in sum",
    ));
    layers.push(layer(
        "disk quota",
        true,
        "`/tmp` is limited in size and files; folders are watched, and what fills them is ended",
    ));
    layers.push(overlay());
    layers
}

fn user(started_as_root: bool) -> Layer {
    let uid = rustix::process::getuid().as_raw();
    match (started_as_root, uid) {
        (true, 0) => layer("user", false, "still root"),
        (true, uid) => layer("user", true, &format!("root given up for {uid}")),
        (false, uid) => layer("user", true, &format!("stays the ordinary user {uid}")),
    }
}

/// The probe's home is a build cache.
fn overlay() -> Layer {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let is_overlay = |line: &str| {
        let place = line.split(' ').nth(4);
        place == Some(HOME) && line.split_once(" - ").is_some_and(|(_, rest)| rest.starts_with("overlay "))
    };
    let works = mounts.lines().any(is_overlay) && std::fs::write(Path::new(HOME).join("probe"), "x").is_ok();
    let detail = if works {
        "what is read has no sockets; build caches are shared by layers"
    } else {
        "none: sockets are hidden one by one; build caches are copied"
    };
    layer("overlay", works, detail)
}

fn nested_namespaces() -> Layer {
    // SAFETY: in the probe's only thread; when it succeeds the probe has failed and ends.
    let answer = checked(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into());
    layer("nested namespaces", answer.is_err(), if answer.is_err() { "refused" } else { "allowed" })
}

fn limits() -> Layer {
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    let processes = rustix::process::getrlimit(rustix::process::Resource::Nproc);
    let count = processes.maximum.map_or("unlimited".into(), |most| most.to_string());
    layer(
        "limits",
        core.maximum == Some(0) && processes.maximum.is_some(),
        &format!("{count} processes; memory, CPU time and file size as the run's policy says"),
    )
}

fn layer(name: &str, enforced: bool, detail: &str) -> Layer {
    Layer { name: name.into(), enforced, detail: detail.into() }
}
