//! The side door of the program through which it becomes its own sandbox. Knows only who is behind which word.

/// First argument that makes this program the sandbox's child.
pub const CHILD_ARG: &str = "__sandbox";

/// Second argument of a child that is an escape probe rather than a box.
#[cfg(target_os = "linux")]
pub(super) const PROBE_ARG: &str = "probe";

/// Second argument of a child that is process 1 of a container. The third is the socket of its parent.
pub(super) const ENTRY_ARG: &str = "entry";

/// Reads its job, builds the box and becomes the command; or is process 1 of a container, or one of the escape probes. Never returns.
pub fn child_main() -> ! {
    #[cfg(target_os = "linux")]
    {
        let arguments: Vec<String> =
            std::env::args_os().skip(2).map(|argument| argument.to_string_lossy().into_owned()).collect();
        match arguments.split_first() {
            Some((word, rest)) if word == PROBE_ARG => std::process::exit(super::probes::run(rest)),
            Some((word, [door])) if word == ENTRY_ARG => super::linux::entry_main(door),
            Some((fd, [])) => {
                if let Ok(fd) = fd.parse() {
                    super::linux::child_main(fd)
                }
            }
            _ => {}
        }
    }
    eprintln!("ado-vault: `{CHILD_ARG}` is for ado-vault itself");
    std::process::exit(2)
}
