//! Whose a container is, written on it, and the removal of those whose ado-vault is gone. Touches no other container.

use std::path::Path;

use super::engine::Engine;

/// The label by which a container is known as ado-vault's.
pub(super) const LABEL: &str = "ado-vault.owner";

/// A process of some machine: by its start time it is no other that has the same number later.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    /// Of the machine's current run.
    boot: String,
    /// Numbers of processes mean something within one namespace only.
    namespace: String,
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

impl Owner {
    /// Nothing where the system does not tell (other than Linux).
    fn current() -> Option<Self> {
        let pid = std::process::id();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned();
        Some(Self { boot, namespace, pid, started: started(pid)? })
    }

    fn label(&self) -> String {
        format!("{}/{}/{}/{}", self.boot, self.namespace, self.pid, self.started)
    }

    fn of_label(label: &str) -> Option<Self> {
        let mut parts = label.split('/');
        let mut part = || parts.next().map(str::to_owned);
        let (boot, namespace, pid, started) = (part()?, part()?, part()?, part()?);
        let owner = Self { boot, namespace, pid: pid.parse().ok()?, started: started.parse().ok()? };
        parts.next().is_none().then_some(owner)
    }

    /// Whether its containers may go. Those of another machine, or of processes that cannot be seen from here, stay; after
    /// a restart of the machine what is left does not run.
    fn is_gone(&self, here: &Self, runs: bool, started: impl FnOnce(u32) -> Option<u64>) -> bool {
        match (self.boot == here.boot, self.namespace == here.namespace) {
            (true, true) => started(self.pid) != Some(self.started),
            (true, false) => false,
            (false, _) => !runs,
        }
    }
}

/// The option that marks a container as this process's.
pub(super) fn mark() -> Option<String> {
    Owner::current().map(|owner| format!("--label={LABEL}={}", owner.label()))
}

/// Removes containers that a killed ado-vault left. What cannot be asked or removed is left for the next start.
pub(super) fn sweep(engine: &Engine) {
    let Some(here) = Owner::current() else { return };
    let filter = format!("--filter=label={LABEL}");
    let Ok(all) = engine.asked(&["ps", "--all", "--quiet", "--no-trunc", &filter]) else { return };
    for id in all.lines() {
        let format = format!("--format={{{{.State.Status}}}} {{{{index .Config.Labels \"{LABEL}\"}}}}");
        let Ok(told) = engine.asked(&["inspect", "--type=container", &format, id]) else { continue };
        let Some((status, label)) = told.split_once(' ') else { continue };
        let runs = ["running", "paused"].contains(&status);
        if Owner::of_label(label).is_some_and(|owner| owner.is_gone(&here, runs, started)) {
            // Somebody else may be removing it too.
            let _ = engine.asked(&["rm", "--force", id]);
        }
    }
}

/// When a process began; nothing when there is none of this number.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_of_this_machine_are_swept() {
        let here = Owner { boot: "b".into(), namespace: "pid:[1]".into(), pid: 7, started: 70 };
        assert_eq!(Owner::of_label(&here.label()), Some(here.clone()));
        let gone = |owner: &Owner, runs: bool, seen: Option<u64>| owner.is_gone(&here, runs, |_| seen);
        assert!(!gone(&here, true, Some(70)), "it lives");
        assert!(gone(&here, true, None), "it is dead");
        assert!(gone(&here, true, Some(71)), "its number is another's");
        let elsewhere = Owner { namespace: "pid:[2]".into(), ..here.clone() };
        assert!(!gone(&elsewhere, true, None) && !gone(&elsewhere, false, None), "nobody here can see it");
        let before = Owner { boot: "a".into(), ..here.clone() };
        assert!(!gone(&before, true, None), "another machine's, or it could not run");
        assert!(gone(&before, false, None));
        for label in ["", "b/pid:[1]/7", "b/pid:[1]/x/70", "b/pid:[1]/7/70/8"] {
            assert_eq!(Owner::of_label(label), None, "{label}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_alive() {
        let here = Owner::current().unwrap();
        assert!(!here.is_gone(&here, true, started));
    }
}
