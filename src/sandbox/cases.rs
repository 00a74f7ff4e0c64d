//! The escape cases of the security notes as a table: what is attempted, and what on the machine would show that it
//! worked. Runs nothing.
//!
//! Scripts find their stage in variables: `S` its root, `W` the worktree (also the current folder), `INIT` a file that starts this program,
//! `VICTIM` a process outside, `MARK` a name nobody else uses, and what `Stage` adds. They do no harm: what they touch is
//! the stage's own, knobs of the system are opened and not written, bombs are small.

use super::Limits;

/// One attempt to get out.
#[derive(Debug)]
pub struct EscapeCase {
    /// As in the security notes; several attempts may share one.
    pub number: u8,
    pub name: &'static str,
    pub(super) script: &'static str,
    pub(super) evidence: Evidence,
    /// Narrows the limits of the boxed run, where a limit is what is tried.
    pub(super) limits: fn(&mut Limits),
}

impl EscapeCase {
    /// Whether there is an attempt in a box, rather than something that is held elsewhere.
    pub fn is_tried(&self) -> bool {
        !matches!(self.evidence, Evidence::Elsewhere(_))
    }
}

/// What shows that an attempt worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The script ends with 0.
    Exit,
    /// The script prints the stage's secret.
    Says,
    /// Anything on the stage outside the worktree, or the worktree's `.git` file, changed.
    Outside,
    /// A file of this name beneath this folder of the machine, `MARK` in it.
    Appears(&'static str),
    VictimDies,
    /// A process that holds `MARK` in its arguments is left after the end.
    Survives,
    /// A set-user-ID file or a device lies in the worktree.
    SpecialFile,
    /// The datagram arrived outside.
    Datagram,
    /// Cannot be tried here; says who holds it instead.
    Elsewhere(&'static str),
}

use Evidence::{Appears, Datagram, Elsewhere, Exit, Outside, Says, SpecialFile, Survives, VictimDies};

/// All cases, in the order of their numbers.
pub fn escape_cases() -> &'static [EscapeCase] {
    &CASES
}

const fn case(number: u8, name: &'static str, evidence: Evidence, script: &'static str) -> EscapeCase {
    EscapeCase { number, name, script, evidence, limits: |_| {} }
}

/// An attempt that this program makes itself.
macro_rules! probe {
    ($number:literal, $name:literal, $arguments:literal) => {
        case($number, $name, Exit, concat!("exec \"$INIT\" __sandbox probe ", $arguments))
    };
}

static CASES: [EscapeCase; 69] = [
    case(1, "write outside", Outside, r#"echo x > "$S/home/evil""#),
    case(2, "write through a symlink", Outside, r#"ln -s "$S/home" link && echo x > link/evil"#),
    case(3, "hard link to a file outside", Outside, r#"ln "$S/home/.ssh/id" here && echo x >> here"#),
    case(4, "rename out", Outside, r#"echo x > f && mv f "$S/home/evil""#),
    case(5, "read ~/.ssh", Says, r#"cat "$S/home/.ssh/id""#),
    case(6, "read /root", Says, r#"cat "$S/root/secret""#),
    case(7, "read a token file", Says, r#"cat "$S/home/.config/token""#),
    case(8, "read other notes", Says, r#"cat "$S/vault/other.md""#),
    case(9, "tick its own approval", Outside, r#"sed -i 's/\[ \]/[x]/' "$S/vault/feature.md""#),
    case(10, "poison a package cache", Outside, r#"echo x > "$S/home/.cargo/registry/some.crate""#),
    case(11, "leave a file in the shared /tmp", Appears("/tmp"), r#"echo x > "/tmp/$MARK""#),
    case(12, "leave a file in /dev/shm", Appears("/dev/shm"), r#"echo x > "/dev/shm/$MARK""#),
    probe!(13, "talk to a daemon's socket", "connect-unix \"$S/run/docker.sock\""),
    probe!(13, "talk to a socket in what may be read", "connect-unix \"$S/repo/.git/daemon.sock\""),
    case(14, "chmod outside", Outside, r#"chmod 777 "$S/home/.ssh""#),
    case(15, "change times outside", Outside, r#"touch -d 2001-01-01 "$S/home/.ssh/id""#),
    case(16, "open /dev/kvm", Exit, "exec 3<>/dev/kvm"),
    case(17, "add a hook to the repository", Outside, r#"echo x > "$S/repo/.git/hooks/post-commit""#),
    case(18, "change the repository's config", Outside, r#"echo "[core]" >> "$S/repo/.git/config""#),
    case(
        19,
        "change config.worktree",
        Outside,
        r#"echo "[core]" >> "$S/repo/.git/worktrees/wt/config.worktree""#,
    ),
    case(20, "swap commondir", Outside, r#"echo "$W" > "$S/repo/.git/worktrees/wt/commondir""#),
    case(21, "add info/attributes", Outside, r#"echo "* filter=x" > "$S/repo/.git/info/attributes""#),
    case(22, "move a ref", Outside, r#"echo 1111 > "$S/repo/.git/refs/heads/main""#),
    case(22, "add alternates", Outside, r#"echo "$W" > "$S/repo/.git/objects/info/alternates""#),
    case(23, "write the .git file", Outside, r#"echo "gitdir: $W/fake" > .git"#),
    case(23, "replace the .git file", Outside, r#"echo "gitdir: $W/fake" > new && mv -f new .git"#),
    case(23, "remove the .git file", Outside, "rm -f .git"),
    case(23, "move the worktree away", Outside, r#"mv "$W" "$W.old" && mkdir "$W""#),
    case(
        24,
        "nested repository with its own config",
        Elsewhere("the host, which runs no git program there"),
        "",
    ),
    case(25, "edit .github/workflows", Elsewhere("the policy on diffs"), ""),
    case(26, "read /proc/*/environ", Says, r"cat /proc/[0-9]*/environ | tr '\0' '\n' | grep ^VICTIM_SECRET="),
    case(
        27,
        "through /proc/PID/root",
        Says,
        r#"for p in /proc/[0-9]*; do cat "$p/root$S/root/secret" && exit; done"#,
    ),
    case(28, "through /proc/PID/fd", Says, r#"cat "/proc/$VICTIM/fd/0""#),
    case(29, "kill a process outside", VictimDies, r#"kill -9 "$VICTIM""#),
    case(
        30,
        "leave a daemon behind",
        Survives,
        r#"setsid sleep "$MARK" </dev/null >/dev/null 2>&1 &
        i=0; until [ "$(head -c 5 /proc/$!/cmdline)" = sleep ]; do i=$((i+1)); [ $i -lt 2000 ] || exit 1; done"#,
    ),
    probe!(31, "ptrace", "ptrace"),
    probe!(31, "process_vm_readv", "vm-readv"),
    probe!(31, "pidfd_getfd", "pidfd-getfd"),
    probe!(32, "io_uring", "io-uring"),
    probe!(33, "user namespace by unshare", "unshare-user"),
    probe!(33, "user namespace by clone", "clone-user"),
    probe!(33, "user namespace by clone3", "clone3-user"),
    probe!(33, "mount", "mount"),
    probe!(33, "new mount interface", "fsopen"),
    case(34, "type into the terminal", Exit, r#""$INIT" __sandbox probe tiocsti; exit $?"#),
    probe!(35, "open_by_handle_at", "handle"),
    probe!(36, "keyctl", "keyctl"),
    probe!(36, "bpf", "bpf"),
    probe!(36, "perf_event_open", "perf"),
    probe!(36, "userfaultfd", "userfaultfd"),
    probe!(37, "AF_VSOCK", "socket 40 1 0"),
    probe!(37, "AF_PACKET", "socket 17 2 0"),
    probe!(37, "AF_ALG", "socket 38 5 0"),
    probe!(38, "TCP to the machine", "connect-tcp \"$TCP\""),
    case(38, "UDP to the machine", Datagram, r#"exec "$INIT" __sandbox probe send-udp "$UDP""#),
    probe!(38, "abstract socket of the machine", "connect-abstract \"$MARK\""),
    case(39, "set-user-ID by chmod", SpecialFile, "cp /bin/true s && chmod 4755 s"),
    case(39, "set-user-ID at creation", SpecialFile, r#"exec "$INIT" __sandbox probe create-setuid s"#),
    case(39, "give a file away", Exit, "touch f && chown 1:1 f"),
    case(40, "make a device", SpecialFile, "mknod null c 1 3"),
    case(41, "open core_pattern for writing", Exit, "true >> /proc/sys/kernel/core_pattern"),
    case(
        41,
        "open release_agent for writing",
        Exit,
        r#"for f in /sys/fs/cgroup/*/release_agent; do [ -e "$f" ] && true >> "$f" && exit; done; exit 1"#,
    ),
    EscapeCase {
        limits: |limits| limits.processes = 20,
        ..case(
            42,
            "fork bomb",
            Exit,
            r#"p=; while [ ${#p} -lt 200 ]; do sleep 9 >/dev/null 2>&1 & p="$p $!"; done; kill $p"#,
        )
    },
    EscapeCase {
        limits: |limits| limits.memory_bytes = 96 << 20,
        ..case(43, "take memory", Exit, "head -c 150000000 /dev/zero | tail -c 150000000 > /dev/null")
    },
    EscapeCase {
        limits: |limits| limits.file_bytes = 4 << 20,
        ..case(44, "fill the disk with one file", Exit, "head -c 8000000 /dev/zero > big")
    },
    EscapeCase {
        limits: |limits| limits.disk_bytes = 4 << 20,
        ..case(
            44,
            "fill the disk with many files",
            Exit,
            "i=0; while [ $i -lt 12 ]; do i=$((i+1)); head -c 1000000 /dev/zero > b$i || exit 1; sleep 0.1; done",
        )
    },
    EscapeCase {
        limits: |limits| limits.disk_files = 500,
        ..case(
            44,
            "use up inodes",
            Exit,
            "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); : > n$i || exit 1; done; sleep 1",
        )
    },
    case(45, "read the environment of ado-vault", Exit, r#"env | grep -q "^$VARIABLE=""#),
    case(46, "use an inherited descriptor", Says, r#"cat "/proc/self/fd/$LEAKED""#),
];
