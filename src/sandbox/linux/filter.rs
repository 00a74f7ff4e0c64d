//! System calls that nothing in a box may make: a seccomp deny list, since compilers and test suites use most of the rest.
//! Knows no files and no names, only numbers.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use super::channel::Failure;

/// Calls that answer "not permitted", whatever their arguments.
const DENIED: &[libc::c_long] = &[
    // Looking into and acting for other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Large, young or powerful parts of the kernel.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_syslog,
    // Files behind the back of the mount view, and the view itself.
    libc::SYS_open_by_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_setns,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// `open_tree_attr`, since Linux 6.15; the number is the same on every architecture.
const OPEN_TREE_ATTR: libc::c_long = 467;
/// `fchmodat2`, since Linux 6.6; the number is the same on every architecture.
const FCHMODAT2: libc::c_long = 452;

/// Calls that seem not to exist, so that programs take the older call, whose arguments a filter can read.
const HIDDEN: &[libc::c_long] = &[libc::SYS_clone3, libc::SYS_openat2];

/// `CLONE_NEW*`: a namespace of one's own is where most kernel holes begin.
const NEW_NAMESPACES: [libc::c_int; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80, // CLONE_NEWTIME
];

/// Ends the process's right to make these calls; there is no way back.
pub(super) fn forbid() -> Result<(), Failure> {
    let failed = |error: Error| Failure { layer: "seccomp", reason: error.to_string() };
    let hidden = HIDDEN.iter().map(|call| (*call, vec![])).collect();
    let hidden = without_x32(compile(hidden, libc::ENOSYS).map_err(failed)?);
    let denied = compile(denied().map_err(failed)?, libc::EPERM).map_err(failed)?;
    for program in [hidden, denied] {
        seccompiler::apply_filter(&program).map_err(failed)?;
    }
    Ok(())
}

fn denied() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|call| (*call, vec![])).collect();
    for call in [libc::SYS_unshare, libc::SYS_clone] {
        let any = NEW_NAMESPACES.iter().map(|flag| rule(&[has(0, *flag as u64)]));
        rules.insert(call, any.collect::<Result<_, _>>()?);
    }
    // Typing into the terminal that started all this.
    rules.insert(libc::SYS_ioctl, vec![rule(&[is(1, libc::TIOCSTI)])?, rule(&[is(1, libc::TIOCLINUX)])?]);
    // The families that programs need; not AF_VSOCK, AF_PACKET, AF_ALG and the other forty.
    let ordinary = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let others: Vec<_> = ordinary.iter().map(|family| is_not(0, *family as u64)).collect();
    let netlink = [is(0, libc::AF_NETLINK as u64), is_not(2, libc::NETLINK_ROUTE as u64)];
    rules.insert(libc::SYS_socket, vec![rule(&others)?, rule(&netlink)?]);
    // Set-user-ID files: what is written as nobody may belong to the machine's root outside.
    let special = [libc::S_ISUID, libc::S_ISGID].map(u64::from);
    let mut modes =
        vec![(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (FCHMODAT2, 2), (libc::SYS_mknodat, 2)];
    #[cfg(target_arch = "x86_64")]
    modes.extend([(libc::SYS_chmod, 1), (libc::SYS_mknod, 1), (libc::SYS_creat, 1)]);
    for (call, mode) in modes {
        let any = special.iter().map(|bit| rule(&[has(mode, *bit)]));
        rules.insert(call, any.collect::<Result<_, _>>()?);
    }
    let mut opens = vec![(libc::SYS_openat, 2, 3)];
    #[cfg(target_arch = "x86_64")]
    opens.push((libc::SYS_open, 1, 2));
    for (call, flags, mode) in opens {
        let creating = [libc::O_CREAT as u64, libc::O_TMPFILE as u64];
        let any =
            creating.iter().flat_map(|how| special.map(|bit| rule(&[has(flags, *how), has(mode, bit)])));
        rules.insert(call, any.collect::<Result<_, _>>()?);
    }
    Ok(rules)
}

type Condition = (u8, SeccompCmpOp, u64);

/// All bits of `bits` are set in this argument.
fn has(argument: u8, bits: u64) -> Condition {
    (argument, SeccompCmpOp::MaskedEq(bits), bits)
}

fn is(argument: u8, value: u64) -> Condition {
    (argument, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u64) -> Condition {
    (argument, SeccompCmpOp::Ne, value)
}

/// Matches where every condition does. The kernel reads these arguments as 32 bits, and so must the filter.
fn rule(conditions: &[Condition]) -> Result<SeccompRule, Error> {
    let conditions = conditions.iter().map(|(argument, operator, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    Ok(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?)
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: libc::c_int) -> Result<BpfProgram, Error> {
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, errno, std::env::consts::ARCH.try_into()?)?
        .try_into()?)
}

/// Puts a check before the program that hides the second set of numbers which x86-64 kernels may offer for the same calls.
fn without_x32(program: BpfProgram) -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const X32_BIT: u32 = 0x4000_0000;
    let statement = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    let mut whole = vec![
        statement(LOAD_NUMBER, 0),
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
        statement(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
    ];
    whole.extend(program);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_stay_within_the_kernels_size() {
        let program = compile(denied().unwrap(), libc::EPERM).unwrap();
        assert!((100..4096).contains(&program.len()), "{}", program.len());
        let hidden =
            without_x32(compile(BTreeMap::from([(libc::SYS_clone3, vec![])]), libc::ENOSYS).unwrap());
        assert_eq!((hidden[1].k, hidden[2].k), (0x4000_0000, 0x0005_0026));
    }

    #[test]
    fn every_special_call_has_its_rules() {
        let rules = denied().unwrap();
        assert_eq!(rules[&libc::SYS_unshare].len(), 8);
        assert_eq!(rules[&libc::SYS_ptrace].len(), 0);
        assert_eq!(rules[&libc::SYS_openat].len(), 4);
        assert!(!rules.contains_key(&libc::SYS_execve));
    }
}
