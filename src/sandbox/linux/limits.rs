//! Limits of one process as the kernel counts them. Does not measure time or output.

use std::io;

use super::super::Limits;
use super::channel::checked;

/// Open files of one process.
const OPEN_FILES: u64 = 65_536;

/// Every limit, the number of processes among them: it counts within the box's own user namespace.
pub(super) fn limit(limits: &Limits) -> io::Result<()> {
    set(libc::RLIMIT_NPROC, limits.processes)?;
    set(libc::RLIMIT_NOFILE, OPEN_FILES)?;
    limit_plainly(limits)
}

/// The limits that make sense without a box, where processes are counted over everything a user runs. Only system calls,
/// so that it may run between fork and exec.
pub(in crate::sandbox) fn limit_plainly(limits: &Limits) -> io::Result<()> {
    set(libc::RLIMIT_CORE, 0)?;
    set(libc::RLIMIT_CPU, limits.cpu_seconds)?;
    set(libc::RLIMIT_FSIZE, limits.file_bytes)?;
    if limits.memory_bytes > 0 {
        set(libc::RLIMIT_AS, limits.memory_bytes)?;
    }
    Ok(())
}

/// Lowers a limit; one that already is lower stays.
fn set(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a local that outlives the calls.
    unsafe {
        checked(libc::getrlimit(resource, &raw mut now).into())?;
        now.rlim_max = now.rlim_max.min(most);
        now.rlim_cur = now.rlim_max;
        checked(libc::setrlimit(resource, &raw const now).into())?;
    }
    Ok(())
}
