//! The process that builds the box around itself. Knows nothing of why the command runs.

/// First argument that makes this program the sandbox's child.
pub const CHILD_ARG: &str = "__sandbox";

/// Reads its job, builds the box and becomes the command. Never returns.
pub fn child_main() -> ! {
    std::process::exit(70)
}
