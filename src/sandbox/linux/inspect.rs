//! Looks at a finished box from inside: what holds is seen, not believed. Changes nothing.

use std::path::Path;

use super::super::job::{HOME, Namespaces};
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

/// Those of this process.
pub(in crate::sandbox) fn namespaces() -> Namespaces {
    let read = |kind: &str| {
        let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
        Some((kind.to_owned(), link.to_string_lossy().into_owned()))
    };
    NAMESPACES.iter().filter_map(|(kind, _)| read(kind)).collect()
}

/// Every layer of a box as it is from here. `started_as_root` says whether a drop of the user is to be seen.
pub(super) fn box_layers(outside: &Namespaces, landlock: Layer, started_as_root: bool) -> Vec<Layer> {
    let mut layers = vec![user(started_as_root)];
    layers.extend(apart(outside));
    let hidden = !Path::new("/sys/kernel").exists() && !Path::new("/etc/shadow").exists();
    let minimal = is_closed() && hidden;
    layers.push(layer("mount view", minimal, if minimal { "minimal, read-only" } else { "open" }));
    layers.extend(rights());
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

/// Every layer of a container as it is from here: what its program was asked for, seen.
pub(super) fn container_layers(outside: &Namespaces, landlock: Layer) -> Vec<Layer> {
    let mut layers = vec![user_of_container(outside)];
    layers.extend(apart(outside));
    let closed = is_closed();
    layers.push(layer("mount view", closed, if closed { "the image, read-only" } else { "open" }));
    layers.extend(rights());
    layers.push(landlock);
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    layers.push(layer("limits", core.maximum == Some(0), "CPU time and file size as the run's policy says"));
    let own = rustix::process::getrlimit(rustix::process::Resource::Nproc).maximum;
    let own = own.filter(|_| is_apart(outside, "user"));
    layers.push(match (group_limit("pids/pids.max", "pids.max"), own) {
        (Some(most), _) => layer("processes", true, &format!("{most}, by a control group")),
        (None, Some(most)) => layer("processes", true, &format!("{most}, within its user namespace")),
        (None, None) => layer("processes", false, "without limit: there is no control group for it"),
    });
    layers.push(match group_limit("memory/memory.limit_in_bytes", "memory.max") {
        Some(most) => layer("memory", true, &format!("{} MiB in sum, by a control group", most >> 20)),
        None => layer("memory", false, "limited per process, not in sum: there is no control group for it"),
    });
    layers
}

/// A number of this process's own control group, of version 1 or 2; nothing where it is unlimited or cannot be seen.
fn group_limit(one: &str, two: &str) -> Option<u64> {
    /// What version 1 calls unlimited: the largest number of whole pages.
    const UNLIMITED: u64 = 1 << 62;
    let read = |path: &str| std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(path)).ok();
    let number = read(one).or_else(|| read(two))?.trim().parse().ok()?;
    (number < UNLIMITED).then_some(number)
}

/// Root of the machine can do nothing without capabilities, but all that it owns is its own.
fn user_of_container(outside: &Namespaces) -> Layer {
    let uid = rustix::process::getuid().as_raw();
    match (uid, is_apart(outside, "user")) {
        (0, false) => layer(
            "user",
            false,
            "root of this machine, without its capabilities, as the worktree is root's: run ado-vault as a user of its own",
        ),
        (_, true) => layer("user", true, &format!("{uid} of a user namespace")),
        (_, false) => layer("user", true, &format!("the ordinary user {uid}")),
    }
}

fn is_apart(outside: &Namespaces, kind: &str) -> bool {
    let (theirs, ours) = (outside.get(kind), namespaces().remove(kind));
    ours.is_some() && theirs != ours.as_ref()
}

/// Which namespaces are its own, and that nothing but the loopback leads out.
fn apart(outside: &Namespaces) -> Vec<Layer> {
    let inside = namespaces();
    let mut layers: Vec<Layer> = NAMESPACES
        .iter()
        .map(|(kind, name)| {
            let ours = inside.get(*kind).map_or("cannot be seen", String::as_str);
            layer(name, is_apart(outside, kind), ours)
        })
        .collect();
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let all: Vec<_> =
        interfaces.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    layers.push(layer("network", all == ["lo"], &format!("interfaces: {}", all.join(", "))));
    layers
}

/// Whether the root cannot be written.
fn is_closed() -> bool {
    ["/.probe", "/usr/.probe"].iter().all(|path| std::fs::File::create(path).is_err())
}

/// Capabilities, filters and what they refuse.
fn rights() -> Vec<Layer> {
    let mut layers = vec![];
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
