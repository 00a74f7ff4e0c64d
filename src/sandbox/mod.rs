//! Runs a command with no more of the machine than its policy grants.

mod command;

pub use command::*;
