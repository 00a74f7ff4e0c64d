//! The tools of the built-in loop: what they are called, what they take, what they do to a worktree.

mod call;
mod edit;
mod look;
mod spec;

pub(super) use call::{OUTPUT_BYTES, Toolbox, answer, bounded};
pub(super) use edit::replace_once;
pub(super) use look::files_of;
pub(super) use spec::{offered, specs};
