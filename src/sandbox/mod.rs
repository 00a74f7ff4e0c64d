//! Runs a command with no more of the machine than its policy grants.
//!
//! `Sandbox::run` starts this program again as `ado-vault __sandbox`; that process builds the box around itself and
//! becomes the command. `detect` tries the whole profile once, so that what cannot be enforced is known at start.

mod answers;
mod attendance;
mod boxed;
#[cfg(target_os = "linux")]
mod cases;
mod child;
mod command;
mod container;
mod door;
mod drive;
#[cfg(target_os = "linux")]
mod escape;
mod job;
mod layout;
#[cfg(target_os = "linux")]
mod linux;
mod output;
mod plain;
#[cfg(target_os = "linux")]
mod probes;
mod proxy;
mod pulse;
mod quota;
mod report;
mod request_head;
mod run;
#[cfg(target_os = "linux")]
mod stage;
mod toolchain;

pub use attendance::{Arrival, Attendance, Inlet};
#[cfg(target_os = "linux")]
pub use cases::{EscapeCase, escape_cases};
pub use child::{CHILD_ARG, child_main};
pub use command::*;
#[cfg(target_os = "linux")]
pub use escape::{EscapeResult, try_escape};
pub use pulse::{Awaited, Pulse};
pub use report::{Layer, SandboxReport};
pub use run::Sandbox;
pub use toolchain::toolchains;
