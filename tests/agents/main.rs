//! Agents with a scripted model, a real worktree and real commands: each edit format from end to end, and everything
//! that a model may do wrong.

mod acp;
mod bench;
mod external;
mod formats;
mod hostile;
#[path = "../common/sandbox.rs"]
mod machine;
mod tools;
